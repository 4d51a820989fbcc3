"""The order in which live jobs are heard, and what the job table alone tells of their outlook.

Where nobody speaks, or another process does, that is all there is. Who speaks knows more: see
`engine.outlooks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from ..jobs import INTERRUPT, Job, Sink, State, queue_order
from ..outlook import Outlook, Phase


class LiveEntry(NamedTuple):
    """What of a live job's row decides its outlook, without its text."""

    id: str
    state: State
    sink: Sink
    priority: int
    seq: int
    backend: str
    model: str | None
    voice: str | None
    lang: str | None
    speed: float
    source: str
    source_name: str | None
    started_at: float | None
    audio_s: float | None
    heard: int
    utterances: int | None
    is_open: bool
    first_audio_at: float | None
    output: str | None
    is_held: bool = False
    """Its source is paused."""

    @property
    def order(self) -> tuple[bool, int, int]:
        """See `Job.order`."""
        return queue_order(self.sink, self.priority, self.seq)

    @property
    def turn(self) -> tuple[bool, bool, tuple[bool, int, int]]:
        """As `Playback.turn`, as far as the row tells: what was interrupted goes on first."""
        is_played = self.sink == "play"
        is_interrupted = self.state == "preparing" and self.first_audio_at is not None
        interrupts = is_played and self.priority >= INTERRUPT
        return not interrupts, not (is_played and is_interrupted), self.order


ENTRY_COLUMNS = LiveEntry._fields[: LiveEntry._fields.index("is_held")]
"""Those of the job table's columns that a `LiveEntry` has, in order."""


def in_order_of_hearing(entries: Iterable[LiveEntry]) -> list[LiveEntry]:
    """What is heard now, then the others as the player takes them, at last what is held back."""
    return sorted(entries, key=lambda each: (each.is_held, each.state != "speaking", each.turn))


class Outlooks(Protocol):
    """Says what is known and foreseen of live jobs. Any thread may use it.

    An ended job has the outlook of one: nothing is foreseen. `of` and `of_all` raise StorageError.
    """

    def of(self, job: Job) -> Outlook:
        """The outlook of one job."""

    def of_all(self) -> Mapping[str, Outlook]:
        """The outlooks of all live jobs by id, in the order of hearing."""

    def at_once(self, job: Job) -> Outlook:
        """Of one job what can be said without a look at the others: not its place."""


class TableOutlooks:
    """`Outlooks` of the job table alone."""

    def __init__(
        self,
        outline: Callable[[], list[LiveEntry]],
        is_drained: Callable[[], bool] = lambda: True,
    ) -> None:
        """`outline`: the live jobs. `is_drained`: whether a process works on them."""
        self._outline = outline
        self._is_drained = is_drained

    def of(self, job: Job) -> Outlook:
        return self.of_all().get(job.id) or self.at_once(job)

    def of_all(self) -> Mapping[str, Outlook]:
        line = in_order_of_hearing(self._outline())
        is_drained = self._is_drained()
        return {entry.id: _outlook(entry, is_drained, at) for at, entry in enumerate(line, start=1)}

    def at_once(self, job: Job) -> Outlook:
        return _outlook(job, self._is_drained()) if job.is_live else Outlook(made=job.heard)


def _outlook(row: LiveEntry | Job, is_drained: bool, position: int | None = None) -> Outlook:
    made = row.heard
    if row.audio_s is not None and row.utterances:
        made = row.utterances
    return Outlook(
        # What a daemon was at that was killed waits for the next one.
        phase=phase_of_row(row) if is_drained else "waiting",
        made=made,
        fraction=made / row.utterances if row.utterances else None,
        made_s=row.audio_s,
        expected_s=row.audio_s,
        position=position,
    )


def phase_of_row(row: LiveEntry | Job) -> Phase:
    """The phase as far as a live job's row tells."""
    if row.state == "preparing":
        return "ready" if row.audio_s is not None and row.sink == "play" else "making"
    return "speaking" if row.state == "speaking" else "waiting"
