"""How words are said that voices say wrongly: respelling by the user's own entries.

Owns where an entry matches; what it means is `say_as_entry`'s. Knows no files: see `say_as_files`.
A text is looked through in linear time, however many entries there are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .say_as_entry import GROUP, PATTERN, PATTERN_TIMEOUT_S, Entry, compiled

# Letters of scripts that put no spaces between words, or that add endings to names.
_JOINED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff"
    "\u3100-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
# What belongs to the letter before it: marks, the vowel signs of India's scripts, joiners.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0963"
    "\u0966-\u0dff\u200c\u200d"
)
_APOSTROPHES = "'’ʼ"
_ENDING = re.compile(rf"[{_APOSTROPHES}](s|re|ve|ll|d|m|t)", re.IGNORECASE)
_CONTRACTED = frozenset(("s", "t", "re", "ve", "ll", "d", "m"))
"""What stands behind an apostrophe in English, and is no word there."""
_OTHER_WORD = re.compile(r"\+\+|#(?!\w)|[$€£¥]\d")
"""What makes a word another one: "C" is neither "C++" nor "C#", "US" is not that of "US$5"."""
_ASCII_ATOM = re.compile(r"\w+|\S", re.ASCII)
_ADDRESS = re.compile(r"(?<![\w.+-])(?:[a-zA-Z][a-zA-Z+.-]{1,20}://|www\.|[\w.+-]{1,64}@[\w-])\S*")
"""Addresses of the web and of mail: the words in them are not said as words are."""


def _atoms_of(text: str) -> re.Pattern[str]:
    """Finds whole words, letters of scripts without spaces, and other characters one by one."""
    return _ASCII_ATOM if text.isascii() else _unicode_atom()


@functools.cache
def _unicode_atom() -> re.Pattern[str]:
    letter = rf"[^\W{_JOINED}]"
    return re.compile(rf"{letter}+(?:[{_MARKS}]+{letter}*)*|\S")


@functools.lru_cache(4096)
def _is_joined(char: str) -> bool:
    return not char.isascii() and re.match(f"[{_JOINED}]", char) is not None


@functools.lru_cache(4096)
def _is_in_word(char: str) -> bool:
    """Whether the character goes on with a word that has spaces around it."""
    if char.isalnum() or char == "_":
        return not _is_joined(char)
    return not char.isascii() and re.match(f"[{_MARKS}]", char) is not None


MOST_RULES = 32
"""For so many pairs of a language and a backend the entries are kept sorted out."""


class _Match(NamedTuple):
    start: int
    end: int
    rank: tuple[Any, ...]
    """The smaller, the better the match, among those that start at the same place."""
    said: str
    is_word: bool


class _Word:
    """An entry that is a word or several.

    `order`: of entries that match the same and are as specific, the lowest wins.
    """

    def __init__(self, entry: Entry, order: int) -> None:
        self._word = entry.word
        self._is_any_case = entry.word == entry.word.lower()
        self._rank = _rank(entry, 1 if self._is_any_case else 0, order)
        self._say = entry.say
        atoms = _atoms_of(entry.word).findall(entry.word)
        self.heads = [atoms[0].casefold()]
        """The atoms, in lower case, with which a match may begin."""
        self._is_abbreviation = (
            len(atoms) == 1
            and len(entry.word) > 1
            and entry.word.isupper()
            and entry.word.isalpha()
        )
        if self._is_abbreviation:
            self.heads.append(self.heads[0] + "s")

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = {"'": f"[{_APOSTROPHES}]", "-": "[-‐‑]", " ": r"\s{1,9}", "ß": "(?:ß|ss)"}
        parts |= {"’": parts["'"], "ʼ": parts["'"], "‐": parts["-"], "‑": parts["-"]}
        body = "".join(parts.get(char) or re.escape(char) for char in self._word)
        return re.compile(body, re.IGNORECASE if self._is_any_case else 0)

    def match(self, text: str, start: int) -> _Match | None:
        """Its match there, where an atom of the text begins."""
        found = self._pattern.match(text, start)
        if found is None or not _begins(text, start, found.end()):
            return None
        core = end = found.end()
        said = self._say
        if self._is_abbreviation and text.startswith("s", end) and _ends_word(text, end + 1):
            end += 1
            # "A P Is" would be said as "is".
            said += "'s" if re.search(r"(?<!\w)[A-Z]\Z", said) else "s"
        if _is_in_word(self._word[-1]):
            if not _ends_word(text, end) or _OTHER_WORD.match(text, end):
                return None
            if self._word[-1].isdigit() and re.compile(r"[.,:]\d").match(text, end):
                return None
            ending = _ENDING.match(text, end)
            if ending is not None and _ends_word(text, ending.end()):
                if ending[1].lower() == "t":  # "don" is not "don't"
                    return None
                end = ending.end()
                said += ending.group()
        return _Match(start, end, (start - core, *self._rank), said if self._say else "", True)


def _ends_word(text: str, at: int) -> bool:
    return at >= len(text) or not _is_in_word(text[at])


def _begins(text: str, start: int, end: int) -> bool:
    """Whether what stands there is no end of another word: the "t" of "don't", the 5 of "3.5"."""
    before = text[max(0, start - 2) : start]
    if len(before) < 2:
        return True
    if before[1] in _APOSTROPHES and _is_in_word(before[0]):
        return text[start:end].lower() not in _CONTRACTED
    return not (before[1] in ".,:" and before[0].isdigit() and text[start].isdigit())


def _rank(entry: Entry, kind: int, order: int) -> tuple[int, ...]:
    tags = len(entry.lang.split("-")) if entry.lang else 0
    return (0 if entry.backend else 1, -tags, kind, order)


class _Regex:
    """An entry that is a regular expression."""

    def __init__(self, entry: Entry, order: int) -> None:
        found = PATTERN.fullmatch(entry.word)
        assert found is not None
        self.word = entry.word
        self._rank = _rank(entry, 2, order)
        self._say = entry.say
        self._pattern = compiled(*found.groups())
        self.is_slow = False

    def search(self, text: str, start: int) -> _Match | None:
        """The next match from there on; also none once it has taken too long (`is_slow`)."""
        if self.is_slow:
            return None
        try:
            found = self._pattern.search(text, start, timeout=PATTERN_TIMEOUT_S, concurrent=True)
            while found is not None and found.end() == found.start():
                found = self._pattern.search(
                    text, found.end() + 1, timeout=PATTERN_TIMEOUT_S, concurrent=True
                )
        except TimeoutError:
            self.is_slow = True
            return None
        if found is None:
            return None
        rank = (found.start() - found.end(), *self._rank)
        return _Match(found.start(), found.end(), rank, _expanded(self._say, found), False)


def _expanded(say: str, found: Any) -> str:
    def group(reference: re.Match[str]) -> str:
        number, name, backslash = reference.groups()
        return backslash or found[int(number) if number else name] or ""

    return " ".join(GROUP.sub(group, say).split())


class _Rules:
    """The entries for one language and one backend."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_head: dict[str, list[_Word]] = {}
        self._patterns: list[_Regex] = []
        for order, each in enumerate(entries):
            if PATTERN.fullmatch(each.word):
                self._patterns.append(_Regex(each, order))
                continue
            word = _Word(each, order)
            for head in word.heads:
                self._by_head.setdefault(head, []).append(word)

    def parts(self, text: str) -> list[tuple[str, bool]]:
        """See `SayAs.parts`."""
        parts: list[tuple[str, bool]] = []
        at = 0
        for match in self._chosen(text):
            if match.start > at:
                parts.append((text[at : match.start], False))
            if match.said:
                parts.append((_spaced(text, match) if match.is_word else match.said, True))
            at = match.end
        if at < len(text) or not text:
            parts.append((text[at:], False))
        return parts

    @property
    def slow(self) -> list[str]:
        """The patterns that took too long, and are left out since."""
        return [pattern.word for pattern in self._patterns if pattern.is_slow]

    def _chosen(self, text: str) -> Iterator[_Match]:
        """The matches that count, from left to right: of those that overlap the first one begun."""
        words = self._words(text)
        word = next(words, None)
        # Each pattern's next match; one that has none any more is not there.
        ahead = {pattern: pattern.search(text, 0) for pattern in self._patterns}
        while True:
            found = [match for match in (word, *ahead.values()) if match is not None]
            if not found:
                return
            best = min(found, key=lambda match: (match.start, match.rank))
            yield best
            while word is not None and word.start < best.end:
                word = next(words, None)
            for pattern, match in ahead.items():
                if match is not None and match.start < best.end:
                    ahead[pattern] = pattern.search(text, best.end)

    def _words(self, text: str) -> Iterator[_Match]:
        """The best match of a word wherever one begins. They may overlap."""
        if not self._by_head or self._by_head.keys().isdisjoint(
            atom.casefold() for atom in _atoms_of(text).findall(text)
        ):
            return
        addresses = _addresses(text)
        address = next(addresses, None)
        for atom in _atoms_of(text).finditer(text):
            words = self._by_head.get(atom.group().casefold())
            if words is None:
                continue
            start = atom.start()
            while address is not None and address[1] <= start:
                address = next(addresses, None)
            found = [match for word in words if (match := word.match(text, start)) is not None]
            if address is not None and address[0] <= start:
                found = [match for match in found if (start, match.end) == address]
            if found:
                yield min(found, key=lambda match: match.rank)


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    if "://" in text or "@" in text or "www." in text:
        for found in _ADDRESS.finditer(text):
            yield found.start(), found.start() + len(found.group().rstrip(".,;:!?)]}>'\"’”"))


def _spaced(text: str, match: _Match) -> str:
    """What is said, with spaces where it would grow together with its neighbours: "ASP.NET"."""
    before, after = text[match.start - 1 : match.start], text[match.end : match.end + 1]
    left = " " if _grow_together(before, match.said[0]) else ""
    right = " " if _grow_together(match.said[-1], after) else ""
    return left + match.said + right


def _grow_together(left: str, right: str) -> bool:
    return bool(left and right) and _is_in_word(left) and _is_in_word(right)


class SayAs:
    """Entries, the first of them first where several match the same."""

    def __init__(self, entries: Sequence[Entry] = (), troubles: Sequence[str] = ()) -> None:
        self.entries = tuple(entries)
        self.troubles = tuple(troubles)
        """Notes for the user on what could not be read, and so is not respelled."""
        self._rules: dict[tuple[str, str], _Rules | None] = {}

    def parts(self, text: str, lang: str, backend: str) -> list[tuple[str, bool]]:
        """The text in parts: (text, whether it is respelled and no more to be changed).

        Of entries that match at a place the longest match counts, then the entry that is for a
        backend or a language, then a word before a pattern, then the first one.
        """
        if not self.entries:
            return [(text, False)]
        key = (lang, backend)
        if key not in self._rules:
            if len(self._rules) >= MOST_RULES:  # callers may name languages anew for ever
                self._rules.clear()
            fit = [each for each in self.entries if each.is_for(lang, backend)]
            self._rules[key] = _Rules(fit) if fit else None
        rules = self._rules[key]
        if rules is None:
            return [(text, False)]
        return rules.parts(text)

    def slow(self, lang: str, backend: str) -> list[str]:
        """Notes on patterns that took too long, and are left out since."""
        rules = self._rules.get((lang, backend))
        return [
            f"{word} of `vox say-as list` takes too long and is left out; make it simpler"
            for word in (rules.slow if rules else ())
        ]


NONE = SayAs()
"""Nothing is respelled."""
