"""Settings and the checks of their values, for vox's own settings and for those of a backend.

A check takes a value from TOML, or its text from the command line, and returns the value to use. It
raises ValueError, which says what the value must be ("must be 0 to 5").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Check = Callable[[Any], Any]

_MOST = 1e9


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its default, the check of its values, and a line of help."""

    default: Any
    check: Check
    help: str
    may_hold_secret: bool = False
    """No message repeats a value that is refused."""


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "on": True, "1": True}
    known |= {"false": False, "no": False, "off": False, "0": False}
    try:
        return known[str(value).strip().lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def number(low: float, high: float = float("inf")) -> Check:
    def check(value: Any) -> float:
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError("must be a number") from None
        if isinstance(value, bool) or not low <= found <= min(high, _MOST):
            limit = f"{low:g} or more" if high == float("inf") else f"{low:g} to {high:g}"
            raise ValueError(f"must be {limit}")
        return int(found) if found.is_integer() else found

    return check


def integer(low: int) -> Check:
    def check(value: Any) -> int:
        found = number(low)(value)
        if not isinstance(found, int):
            raise ValueError("must be a whole number")
        return found

    return check


def text(value: Any) -> str | None:
    """Text that is not blank; None stays None, which means "not set"."""
    if value is None:
        return None
    if (
        not isinstance(value, (str, int, float))
        or isinstance(value, bool)
        or not str(value).strip()
    ):
        raise ValueError("must be some text")
    return str(value).strip()


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; on the command line they are separated by commas."""
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("[] ").split(",")]
        value = [part.strip("\"'") for part in value if part.strip("\"'")]
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
        raise ValueError('must be a list of texts, e.g. ["a", "b"]')
    return tuple(value)


class OneOf:
    """One of several lower-case words, in any case."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, value: Any) -> str:
        found = str(value).strip().lower()
        if found not in self.choices:
            raise ValueError(f"must be {', '.join(self.choices[:-1])} or {self.choices[-1]}")
        return found


def one_of(*choices: str) -> OneOf:
    return OneOf(*choices)
