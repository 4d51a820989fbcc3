"""Where one utterance ends and the next begins, in a paragraph of what is to be said."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Iterable, Iterator

from .clean import is_speakable
from .sentences import CANDIDATE, SHORT_BYTES, is_short, language, sentences

MAX_CHARS = 400
FIRST_MAX_CHARS = 90

_CLOSERS = "[\"'”’»)\\]]*(?=\\s)"
_CLAUSE_END = f"[,;:!?…]{_CLOSERS}|[—–](?=\\s)|[，；：、。！？؛،।][”’」』）]*|\\s(?=[-–—]\\s|[–—(])"
CLAUSE_END = re.compile(_CLAUSE_END)
"""No full stop: a sentence ends at one, or an abbreviation."""
ANY_END = re.compile(f"{_CLAUSE_END}|[.]{_CLOSERS}")


def split(paragraph: str, lang: str | None = None, max_chars: int = MAX_CHARS) -> list[str]:
    """Cut a paragraph into utterances: sentences, none longer than `max_chars`.

    `lang` is a BCP 47 tag. Every speakable character is in exactly one of them, in order.
    """
    text = " ".join(paragraph.split())
    if len(text) <= max_chars and not CANDIDATE.search(text):
        return [text] if is_speakable(text) else []
    spans = _joined(text, _cut_long(text, sentences(text, language(lang)), max_chars), max_chars)
    return [text[start:end] for start, end in spans if is_speakable(text, start, end)]


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
            cut = cut_at(text, at, at + max_chars)
            yield from _trimmed(text, at, cut)
            at = cut
        yield from _trimmed(text, at, end)


def cut_at(text: str, start: int, limit: int) -> int:
    """The best place to cut in the second half of `start` to `limit`: clause, space, anywhere.

    It looks at one character beyond the limit.
    """
    half = (start + limit) // 2
    clauses = [match.end() for match in CLAUSE_END.finditer(text, half, limit + 1)]
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
    """Fragments joined to what follows them or, at the paragraph's end, to what precedes them."""
    result: list[tuple[int, int]] = []
    for span in spans:
        if result and is_short(text, *result[-1]) and span[1] - result[-1][0] <= max_chars:
            result[-1] = (result[-1][0], span[1])
        else:
            result.append(span)
    if len(result) > 1 and is_short(text, *result[-1]):
        (start, _), (_, end) = result[-2:]
        if end - start <= max_chars:
            result[-2:] = [(start, end)]
    return result


def first_clause(text: str, start: int, end: int, first_max: int) -> int | None:
    """Where a long first sentence is cut: after a clause that is neither short nor long.

    Not behind a full stop: within a sentence it is that of an abbreviation.
    """
    clauses = [match.end() for match in CLAUSE_END.finditer(text, start, end)]
    for cut in clauses[bisect.bisect_left(clauses, start + SHORT_BYTES) :]:
        if cut > start + first_max or end - cut < SHORT_BYTES:
            break
        if text[cut - 1] == "." and text[cut - 2] != ".":
            continue
        if is_speakable(text, start, cut) and is_speakable(text, cut, end):
            return cut
    return None


def is_clause(text: str, clause: str) -> bool:
    """Whether a sentence may be cut behind this beginning: neither it nor the rest is short."""
    rest = text[len(clause) :]
    if not text.startswith(clause) or min(len(clause), len(rest)) < SHORT_BYTES:
        return False
    is_within_word = clause[-1].isalnum() and rest[0].isalnum()
    return not is_within_word and is_speakable(clause) and is_speakable(rest)
