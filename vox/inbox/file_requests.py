"""The request in a claimed file: its text, header, subfolder and output path.

Moves no file and makes no job.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from ..config import Config
from ..engine.submit import Submitter
from ..errors import BadInput, BadOutput, EmptyText, TextTooLong, UnknownBackend, VoxError
from ..jobs import Job, Request
from ..text.clean import is_speakable
from ..text.decode import decode
from . import header
from .claims import Claim
from .folders import Folders, as_text, free_name, make_inside, shown
from .remains import NOTHING, Spoken, part_of, rest_of, spoken
from .settling import Signature, signature
from .writers import has_writer, still_written


class Changed(Exception):
    """The claimed file has changed after it had settled, or is being written: it settles again."""

    def __init__(self, info: os.stat_result) -> None:
        self.info = info


class NothingLeft(Exception):
    """Earlier jobs have spoken the whole file."""


@dataclass(frozen=True, slots=True)
class AsRead:
    """How a file was when its text was read."""

    signature: Signature
    spoken: Spoken
    """The whole text, with what earlier jobs have spoken of it."""


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

    def read(self, claim: Claim, settled_as: Signature) -> tuple[Request, AsRead]:
        """The file's request, checked, for what earlier jobs have not spoken of it.

        Raises Changed, NothingLeft, FileNotFoundError, BadInput, and as `Submitter.check`.
        """
        fields, body = header.parse(decode(_read(claim.path, settled_as, self._max_bytes)))
        text = rest_of(body, claim.spoken)
        output = fields.pop("output", None)
        request = Request(
            text=text,
            via="inbox",
            source_name=as_text(os.path.join(claim.subfolder, claim.name)),
            id=claim.id,
            **fields,
        )
        if claim.subfolder:
            self._choose(request, claim.subfolder)
        if output is not None:
            request.output = self._output_path(claim, output)
        try:
            self._submitter.check(request)
        except EmptyText:
            if claim.spoken == NOTHING:
                raise
            raise NothingLeft from None
        return request, AsRead(settled_as, spoken(body))

    def spoken_before_more(
        self, claim: Claim, read: AsRead | None, job: Callable[[], Job | None]
    ) -> Spoken | None:
        """What was spoken of a file whose job is done, if there is more, or more may come.

        `read` is None if an earlier daemon has read it: then the text of its `job` tells. None if
        the file is done with. Raises FileNotFoundError.
        """
        is_written = bool(still_written([claim.path]))
        if read and not is_written and signature(os.lstat(claim.path)) == read.signature:
            return None
        body, is_readable = "", True
        try:
            _, body = header.parse(decode(_read(claim.path, None, self._max_bytes)))
        except (VoxError, Changed):
            is_readable = False  # If that stays so, the next job says why.
        if read is not None:
            known = read.spoken
        elif (ended := job()) and not ended.private:
            known = spoken(part_of(body, claim.spoken) + ended.text)
        else:
            return None
        has_more = not is_readable or is_speakable(rest_of(body, known))
        return known if has_more or is_written else None

    @property
    def _max_bytes(self) -> int:
        return int(self._config()["inbox.max_bytes"])

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


def _read(path: str, settled_as: Signature | None, max_bytes: int) -> bytes:
    """The whole file, if it is as it had settled; None: as it is now, though it may change.

    Raises Changed, BadInput, FileNotFoundError.
    """
    before = os.lstat(path)
    if not stat.S_ISREG(before.st_mode) or settled_as not in (None, signature(before)):
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
            is_written = has_writer(fd)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise BadInput(f"the file cannot be read: {exc.strerror}", "fix its permissions") from exc
    is_as_settled = signature(after) == settled_as and len(data) == after.st_size
    if settled_as is not None and (is_written or not is_as_settled):
        raise Changed(after)
    return data
