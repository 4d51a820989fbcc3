"""The request in a claimed file: its text, header, subfolder and output path.

Moves no file and makes no job.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable

from ..config import Config
from ..engine.submit import Submitter
from ..errors import BadInput, BadOutput, TextTooLong, UnknownBackend
from ..jobs import Request
from ..text.decode import decode
from . import header
from .claims import Claim
from .folders import Folders, as_text, free_name, make_inside, shown
from .settling import Signature, signature


class Changed(Exception):
    """The claimed file has changed after it had settled: it must settle again."""

    def __init__(self, info: os.stat_result) -> None:
        self.info = info


class FileRequests:
    """For one inbox folder. Remembers which output path belongs to which claim."""

    def __init__(
        self, folders: Folders, config: Callable[[], Config], submitter: Submitter
    ) -> None:
        self._folders = folders
        self._config = config
        self._submitter = submitter
        self._outputs: dict[str, str] = {}
        """By the claim's id."""

    def read(self, claim: Claim, settled_as: Signature) -> Request:
        """The file's request, checked.

        Raises Changed, FileNotFoundError, BadInput, and as `Submitter.check`.
        """
        text = decode(_read(claim.path, settled_as, int(self._config()["inbox.max_bytes"])))
        fields, body = header.parse(text)
        output = fields.pop("output", None)
        request = Request(
            text=body,
            source="inbox",
            source_name=as_text(os.path.join(claim.subfolder, claim.name)),
            id=claim.id,
            **fields,
        )
        if claim.subfolder:
            self._choose(request, claim.subfolder)
        if output is not None:
            request.output = self._output_path(claim, output)
        self._submitter.check(request)
        return request

    def keep_output(self, claim: Claim, path: str) -> None:
        """A job of an earlier daemon writes to `path`, so no other may."""
        self._outputs[claim.id] = path

    def forget_output(self, claim: Claim) -> None:
        self._outputs.pop(claim.id, None)

    def _choose(self, request: Request, subfolder: str) -> None:
        """Set what the subfolder's name picks, where the file's header does not say otherwise."""
        kind = self._submitter.stands_for(subfolder)
        if kind == "backend":
            request.backend = request.backend or subfolder
        elif kind == "clone":
            request.voice = request.voice or subfolder
        else:
            raise UnknownBackend(f"no backend or cloned voice is called {shown(subfolder)!r}")

    def _output_path(self, claim: Claim, output: str) -> str:
        """The path in `done/` to write to: it does not exist, and no other job writes to it."""
        done = self._folders.done
        path = os.path.normpath(os.path.join(done, os.path.expanduser(output)))
        folder, name = os.path.split(path)
        real_done = os.path.realpath(done)
        try:
            inside = path.startswith(done + os.sep) and not output.endswith("/")
            if inside and f"{os.path.realpath(folder)}{os.sep}".startswith(real_done + os.sep):
                make_inside(done, os.path.relpath(folder, done))
                with contextlib.suppress(FileNotFoundError):
                    os.lstat(path)  # Raises for a name that no file can have.
                path = os.path.join(folder, free_name(folder, name, self._is_reserved))
                self._outputs[claim.id] = path
                return path
        except OSError as exc:
            raise BadOutput(f"output {output!r} cannot be written: {exc.strerror}") from exc
        raise BadOutput(f"output {output!r} is not inside done/", "give a plain file name")

    def _is_reserved(self, path: str) -> bool:
        return path in self._outputs.values()


def _read(path: str, settled_as: Signature, max_bytes: int) -> bytes:
    """The whole file, if it is as it had settled. Raises Changed, BadInput, FileNotFoundError."""
    before = os.lstat(path)
    if not stat.S_ISREG(before.st_mode) or signature(before) != settled_as:
        raise Changed(before)
    if before.st_size > max_bytes:
        raise TextTooLong(
            f"the file has {before.st_size:,} bytes; {max_bytes:,} are the limit",
            "split it into several, or raise it: vox config set inbox.max_bytes N",
        )
    try:
        # If a link or a pipe has taken its place, do not follow it or wait for it.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            data = file.read(max_bytes + 1)
            after = os.fstat(fd)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise BadInput(f"the file cannot be read: {exc.strerror}", "fix its permissions") from exc
    if signature(after) != settled_as or len(data) != settled_as[2]:
        raise Changed(after)
    return data
