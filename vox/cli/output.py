"""Printing to standard output and standard error: a terminal, a pipe, or closed.

Owns how JSON, tables and error lines look, and that text of others does nothing to a terminal: all
that is printed goes through `say`, `tell`, `complain`, `say_json` or `table`. A program that reads
standard output gets texts as they are, but for JSON, which escapes them, and tables. Knows nothing
of jobs.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from ..errors import StorageError
from ..printable import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def write(stream: TextIO | None, text: str) -> bool:
    """Write and flush. That the reader of a pipe has gone is no error: False, nobody reads on.

    Raises StorageError if the stream cannot be written (a full disk).
    """
    if stream is None:  # closed by whoever started us
        return False
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        _discard(stream)
        return False
    except OSError as exc:
        _discard(stream)
        raise StorageError(f"cannot write the output: {exc.strerror}", "free disk space") from exc
    return True


def _discard(stream: TextIO) -> None:
    """Discard what is still buffered: writing it when the interpreter ends would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str = "", end: str = "\n") -> bool:
    """A line, or several, on standard output; see `write`."""
    return write(sys.stdout, (printable(text) if is_terminal(sys.stdout) else text) + end)


def tell(text: str) -> None:
    """A note on standard error."""
    write(sys.stderr, one_line(text) + "\n")


def complain(line: str) -> None:
    """An error, as one line on standard error."""
    write(sys.stderr, f"vox: {one_line(line)}\n")


def say_json(data: Any) -> None:
    import json

    write(sys.stdout, escaped(json.dumps(data, indent=2, ensure_ascii=False)) + "\n")


def escaped(text: str) -> str:
    """JSON that says the same and does nothing to a terminal."""
    if text.isprintable():
        return text
    import json

    parts = ((printable(char), char) for char in text)
    return "".join(char if shown == char else json.dumps(char)[1:-1] for shown, char in parts)


def say_json_array(items: Iterable[Any]) -> None:
    """The items as a JSON array, printed while they come: for programs, one item a line."""
    import json

    indent = 2 if is_terminal(sys.stdout) else None
    encode = json.JSONEncoder(indent=indent, ensure_ascii=False).encode
    start = "[\n"
    for section in _sections(items):
        texts = ("  " + encode(item).replace("\n", "\n  ") for item in section)
        if not write(sys.stdout, escaped(start + ",\n".join(texts))):
            return
        start = ",\n"
    say("[]" if start == "[\n" else "\n]")


def is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


USUAL_WIDTH, USUAL_HEIGHT = 80, 24

# -- tables ----------------------------------------------------------------------------------


def terminal_width(stream: TextIO) -> int:
    """Columns of the terminal that the stream is; COLUMNS, if it is set, overrides it."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    except (OSError, ValueError):
        return USUAL_WIDTH


def columns_of(text: str) -> int:
    """How many columns of a terminal it takes."""
    from rich.cells import cell_len

    return cell_len(text)


def shortened(text: str, width: int) -> str:
    """One line of the text in no more than `width` columns."""
    from rich.cells import cell_len, set_cell_size

    text = one_line(text)
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"


TEXT_WIDTH = 20
"""The last column of a table is shortened no further than this to keep the others whole."""
SECTION = 100
"""Items of a long list that are printed at once."""
GAP = 2
"""Columns between two columns of a table."""


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    spare: Sequence[int] = (),
    is_named: bool = False,
    is_whole: bool = False,
    is_cut: bool = False,
) -> None:
    """A table for people on a terminal, tab-separated lines without a header for programs.

    To fit the terminal, the last column is shortened first. Then the columns `spare` are left out,
    in that order. Then all columns but the first are shortened.
    `numbers`: the columns to align at the right. `is_named`: programs get the header too.
    `is_whole`: the last column goes on in further lines instead of being shortened.
    `is_cut`: programs get of the last column what fits into the usual width.
    A long table is printed while its rows come; its first rows decide about the columns.
    """
    lines = ([one_line(cell) for cell in line] for line in itertools.chain([header], rows))
    if not is_terminal(sys.stdout):
        for section in _sections(lines if is_named else itertools.islice(lines, 1, None)):
            if not say("\n".join(in_pipe(cells, is_cut) for cells in section)):
                return
        return
    columns = None
    for section in _sections(lines):
        if columns is None:
            columns = _columns(section, terminal_width(sys.stdout) - 1, spare)
            head, *drawn = _drawn(section, *columns, numbers, is_whole)
            write(sys.stdout, _bold(head) + "\n")
        else:
            drawn = _drawn(section, *columns, numbers, is_whole)
        if drawn and not say("\n".join(drawn)):
            return


def in_pipe(cells: Sequence[str], is_cut: bool = False) -> str:
    """The row of a table for programs; see `table`."""
    *others, last = cells
    if is_cut:
        room = max(TEXT_WIDTH, USUAL_WIDTH - sum(len(cell) + 1 for cell in others))
        last = last if len(last) <= room else last[: room - 1].rstrip() + "…"
    return "\t".join([*others, last])


def drawn_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    room: int,
    numbers: Sequence[int] = (),
    spare: Sequence[int] = (),
    is_whole: bool = False,
) -> list[str]:
    """The lines of a `table` on a terminal of which `room` columns are free."""
    cells = [[one_line(cell) for cell in line] for line in itertools.chain([header], rows)]
    head, *lines = _drawn(cells, *_columns(cells, room, spare), numbers, is_whole)
    return [_bold(head), *lines]


def _sections(items: Iterable[T]) -> Iterator[list[T]]:
    """The items, SECTION of them at a time."""
    items = iter(items)
    while section := list(itertools.islice(items, SECTION)):
        yield section


def _columns(
    cells: Sequence[Sequence[str]], room: int, spare: Sequence[int]
) -> tuple[list[int], list[int]]:
    """The columns that are shown, and their widths, which fit into `room`."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    shown = _shown(widths, room, spare)
    return shown, _fitted([widths[index] for index in shown], room)


def _drawn(
    cells: Sequence[Sequence[str]],
    shown: Sequence[int],
    fitted: Sequence[int],
    numbers: Sequence[int],
    is_whole: bool,
) -> list[str]:
    """The lines of the table."""
    lines = []
    for row in cells:
        *others, last = (row[index] for index in shown)
        for more in _wrapped(last, fitted[-1]) if is_whole else [last]:
            drawn = [
                _in_column(text, width, index in numbers)
                for text, width, index in zip([*others, more], fitted, shown, strict=True)
            ]
            lines.append((" " * GAP).join(drawn).rstrip())
            others = [""] * len(others)
    return lines


def _in_column(text: str, width: int, is_right: bool) -> str:
    from rich.cells import cell_len

    text = shortened(text, width)
    gap = " " * (width - cell_len(text))
    return gap + text if is_right else text + gap


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """The widths, made smaller until they fit: the last down to TEXT_WIDTH, then the widest."""
    *others, last = widths
    left = room - sum(width + GAP for width in others)
    fitted = [*others, min(last, max(TEXT_WIDTH, left))]
    while sum(fitted) + GAP * (len(fitted) - 1) > room and max(fitted[1:], default=0) > 1:
        fitted[fitted.index(max(fitted[1:]), 1)] -= 1
    return fitted


def _bold(line: str) -> str:
    import io

    from rich.cells import cell_len
    from rich.text import Text

    text = io.StringIO()
    terminal(text, cell_len(line) + 1).print(Text(line, "bold", no_wrap=True), end="")
    return text.getvalue()


def _shown(widths: Sequence[int], room: int, spare: Sequence[int]) -> list[int]:
    """The columns that fit if the last of them is shortened to TEXT_WIDTH."""
    shown = list(range(len(widths)))
    for index in spare:
        *others, last = shown
        if sum(widths[other] + GAP for other in others) + min(TEXT_WIDTH, widths[last]) <= room:
            break
        shown.remove(index)
    return shown


def is_dumb() -> bool:
    """Whether the terminal does not understand escape sequences."""
    return os.environ.get("TERM") == "dumb"


def terminal(file: TextIO, width: int | None = None) -> Console:
    """Rich's console on a terminal, without colours and bold text where those are not wanted."""
    from rich.console import Console

    is_plain = bool(os.environ.get("NO_COLOR")) or is_dumb()
    return Console(
        file=file,
        width=width,
        # Without it rich takes a dumb terminal for 80 columns wide, whatever the width.
        height=width and USUAL_HEIGHT,
        force_terminal=True,
        color_system=None if is_plain else "standard",
    )


def fields(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line; on a terminal, lines break between words."""
    width = max((len(name) for name, _ in pairs), default=0)
    room = terminal_width(sys.stdout) - width - GAP - 1 if is_terminal(sys.stdout) else 0
    for name, text in pairs:
        value = text if text == printable(text) and "\n" not in text else one_line(text)
        first, *more = _wrapped(value, room) if len(value) > room > 0 else [value]
        say(f"{name:{width}}{' ' * GAP}{first}".rstrip())
        for line in more:
            say(" " * (width + GAP) + line)


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


def count_of_jobs(count: int) -> str:
    """ "1 job", "2,000 jobs"."""
    return "1 job" if count == 1 else f"{count:,} jobs"


def clock(seconds: float) -> str:
    """ "0:42", "28:19", "1:02:03"."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


_SHORT = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def engine_of(model: Mapping[str, Any]) -> str:
    """How a loaded model of `/health` computes: "cuda bf16 graphs"; "" if it is not known."""
    dtype = _SHORT.get(model["dtype"], model["dtype"])
    return " ".join(filter(None, (model["device"], dtype, model["engine"])))


def is_erased(job: dict[str, Any]) -> bool:
    """Whether the job is a private one that has ended: nothing of its text is kept."""
    return bool(job["private"]) and job["exit_code"] is not None
