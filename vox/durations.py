"""Time spans and times as text, such as 1h30m or yesterday. Imported only where one is read."""

from __future__ import annotations

import datetime
import re
from typing import Any

UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

PATTERN = r"-?([0-9]{1,9}(\.[0-9]{1,9})?(ms|[smhdw]))+"

MOMENT = "a time such as 2h (ago), today, yesterday, 2026-11-29 or 2026-11-29T14:30"
_DAYS_AGO = {"today": 0, "yesterday": 1}


def seconds(text: str) -> float:
    """The length of a time span. Raises ValueError if it is none, e.g. without a unit."""
    text = text.strip().lower().replace(" ", "")
    if not re.fullmatch(PATTERN, text):
        raise ValueError(f"{text!r} is not a time span such as 90s, 15m, 12h, 30d or 2w")
    parts = re.findall(r"([0-9.]+)(ms|[smhdw])", text)
    total = sum(float(count) * UNITS_S[unit] for count, unit in parts)
    return -total if text.startswith("-") else total


def seconds_or_span(value: Any) -> float:
    """A number of seconds, also as text, or a time span. Raises ValueError, TypeError."""
    if isinstance(value, str) and value.strip()[-1:].isalpha():
        return seconds(value)
    return float(value)


def moment(text: str, now: float) -> float:
    """A time as text, in seconds since the epoch: see `MOMENT`. Raises ValueError.

    A span is so long before `now`. What names no zone is in local time.
    """
    wanted = text.strip()
    if re.fullmatch(PATTERN, wanted.lower().replace(" ", "")) and not wanted.startswith("-"):
        return now - seconds(wanted)
    try:
        if wanted.lower() in _DAYS_AGO:
            today = datetime.datetime.fromtimestamp(now, datetime.UTC).astimezone().date()
            day = today - datetime.timedelta(days=_DAYS_AGO[wanted.lower()])
            return datetime.datetime.combine(day, datetime.time.min).timestamp()
        return datetime.datetime.fromisoformat(wanted).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is not {MOMENT}") from None
