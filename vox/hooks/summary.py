"""One line of what an assistant wrote: the sentence that is said at the end of its turn.

Pure functions over text. No regular expressions: their module takes longer to import than a hook
may take. What is left of Markdown in a line is the text pipeline's to read.
"""

from __future__ import annotations

MOST = 200
"""Characters of a line that is said, about 12 seconds."""
_LEAST = 40
"""A sentence that is shorter, such as "Done.", is said with the one after it."""
_PART = 1_000
"""Of a longer paragraph so many characters of its beginning and of its end are looked at."""
_LONGEST_TARGET = 500
"""Characters of a link's target."""
_TAIL = 65_536
"""Only so many characters are looked at, from the end."""
_ENDS = ".!?…"
_WIDE_ENDS = "。！？"
"""These end a sentence without a blank behind them."""
_CLOSING = "\"')]}*_”’»"
_ABBREVIATIONS = frozenset("dr mr mrs ms prof st vs etc approx no nr ca bzw vgl usw fig".split())
_ITEM_MARKS = "-*+•"
_COURTESIES = ("let me know", "hope this helps", "hope that helps", "feel free to", "happy to help")
"""Beginnings of paragraphs that say nothing of the work."""


def summary(text: str) -> str:
    """The line to say of a message in Markdown, "" if it has none.

    The first sentence of its last paragraph, with the next ones while that is very short, and the
    question with which the paragraph ends. Code, tables, lists, quotations and headings are passed
    over, and so are courtesies and what leads to a list, but for a message that has nothing else.
    """
    paragraphs = _paragraphs(text[-_TAIL:])
    prose = [words for kind, words in paragraphs if kind == "prose"]
    others = [words for kind, words in paragraphs if kind != "prose"]
    telling = [words for words in prose if not _is_courtesy(words)]
    whole = [words for words in telling if not words.endswith(":")]
    return _line((whole or telling[:1] or prose or others or [""])[-1])


def _is_courtesy(words: str) -> bool:
    return words.lower().startswith(_COURTESIES)


def sayable(text: str) -> bool:
    """Whether there is a word in it."""
    return any(map(str.isalnum, text))


def short(text: str, most: int = MOST) -> str:
    """The text in one line, cut between words, best where a clause ends."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    cut = text[: most + 1]
    cut = cut[: cut.rfind(" ")] if " " in cut else text[:most]
    clause = max(cut.rfind(mark) for mark in (", ", "; ", ": ", " – ", " — "))
    return cut[: clause if clause > most // 2 else len(cut)].rstrip(" ,;:–—-")


def first_sentence(text: str) -> str:
    """The text up to the end of its first sentence."""
    end = _end_of_sentence(text, 0)
    return text[:end].strip()


def _line(words: str) -> str:
    if len(words) > 2 * _PART:
        words = f"{words[:_PART]} {words[-_PART:]}"
    first, *others = _sentences(_plain(words)) or [""]
    if others and others[-1].endswith(":"):
        others.pop()  # it leads to what is not said
    while others and len(first) < _LEAST:
        first = f"{first} {others.pop(0)}"
    if first.endswith(":"):
        first = f"{first[:-1]}."
    if others and others[-1].endswith(("?", "？")):
        both = f"{first} {others[-1]}"
        return both if len(both) <= MOST else short(others[-1])
    return short(first)


def _sentences(text: str) -> list[str]:
    found, start = [], 0
    while start < len(text):
        end = _end_of_sentence(text, start)
        found.append(text[start:end].strip())
        start = end
    return [sentence for sentence in found if sentence]


def _end_of_sentence(text: str, start: int) -> int:
    """Where the sentence ends that begins there: behind its mark, and what closes there."""
    for at in range(start, len(text)):
        char = text[at]
        if char in _WIDE_ENDS:
            return at + 1
        if char not in _ENDS:
            continue
        end = at + 1
        while end < len(text) and text[end] in _ENDS + _CLOSING:
            end += 1
        rest = text[end:].lstrip()
        if not rest:
            return len(text)
        if (
            text[end].isspace()
            and not rest[0].islower()
            and not _is_abbreviation(text[start:at], rest)
        ):
            return end
    return len(text)


def _is_abbreviation(before: str, after: str) -> bool:
    """Whether a full stop between these is part of a word, as in "e.g.", "z. B." and "Dr."."""
    *_, previous, last = ["", "", *before[-100:].split()]
    word = last.strip("([\"'*_").lower()
    if len(word) == 1 and word.isalpha() and (_is_initial(previous) or _is_initial(after[:2])):
        return True
    return word in _ABBREVIATIONS or (len(word) > 1 and word[-2] == "." and word[-1].isalpha())


def _is_initial(text: str) -> bool:
    """Whether it is one letter and a full stop."""
    return len(text) == 2 and text[0].isalpha() and text[1] == "."


def _paragraphs(text: str) -> list[tuple[str, str]]:
    """What can be said of a message, in order: ("prose" or "other", its words)."""
    found: list[tuple[str, list[str]]] = []
    fence, is_open = "", False
    for line in text.splitlines():
        stripped = line.strip()
        if fence:
            fence = "" if stripped.startswith(fence) and not stripped.strip(fence[0]) else fence
            continue
        if stripped.startswith(("```", "~~~")):
            fence, is_open = stripped[:3], False
        elif _is_nothing(stripped) or (not is_open and line.startswith(("    ", "\t"))):
            is_open = False
        elif (words := _of_item(stripped)) is not None:
            found.append(("other", [words]))
            is_open = False
        elif line.startswith(("  ", "\t")) and found and found[-1][0] == "other":
            is_open = False  # an item goes on
        elif is_open:
            found[-1][1].append(stripped)
        else:
            kind = "other" if stripped.startswith(">") else "prose"
            found.append((kind, [stripped.lstrip("> ")]))
            is_open = kind == "prose"
    paragraphs = [(kind, " ".join(lines)) for kind, lines in found]
    return [(kind, words) for kind, words in paragraphs if sayable(words)]


def _is_nothing(line: str) -> bool:
    """Whether a line is blank, a rule, the row of a table, or a tag of HTML."""
    without_code = "".join(line.split("`")[::2])
    is_row = line.startswith("|") or without_code.count("|") > 1
    is_tag = line.startswith("<") and line.endswith(">")
    return is_row or is_tag or not line.strip("-=*_ >|:")


def _of_item(line: str) -> str | None:
    """The words of a heading or of an item of a list; None: it is neither."""
    mark, _, words = line.partition(" ")
    if mark and not mark.strip("#") and len(mark) <= 6:
        return words.strip("# ")
    if mark in _ITEM_MARKS or (mark[:-1].isdecimal() and mark[-1:] in ".)" and len(mark) <= 4):
        for box in ("[x] ", "[X] ", "[ ] "):
            words = words.removeprefix(box)
        return words.strip()
    return None


def _plain(text: str) -> str:
    """Without emphasis, the marks of code, and what leads to a page; of an address its server."""
    text = _without_links(text)
    for mark in ("**", "__", "`"):
        text = text.replace(mark, "")
    words = [_host(word) if "://" in word else word for word in text.split()]
    return " ".join(word.strip("*") or word for word in words)


def _host(address: str) -> str:
    """The name of the server in a web address, with what stands around the address."""
    scheme, _, rest = address.partition("://")
    before = scheme.rstrip("abcdefghijklmnopqrstuvwxyz")
    after = rest[len(rest.rstrip(f".,;:!?>{_CLOSING}")) :]
    host = rest[: len(rest) - len(after)].partition("/")[0].partition("?")[0]
    return f"{before.rstrip('<')}{host}{after.lstrip('>')}"


def _without_links(text: str) -> str:
    """`[words](target)` and `![words](target)` become the words."""
    at = 0
    while (middle := text.find("](", at)) >= 0:
        start, end = text.rfind("[", 0, middle), _closing(text, middle + 2)
        if start < 0 or end < 0:
            at = middle + 2
            continue
        before = text[:start].removesuffix("!")
        text = before + text[start + 1 : middle] + text[end + 1 :]
        at = len(before)
    return text


def _closing(text: str, at: int) -> int:
    """Where the parenthesis closes that is open there; -1: nowhere."""
    depth = 1
    for place in range(at, min(len(text), at + _LONGEST_TARGET)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    return -1
