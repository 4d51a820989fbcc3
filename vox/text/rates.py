"""What comes behind an amount and a slash: "5 €/kWh", "200 kWh/an", "10 $/month", "12 mg/l"."""

from __future__ import annotations

import re
from typing import Final

from .agreement import is_feminine
from .figures import Language
from .unit_names import CLDR, OWN

_UNITS: Final = sorted(
    (name for name in (*CLDR, *OWN) if not {*name} & {"/", "%", "°", " "}), key=len, reverse=True
)
_WORDS: Final = (
    "month mo year yr day hour hr week user person night Monat Jahr Tag Stunde Woche Nacht Person "
    "Stück Kopf Einwohner mois an jour heure semaine nuit personne habitant mes año día hora "
    "semana noche persona habitante mese anno giorno ora settimana notte mês ano dia noite pessoa"
)
PER: Final = re.compile(rf"/(?:{'|'.join([*_WORDS.split(), *map(re.escape, _UNITS)])})(?![\w/²³-])")
_SHORT: Final = {"mo": "month", "yr": "year", "hr": "hour"}


def per(language: Language, what: str, unit: str | None) -> str:
    """ "pro Kilowattstunde" of "/kWh". `unit`: the name of one, if it is a unit."""
    name = unit or _SHORT.get(what, what)
    if language.code == "it":
        first = name.split()[0]
        if first[0] in "aeiou":
            return f"all'{name}"
        return f"{'alla' if is_feminine('it', first) else 'al'} {name}"
    return f"{language.word('per')} {name}"
