"""What a job is: its states, its fields, its id, and how it looks as JSON.

Knows nothing of tables, queues or sockets: `queue.store` keeps jobs, the API and the command line
show them with `Job.to_dict`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import Any, Literal

State = Literal["queued", "preparing", "speaking", "done", "failed", "cancelled", "expired"]
Sink = Literal["play", "file", "stream"]

LIVE: tuple[State, ...] = ("queued", "preparing", "speaking")
ENDED: tuple[State, ...] = ("done", "failed", "cancelled", "expired")
STATES = (*LIVE, *ENDED)
PRIORITIES = {"high": 10, "normal": 0, "low": -10}

PAUSED = "speech is paused; go on with: vox resume"
"""What whoever has something to be played is told meanwhile."""

# Without 0/o, 1/l/i, u and v: read out or typed from a screen they are taken for one another.
ID_ALPHABET = "23456789abcdefghjkmnpqrstwxyz"
ID_LENGTH = 6


def new_id() -> str:
    """A random job id: short to type, and any unambiguous beginning of it will do."""
    # Not `secrets`, which takes 6 ms to import; of 128 bits no one can tell the bias.
    number, digits = int.from_bytes(os.urandom(16)), []
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, len(ID_ALPHABET))
        digits.append(ID_ALPHABET[digit])
    return "".join(digits)


def iso(at: float | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, from seconds since the epoch; None stays None."""
    if at is None:
        return None
    import datetime  # a millisecond on the way to the first sound, which needs no time

    when = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def priority_name(priority: int) -> str:
    return next((name for name, value in PRIORITIES.items() if value == priority), str(priority))


@dataclass(slots=True)
class Request:
    """What somebody asks for, before it is a job. None means: whatever the defaults say.

    Checked and completed by `queue.submit`; nothing else trusts it.
    """

    text: str
    backend: str | None = None
    voice: str | None = None
    lang: str | None = None
    model: str | None = None
    style: str | None = None
    gender: str | None = None
    speed: float | None = None
    """Speaking rate, 0.25 to 4.0; 1.0 is the voice's own."""
    volume: float | None = None
    """Linear gain, 0.0 to 5.0; 1.0 leaves the sound as it is."""
    priority: str | int | None = None
    """`high`, `normal` or `low`."""
    expires_s: float | None = None
    """The job expires when it is still queued after so many seconds."""
    replace: str | None = None
    """A key: live jobs with the same key are cancelled in favour of this one."""
    output: str | None = None
    """Absolute path of the file to write instead of playing."""
    sink: Sink | None = None
    """Where the audio goes; None: `file` if there is an `output`, else `play`."""
    source: str = "cli"
    """`cli`, `api`, `openai`, `inbox` or `replay`."""
    source_name: str | None = None
    """The inbox file's name, or the id of the job that is replayed."""
    id: str | None = None
    """Chosen by the caller so that asking twice makes one job; None: a new one."""


REQUEST_FIELDS = tuple(f.name for f in fields(Request))


@dataclass(slots=True)
class Job:
    """One request to speak: a row of the job table. Times are seconds since the epoch, UTC."""

    id: str
    text: str
    backend: str
    seq: int = 0
    """Rises with every job: the order of arrival."""
    state: State = "queued"
    voice: str | None = None
    lang: str | None = None
    model: str | None = None
    style: str | None = None
    gender: str | None = None
    speed: float = 1.0
    volume: float = 1.0
    priority: int = 0
    source: str = "cli"
    source_name: str | None = None
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
    """How often a daemon died on it."""
    heard: int = 0
    """Utterances that were heard (or, with another sink, written) to their end."""
    utterances: int | None = None
    """How many utterances the text has; None until it was first prepared."""
    heard_at_attempt: int = 0
    """`heard` when the last attempt began; no progress beyond it counts against the job."""
    error: str | None = None
    """One line: what happened and what to do next."""
    error_code: str | None = None
    error_exit: int | None = None
    notes: list[str] = field(default_factory=list)
    """What the user should know though it is no error, e.g. that a backend ignores --style."""

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def wait_s(self) -> float | None:
        """Seconds from the request to the first audible sample (or to the file)."""
        return (
            None if self.first_audio_at is None else max(0.0, self.first_audio_at - self.created_at)
        )

    def to_dict(self, position: int | None = None) -> dict[str, Any]:
        """The JSON job object, command line and API alike.

        `position`: 1 for the next job to be prepared, 0 for one that is being prepared or
        spoken, None for one that has ended.
        """
        return {
            "id": self.id,
            "state": self.state,
            "text": self.text,
            "backend": self.backend,
            "voice": self.voice,
            "lang": self.lang,
            "model": self.model,
            "style": self.style,
            "gender": self.gender,
            "speed": self.speed,
            "volume": self.volume,
            "priority": priority_name(self.priority),
            "source": self.source,
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
            "error": self.error,
            "error_code": self.error_code,
            "exit_code": self.exit_code,
            "output": self.output,
            "replace": self.replace_key,
            "notes": self.notes,
            "position": position,
        }

    @property
    def exit_code(self) -> int | None:
        """What a command that waited for this job exits with; None while it lives."""
        if self.state == "failed":
            return self.error_exit or 1
        return {"done": 0, "cancelled": 5, "expired": 6}.get(self.state)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
