"""Where the text to speak comes from: arguments, a file, or standard input."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import BadInput, BadOutput, TextTooLong

if TYPE_CHECKING:
    import click

MOST_BYTES = 64_000_000
"""Nothing larger is read; how much may be spoken is the queue's business (`max_text`)."""

_NOT_PLAIN = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff", b"%PDF-", b"{\\rtf")
"""Byte order marks, and documents that are no plain text though they may look like it."""


def read_text(ctx: click.Context, file: str | None, words: list[str]) -> str | None:
    """The text; None if none is given and standard input is a terminal.

    Raises UsageError, BadInput.
    """
    if file is not None:
        if words:
            import click

            raise click.UsageError(f"text comes from -f {file} or from arguments, not both", ctx)
        return _from_file(file)
    if words == ["-"]:
        return _from_file("-")
    if words:
        text = " ".join(words)
        checked("text", text)
        return text
    if sys.stdin is None or sys.stdin.isatty():
        return None
    return _decoded(_read(sys.stdin.buffer))


def _from_file(file: str) -> str:
    if file == "-":
        if sys.stdin is None:
            raise BadInput("standard input is closed", "give the text as an argument")
        return _decoded(_read(sys.stdin.buffer))
    try:
        with open(file, "rb") as stream:
            return _decoded(_read(stream))
    except OSError as exc:
        raise BadInput(f"cannot read {file}: {exc.strerror}", "check the path") from exc


def _read(stream: BinaryIO) -> bytes:
    try:
        data = stream.read(MOST_BYTES + 1)
    except OSError as exc:
        raise BadInput(f"cannot read the text: {exc.strerror}") from exc
    if len(data) > MOST_BYTES:
        megabytes = MOST_BYTES // 1_000_000
        raise TextTooLong(f"the text has more than {megabytes} MB", "split it into several")
    return data


def _decoded(data: bytes) -> str:
    if not data.startswith(_NOT_PLAIN) and b"\0" not in data:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    from ..text.decode import decode

    return decode(data)


def checked(name: str, value: Any) -> Any:
    """An option's value; None for a blank one. Raises BadInput if it is not valid UTF-8."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        where = "the text" if name == "text" else f"--{name}"
        raise BadInput(
            f"{where} is not valid UTF-8", "convert it: iconv -f LATIN1 -t UTF-8, or use -f FILE"
        ) from None
    return value if value.strip() else None


def model_name(model: str | None) -> str | None:
    """A model's name. A path becomes absolute: the daemon runs in another folder."""
    if model and (model.startswith((".", "~")) or (os.sep in model and os.path.exists(model))):
        return os.path.abspath(os.path.expanduser(model))
    return model


def output_path(path: str | None) -> str | None:
    """The absolute path: the daemon runs in another folder. Raises BadOutput."""
    if path is None:
        return None
    if checked("output", path) is None:
        raise BadOutput("-o has no file name", "give one, e.g. -o speech.wav")
    return os.path.abspath(path)


def names_folder(path: str | None) -> bool:
    """Whether it is a folder for audio files: "DIR/", or "DIR/.mp3" for files of that kind."""
    if path is None or "/" not in path:
        return False
    name = os.path.basename(path)
    return not name or (name.startswith(".") and name[1:].isalnum())
