"""What the readers of the kinds get and give back: a number in its text, and the words for it."""

from __future__ import annotations

from typing import NamedTuple

from .figures import Language, Number


class Spot(NamedTuple):
    """A number in a text, and what stands next to it."""

    language: Language
    text: str
    at: int
    """Where its first digit is."""
    number: Number
    end: int
    floor: int
    """What stands before it was read already."""
    before: str
    """The character before it, "" at the start."""
    follows: str
    """The character behind it, "" at the end."""

    def back(self, count: int) -> str:
        """Up to so many characters before it that were not read yet."""
        return self.text[max(self.floor, self.at - count) : self.at]


class Reading(NamedTuple):
    """A stretch of a text, and the words for it."""

    start: int
    end: int
    words: str
    kind: str
    """One of `kinds`."""
    noun: str = ""
    """What was counted, where the next number may depend on it ("ft")."""
