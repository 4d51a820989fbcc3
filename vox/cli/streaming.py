"""`vox --stream`: speaks a text while it is being written.

One thread reads and hands on what has come, the main thread follows the job. The text is part of
one job, so an interrupt, `vox cancel` and the history do with it as with any other.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading

from ..client.jobs import CallJobs, Job
from ..errors import BadInput, EmptyText, JobNotLive, UnknownJob, VoxError
from ..jobs import Request, new_id
from ..text.incremental import Decoder
from .output import complain, is_terminal, tell
from .speaking import CallOptions, make_and_follow, open_speech, submit

READ_BYTES = 64 * 1024


def open_source(file: str | None) -> int:
    """A descriptor of the file, or of standard input, to read from as it is written.

    Opening a FIFO waits for its writer. Raises BadInput.
    """
    if file is not None and file != "-":
        try:
            return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as exc:
            raise BadInput(f"cannot read {file}: {exc.strerror}", "check the path") from exc
    if sys.stdin is None:
        raise BadInput("standard input is closed", "pipe a text into it")
    fd = sys.stdin.fileno()
    source = os.dup(fd)
    # Ours alone: once it is closed, SIGPIPE tells the writer that nobody reads any more.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, fd)
    os.close(nothing)
    return source


def speak_stream(request: Request, file: str | None, options: CallOptions) -> int:
    """Returns the exit code."""
    jobs = open_speech(options.here or request.output is not None)
    request.id, request.is_open = new_id(), True
    writers: list[Writer] = []
    if file in (None, "-") and is_terminal(sys.stdin):
        options = options._replace(is_typed=True)
        if not options.quiet:
            tell("vox: speaks what you type; Ctrl-D ends it, Ctrl-C cancels it")

    def make() -> Job:
        source = open_source(file)
        begun = _begun(source)
        if begun is not None:
            check_beginning(begun)
        job = submit(jobs, request, options)
        writer = Writer(jobs, job["id"], source, begun)
        writers.append(writer)
        writer.start()
        if options.is_async:
            writer.join()
            jobs.release(job["id"])
        return job

    code = make_and_follow(jobs, request.id, make, options)
    error = writers[0].error if writers else None
    if error is None:
        return code
    complain(error.line)
    return code or error.exit_code


def _begun(source: int) -> bytes | None:
    """What has come already; None if nothing has, b"" if that was all. Raises BadInput."""
    try:
        if select.select([source], [], [], 0)[0]:
            return os.read(source, READ_BYTES)
    except BlockingIOError:
        pass
    except OSError as exc:
        raise _unreadable(exc) from exc
    return None


def _unreadable(exc: OSError) -> BadInput:
    return BadInput(f"cannot read the text: {exc.strerror}", "give a file or a pipe")


def check_beginning(data: bytes) -> None:
    """Raises EmptyText, BadInput if no job is to be made of what begins like this."""
    if not data:
        raise EmptyText
    from ..text.decode import refuse_binary

    refuse_binary(data)
    decoder = Decoder()
    if not decoder.decode(data).strip() and decoder.error is not None:
        raise decoder.error


class Writer(threading.Thread):
    """Writes what comes from a descriptor into a job's text, and ends that where it ends."""

    def __init__(self, jobs: CallJobs, job_id: str, source: int, begun: bytes | None) -> None:
        super().__init__(name="stream", daemon=True)
        self._begun = begun
        self._jobs = jobs
        self._job_id = job_id
        self._source = source
        self._decoder = Decoder()
        self._written = 0
        self.error: VoxError | None = None
        """Why the text ended before its writer ended it."""

    def run(self) -> None:
        try:
            self._copy()
        except (JobNotLive, UnknownJob):
            pass  # who follows the job says what became of it
        except VoxError as exc:
            self.error = exc
        finally:
            with contextlib.suppress(OSError):
                os.close(self._source)
            with contextlib.suppress(VoxError):
                self._jobs.end(self._job_id)

    def _copy(self) -> None:
        is_taken = True
        while is_taken:
            data = self._read()
            text = self._decoder.decode(data)
            if text:
                is_taken = self._write(text)
            if self._decoder.error is not None:
                raise self._decoder.error
            if not data:
                return

    def _read(self) -> bytes:
        """What has come, at least a byte; none at the end."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return begun
        try:
            with contextlib.suppress(BlockingIOError):  # a pipe that its maker made so
                return os.read(self._source, READ_BYTES)
            select.select([self._source], [], [])
            return os.read(self._source, READ_BYTES)
        except OSError as exc:
            raise _unreadable(exc) from exc

    def _write(self, text: str) -> bool:
        """False if no more of it is taken."""
        while text:
            growth = self._jobs.write(self._job_id, self._written, text)
            if not growth["open"]:
                return False
            # After damage less may be there than we know of: then it goes on behind that.
            text = text[max(0, growth["length"] - self._written) :]
            self._written = growth["length"]
        return True
