"""One entry of the user's list of words that voices say wrongly: what it means and its checks.

`regex`, whose patterns have a time limit, is imported only for entries that are patterns.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from ..errors import BadOption
from ..languages import normalize, primary

MAX_WORD, MAX_SAY = 200, 1_000
PATTERN_TIMEOUT_S = 0.25
"""How long one pattern may look for one match. It takes microseconds if it is sound."""

PATTERN = re.compile(r"/(.*)/(i?)", re.DOTALL)
GROUP = re.compile(r"\\(?:(\d{1,2})|g<(\w+)>|(\\))")


@dataclass(frozen=True, slots=True)
class Entry:
    """A word, and what is said for it.

    A word in lower case matches in any case, one with capitals as it is written. Only whole words
    match, also with 's behind them, and abbreviations such as "API" with a plural s. `/.../` is a
    regular expression (`/.../i`: in any case); `say` may have its groups then (\\1, \\g<name>).
    Made by `entry`, which checks it.
    """

    word: str
    say: str
    lang: str | None = None
    """For this language alone: "en" is for "en-US" as well."""
    backend: str | None = None
    """For this backend alone."""
    source: str = ""
    """The file that it stands in."""

    @property
    def key(self) -> tuple[str, str | None, str | None]:
        """What tells entries of one file apart."""
        return self.word, self.lang, self.backend

    def is_for(self, lang: str, backend: str) -> bool:
        if self.backend is not None and self.backend.casefold() != backend.casefold():
            return False
        if self.lang is None:
            return True
        first, *own = self.lang.lower().replace("_", "-").split("-")
        _, *others = lang.lower().replace("_", "-").split("-")
        return primary(first) == primary(lang) and own == others[: len(own)]


def entry(
    word: str, say: str, lang: str | None = None, backend: str | None = None, source: str = ""
) -> Entry:
    """The entry, checked. Raises BadOption, UnknownLanguage."""
    word, say = on_one_line(word), on_one_line(say)
    if not word or (PATTERN.fullmatch(word) and word.strip("/ ") in ("", "i")):
        raise BadOption("the word is empty", "give a word, or a /pattern/", field="word")
    for text, most, name in ((word, MAX_WORD, "word"), (say, MAX_SAY, "say")):
        if len(text) > most:
            raise BadOption(
                f"{name} has {len(text):,} characters; {most:,} are the limit", field=name
            )
    if word.startswith("/") and not PATTERN.fullmatch(word) and re.search(r"[\\^$()[\]*+?|]", word):
        raise BadOption(f"the pattern {word} has no / at its end", "write /.../", field="word")
    if found := PATTERN.fullmatch(word):
        _check_groups(say, compiled(*found.groups()))
    return Entry(word, say, normalize(lang) if lang else None, backend or None, source)


def on_one_line(text: str) -> str:
    """As texts are cleaned: composed, on one line, without control characters."""
    shown = "".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)
    return " ".join(unicodedata.normalize("NFC", shown).split())


def compiled(source: str, flags: str) -> Any:
    """Raises BadOption if it is no regular expression, or one that may match nothing at all."""
    import regex

    try:
        pattern = regex.compile(source, regex.IGNORECASE if flags else 0)
        may_be_empty = pattern.search("", timeout=PATTERN_TIMEOUT_S) is not None
    except regex.error as exc:
        raise BadOption(
            f"/{source}/ is not a valid regular expression: {exc}", field="word"
        ) from exc
    except TimeoutError:
        may_be_empty = False
    if may_be_empty:
        raise BadOption(f"/{source}/ also matches the empty text", "write + for *", field="word")
    return pattern


def _check_groups(say: str, pattern: Any) -> None:
    for number, name, _ in GROUP.findall(say):
        if (number and int(number) > pattern.groups) or (name and name not in pattern.groupindex):
            group = f"\\{number}" if number else f"\\g<{name}>"
            raise BadOption(
                f"there is no group {group} in /{pattern.pattern}/",
                f"its groups are those in parentheses: {pattern.groups}",
                field="say",
            )


def check_speed(checked: Entry) -> None:
    """Raises BadOption if it is a pattern that takes too long on texts made to be hard for it."""
    found = PATTERN.fullmatch(checked.word)
    if found is None:
        return
    pattern = compiled(*found.groups())
    letters = dict.fromkeys([*checked.word, "a", "0", " "])
    hard = [f"{letter * 3000}!" for letter in letters] + ["ab " * 1000, "a1_" * 1000, "a, " * 1000]
    for text in hard:
        try:
            for _ in pattern.finditer(text, timeout=PATTERN_TIMEOUT_S, concurrent=True):
                pass
        except TimeoutError:
            raise BadOption(
                f"{checked.word} takes too long on some texts",
                "make it simpler: no repetition in a repetition, no two that match the same",
                field="word",
            ) from None
