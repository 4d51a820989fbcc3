"""How the letters of the alphabet are called, written so that a voice of the language says it.

A neural voice makes little of a single letter, so it gets a word that sounds like its name.
"""

from __future__ import annotations

import unicodedata

from .symbols import word

# From a to z. By ear and by the phonemes that hibari and espeak-ng make of them: "A" alone is the
# article to hibari, "Vau" has an English v.
_ALPHABETS = {
    "en": "eigh|bee|see|dee|E|eff|jee|aitch|eye|jay|kay|ell|em|en|oh|pee|queue|ar|ess|tee|yew|vee|"
    "double yew|ex|wye|zee",
    "de": "Ah|Beh|Zeh|Deh|Eh|Eff|Geh|Hah|Ih|Jott|Kah|Ell|Emm|Enn|Oh|Peh|Kuh|Err|Ess|Teh|Uh|Fau|"
    "Weh|Ix|Ypsilon|Zett",
    "fr": "A|bé|cé|dé|E|effe|gé|ache|I|ji|ka|elle|aime|enne|O|pé|ku|erre|esse|té|U|vé|double vé|"
    "ixe|i grec|zède",
    "es": "A|be|ce|de|E|efe|ge|hache|I|jota|ka|ele|eme|ene|O|pe|cu|erre|ese|te|U|uve|uve doble|"
    "equis|i griega|zeta",
    "it": "A|bi|ci|di|E|effe|gi|acca|I|i lunga|cappa|elle|emme|enne|O|pi|cu|erre|esse|ti|U|vu|"
    "doppia vu|ics|ipsilon|zeta",
    "pt": "Á|bê|cê|dê|e|efe|gê|agá|I|jota|cá|ele|eme|ene|Ó|pê|quê|erre|esse|tê|U|vê|dáblio|xis|"
    "ípsilon|zê",
}
_OF_REGION = {"en-gb": {"z": "zed"}, "en-au": {"z": "zed"}, "en-ie": {"z": "zed"}}
_OWN = {
    "de": {"ä": "Äh", "ö": "Öh", "ü": "Üh", "ß": "Eszett"},
    "fr": {"œ": "o e liés", "æ": "a e liés"},
    "es": {"ñ": "eñe"},
    "pt": {"ç": "cê cedilha"},
}
_LETTER = "LATIN SMALL LETTER "


def letter_name(letter: str, lang: str) -> str | None:
    """What the lower-case letter is called; None: it is none of an alphabet known here.

    `lang`: "en", or "en-gb" where regions differ. A letter with an accent is the letter, then the
    accent.
    """
    primary = lang.partition("-")[0]
    own = {**_OWN.get(primary, {}), **_OF_REGION.get(lang, {})}
    if letter in own:
        return own[letter]
    if "a" <= letter <= "z":
        return _ALPHABETS.get(primary, _ALPHABETS["en"]).split("|")[ord(letter) - ord("a")]
    base, _, accent = unicodedata.name(letter, "").removeprefix(_LETTER).lower().partition(" with ")
    said = word(accent, primary) if accent else None
    if said is None or len(base) != 1:
        return None
    return f"{letter_name(base, lang)} {said}"
