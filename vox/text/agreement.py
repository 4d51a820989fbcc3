"""Numbers agree with their noun: "una hora", "veintiún euros", "une minute", "ein Buch".

The gender of a noun is guessed from its ending and from short lists; a wrong guess costs a letter.
"""

from __future__ import annotations

import re
from typing import Final

from .number_words import LABELS

_FEMININE: Final = {
    "es": re.compile(r"\w*(?:as?|ci[oó]n(?:es)?|si[oó]n(?:es)?|dad(?:es)?|tud(?:es)?)|"
                     r"bienal|manos?|noches?|clases?|veces|vez|partes?|llaves?|calles?|series?|mujer(?:es)?"),
    "pt": re.compile(r"\w*(?:[aã]s?|ção|ções|são|sões|dades?|gens?|gem)|"
                     r"bienal|noites?|partes?|vez|vezes|mãos?|mulher(?:es)?|mães?|cores|cor|flor(?:es)?|colher(?:es)?"
                     r"|chaves?|classes?|séries?|redes?|sedes?|leis?|fases?|frases?|bases?|teses?|pontes?|tardes?"),
    "it": re.compile(r"\w*(?:a|zione|sione|gione|tà|tù)|notte|parte|mano|chiave|classe|serie|voce"
                     r"|e-?mail|ore|volte|persone|pagine|donne|arte|legge|nave|neve|fine|gente|mente|rete|sede"),
    "fr": re.compile(
        r"\w*(?:[ts]ions?|ettes?|ances?|ences?|ures?|ées?|euses?|trices?|esses?|ies?|lles?|nnes?"
        r"|rtes?|ques?|aines?|gnes?|ttes?)|\w*[aeiou][a-z]*ités?|heures?|minutes?|secondes?"
        r"|pages?|fois|nuits?|erreurs?|images?|choses?|femmes?|maisons?|tables?|étoiles?"
        r"|onces?|places?|phrases?|réponses?|couleurs?|classes?|mains?|voix|dents?|fleurs?|vies?"
        r"|tasses?|pièces?|lettres?|fenêtres?|équipes?|portes?|calories?|verstes?"),
    "de": re.compile(
        r"\w*(?:ung|heit|keit|ion|tät|schaft|ei|ie|ik|[a-zäöüß]{2,}e)|Person|Nacht|Stadt|Hand|Frau"
        r"|\w*(?:[Ll]iga|[Kk]amera|[Ff]irma)|Mutter|Tochter|Schwester|(?:E-)?Mail|Zeit|Art|Zahl|Tür|Bahn|App|Woche|Uhrzeit|Antwort"),
}  # fmt: skip
_MASCULINE: Final = {
    "es": re.compile(r"(?:medio)?d[ií]as?|mapas?|planetas?|\w*[eo]mas?|\w*ramas?|\w*istas?"
                     r"|\w*nautas?|poetas?|atletas?|piratas?|dálmatas?|colegas?|guardias?|policías?|tranvías?|sofás?|cometas?"),
    "pt": re.compile(
        r"dias?|mapas?|planetas?|\w*[eo]mas?|\w*gramas?|\w*istas?|\w*nautas?|poetas?|atletas?"
        r"|piratas?|colegas?|cometas?|sofás?|guardas?|para|mas|na|nas|da|das"),
    "it": re.compile(r"(?:\w*[eo]ma|\w*ramma|\w*watt-?ora|pianeta|\w*ista|papa|a|la|da|ma|fa)"),
    "fr": re.compile(
        r"(?:musées?|lycées?|silences?|étés?|comités?|côtés?|traités?|incendies?|génies?|kiosques?"
        r"|disques?|mètres?|siècles?|murmures?|augures?|hommes?|masques?|risques?|chèques?"
        r"|moustiques?|squelettes?|dixièmes?|trophées?|parapluies?|millimètres?|intervalles?"
        r"|domaines?|capitaines?|signes?)"),
    "de": re.compile(
        r"(?:Name|Junge|Kunde|Kollege|Käse|Auge|Ende|Interesse|Gebäude|Buchstabe|Gedanke|Affe|Löwe"
        r"|Zeuge|Experte|Russe|Franzose|Pole|Neffe|Hase|Bote|Ge[a-zäöü]+e|Ei|Brei|Schrei|Genie|Spion)"),
}  # fmt: skip


def is_feminine(code: str, noun: str) -> bool:
    """Whether this noun, in the form in which it was written, is likely feminine."""
    feminine = _FEMININE.get(code)
    if feminine is None:
        return False
    noun = noun.rpartition("-")[2] if code == "de" else noun.lower()
    masculine = _MASCULINE[code].fullmatch(noun)
    return masculine is None and feminine.fullmatch(noun) is not None


_NOT_NOUNS: Final = {
    code: frozenset(words.split())
    for code, words in {
        "es": (
            "y e o u a de del en con por para que es se al no ni como más menos el la los las "
            "un una sobre sin"
        ),
        "pt": (
            "e ou a de do da dos das no na nos nas ao à às pelo pela em com por para que é se não "
            "nem como mais menos o os as um uma"
        ),
        "it": (
            "su e ed o a ad di del dello della dei degli delle al alla nel nella dal dalla sul "
            "sulla da in con per che è si non né come più meno il la i le un una lo"
        ),
        "fr": (
            "et ou à de des du au aux dans sur en avec par pour que est se ne ni comme plus "
            "moins le la les un"
        ),
        "de": "",
    }.items()
}
"""Words that are no noun although they stand behind a number."""
_NEXT_WORD: Final = re.compile(r"[ \u00a0]([^\W\d_]+(?:-[^\W\d_]+)*)(\.?)")
_NUMBERED: Final = re.compile(r" \d")
_ADJECTIVE: Final = re.compile(r"\b[a-zäöüß]+ 1 [a-zäöüß]{2,}(?P<ending>e|er|es|en|em) [A-ZÄÖÜ]")
_NO_ADJECTIVE: Final = re.compile(
    r" 1 (?:oder|aber|über|unter|hinter|ohne|heute|sowie|[dsm]?eine[rsnm]?|ihre[rsnm]?"
    r"|unsere[rsnm]?|alle[rsnm]?|diese[rsnm]?|jene[rsnm]?|keine[rsnm]?|jede[rsnm]?|\w+te|\w*ben|w[eu]r?den?|sollen"
    r"|gegen|neben|zwischen|wegen|während|außer|denen|deren) "
)


def noun_behind(code: str, text: str, at: int) -> str | None:
    """The noun behind the number that ends here, as far as can be told."""
    if code not in _NOT_NOUNS or text[at : at + 1] not in (" ", "\u00a0"):
        return None
    found = _NEXT_WORD.match(text, at, at + 40)
    if found is None:
        return None
    word = found[1]
    if word.lower() in ("port", "puerto", "porta") and _NUMBERED.match(text, found.end()):
        return None  # "10.0.0.1 port 80"
    if code == "de":
        is_label = found[2] and f"{word.lower()}." in LABELS[code]
        return word if word[0].isupper() and not is_label else None
    return word if word.islower() and word not in _NOT_NOUNS[code] else None


def article_of(text: str, at: int) -> str | None:
    """What "1" is in front of a German adjective: "1 neue Nachricht", "1 neuer Kommentar"."""
    start = max(0, at - 20)
    around = text[start : at + 32]
    found = _ADJECTIVE.search(around, 0) if text[at : at + 2] == "1 " else None
    if found is None or _NO_ADJECTIVE.search(around):
        return None
    return {"e": "eine", "en": "einen", "em": "einem"}.get(found["ending"], "ein")


_ARTICLE: Final = re.compile(r"(?:^|[^\w])[Aa]n? [-−]?\Z")
_ENGLISH_NOUN: Final = re.compile(
    r"[ \u00a0](?!(?:and|or|to|in|of|for|per|a|an|the|is|was|on|at|from|each|with|by|as|than)\b)"
    r"[a-z]"
)


def is_attribute(code: str, text: str, before: str, end: int) -> bool:
    """Whether an English amount stands before a noun: "a $20 bill", "a 5 km run".

    `before`: the text in front of it; it ends at `end`.
    """
    if code != "en" or not _ARTICLE.search(before):
        return False
    return _ENGLISH_NOUN.match(text, end) is not None


def agreed(code: str, words: str, *, feminine: bool) -> str:
    """The cardinal as it stands before a noun of this gender."""
    if code == "de" and words.endswith("eins"):
        return words[:-1] + ("e" if feminine else "")
    if code == "fr" and feminine and words.split()[-1] == "un":
        return words + "e"
    if code == "it" and words == "uno":
        return "una" if feminine else "un"
    if code == "es":
        if feminine:
            words = re.sub(r"(cient|quinient)os\b(?! (?:mil )?millones)", r"\1as", words)
        if words.endswith("veintiuno"):
            return words[:-3] + ("una" if feminine else "ún")
        if words.endswith("uno"):
            return words[:-1] + ("a" if feminine else "")
    if code == "pt" and feminine:
        words = re.sub(r"(ent)os\b(?! mil)", r"\1as", words)
        return re.sub(r"\b(um|dois)\Z", lambda m: {"um": "uma", "dois": "duas"}[m[1]], words)
    return words
