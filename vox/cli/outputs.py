"""Where `vox -o` writes what is no plain file: standard output, or one file for each text.

The daemon writes files and nothing else. So the audio of `-o -` is first made as a file.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import click

from ..errors import BadInput, BadOutput, DaemonStopped, StorageError, VoxError, WaitTimeout
from ..jobs import Request
from .output import complain, is_terminal
from .speaking import CANCEL_TIMEOUT_S, CallOptions, open_jobs, speak
from .text_input import names_folder, read_text

USUAL = ".wav"
_BLOCK = 1 << 16


def to_standard_output(
    ctx: click.Context,
    options: CallOptions,
    make: Callable[[str, CallOptions], int],
    job_id: Callable[[], str | None],
) -> int:
    """Write a job's audio to standard output, as WAV; returns the exit code, that of `make`.

    `make` makes the job and waits until it has written the file of that name; `job_id` is the id
    that it has then. The file is whole first: many programs refuse a WAV that does not say its
    length. Raises UsageError, BadOutput, StorageError, and as `make`.
    """
    if options.is_async or options.as_json:
        what = "--async" if options.is_async else "--json"
        raise click.UsageError(f"-o - writes audio to standard output; leave out {what}", ctx)
    if is_terminal(sys.stdout):
        raise BadOutput(
            "-o - writes audio, which a terminal cannot show", "e.g.: vox -o - TEXT | aplay"
        )
    with tempfile.TemporaryDirectory(prefix="vox-") as folder, _taken() as out:
        path = os.path.join(folder, f"speech{USUAL}")
        try:
            code = make(path, options._replace(is_output_named=False))
        except (WaitTimeout, DaemonStopped) as exc:
            with contextlib.suppress(VoxError):  # nobody would read it
                open_jobs().cancel(job_id() or "", CANCEL_TIMEOUT_S)
            raise type(exc)(f"no audio was written: {exc.message.partition(';')[0]}") from None
        if os.path.exists(path):  # whole, though with --strict perhaps not good enough
            _copy(path, out)
        return code


@contextlib.contextmanager
def _taken() -> Iterator[BinaryIO]:
    """Standard output, for the audio alone: what others print there goes to standard error."""
    if sys.stdout is None:
        raise BadOutput("standard output is closed", "send it to a file or a program")
    sys.stdout.flush()
    with open(os.dup(1), "wb", buffering=0) as out:
        try:
            os.dup2(2, 1)
        except OSError:  # standard error is closed
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.close(nowhere)
        yield out


def _copy(path: str, out: BinaryIO) -> None:
    with open(path, "rb") as file:
        try:
            while block := memoryview(file.read(_BLOCK)):
                while block:
                    written = out.write(block)
                    if written is None:  # a full pipe that its maker made so
                        select.select([], [out], [])
                    block = block[written or 0 :]
        except BrokenPipeError:
            pass  # the reader has had enough
        except OSError as exc:
            raise StorageError(
                f"cannot write the audio: {exc.strerror}", "free disk space"
            ) from exc


def each_to_its_file(
    ctx: click.Context,
    files: tuple[str, ...],
    output: str | None,
    wishes: Mapping[str, Any],
    options: CallOptions,
) -> int:
    """Write the audio of each text file into a folder; returns the first failure's exit code.

    What can be refused is refused before anything is made. A text that then cannot be spoken does
    not keep the others from it. Raises UsageError, BadInput, and as `speak`.
    """
    if output is None or not names_folder(output):
        raise click.UsageError(
            "several -f need -o DIR/, one audio file each; to speak them: cat FILE... | vox",
            ctx,
        )
    if not files or ctx.args:
        raise click.UsageError(f"-o {output} takes its names from text files: -f FILE", ctx)
    folder, extension = os.path.split(os.path.join(os.getcwd(), output))
    paths = _paths(folder, extension or USUAL, files)
    requests = {
        file: Request(text=read_text(ctx, file, []) or "", output=path, **wishes)
        for file, path in paths.items()
    }
    with _existing(folder):
        return _each(requests, options)


@contextlib.contextmanager
def _existing(folder: str) -> Iterator[None]:
    """Make the folder if there is none. If the block raises, it is removed unless a file is in it.

    Raises BadOutput if the one above it does not exist, or it cannot be made.
    """
    try:
        os.mkdir(folder)
    except FileExistsError:
        yield
        return
    except OSError as exc:
        above = os.path.dirname(folder.rstrip("/"))
        hint = "choose another place" if os.path.isdir(above) else f"create it: mkdir -p {folder}"
        raise BadOutput(f"cannot make the folder {folder}: {exc.strerror}", hint) from exc
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.rmdir(folder)
        raise


def _each(requests: Mapping[str, Request], options: CallOptions) -> int:
    failed = 0
    for file, request in requests.items():
        try:
            code = speak(request, options)
        except BadOutput:  # of all
            raise
        except BadInput as exc:
            complain(f"{file}: {exc.line}")
            code = exc.exit_code
        else:
            if code >= 128:  # interrupted
                return code
            if code:
                complain(f"{file}: {request.output} was not written")
        failed = failed or code
    return failed


def _paths(folder: str, extension: str, files: tuple[str, ...]) -> dict[str, str]:
    """The audio file of each text file. Raises BadOutput."""
    made: dict[str, str] = {}
    names: dict[str, str] = {}
    for file in files:
        if file == "-":
            raise BadOutput("standard input has no file name for -o DIR/", "give -o FILE")
        stem, _ = os.path.splitext(os.path.basename(file))
        path = os.path.join(folder, stem + extension)
        if path in names:
            raise BadOutput(f"{names[path]} and {file} would both be {path}", "rename one of them")
        made[file], names[path] = path, file
    return made
