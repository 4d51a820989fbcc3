"""Time spans as text, such as 90s, 15m or 1h30m. Imported only where one has to be read."""

from __future__ import annotations

import re
from typing import Any

UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

PATTERN = r"-?([0-9]{1,9}(\.[0-9]{1,9})?(ms|[smhdw]))+"


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
