"""What a request and a job are: states, fields, ids, and how a job looks as JSON.

Its options are described in `options`, once; here they become fields. Knows nothing of tables,
queues or sockets. On the way to the first sound, so it imports little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from . import options
from .errors import UnknownJob
from .ids import ID_ALPHABET as ID_ALPHABET
from .ids import ID_LENGTH as ID_LENGTH
from .ids import new_id as new_id
from .options import OPTIONS as OPTIONS
from .options import PRIORITIES as PRIORITIES
from .options import Option as Option

if TYPE_CHECKING:
    from .outlook import Outlook

State = Literal["queued", "preparing", "speaking", "done", "failed", "cancelled", "expired"]
Sink = Literal["play", "file", "stream"]
Sender = Literal["cli", "api", "hook", "mcp", "speechd", "wyoming"]
"""Which program of vox sends a request; `api` is everybody else's."""
Via = Literal[Sender, "openai", "inbox", "replay", "remote"]

LIVE: tuple[State, ...] = ("queued", "preparing", "speaking")
ENDED: tuple[State, ...] = ("done", "failed", "cancelled", "expired")
STATES = (*LIVE, *ENDED)
INTERRUPT = 20
"""The priority of a job that interrupts what is being spoken."""

_LONG_WORD = r"\w{4,}"
"""What of a private text no line that is kept may repeat."""

MOST_STEPS = 100_000
"""Most sentences to go back or forward at once."""
CONNECTION = "connection"
"""The caller of a job that is bound to a connection: see `Job.caller`."""
PAUSED = "speech is paused; to resume: vox resume"
"""Note for callers while speech is paused."""
NO_DEVICE = "speech waits for a sound device; see: vox doctor"
"""Note for callers while jobs wait because no sound device can be opened."""

LAST = "last"
"""In place of an id: the newest job, as `@1`; for a replay, the newest that was heard."""


def recency(job_id: str) -> int | None:
    """Which of the newest jobs `last` (1), `@1`, `@2` ... name; None: it is an id.

    Raises UnknownJob.
    """
    name = job_id.strip().lower()
    if name == LAST:
        return 1
    if not name.startswith("@"):
        return None
    digits = name[1:]
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10 and int(digits)):
        raise UnknownJob(
            f"there is no job {job_id!r}", "the newest is @1 (or last), the one before it @2"
        )
    return int(digits)


def iso(at: float | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, from seconds since the epoch; None stays None."""
    if at is None:
        return None
    import datetime  # a millisecond on the way to the first sound, which needs no time

    when = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def priority_name(priority: int) -> str:
    names = {**PRIORITIES, "interrupt": INTERRUPT}
    return next((name for name, value in names.items() if value == priority), str(priority))


def queue_order(sink: Sink, priority: int, seq: int) -> tuple[bool, int, int]:
    """Sorts jobs into queue order: what is for the ear comes before files."""
    return sink == "file", -priority, seq


class Mark(TypedDict):
    """A place in a text, of which is told when it is heard."""

    name: str
    at: int
    """Characters of the text before it."""


MOST_MARKS = 10_000
MARK_CHARS = 100
"""Most characters of a mark's name."""


def _dataclass_of(described: type, *bases: type) -> Any:
    """A class of `options` as a dataclass: each option is a field, which may be None."""
    body: dict[str, Any] = dict.fromkeys(described.__annotations__)
    about = {"__annotations__": described.__annotations__, "__doc__": described.__doc__}
    made = type(described.__name__, bases, {**body, **about, "__module__": __name__})
    return dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False)(made)


if TYPE_CHECKING:
    from .options import RequestOptions, SpeechOptions
else:
    SpeechOptions = _dataclass_of(options.SpeechOptions)
    RequestOptions = _dataclass_of(options.RequestOptions, SpeechOptions)


@dataclass(slots=True, kw_only=True)
class Request(RequestOptions):
    """A request to speak, before it is a job.

    `engine.submit` checks and completes it.
    """

    text: str
    sink: Sink | None = None
    """Where the audio goes; None: `file` if there is an `output`, else `play`."""
    via: Via = "cli"
    """Which way it came."""
    source_name: str | None = None
    """The inbox file's name, or the id of the job that is replayed."""
    caller: str | None = None
    """See `Job.caller`."""
    is_open: bool = False
    """More of the text will come; `text` may be empty."""
    umask: int | None = None
    """See `Job.umask`."""
    unkept: bool | None = None
    """See `Job.unkept`."""
    marks: list[Mark] | None = None
    """See `Job.marks`."""
    id: str | None = None
    """Chosen by the caller so that asking again makes one job; None: a new one. The job has
    another if there is one of this id with another text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is different when a job is spoken again; None: as it was."""

    speed: float | None = None
    output: str | None = None
    """An audio file to write instead of playing."""
    umask: int | None = None
    """See `Job.umask`."""
    goes_on: bool = False
    """It begins with the sentence at which the ear stopped."""


AS_IT_WAS = Changes()
GOING_ON = Changes(goes_on=True)

REQUEST_FIELDS = tuple(f.name for f in fields(Request) if f.name != "is_open")

SPEECH_OPTIONS = tuple(f.name for f in fields(SpeechOptions))
ADAPTER_OPTIONS = tuple(name for name in SPEECH_OPTIONS if OPTIONS[name].for_adapter)


@dataclass(slots=True, kw_only=True)
class Job(SpeechOptions):
    """One request to speak: a row of the job table. Times are seconds since the epoch, UTC."""

    id: str
    text: str
    # These a request may leave open, a job never.
    backend: str
    speed: float = 1.0
    volume: float = 1.0
    fresh: bool = False
    private: bool = False
    seq: int = 0
    """Rises with every job: the order of arrival. One that is tried alone is given another."""
    state: State = "queued"
    priority: int = 0
    source: str = "cli"
    """Who sent it: a name, such as that of a repository or program."""
    via: Via = "cli"
    """Which way it came."""
    source_name: str | None = None
    """See `Request.source_name`."""
    sink: Sink = "play"
    output: str | None = None
    replace_key: str | None = None
    expires_at: float | None = None
    created_at: float = 0.0
    started_at: float | None = None
    first_audio_at: float | None = None
    finished_at: float | None = None
    audio_s: float | None = None
    """Seconds of audio that the job's speech lasts."""
    attempts: int = 0
    """How often a daemon died on it without progress in between (see `queue.recovery`)."""
    heard: int = 0
    """Utterances that were heard (or, with another sink, written) to their end."""
    utterances: int | None = None
    """How many utterances the text has; None until it was first prepared."""
    saved_load_s: float = 0.0
    """What loading would have taken, had the model not been warm."""
    saved_synthesis_s: float = 0.0
    """What it took once to make the utterances that came from the cache."""
    made_on: str | None = None
    """The workers on other machines that made some of it; None: all was made here."""
    unsaid: int = 0
    """How many of them the voice could not say: they were left out (see `notes`)."""
    heard_at_attempt: int = 0
    """`heard` when the last attempt began: an attempt without further progress failed."""
    error: str | None = None
    """One line: what happened and what to do next."""
    error_code: str | None = None
    error_exit: int | None = None
    caller: str | None = None
    """Who waits for the job to end, and whom it does not outlive: a process (see `callers`) or
    CONNECTION. None: nobody does, or nobody any more."""
    is_open: bool = False
    """Its text is still being written."""
    undecided: str | None = None
    """While the text of a stream may still tell its language: the backend that the request named,
    or "" if it named none."""
    unkept: bool = False
    """Its row goes when it has ended; and it is private, unless the request said otherwise."""
    umask: int | None = None
    """The permissions that a new `output` file is not given; None: as the daemon's own files."""
    marks: list[Mark] = field(default_factory=list)
    """Places in the text, in order: an event tells when each is heard."""
    notes: list[str] = field(default_factory=list)
    """What the user should know but is no error, e.g. that the backend ignores --style."""

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_assistive(self) -> bool:
        """It is such as a screen reader sends: to be heard at once and not to be kept.

        It is heard although speech is paused, and holds the floor for its source for a moment.
        """
        return self.unkept and self.priority >= INTERRUPT

    def discreet(self, line: str) -> str:
        """A line about the job as it may be kept.

        Of a private one without what it quotes, and without the longer words of its text.
        """
        if not self.private:
            return line
        import re

        line = re.sub(r"'[^']+'|\"[^\"]+\"|\u201c[^\u201d]+\u201d", "'\u2026'", line)
        text = self.text.lower()
        return re.sub(
            _LONG_WORD, lambda word: "\u2026" if word[0].lower() in text else word[0], line
        )

    @property
    def order(self) -> tuple[bool, int, int]:
        """Sorts jobs into queue order: see `queue_order`."""
        return queue_order(self.sink, self.priority, self.seq)

    @property
    def wait_s(self) -> float | None:
        """Seconds from the request to the first audible sample (or to the file)."""
        return (
            None if self.first_audio_at is None else max(0.0, self.first_audio_at - self.created_at)
        )

    def to_dict(self, outlook: Outlook | None = None) -> dict[str, Any]:
        """The JSON job object, command line and API alike. `outlook`: None: nothing is foreseen."""
        from .outlook import Outlook  # whoever only asks for a job needs none

        outlook = outlook or Outlook(made=self.heard)
        return {
            "id": self.id,
            "state": self.state,
            "text": self.text,
            "open": self.is_open,
            **{OPTIONS[name].key: getattr(self, name) for name in SPEECH_OPTIONS},
            "priority": priority_name(self.priority),
            "source": self.source,
            "via": self.via,
            "source_name": self.source_name,
            "created_at": iso(self.created_at),
            "started_at": iso(self.started_at),
            "first_audio_at": iso(self.first_audio_at),
            "finished_at": iso(self.finished_at),
            "expires_at": iso(self.expires_at),
            "audio_s": _rounded(self.audio_s),
            "wait_s": _rounded(self.wait_s),
            "attempts": self.attempts,
            "heard": self.heard,
            "utterances": self.utterances,
            "unsaid": self.unsaid,
            "made_on": self.made_on,
            "error": self.error,
            "error_code": self.error_code,
            "exit_code": self.exit_code,
            "output": self.output,
            "replace": self.replace_key,
            "unkept": self.unkept,
            "notes": self._true_notes(),
            **outlook.to_dict(),
        }

    def _true_notes(self) -> list[str]:
        """The notes without what kept it from being heard, once it was heard."""
        if self.state != "done" or not self.notes:
            return self.notes
        from .source_notes import paused_note

        over = (PAUSED, NO_DEVICE, paused_note(self.source))
        return [note for note in self.notes if note not in over]

    @property
    def exit_code(self) -> int | None:
        """The exit code of a command that waited for this job; None while it is live."""
        if self.state == "failed":
            return self.error_exit or 1
        return {"done": 0, "cancelled": 5, "expired": 6}.get(self.state)


class Wanted(NamedTuple):
    """Which jobs of the history are wanted: those for which all of it is true."""

    search: str | None = None
    """Found anywhere in the text, in upper or lower case."""
    states: Sequence[State] = ()
    """In one of these; none: in any."""
    source: str | None = None
    """Sent by that one."""
    since: float | None = None
    """Made then or later: seconds since the epoch."""
    via: Via | None = None
    """Come that way."""


EVERY_JOB = Wanted()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
