"""Where one utterance ends and the next begins.

Sentences are found by `sentencex`, imported when it is needed.
"""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .clean import is_speakable

MAX_CHARS = 400
FIRST_MAX_CHARS = 90

_SHORT_BYTES = 10
"""Shorter pieces are joined to a neighbour: voices speak fragments such as "Yes." badly."""
_WINDOW_CHARS = 600
"""How much of a paragraph sentencex is given at once. Its time (1.0) grows with the square of the
length of a text that is not ASCII, and it has no way to go on where an earlier call ended."""

_SPACES = re.compile(r"\s+")

_LINE = re.compile(r"[^\n]*\n?")
_MARKER = re.compile(r"(?:(?:[-*+•‣◦>]|#{1,6})[^\S\n]+)+")
_NUMBER = re.compile(r"\d{1,3}[.)]\s")
_RULE = re.compile(r"[-=_*~]{3,}\s*\Z")
_ONE_SENTENCE = re.compile(r"[A-Za-z0-9 ,'\n-]*[.!?]?\s*")

_CLAUSE_END = re.compile(
    "[,;:!?.…][\"'”’»)\\]]*(?=\\s)|[—–](?=\\s)|[，；：、。！？؛،।][”’」』）]*|\\s(?=[-–—(]\\s?)"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One utterance's text, on one line, and where it was: `start` to `end` in characters."""

    index: int
    text: str
    start: int
    end: int


def split(
    text: str,
    lang: str | None = None,
    max_chars: int = MAX_CHARS,
    first_max: int = FIRST_MAX_CHARS,
) -> list[Piece]:
    """Cut a text into utterances: sentences, none longer than `max_chars`.

    The first is cut short, after a clause, where the first sentence is longer than `first_max`, so
    that the first sound comes early. `lang` is a BCP 47 tag. Every speakable character is in
    exactly one piece, in order; the same arguments give the same pieces.
    """
    spans: list[tuple[int, int]] = []
    for start, end in _blocks(text):
        if not is_speakable(text, start, end):
            continue
        sentences = _sentences(text, start, end, lang)
        spans.extend(_joined(text, _cut_long(text, sentences, max_chars), max_chars))
    spans = [span for span in spans if is_speakable(text, *span)]
    if spans and spans[0][1] - spans[0][0] > first_max:
        spans[:1] = _cut_first(text, spans[0], first_max)
    return [
        Piece(index, _SPACES.sub(" ", text[start:end]), start, end)
        for index, (start, end) in enumerate(spans)
    ]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Paragraphs, list items and headings, without their markers: no sentence crosses a border."""
    start = 0
    for line in _LINE.finditer(text):
        content = line.group().strip()
        if content[:1].isalpha():  # nothing but plain text begins like this
            continue
        marker = _MARKER.match(content)
        if marker or _NUMBER.match(content):
            yield start, line.start()
            start = line.start() + line.group().index(content) + (marker.end() if marker else 0)
        is_rule = _RULE.match(content)
        if not content or content.startswith("#") or is_rule:
            yield start, line.start() if is_rule else line.end()
            start = line.end()
    yield start, len(text)


def _sentences(text: str, start: int, end: int, lang: str | None) -> Iterator[tuple[int, int]]:
    """The block's sentences, trimmed.

    Long blocks are split window by window, see `_WINDOW_CHARS`: the last sentence of a window may
    be cut off, so the next window begins with it.
    """
    import sentencex

    if end - start <= _WINDOW_CHARS and _ONE_SENTENCE.fullmatch(text, start, end):
        yield from _trimmed(text, start, end)
        return
    language = (lang or "en").replace("_", "-").split("-")[0].lower()
    while start < end:
        window_end = min(end, start + _WINDOW_CHARS)
        # A line break within a paragraph is only where an editor wrapped the text.
        window = text[start:window_end].replace("\n", " ")
        ends = [start]
        for sentence in sentencex.segment(language, window):
            ends.append(ends[-1] + len(sentence))
        if ends[-1] != window_end:
            ends = [start, window_end]
        if window_end < end:  # the window may have cut the last one off
            if len(ends) > 2:
                ends.pop()
            else:
                ends[-1] = _cut_at(text, start, window_end)
        for sentence_start, sentence_end in itertools.pairwise(ends):
            yield from _trimmed(text, sentence_start, sentence_end)
        start = ends[-1]


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    body = text[start:end]
    length = len(body.rstrip())
    if length:
        yield start + len(body) - len(body.lstrip()), start + length


def _cut_long(
    text: str, spans: Iterable[tuple[int, int]], max_chars: int
) -> Iterator[tuple[int, int]]:
    for start, end in spans:
        at = start
        while end - at > max_chars:
            cut = _cut_at(text, at, at + max_chars)
            yield from _trimmed(text, at, cut)
            at = cut
        yield from _trimmed(text, at, end)


def _cut_at(text: str, start: int, limit: int) -> int:
    """The best place to cut in the second half of `start` to `limit`: clause, space, anywhere."""
    half = (start + limit) // 2
    clauses = [match.end() for match in _CLAUSE_END.finditer(text, half, limit + 1)]
    if clauses and clauses[-1] <= limit:
        return clauses[-1]
    if len(clauses) > 1:
        return clauses[-2]
    for at in range(limit, half, -1):
        if text[at].isspace():
            return at
    for at in range(limit, half, -1):
        is_joined = text[at] in "\u200d\ufe0f" or text[at - 1] == "\u200d"
        if not (is_joined or unicodedata.category(text[at]).startswith("M")):
            return at
    return limit


def _joined(text: str, spans: Iterable[tuple[int, int]], max_chars: int) -> list[tuple[int, int]]:
    """Fragments joined to what follows them or, at the block's end, to what precedes them."""
    result: list[tuple[int, int]] = []
    for span in spans:
        if result and _is_short(text, *result[-1]) and span[1] - result[-1][0] <= max_chars:
            result[-1] = (result[-1][0], span[1])
        else:
            result.append(span)
    if len(result) > 1 and _is_short(text, *result[-1]):
        (start, _), (_, end) = result[-2:]
        if end - start <= max_chars:
            result[-2:] = [(start, end)]
    return result


def _is_short(text: str, start: int, end: int) -> bool:
    # In bytes: a character of Chinese says as much as some three of English.
    return end - start < _SHORT_BYTES and len(text[start:end].encode()) < _SHORT_BYTES


def _cut_first(text: str, span: tuple[int, int], first_max: int) -> list[tuple[int, int]]:
    """A long first sentence in two, after its first clause that is neither short nor long."""
    start, end = span
    clauses = [match.end() for match in _CLAUSE_END.finditer(text, start, end)]
    low = bisect.bisect_left(clauses, start + _SHORT_BYTES)
    for cut in clauses[low:]:
        if cut > start + first_max or end - cut < _SHORT_BYTES:
            break
        head, tail = list(_trimmed(text, start, cut)), list(_trimmed(text, cut, end))
        if is_speakable(text, start, cut) and is_speakable(text, cut, end):
            return [*head, *tail]
    return [span]
