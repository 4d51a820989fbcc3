"""Texts that are still being written: who waits for more of them, and which jobs are parked.

What is written is in the job table. This wakes whoever waits for it. A stream that has nothing to
say and whose writer is silent is parked: its job is queued, and taken again once more text comes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator

from ..audio.player import Player
from ..errors import StorageError, UnknownJob
from ..jobs import Job
from ..queue.events import Event
from ..queue.store import Store
from ..queue.texts import Grown, Written
from ..text.clean import check_characters
from ..text.sentences import is_end, language
from ..text.speakable import Piece, Speakable

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often a waiting stream looks without being woken: another process may have written."""
PARK_S = 10.0
"""So long after the last sound a stream is parked even if no other job waits."""
SOON_S = 0.25
"""How long the writer is silent after the end of a sentence before that is said. Without silence
it is said once so much has come that what follows is known to be another sentence."""
_TAIL_CHARS = 200
LITTLE_S = 0.3
"""A text is cut because its writer is silent once no more audio than this is still to be heard."""


class Parked(Exception):
    """The stream has nothing to say now: its job waits in the queue for more text."""


class OpenTexts:
    """The texts that are still being written. Any thread may use it."""

    def __init__(
        self,
        store: Store,
        player: Player,
        max_text: Callable[[], int],
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_ready`: called when there is more to say of a job that was parked."""
        self._store = store
        self._player = player
        self._max_text = max_text
        self.on_ready = on_ready
        self.is_changed: Callable[[Job, str], bool] = lambda _job, _text: False
        """Whether the text so far tells that somebody else is to speak the job."""
        self._changed = threading.Condition()
        self._changes = 0
        self._ended: set[str] = set()
        """Texts that have ended, though a full disk kept that from being written."""
        self._cuts: dict[str, set[int]] = {}
        """Cuts that a full disk kept from being written."""
        self._parked: dict[str, int] = {}
        """The parked jobs, and how much of each text they had read."""
        if store.bus is not None:
            store.bus.subscribe(self._on_event)

    def _on_event(self, event: Event) -> None:
        if event.name == "state" or "heard" in event.data:
            self.wake()

    def wake(self) -> None:
        """Have those who wait look again."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    # -- for writers -------------------------------------------------------------------------

    def append(self, job_id: str, at: int, text: str) -> Grown:
        """See `Texts.append`. Raises BadInput too."""
        check_characters(text)
        grown = self._store.texts.append(job_id, at, text, self._max_text())
        self._note_change()
        return grown

    def end(self, job_id: str, note: str = "") -> None:
        """No more of the text will come. What cannot be written holds for this process."""
        try:
            self._store.texts.end(job_id, note)
        except StorageError as exc:
            log.error("job %s: that its text has ended cannot be written: %s", job_id, exc.line)
            self._ended.add(job_id)
        self._note_change()

    def flush(self, job_id: str) -> None:
        """Have what has come of the text said now, as if its writer were silent."""
        self.note_flush(job_id, self._store.texts.length(job_id))
        self._note_change()

    def end_all(self, note: str) -> None:
        for job_id, _ in self._store.texts.open():
            self.end(job_id, note)

    def _note_change(self) -> None:
        self.wake()
        self.look()

    # -- parked jobs -------------------------------------------------------------------------

    @property
    def parked(self) -> Collection[str]:
        """The jobs that are not to be taken out of the queue now."""
        return self._parked.keys()

    def park(self, job_id: str, at: int) -> None:
        """Hold the job in the queue until there is more than the first `at` characters."""
        self._parked[job_id] = at

    def look(self) -> None:
        """Let those parked jobs through of which there is more to say, or that have ended."""
        ready = [job_id for job_id, at in list(self._parked.items()) if self.has_more(job_id, at)]
        for job_id in ready:
            self._parked.pop(job_id, None)
        if ready:
            self.on_ready()

    def has_more(self, job_id: str, at: int) -> bool:
        """Whether there is more than the first `at` characters, or no more will come."""
        try:
            written = self.since(job_id, at)
        except UnknownJob:
            return True
        return bool(written.text) or not written.is_open

    # -- for who speaks them -----------------------------------------------------------------

    def since(self, job_id: str, at: int) -> Written:
        """See `Texts.since`."""
        written = self._store.texts.since(job_id, at)
        return written._replace(is_open=written.is_open and job_id not in self._ended)

    @property
    def changes(self) -> int:
        return self._changes

    def wait(self, changes: int, timeout_s: float) -> None:
        """Wait until there have been more changes than that."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != changes, timeout_s)

    def is_heard(self, job: Job, utterances: int) -> bool:
        """Whether so many utterances of the job were heard, and all that is written down."""
        if job.sink != "play" or not utterances:
            return True
        known = self._store.find(job.id)
        return known is None or known.heard >= utterances

    def unheard_s(self, job: Job) -> float:
        return self._player.remaining_s(job.id) if job.sink == "play" else 0.0

    def is_other_waiting(self, job: Job) -> bool:
        """Whether a job to be played is queued that has something to say.

        Files and streams wait for nobody who waits for text.
        """
        others = (each for each in self._store.queued() if each.sink == "play")
        return any(each.id not in (job.id, *self._parked) for each in others)

    def note_flush(self, job_id: str, at: int) -> None:
        """The text is cut there. What cannot be written holds for this process."""
        try:
            self._store.texts.note_flush(job_id, at)
        except StorageError as exc:
            log.error("job %s: where its text is cut cannot be written: %s", job_id, exc.line)
            self._cuts.setdefault(job_id, set()).add(at)

    def flushes(self, job_id: str) -> list[int]:
        """Where the text is cut because its writer was silent, in order."""
        return sorted({*self._store.texts.flushes(job_id), *self._cuts.get(job_id, ())})


class Reader:
    """Cuts one job's text into utterances while it is being written."""

    def __init__(
        self,
        texts: OpenTexts,
        job: Job,
        speakable: Speakable,
        lang: str,
        flush_s: float,
        utterances: Callable[[], int],
        check_wanted: Callable[[], None],
    ) -> None:
        """`utterances`: how many of the job's have their audio."""
        self._texts = texts
        self._job = job
        self._speakable = speakable
        self._lang = language(lang)
        self._flush_s = flush_s
        self._utterances = utterances
        self._check_wanted = check_wanted
        self._at = 0
        self._cut_at = 0
        """Where the text was cut last because its writer was silent."""
        self._tail = ""
        """The end of what came since then."""
        self._is_flushed = True
        """What came since the last cut was all said."""

    def pieces(self) -> Iterator[Piece | None]:
        """The utterances as they come, and None before each wait for more of the text.

        Raises Parked once there is nothing to say, and what `check_wanted` raises.
        """
        silent_since = time.monotonic()
        while True:
            changes = self._texts.changes
            written = self._texts.since(self._job.id, self._at)
            if written.text:
                silent_since = time.monotonic()
            yield from self._feed(written.text)
            if not written.is_open:
                yield from self._speakable.finish()
                return
            if written.text:
                continue
            yield None
            self._check_wanted()
            left_s = self._left_s(silent_since)
            if left_s > 0:
                self._texts.wait(changes, left_s)
            elif not self._is_flushed:
                self._texts.note_flush(self._job.id, self._at)

    def _feed(self, text: str) -> Iterator[Piece]:
        """What is new, cut where it is to be cut: also where it was the last time."""
        for cut in self._texts.flushes(self._job.id):
            if self._cut_at < cut <= self._at + len(text):
                before, text = text[: cut - self._at], text[cut - self._at :]
                self._at = self._cut_at = cut
                yield from self._speakable.feed(before)
                yield from self._speakable.flush()
                self._is_flushed, self._tail = True, ""
        self._at += len(text)
        self._is_flushed = self._is_flushed and not text
        self._tail = (self._tail + text)[-_TAIL_CHARS:]
        yield from self._speakable.feed(text)

    @property
    def _patience_s(self) -> float:
        """How long the writer may be silent before what has come is said."""
        said = self._tail.rstrip()
        is_sentence = said != self._tail and is_end(said, 0, len(said), "", self._lang)
        return min(SOON_S, self._flush_s) if is_sentence else self._flush_s

    def _left_s(self, silent_since: float) -> float:
        """How long to wait for text now; 0: there is some, or it is to be cut. Raises Parked."""
        silent_s = time.monotonic() - silent_since
        if not self._is_flushed:
            unheard_s = self._texts.unheard_s(self._job) - LITTLE_S
            return max(0.0, min(LOOK_S, max(self._patience_s - silent_s, unheard_s)))
        if self._texts.is_heard(self._job, self._utterances()) and (
            silent_s > PARK_S or self._texts.is_other_waiting(self._job)
        ):
            if self._texts.has_more(self._job.id, self._at):
                return 0.0  # it came while the model was loaded: the turn is still this job's
            self._texts.park(self._job.id, self._at)
            raise Parked
        return LOOK_S
