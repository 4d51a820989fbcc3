"""A text with marks at places in it, which stay where they belong while the text is rewritten."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple


class Mark(NamedTuple):
    """`at`: the number of characters before it."""

    name: str
    at: int


class Marked(NamedTuple):
    """Marks are in the order of their places."""

    text: str
    marks: tuple[Mark, ...] = ()

    def sub(self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]) -> Marked:
        """As `re.sub`. A mark within what is replaced stays within what replaces it."""
        parts: list[str] = []
        ends, shifts = [0], [0]
        at = length = 0
        for match in pattern.finditer(self.text):
            parts += self.text[at : match.start()], replace(match)
            length += len(parts[-2]) + len(parts[-1])
            at = match.end()
            ends.append(at)
            shifts.append(length - at)
        if at == 0 and not parts:
            return self
        text = "".join([*parts, self.text[at:]])

        def moved(mark: Mark) -> Mark:
            place = bisect_right(ends, mark.at) - 1
            shifted = mark.at + shifts[place]
            if place + 1 < len(ends):
                shifted = min(shifted, ends[place + 1] + shifts[place + 1])
            return Mark(mark.name, shifted)

        return Marked(text, tuple(moved(mark) for mark in self.marks))
