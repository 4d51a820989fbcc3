"""Numbers agree with their noun: "una hora", "veintiún euros", "une minute", "ein Buch".

The gender of a noun is guessed from its ending and from short lists; a wrong guess costs a letter.
"""

from __future__ import annotations

import re
from typing import Final

_FEMININE: Final = {
    "es": re.compile(r"\w*(?:as?|ci[oó]n(?:es)?|si[oó]n(?:es)?|dad(?:es)?|tud(?:es)?)|"
                     r"manos?|noches?|clases?|veces|vez|partes?|llaves?|calles?|series?|mujer(?:es)?"),
    "pt": re.compile(r"\w*(?:as?|ção|ções|são|sões|dades?|gens?|gem)|"
                     r"noites?|partes?|vez|vezes|mãos?|mulher(?:es)?|mães?|cores|flor(?:es)?"),
    "it": re.compile(r"\w*(?:a|zione|sione|gione|tà|tù)|notte|parte|mano|chiave|classe|serie|voce"),
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
    "es": re.compile(r"(?:medio)?d[ií]as?|mapas?|planetas?|\w*[eo]mas?|\w*ramas?|\w*istas?"),
    "pt": re.compile(
        r"dias?|mapas?|planetas?|\w*[eo]mas?|\w*gramas?|\w*istas?|para|mas|na|nas|da|das"),
    "it": re.compile(r"(?:\w*[eo]ma|\w*ramma|pianeta|\w*ista|papa|a|la|da|ma|fa)"),
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
    noun = noun if code == "de" else noun.lower()
    masculine = _MASCULINE[code].fullmatch(noun)
    return masculine is None and feminine.fullmatch(noun) is not None


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
