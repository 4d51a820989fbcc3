"""Utterances that the voice cannot say: which are left out, and when the job fails instead.

An utterance that fails twice, or twice kills or hangs its host, costs itself alone: the rest of the
text is heard, and a note names it. But a model that is broken is not loaded again and again. Knows
errors and spools, but neither hosts nor texts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..audio.spool import Spool
from ..errors import HostCrashed, HostError, HostTimeout, OutOfMemory
from ..jobs import Job
from ..printable import one_line
from ..queue.store import Store
from ..text.speakable import Piece

log = logging.getLogger(__name__)

TRIES = 2
"""How often an utterance is tried before it is left out, and a host that crashes while it loads."""
DEATHS_IN_A_ROW = 5
"""So many utterances one after the other that kill or hang the host fail the job."""
DEATHS_IN_ALL = 100
FAILURES_IN_A_ROW = 50
"""As `DEATHS_IN_A_ROW`, if the host only says that it cannot."""
LONGEST_ROW_S = 600.0
"""Nor does it go on for longer than this without saying anything."""
NAMED = 10
"""So many utterances that were left out have a note of their own."""
_TEXT_CHARS = 40
_REASON_CHARS = 160


class Failures:
    """What went wrong with one job's utterances while this daemon was at it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries = 0
        self._row = self._deaths = self._all_deaths = 0
        self._row_began_at = 0.0
        self.first: HostError | None = None
        """Why the first utterance was left out."""

    def answered(self, has_sound: bool) -> None:
        """The host has said an utterance, or had nothing to say of it."""
        self._tries = 0
        if has_sound:
            self._row = self._deaths = 0

    def leaves_out(self, error: HostError, is_utterance: bool) -> bool:
        """Whether the utterance is to be left out; False: it is to be tried again.

        `is_utterance`: the host failed while it said one, not while it was loaded. Raises the error
        if the job is to fail.
        """
        if not (self._row or self._tries):
            self._row_began_at = self._clock()
        self._tries += 1
        if self._tries < TRIES:
            return False
        if not is_utterance or isinstance(error, OutOfMemory):
            raise error
        self._tries = 0
        self._row += 1
        is_death = isinstance(error, HostCrashed | HostTimeout)
        self._deaths += is_death
        self._all_deaths += is_death
        self.first = self.first or error
        if self._is_hopeless():
            raise error
        return True

    def _is_hopeless(self) -> bool:
        return (
            self._deaths >= DEATHS_IN_A_ROW
            or self._all_deaths >= DEATHS_IN_ALL
            or self._row >= FAILURES_IN_A_ROW
            or (self._row > 1 and self._clock() - self._row_began_at > LONGEST_ROW_S)
        )


class Unsaid:
    """Counts a job's utterances that are left out, and tells the user of them."""

    def __init__(self, store: Store, job: Job, spool: Spool) -> None:
        self._store = store
        self._job = job
        self._spool = spool
        self._untold: list[str] = []
        self.first: str | None = None
        """The text of the first one that this daemon left out."""
        self._count = sum(segment.is_unsaid for segment in spool.segments)
        if self._count != job.unsaid:  # the daemon died in between, or it is a replay
            store.note(job.id, unsaid=self._count)

    def leave_out(self, piece: Piece, error: HostError | None) -> None:
        """The utterance is done, without sound. `error`: None: the voice was silent."""
        spool, backend = self._spool, self._job.backend
        spool.begin_utterance(piece.index)
        spool.end_utterance(is_unsaid=True)
        self._count += 1
        self.first = self.first or piece.text
        self._store.note(self._job.id, unsaid=self._count)
        text, number = one_line(_shortened(piece.text, _TEXT_CHARS)), piece.index + 1
        if error is None:
            why = "; set its language: -l LANG"
            note = f'left out sentence {number}, which {backend} cannot read: "{text}"{why}'
        else:
            why = one_line(_shortened(error.message, _REASON_CHARS))
            note = f'left out sentence {number}, which {backend} could not say: "{text}" ({why})'
        note = self._job.discreet(note)
        log.warning("job %s: %s", self._job.id, note)
        if self._count <= NAMED:
            self._untold.append(note)
        if spool.frames:  # else the job may fail, with an error that says the same
            self._tell()

    def _tell(self) -> None:
        while self._untold:
            self._store.add_note(self._job.id, self._untold.pop(0))

    def conclude(self) -> None:
        """The job is complete: say how many more were left out than have a note."""
        self._tell()
        more = self._count - NAMED
        if more > 0:
            what = "one more sentence" if more == 1 else f"{more} more sentences"
            self._store.add_note(self._job.id, f"left out {what}; see: vox daemon logs")

    def tell_of_replay(self) -> None:
        """The job's audio is that of an earlier one."""
        if self._count:
            what = "one sentence" if self._count == 1 else f"{self._count} sentences"
            source = self._job.source_name or self._job.id
            self._store.add_note(
                self._job.id, f"{what} could not be said; see: vox history show {source}"
            )


def _shortened(text: str, most: int) -> str:
    text = " ".join(text[: 10 * most].split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
