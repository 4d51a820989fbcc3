"""Where places of a text are in its utterances, though these say it otherwise than it is written.

The words that are said as they are written are found in both, in order. Between two of them a place
is as far on in what is said as it is in the text.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from .speakable import Reading, pieces

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
"""In Chinese and Japanese, which part words by no spaces, a character."""


class Place(NamedTuple):
    """Where something is in what is said."""

    utterance: int
    """Its index."""
    share: float
    """How much of the utterance is before it, by its characters: 0 to 1."""


def places(text: str, offsets: Sequence[int], reading: Reading) -> list[Place]:
    """Where what begins at these offsets of the text is, in what is said of it."""
    said = [piece.text for piece in pieces(text, reading)]
    ends = list(itertools.accumulate(len(each) + 1 for each in said))
    if not said:
        return [Place(0, 0.0) for _ in offsets]
    anchors = _anchors(text, " ".join(said))
    return [_place(_carried(offset, anchors), ends) for offset in offsets]


def _anchors(text: str, said: str) -> list[tuple[int, int]]:
    """Where words that are in both begin and end, in the text and in what is said; in order."""
    own, spoken = list(_WORD.finditer(text)), list(_WORD.finditer(said))
    matcher = SequenceMatcher(
        None, [word[0].lower() for word in own], [word[0].lower() for word in spoken]
    )
    found = [(0, 0)]
    for at, to, count in matcher.get_matching_blocks():
        for mine, its in zip(own[at : at + count], spoken[to : to + count], strict=True):
            found += [(mine.start(), its.start()), (mine.end(), its.end())]
    return [*found, (len(text), len(said))]


def _carried(offset: int, anchors: list[tuple[int, int]]) -> float:
    """The offset in the text as one in what is said."""
    at = bisect.bisect_right(anchors, offset, key=lambda anchor: anchor[0])
    if at == len(anchors):
        return anchors[-1][1]
    (start, said_start), (end, said_end) = anchors[at - 1 : at + 1]
    return said_start + (offset - start) * (said_end - said_start) / (end - start)


def _place(at: float, ends: list[int]) -> Place:
    utterance = min(bisect.bisect_right(ends, at), len(ends) - 1)
    start = ends[utterance - 1] if utterance else 0
    return Place(utterance, min(1.0, (at - start) / (ends[utterance] - 1 - start)))
