"""The kinds of things that stand in a text and are read out as words: their names, defined once.

`Info.reads` of a backend names those it says well by itself; such are left as they are.
"""

from __future__ import annotations

from typing import Final

NUMBERS: Final = "numbers"
"""Cardinal numbers, decimals, fractions, percentages, ranges, years, long digit strings."""
ORDINALS: Final = "ordinals"
MONEY: Final = "money"
DATES: Final = "dates"
TIMES: Final = "times"
"""Times of day and durations."""
UNITS: Final = "units"
"""Numbers with a unit of measurement."""
ROMAN: Final = "roman"
"""Roman numerals after a name or a word such as "chapter"."""
VERSIONS: Final = "versions"
PATHS: Final = "paths"
ADDRESSES: Final = "addresses"
"""URLs, e-mail addresses and those of computers."""
HASHES: Final = "hashes"
IDENTIFIERS: Final = "identifiers"
"""camelCase and snake_case."""
EMOJI: Final = "emoji"

KINDS: Final = (
    NUMBERS, ORDINALS, MONEY, DATES, TIMES, UNITS, ROMAN,
    VERSIONS, PATHS, ADDRESSES, HASHES, IDENTIFIERS, EMOJI,
)  # fmt: skip
"""Every kind."""
