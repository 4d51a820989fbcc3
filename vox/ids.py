"""Ids of jobs: which characters they have, and new ones."""

from __future__ import annotations

import os

# Without 0/o, 1/l/i, u and v, which are easily confused when they are read aloud or typed.
ID_ALPHABET = "23456789abcdefghjkmnpqrstwxyz"
ID_LENGTH = 6


def new_id() -> str:
    """A random job id: short to type, and any unambiguous beginning of it will do."""
    # Not `secrets`, which takes 6 ms to import. With 128 bits the bias is negligible.
    return _id_of(int.from_bytes(os.urandom(16)))


def id_for(told: str) -> str:
    """The id for what is told: always the same one."""
    # The remainder by a large prime is a fingerprint that costs no import.
    return _id_of(int.from_bytes(told.encode("utf-8", "replace")) % (10**18 + 9))


def _id_of(number: int) -> str:
    digits = []
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, len(ID_ALPHABET))
        digits.append(ID_ALPHABET[digit])
    return "".join(digits)
