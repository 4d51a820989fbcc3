"""All errors that vox raises: one tree, and how each error appears to a user.

Every error says what happened (`message`) and what to do next (`hint`), and carries the exit
code of the command line and the status of the HTTP API. It can cross to another process as a dict.
This module knows nothing of those who raise or print errors.

    VoxError
     +- BadInput                     EmptyText  TextTooLong  BadOption  BadConfig  BadOutput
     |                               UnknownJob  AmbiguousId  IdTaken  JobNotLive  NoAudioKept
     |                               UnknownLanguage
     +- DaemonError                  DaemonUnavailable  DaemonLeaving  QueueFull
     +- NotAvailable                 UnknownBackend  UnknownVoice  UnknownModel
     |                               BackendNotInstalled
     +- JobFailed                    HostError (HostCrashed  HostTimeout  LoadFailed  OutOfMemory
     |                               SynthesisFailed (CannotRead)  WorkersAway  WorkerLost)
     |                               StorageError (StorageDamaged  StorageLocked  SchemaTooNew)
     +- JobCancelled   JobExpired   WaitTimeout   NoAudioOutput   NothingSpoken
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes as long to import as all else of a warm call
    from typing import Any, ClassVar

MAX_LINE = 2000
"""The characters of a message that are shown."""


def escaped(text: str) -> str:
    """The text with what a terminal would act upon written out, as in a Python string."""
    return "".join(
        char if char.isprintable() or char == "\u200d" else char.encode("unicode_escape").decode()
        for char in text
    )


def one_line(text: str) -> str:
    """The text as one line that can be shown: a library's message may be anything."""
    line = escaped(" ".join(text[: MAX_LINE * 2].split()))
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."


class VoxError(Exception):
    """Base of all errors of vox. `exit_code`: of the command line; `http_status`: of the API."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint

    @property
    def code(self) -> str:
        """The error's stable name in JSON, for example `unknown-voice`."""
        name = type(self).__name__
        return "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")

    @property
    def line(self) -> str:
        """What happened and what to do next, on one line that a terminal can be given."""
        message, hint = one_line(self.message), one_line(self.hint)
        return f"{message}; {hint}" if hint else message

    def to_dict(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


class BadInput(VoxError):
    exit_code = 2
    http_status = 422


class EmptyText(BadInput):
    """The text has nothing that can be spoken."""

    def __init__(
        self, message: str = "no text to speak", hint: str = "it needs letters or digits"
    ) -> None:
        super().__init__(message, hint)


class TextTooLong(BadInput):
    http_status = 413


class BadOption(BadInput):
    """An option has a bad value. `field`: the option's name in the API's JSON."""

    def __init__(self, message: str, hint: str = "", field: str = "") -> None:
        super().__init__(message, hint)
        self.field = field

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "field": self.field}


class UnknownLanguage(BadInput):
    default_hint = "see: vox voices"


class BadConfig(BadInput):
    default_hint = "see: vox config show"


class BadOutput(BadInput):
    """The output file cannot be written, or its format is unknown."""


class UnknownJob(BadInput):
    http_status = 404
    default_hint = "see: vox history"


class AmbiguousId(BadInput):
    http_status = 409
    default_hint = "type more of it"


class IdTaken(BadInput):
    """Another job has the id."""

    http_status = 409
    default_hint = "choose another"


class JobNotLive(BadInput):
    """The job has already ended."""

    http_status = 409
    default_hint = "see: vox history"


class NoAudioKept(BadInput):
    """The job's audio is not (or no longer, or not yet) in the spool."""

    http_status = 404
    default_hint = "see: vox history"


class NothingSpoken(VoxError):
    """There is no text in which one could go back or forward."""

    http_status = 409
    default_hint = "to hear the last again: vox again"


class DaemonError(VoxError):
    exit_code = 3
    http_status = 503


class DaemonUnavailable(DaemonError):
    default_hint = "see: vox daemon logs"


class DaemonDied(DaemonUnavailable):
    """Its process ended before it listened, and did not say why."""


class DaemonStopped(DaemonUnavailable):
    """It was told to stop while its caller waited for a job, which stays in the queue."""


class DaemonLeaving(DaemonError):
    """The daemon takes no more requests. Its successor does."""


class QueueFull(DaemonError):
    default_hint = "try again later, or raise it: vox config set max_queue N"


class NotAvailable(VoxError):
    exit_code = 4
    http_status = 422


class UnknownBackend(NotAvailable):
    default_hint = "see: vox backends"


class UnknownVoice(NotAvailable):
    default_hint = "see: vox voices"


class UnknownModel(NotAvailable):
    default_hint = "see: vox backends"


class BackendNotInstalled(NotAvailable):
    http_status = 503


class JobFailed(VoxError):
    """The job was accepted and could not be spoken."""


class HostError(JobFailed):
    """A backend's host failed."""


class HostCrashed(HostError):
    default_hint = "see: vox daemon logs"


class HostTimeout(HostError):
    """A host took longer than its limit to load, to give the first chunk or the next one."""

    default_hint = "see: vox daemon logs"


class LoadFailed(HostError):
    default_hint = "see: vox daemon logs"


class OutOfMemory(HostError):
    """The model does not fit into memory, even after all others were unloaded."""

    default_hint = "end other programs, or choose a smaller model: vox backends"


class WorkersAway(HostError):
    """The Redis server cannot be used, or no worker has the backend. Their jobs wait."""

    http_status = 503
    default_hint = "see: vox workers"


class WorkerLost(HostError):
    """A worker died, hung or answered nonsense. The utterance may be made elsewhere."""

    default_hint = "see: vox workers"


class SynthesisFailed(HostError):
    """The backend raised an error while it synthesized: it cannot say that text.

    The host is still usable.
    """

    http_status = 422
    default_hint = "see: vox daemon logs"


class CannotRead(SynthesisFailed):
    """The voice finds nothing in the text that it can say: the input is at fault."""

    default_hint = "set its language: -l LANG"


class StorageError(JobFailed):
    """The disk is full, read-only or damaged."""

    http_status = 507


class StorageDamaged(StorageError):
    """The queue's database is damaged. The next daemon makes it again from what can be read."""

    default_hint = "run: vox daemon restart, which saves what can be read"


class StorageLocked(StorageError):
    """Another program keeps the queue's database locked. Nothing was changed."""

    http_status = 503
    default_hint = "close what has it open (lsof names it), then try again"


class SchemaTooNew(StorageError):
    """A newer vox made the queue's database. It is left as it is."""

    default_hint = "update this vox, or set VOX_HOME to another place"


class JobCancelled(VoxError):
    exit_code = 5
    http_status = 409


class JobExpired(VoxError):
    exit_code = 6
    http_status = 409


class WaitTimeout(VoxError):
    """The caller stopped waiting; the job goes on."""

    exit_code = 7
    http_status = 504


class NoAudioOutput(VoxError):
    exit_code = 8
    http_status = 503
    default_hint = "write a file instead (-o FILE), or check: vox doctor"


def _tree(root: type[VoxError]) -> dict[str, type[VoxError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


def from_dict(data: dict[str, Any]) -> VoxError:
    """Rebuild an error that crossed a process or was stored with a job (see `VoxError.to_dict`)."""
    name = "".join(part.capitalize() for part in str(data.get("code", "")).split("-"))
    cls = _tree(VoxError).get(name, JobFailed)
    return cls(str(data.get("message", "unknown error")), str(data.get("hint", "")))
