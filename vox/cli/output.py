"""Printing: to standard output, which may be closed, a pipe or a terminal, and to standard error.

Owns how JSON, tables and error lines look. Knows nothing of jobs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from ..errors import StorageError


def write(stream: TextIO | None, text: str) -> None:
    """Write and flush. A reader that went away is no error: it had what it wanted.

    Raises StorageError if the stream cannot be written (a full disk).
    """
    if stream is None:  # closed by whoever started us
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        _to_nowhere(stream)
    except OSError as exc:
        _to_nowhere(stream)
        raise StorageError(f"cannot write the output: {exc.strerror}", "make room") from exc


def _to_nowhere(stream: TextIO) -> None:
    """What is still buffered must not fail again when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str = "") -> None:
    """A line on standard output."""
    write(sys.stdout, text + "\n")


def tell(text: str) -> None:
    """A line on standard error that is no error."""
    write(sys.stderr, text + "\n")


def complain(line: str) -> None:
    """The one line of an error."""
    write(sys.stderr, "vox: " + " ".join(line.split()) + "\n")


def say_json(data: Any) -> None:
    import json

    say(json.dumps(data, indent=2, ensure_ascii=False))


def is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


USUAL_WIDTH = 80

# -- tables ----------------------------------------------------------------------------------


def terminal_width(stream: TextIO) -> int:
    """Columns of the terminal that the stream is; COLUMNS, if it is set, knows better."""
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    except (OSError, ValueError):
        return USUAL_WIDTH


def char_width(char: str) -> int:
    """Columns that a character takes on a terminal: 0, 1 or 2."""
    if " " <= char <= "~":
        return 1
    import unicodedata

    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def text_width(text: str) -> int:
    return len(text) if text.isascii() else sum(map(char_width, text))


def one_line(text: str) -> str:
    """The text on one line, without anything that a terminal would take for a command."""
    text = " ".join(text.split())
    return "".join(char if char.isprintable() or char == "\u200d" else "?" for char in text)


def shortened(text: str, width: int) -> str:
    """One line of the text in no more than `width` columns."""
    text = one_line(text)
    if text_width(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += char_width(char)
        if used > max(1, width) - 1:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


TEXT_WIDTH, CELL_WIDTH = 20, 6
"""Columns below which the last column, and any other but the first, is not shortened."""


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int] = (),
    spare: Sequence[int] = (),
    is_named: bool = False,
) -> None:
    """A table for people on a terminal, tab-separated lines without a header for programs.

    It fits the terminal: the last column is shortened to what room there is, then the columns
    `spare` are left out, the first of them first, then all others but the first are shortened.
    `numbers`: the columns to align at the right. `is_named`: programs get the header too.
    """
    if not is_terminal(sys.stdout):
        for row in [header, *rows] if is_named else rows:
            say("\t".join(one_line(cell) for cell in row))
        return
    lines = [list(header), *([one_line(cell) for cell in row] for row in rows)]
    natural = [max(map(text_width, column)) for column in zip(*lines, strict=True)]
    widths = fitted(natural, terminal_width(sys.stdout) - 1, spare)
    for number, line in enumerate(lines):
        cells = []
        for index, width in widths.items():
            cell = shortened(line[index], width)
            padding = " " * (width - text_width(cell))
            cells.append(padding + cell if index in numbers else cell + padding)
        text = "  ".join(cells).rstrip()
        say(_bold(text) if number == 0 else text)


def fitted(natural: Sequence[int], room: int, spare: Sequence[int] = ()) -> dict[int, int]:
    """The columns that are shown, and the width of each, two apart in `room` columns."""
    widths = dict(enumerate(natural))

    def excess() -> int:
        return sum(widths.values()) + 2 * (len(widths) - 1) - room

    def shrink(index: int, least: int) -> None:
        widths[index] -= max(0, min(excess(), widths[index] - least))

    left = list(spare)
    while excess() > max(0, widths[last := max(widths)] - TEXT_WIDTH) and left:
        del widths[left.pop(0)]
    shrink(last, TEXT_WIDTH)
    while excess() > 0:
        widest = max(list(widths)[1:] or [0], key=lambda index: widths[index])
        if widths[widest] <= CELL_WIDTH:
            break
        shrink(widest, widths[widest] - 1)
    shrink(min(widths), CELL_WIDTH)
    return widths


def _bold(text: str) -> str:
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if is_plain else f"\x1b[1m{text}\x1b[0m"


def fields(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line; on a terminal, lines break between words."""
    width = max((text_width(name) for name, _ in pairs), default=0)
    room = terminal_width(sys.stdout) - width - 3 if is_terminal(sys.stdout) else 0
    for name, value in pairs:
        lines = _wrapped(value, room) if text_width(value) > room > CELL_WIDTH else [value]
        say(f"{name + ' ' * (width - text_width(name))}  {lines[0]}".rstrip())
        for line in lines[1:]:
            say(" " * (width + 2) + line)


def _wrapped(text: str, room: int) -> list[str]:
    import textwrap

    # A path is left whole: who copies it gets it as it is.
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [text]


def duration(seconds: float | None) -> str:
    """ "45 s", "3 min", "2 h 05 min", "3 d"; "-" if it is not known."""
    if seconds is None:
        return "-"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d"


def megabytes(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.0f} MB"
