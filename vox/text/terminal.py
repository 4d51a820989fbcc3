"""What a terminal does with text: escape sequences, carriage returns, backspaces.

Owns how they are found, and what a line says after all of them. Two characters of its own stand for
what is left to do to a line whose text has been passed on already: see `ERASE` and `BACK`.
"""

from __future__ import annotations

import re

ERASE = "\x18"
"""What the line said up to here no longer counts."""
BACK = "\b"
"""The next character is written over the one before."""
ERASE_TO_END = "\x19"

_STRING = "[^\\x07\\x1b\\x90\\x98\\x9b-\\x9f\\n\\r]{0,100000}"
# A string (a title, the clipboard, a link's address) must end on its line: an introducer without
# an end swallows no text.
_ESCAPE = re.compile(
    rf"""
      (?:\x1b\[|\x9b) (?P<args>[0-?]{{0,64}}) (?:[ ](?=[@-Fqt-v]))? [!-/]{{0,4}} (?P<final>[@-~])
    | (?:\x1b\]|\x9d) {_STRING} (?:\x07|\x1b\\|\x9c)
    | (?:\x1b[PX^_]|[\x90\x98\x9e\x9f]) {_STRING} (?:\x07|\x1b\\|\x9c)
    | \x1bPtmux;
    | \x1bO[A-DFHP-S]
    | \x1b[ -/]{{1,4}} [0-~]
    | \x1b (?P<pair>[0-OQ-WYZ\\`-~])
    | (?:\x1b\[|\x9b) [0-?]{{0,64}}
    | (?:\x1b\]|\x9d) 8;[^;\s\x07\x1b]{{0,200}};[^\s\x07\x1b]{{0,4000}}
    | (?:\x1b\]|\x9d) (?:[0-9]{{1,4}};)?
    | \x1b[PX^_]?
    | [\x90\x98\x9c-\x9f]
    """,
    re.VERBOSE,
)
_UNFINISHED = re.compile(
    rf"""(?:
      (?:\x1b\[|\x9b) [0-?]{{0,64}} (?:[ ]|[!-/]{{0,4}})
    | (?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f]) {_STRING} \x1b?
    | \x1b (?:O|[ -/]{{0,4}})
    )\Z""",
    re.VERBOSE,
)
_INTRODUCER = re.compile("[\x1b\x90\x98\x9b-\x9f]")

_BACK_MAX = 200
_RUN = re.compile("(?<![\r\x08])[\r\x08]{2,}")
_CELL = "[^\\n\\r\\x08\\x18\\x19][\u0300-\u036f]*"
_OVERSTRUCK = re.compile(f"{_CELL}(?:\\x08{_CELL})+")
_CELLS = re.compile(_CELL)
_STEP = re.compile(f"\\x08|{_CELL}")
_ERASED_AFTER_BACK = re.compile(f"(\\x08{{1,{_BACK_MAX}}})\\x19")


def without_own(text: str) -> str:
    """The text without the characters that mean something to this module alone."""
    return text.replace(ERASE, "").replace(ERASE_TO_END, "")


def split_unfinished(text: str) -> tuple[str, str]:
    """The text before an escape sequence that has no end yet, and that sequence."""
    found = _UNFINISHED.search(text) if _INTRODUCER.search(text) else None
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def without_escapes(text: str) -> str:
    """The text without escape sequences; those that move or erase within a line have their effect.

    What remains for `edited`: carriage returns, `BACK`, `ERASE` and `ERASE_TO_END`.
    """
    return _ESCAPE.sub(_effect, text) if _INTRODUCER.search(text) else text


def _effect(escape: re.Match[str]) -> str:
    final, args = escape["final"], escape["args"] or ""
    if final is None:
        return "\n" if escape["pair"] in ("D", "E", "c") else ""
    if final == "K":
        return ERASE_TO_END if args in ("", "0") else ERASE
    if final == "D":
        return BACK * (int(args[:3]) if args.isdecimal() else 1)
    if final in "G`":
        return "\r" if args in ("", "0", "1") else " "
    if final in "CI":
        return " "
    if final in "HfEFd" or (final == "J" and args in ("2", "3")):
        return "\n"
    return ""


def with_short_runs(text: str) -> str:
    """The text with one carriage return where several follow each other, or backspaces them."""
    return _RUN.sub(lambda run: "\r" if "\r" in run.group() else run.group(), text)


def edited(text: str) -> str:
    """The text in which whatever was written over once is resolved.

    What remains: `ERASE`, several `BACK` on end, and at the text's end `BACK` or a carriage return.
    """
    if ERASE_TO_END in text:
        text = text.replace("\r" + ERASE_TO_END, ERASE)
        text = _ERASED_AFTER_BACK.sub(lambda m: m[1] + " " * len(m[1]) + m[1], text)
        text = text.replace(ERASE_TO_END, "")
    if BACK in text:
        text = _OVERSTRUCK.sub(_struck, text)
    if "\r" in text:
        end = len(text.rstrip(BACK + "\r"))
        text = text[:end].replace("\r", ERASE) + text[end:]
    return text


def _struck(chain: re.Match[str]) -> str:
    cells: list[str] = _CELLS.findall(chain.group())
    shown = cells[0]
    for cell in cells[1:]:
        shown = written_over(shown, cell)
    return shown


def undecided(text: str) -> int:
    """Where the carriage return or the backspaces at the text's end begin that may mean more."""
    end = len(text.rstrip(BACK + "\r"))
    return max(end, len(text) - _BACK_MAX)


def written_over(old: str, new: str) -> str:
    """What a character says after another one was written over it. A line under it is no news."""
    return old if new == "_" and not old.isspace() else new


def last_state(line: str) -> str:
    """What a whole line says at its end."""
    line = line.rpartition(ERASE)[2]
    if BACK not in line:
        return line
    shown: list[str] = []
    at = 0
    for part in _STEP.findall(line):
        if part == BACK:
            at = max(0, at - 1)
        elif at < len(shown):
            shown[at] = written_over(shown[at], part)
            at += 1
        else:
            shown.append(part)
            at += 1
    return "".join(shown)
