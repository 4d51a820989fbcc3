"""Times of day and durations as words: "14:30", "2:30 pm", "14h30", "14.30 Uhr", "1:02:03"."""

from __future__ import annotations

import re
from typing import Final

from .agreement import agreed
from .figures import Language, cardinal
from .kinds import TIMES, UNITS
from .readings import Reading, Spot

_CLOCK: Final = re.compile(
    r"(?P<h>\d{1,2}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d)(?:[.,]\d{1,9})?)?(?P<utc>Z(?!\w))?"
    r"(?![\d:]|[.,]\d)"
)
_OFFSET: Final = re.compile(r"(?P<sign>[+−-])(?P<oh>[01]\d):?(?P<om>[0-5]\d)(?![\d:])")
_HALF: Final = re.compile(
    r"(?P<h>\d{1,2})(?:\.(?P<m>[0-5]\d))?[ \u00a0\u202f]?(?P<half>[AaPp])\.?[Mm](?:\.|(?!\w))"
)
_ZONE: Final = re.compile(
    r" (?:[ECMP][SD]?T|GMT|UTC|BST|CES?T|IST|AES?T|Eastern|Central|Mountain|Pacific|local"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)"
)
"""Behind "p.m.": no new sentence."""
_SUFFIX: Final = re.compile(r"[ \u00a0\u202f]?(?P<half>[AaPp])\.?[Mm](?:\.|(?!\w))")
_FRENCH: Final = re.compile(
    r"(?P<h>[01]?\d|2[0-4])[ \u00a0\u202f]?[hH](?:[ \u00a0\u202f]?(?P<m>[0-5]\d)(?:min)?)?(?!\w)"
)
_FRENCH_LONG: Final = re.compile(
    r"(?P<h>\d{1,2}) ?h ?(?P<m>[0-5]?\d) ?min(?: ?(?P<s>[0-5]?\d) ?s)?(?!\w)"
)
_UHR: Final = re.compile(r"(?P<h>[01]?\d|2[0-4])(?:[.:](?P<m>[0-5]\d))?[ \u00a0]?(?:Uhr|h)(?!\w)")
_DOTTED: Final = re.compile(r"(?P<h>[01]?\d|2[0-4])\.(?P<m>[0-5]\d)(?P<hours>[ \u00a0]?h)?(?!\w)")
_HOUR: Final = re.compile(r"\b(?:[Oo]re|[Aa]lle|[Dd]alle|[Ll]as) \Z")
_HOURS: Final = re.compile(r"[ \u00a0]?(?:h|hs|hrs|horas|ore|Uhr)\.?(?!\w)")
_LONG: Final = re.compile(r"[ \u00a0]?(?:h|Std|Stunden|min|Min)\b\.?(?!\w)")
_AT: Final = re.compile(
    r"\b(?:at|um|gegen|à|vers|las?|alle|all|ore|às|as|until|till|by|since|from) \Z"
)
_AB: Final = re.compile(r"(?:\b(?:um|ab|bis|gegen|von)|:) \Z")
_OPEN: Final = re.compile(
    r"(?P<h>[01]?\d|2[0-4])\.(?P<m>[0-5]\d)(?= ?(?:[-–]|bis) ?\d{1,2}[.:]\d\d ?Uhr)"
)
_PRIMES: Final = re.compile(r"(?P<m>\d{1,2})['’′] ?(?P<s>[0-5]\d)(?:[\"”″]|['’′]{2})")
_PARTS: Final = re.compile(
    r"(?:(?P<h>\d{1,3})h ?(?P<m>[0-5]?\d)(?:m(?:in)?(?: ?(?P<s>[0-5]?\d)s)?)?"
    r"|(?P<only_m>\d{1,3})m(?:in)? ?(?P<only_s>[0-5]?\d)s)(?!\w)"
)
_FEET: Final = re.compile(r"(?P<ft>\d)['’′](?P<in>1[01]|\d)(?:[\"”″]|['’′]{2})")
_FEMININE: Final = ("fr", "es", "it", "pt")
_UNITS: Final[dict[str, tuple[tuple[str, str], tuple[str, str], tuple[str, str], str]]] = {
    "en": (("hour", "hours"), ("minute", "minutes"), ("second", "seconds"), "and"),
    "de": (("Stunde", "Stunden"), ("Minute", "Minuten"), ("Sekunde", "Sekunden"), "und"),
    "fr": (("heure", "heures"), ("minute", "minutes"), ("seconde", "secondes"), "et"),
    "es": (("hora", "horas"), ("minuto", "minutos"), ("segundo", "segundos"), "y"),
    "it": (("ora", "ore"), ("minuto", "minuti"), ("secondo", "secondi"), "e"),
    "pt": (("hora", "horas"), ("minuto", "minutos"), ("segundo", "segundos"), "e"),
}


def _amount(language: Language, value: int, unit: int) -> str:
    hours, minutes, seconds, _ = _UNITS[language.code]
    one, many = (hours, minutes, seconds)[unit]
    code = language.code
    feminine = code in ("de", "fr") or unit == 0
    words = agreed(code, cardinal(language, str(value)), feminine=feminine)
    if code == "it" and one == "ora" and value == 1:
        return "un'ora"
    is_one = value == 1 or (code == "fr" and value == 0)
    return f"{words} {one if is_one else many}"


def duration(language: Language, hours: int, minutes: int, seconds: int) -> str:
    """ "one hour, two minutes and three seconds"."""
    parts = [
        _amount(language, value, unit)
        for unit, value in enumerate((hours, minutes, seconds))
        if value
    ] or [_amount(language, 0, 2)]
    joint = f" {_UNITS[language.code][3]} "
    return joint.join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _seconds(language: Language, seconds: int) -> str:
    return f" {_UNITS[language.code][3]} {_amount(language, seconds, 2)}"


def clock(language: Language, h: int, m: int, *, half: str = "") -> str:
    """A time of day, the way it is read off a clock."""
    code = language.code
    hour = cardinal(language, str(h))
    if code in _FEMININE:
        hour = agreed(code, hour, feminine=True)
    minute = cardinal(language, str(m)) if m else ""
    if code == "en":
        return _english(hour, h, m, minute, half)
    if code == "de":
        hour = agreed(code, hour, feminine=False)
        return f"{hour} Uhr {minute}".rstrip()
    if code == "fr":
        return f"{hour} {'heure' if h < 2 else 'heures'} {minute}".rstrip()
    if code == "it":
        return f"{hour} e {minute}" if m else hour
    if not m:
        return f"{hour} {'hora' if h == 1 else 'horas'}"
    return f"{hour} e {minute}" if code == "pt" else f"{hour} y {minute}"


def _english(hour: str, h: int, m: int, minute: str, half: str) -> str:
    if half:
        return f"{hour} {'oh ' if 0 < m < 10 else ''}{minute} {half.upper()}M".replace("  ", " ")
    if m:
        return f"{hour} {'oh ' if m < 10 else ''}{minute}"
    if h > 12:
        return f"{hour} hundred"
    return f"{hour} hundred hours" if h == 0 else f"{hour} o'clock"


def time_at(spot: Spot) -> Reading | None:
    """The time or the duration that has this number."""
    language, text, at = spot.language, spot.text, spot.at
    if not language.is_known or len(spot.number.whole) > 2:
        return None
    if spot.follows == ":" and (found := _CLOCK.match(text, at)):
        return _with_colon(language, text, at, spot.floor, found)
    code = language.code
    if spot.follows in ("h", "m", "'", "’", "′") and (reading := _in_parts(spot)):
        return reading
    if code == "en" and (found := _HALF.match(text, at)):
        if not 1 <= int(found["h"]) <= 12:
            return None
        words = clock(language, int(found["h"]), int(found["m"] or 0), half=found["half"])
        return Reading(at, _before_stop(text, found), words, TIMES)
    if reading := _dotted(spot):
        return reading
    if code in ("fr", "pt") and (found := _FRENCH_LONG.match(text, at)):
        words = duration(language, int(found["h"]), int(found["m"]), int(found["s"] or 0))
        return Reading(at, found.end(), words, TIMES)
    pattern = {"fr": _FRENCH, "pt": _FRENCH, "de": _UHR}.get(code)
    found = pattern.match(text, at) if pattern else None
    if found is None or int(found["h"]) > 24:
        return None
    h, m = int(found["h"]), int(found["m"] or 0)
    if code == "pt":
        words = f"{clock(language, h, 0)}" + (f" e {cardinal(language, str(m))}" if m else "")
    elif code == "de" and found[0][-1] == "h" and not found["m"] and not _AB.search(spot.back(7)):
        words = _amount(language, h, 0)
    else:
        words = clock(language, h, m)
    return Reading(at, found.end(), words, TIMES)


def _dotted(spot: Spot) -> Reading | None:
    """ "alle 9.30", "a las 9.30 h"; in German the first of "8.00–12.00 Uhr"."""
    language, text, at = spot.language, spot.text, spot.at
    if language.code == "de" and (found := _OPEN.match(text, at)):
        words = clock(language, int(found["h"]), int(found["m"]))
        return Reading(at, found.end(), words.removesuffix(" Uhr"), TIMES)
    found = _DOTTED.match(text, at) if language.code in ("es", "it") else None
    if found is None or not (found["hours"] or _HOUR.search(spot.back(8))):
        return None
    return Reading(at, found.end(), clock(language, int(found["h"]), int(found["m"])), TIMES)


def _in_parts(spot: Spot) -> Reading | None:
    """ "1h30", "2m 30s"; in English feet and inches too: 6'2"."""
    language, text, at = spot.language, spot.text, spot.at
    if language.code not in ("fr", "pt") and (found := _PARTS.match(text, at)):
        h, m, s = (int(found[part] or 0) for part in ("h", "m", "s"))
        m, s = m or int(found["only_m"] or 0), s or int(found["only_s"] or 0)
        return Reading(at, found.end(), duration(language, h, m, s), TIMES)
    if language.code != "en" and (found := _PRIMES.match(text, at)):
        words = duration(language, 0, int(found["m"]), int(found["s"]))
        return Reading(at, found.end(), words, TIMES)
    if language.code == "en" and (found := _FEET.match(text, at)):
        feet = f"{cardinal(language, found['ft'])} {'foot' if found['ft'] == '1' else 'feet'}"
        inches = f"{cardinal(language, found['in'])} {'inch' if found['in'] == '1' else 'inches'}"
        return Reading(at, found.end(), f"{feet} {inches}", UNITS)
    return None


def _before_stop(text: str, found: re.Match[str]) -> int:
    """Where the time ends: the point of "p.m." stays where it is a full stop too."""
    rest = text[found.end() : found.end() + 3].lstrip()
    goes_on = _ZONE.match(text, found.end())
    if re.search("[aApP][mM]\\.\\Z", found[0]) and rest and not (rest[0].islower() or goes_on):
        return found.end() - 1  # "12am. 5 came"
    if found[0].endswith(".") and (not rest or (rest[0].isupper() and not goes_on)):
        return found.end() - 1
    return found.end()


def _with_colon(
    language: Language, text: str, at: int, floor: int, found: re.Match[str]
) -> Reading | None:
    h, m, s = int(found["h"]), int(found["m"]), int(found["s"] or 0)
    end = found.end()
    is_of_day = h <= 24 and (found["s"] is None or len(found["h"]) == 2)
    is_of_day = is_of_day or bool(_AT.search(text, max(floor, at - 8), at))
    if not is_of_day or h > 24:
        if long := _LONG.match(text, end, end + 10):
            end = _before_stop(text, long)
        if found["s"] is None:
            # "90:00": minutes and seconds.
            return Reading(at, end, duration(language, 0, h, m), TIMES)
        return Reading(at, end, duration(language, h, m, s), TIMES)
    half = ""
    if language.code == "en" and (suffix := _SUFFIX.match(text, end)) and 1 <= h <= 12:
        half, end = suffix["half"], _before_stop(text, suffix)
    elif language.code != "en" and (hours := _HOURS.match(text, end, end + 8)):
        end = _before_stop(text, hours)
    words = clock(language, h, m, half=half)
    if language.code == "es" and words == "una hora" and text[max(0, at - 3) : at] == "la ":
        words = "una"
    if s:
        words += _seconds(language, s)
    if found["utc"]:
        words += " UTC"
    elif (found["s"] or text[at - 1 : at] in ("T", "t")) and (offset := _OFFSET.match(text, end)):
        # Without seconds it is a range: "10:30-11:45".
        words += _zone(language, offset)
        end = offset.end()
    return Reading(at, end, words, TIMES)


def _zone(language: Language, offset: re.Match[str]) -> str:
    """ " UTC plus one" of "+01:00"."""
    hours, minutes = int(offset["oh"]), int(offset["om"])
    if not hours and not minutes:
        return " UTC"
    words = language.word("plus" if offset["sign"] == "+" else "minus")
    said = f" UTC {words} {cardinal(language, str(hours))}"
    return said + (f" {cardinal(language, str(minutes))}" if minutes else "")
