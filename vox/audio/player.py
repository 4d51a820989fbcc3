"""The player: one thread, one loudspeaker, one voice at a time, in queue order.

Plays spools while they grow, writes silence while it waits for more, and tells its listener what
has really been heard: a crash resumes there. Knows nothing of states, tables or synthesis.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ..errors import NoAudioOutput, VoxError
from .device import BLOCK_S, BUFFER_S, STALL_S, DeviceLost, Loudspeaker
from .pcm import Samples
from .track import Playback, Track

__all__ = ["LINGER_S", "Listener", "Playback", "Player"]

log = logging.getLogger(__name__)

LINGER_S = 15.0
"""How long the stream is kept open, with silence, after the last sound."""
_FIRST_RATE = 24_000  # most voices' rate: opened ahead, before the first audio says its own
_LEAVE_S = 1.0
_REOPEN_AFTER_S = (0.0, 0.25, 1.0, 2.0)


class Listener(Protocol):
    """Called from the player's thread: must not block, and must not call `Player.stop`."""

    def started(self, job_id: str) -> None:
        """The first audible sample is out."""

    def heard(self, job_id: str, utterances: int) -> None:
        """So many utterances, counted from the text's start, were heard to their end."""

    def finished(self, job_id: str) -> None:
        """The last sample was heard."""

    def failed(self, job_id: str, error: VoxError) -> None:
        """It cannot be played (any further)."""


class _Due(NamedTuple):
    """Something to tell once what had been written before is audible."""

    at: float
    track: Track
    tell: Callable[[], None]


class Player:
    """Plays what is added, strictly in order, until it is stopped."""

    def __init__(
        self,
        listener: Listener,
        device: str | int | None = None,
        linger_s: float = LINGER_S,
        stall_s: float = STALL_S,
    ) -> None:
        """`stall_s`: a device that takes no sound for so long counts as gone."""
        self._listener = listener
        self._linger_s = linger_s
        self._speaker = Loudspeaker(device, stall_s)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._changes = 0
        self._wake = threading.Event()
        self._line: dict[str, Track] = {}
        self._current: Track | None = None
        self._due: collections.deque[_Due] = collections.deque()
        self._paused = False
        self._stop: str | None = None
        self._active_at = 0.0
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name="vox-player", daemon=True)
        self.on_change: Callable[[], None] | None = None

    # -- from any thread ---------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def warm_up(self) -> None:
        """Do ahead what the first sound would wait for. For a thread of its own; never raises."""
        try:
            self.check()
        except NoAudioOutput as exc:
            log.warning("no sound yet: %s", exc.line)

    def check(self) -> None:
        """Raises NoAudioOutput if no device can be opened now."""
        try:
            self._speaker.probe()
        except NoAudioOutput as exc:
            self._error = exc.line
            raise NoAudioOutput(exc.message, exc.hint) from exc
        self._error = None

    def stop(self, now: bool = False) -> None:
        """Leave: after the job that is being spoken or, if `now` or paused, in mid-word."""
        with self._lock:
            self._stop = "now" if now or self._paused else "after current"
        self._note_change()
        if self._thread.ident is not None:
            # A device that hangs is given up after `stall_s`; leaving now does not wait for it.
            self._thread.join(_LEAVE_S if self._stop == "now" else None)
        self._speaker.leave()

    def add(self, playback: Playback) -> None:
        """Put a job in the line; its spool may still be growing, or empty."""
        playback.spool.hold()
        playback.spool.add_waker(self._wake.set)
        with self._lock:
            self._line[playback.job_id] = Track(playback)
            self._active_at = time.monotonic()
        self._note_change()

    def cancel(self, job_id: str) -> bool:
        """Take a job out of the line, or cut it off. False if it is not there (any more)."""
        with self._lock:
            track = self._line.get(job_id)
            if track is None or track.is_cut:
                return False
            track.is_cut = True
            if track is not self._current:
                self._drop(track)
        self._note_change()
        return True

    def skip(self) -> str | None:
        """Cut off what is being spoken; its job id, or None if nothing is."""
        job_id = self.current
        return job_id if job_id is not None and self.cancel(job_id) else None

    def pause(self) -> None:
        """Silent at once; it goes on at the same sample with `resume`."""
        with self._lock:
            self._paused = True
        self._note_change()

    def resume(self) -> None:
        with self._lock:
            self._paused = False
            self._active_at = time.monotonic()
        self._note_change()

    @property
    def is_paused(self) -> bool:
        return self._paused

    @property
    def current(self) -> str | None:
        """The job that is being heard."""
        track = self._current
        return track.job_id if track and track.is_sounding and not track.is_cut else None

    @property
    def waiting(self) -> list[str]:
        """Jobs that were added and have not begun to sound, in order."""
        with self._lock:
            tracks = sorted(self._line.values(), key=lambda track: track.order)
            return [track.job_id for track in tracks if not track.is_sounding and not track.is_cut]

    def played_frames(self, job_id: str) -> int:
        """How far into its spool a job has been played; 0 if it is not in the line."""
        track = self._line.get(job_id)
        return (track.position or 0) if track else 0

    def remaining_s(self, job_id: str | None = None) -> float:
        """Seconds of audio at hand that are still to be heard: of one job, or of the whole line."""
        with self._lock:
            tracks = [t for t in self._line.values() if job_id in (None, t.job_id)]
        return sum(track.ahead_frames() / (track.spool.sample_rate or 1) for track in tracks)

    def wait_change(self, timeout_s: float) -> None:
        """Block until the line changes or the current job moves on by an utterance."""
        with self._changed:
            before = self._changes
            self._changed.wait_for(lambda: self._changes != before, timeout_s)

    def describe(self) -> dict[str, Any]:
        is_open = self._speaker.is_open
        state = "closed"
        if self._paused:
            state = "paused"
        elif is_open:
            state = "playing" if self.current else "open"
        return {
            "device": self._speaker.name or None,
            "state": state,
            "sample_rate": self._speaker.sample_rate,
            "error": self._error,
        }

    def _note_change(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()
        self._wake.set()
        if self.on_change is not None:
            self.on_change()

    # -- the player's thread -----------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_leaving():
            try:
                self._step()
            except NoAudioOutput as exc:
                self._recover(exc)
            except Exception as exc:
                log.exception("the player stumbled")
                self._fail_current(VoxError(f"the audio cannot be played: {exc}"))
        self._leave()

    def _is_leaving(self) -> bool:
        with self._lock:
            if self._stop == "now":
                return True
            return self._stop is not None and self.current is None

    def _leave(self) -> None:
        try:
            if self._current is not None and self._speaker.is_open:
                self._speaker.write(self._current.take_fade_out())
            self._speaker.close()
        except NoAudioOutput as exc:
            log.warning("%s", exc.line)
        self._deliver(everything=True)
        with self._lock:
            for track in list(self._line.values()):
                self._drop(track)

    def _step(self) -> None:
        self._wake.clear()
        self._deliver()
        self._drop_cut_off()
        track = self._choose()
        if track is not None and self._paused and not track.fade_in:
            self._fade_out(track)
        if track is None or self._paused:
            self._idle()
            return
        samples = track.take()
        if len(samples):
            self._sound(track, samples)
        self._note_utterances(track)
        if track.is_over:
            self._schedule(track, lambda: self._listener.finished(track.job_id))
            with self._lock:
                self._drop(track)
            self._note_change()
        elif not len(samples):
            self._idle()

    def _drop_cut_off(self) -> None:
        with self._lock:
            gone = [t for t in self._line.values() if t.is_cut or t.spool.is_abandoned]
        for track in gone:
            self._due = collections.deque(due for due in self._due if due.track is not track)
            try:
                self._fade_out(track)
            finally:
                with self._lock:
                    self._drop(track)
                self._note_change()

    def _choose(self) -> Track | None:
        """The track whose turn it is: the one that sounds, else the first in order."""
        with self._lock:
            if self._current is None or not self._current.is_sounding:
                tracks = self._line.values() if self._stop is None else ()
                self._current = min(tracks, key=lambda track: track.order, default=None)
            return self._current

    def _fade_out(self, track: Track) -> None:
        samples = track.take_fade_out()
        if len(samples) and self._speaker.is_open:
            self._speaker.write(samples)
            self._active_at = time.monotonic()

    def _drop(self, track: Track) -> None:
        """Out of the line. Called with the lock held."""
        if self._line.pop(track.job_id, None) is None:
            return
        if self._current is track:
            self._current = None
        track.spool.remove_waker(self._wake.set)
        track.spool.close()

    def _sound(self, track: Track, samples: Samples) -> None:
        rate = track.spool.sample_rate
        assert rate is not None
        if self._speaker.sample_rate != rate:
            self._speaker.close()
            self._speaker.open(rate)
            self._error = None
        track.is_sounding = True
        self._speaker.write(samples)
        self._active_at = time.monotonic()
        if not track.was_started:
            track.was_started = True
            self._schedule(track, lambda: self._listener.started(track.job_id))
            self._note_change()

    def _note_utterances(self, track: Track) -> None:
        count = track.spool.utterances_before(track.position or 0)
        if count > track.utterances_out:
            track.utterances_out = count
            self._schedule(track, lambda: self._tell_heard(track, count))

    def _tell_heard(self, track: Track, count: int) -> None:
        self._listener.heard(track.job_id, count)
        self._note_change()

    def _schedule(self, track: Track, tell: Callable[[], None]) -> None:
        """Tell it when what has been written so far is audible."""
        self._due.append(_Due(time.monotonic() + self._speaker.audible_in_s(), track, tell))

    def _deliver(self, everything: bool = False) -> None:
        while self._due and (everything or self._due[0].at <= time.monotonic()):
            due = self._due.popleft()
            try:
                due.tell()
            except Exception:
                log.exception("a listener of the player stumbled")

    def _idle(self) -> None:
        """Nothing to sound now: keep the stream open for a while, then wait to be woken."""
        until_due = self._due[0].at - time.monotonic() if self._due else None
        lingered_s = time.monotonic() - self._active_at
        if lingered_s > self._linger_s and until_due is None:
            if self._speaker.is_open:
                self._speaker.close()
            self._wake.wait()
            return
        if not self._speaker.is_open:
            self._open_ahead()
        enough_s = self._speaker.idle()
        if enough_s > 0:
            self._wake.wait(max(0.0, min(until_due or enough_s, enough_s, BLOCK_S / 2)))

    def _open_ahead(self) -> None:
        track = self._current
        self._speaker.open((track and track.spool.sample_rate) or _FIRST_RATE)
        self._error = None

    def _recover(self, error: NoAudioOutput) -> None:
        """The device is gone or cannot be opened: try a few times, then fail the job in turn."""
        track = self._current
        if track is not None:
            track.rewind(BUFFER_S)
            self._due = collections.deque(due for due in self._due if due.track is not track)
        log.warning("%s", error.line)
        for wait_s in _REOPEN_AFTER_S if isinstance(error, DeviceLost) else ():
            if self._is_unwanted_within(wait_s, track):
                return
            try:
                self._open_ahead()
                return
            except DeviceLost as exc:
                error = exc
                break  # it hangs
            except NoAudioOutput as exc:
                error = exc
        self._fail_current(error)

    def _is_unwanted_within(self, wait_s: float, track: Track | None) -> bool:
        """Wait so long, unless nobody wants to hear the track any more."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._stop == "now" or (track is not None and track.is_cut), wait_s
            )

    def _fail_current(self, error: VoxError) -> None:
        self._error = error.line
        self._deliver(everything=True)
        with self._lock:
            track = self._current
            if track is None:
                self._active_at = time.monotonic() - self._linger_s - 1  # no further try
                return
            self._drop(track)
        self._note_change()
        if isinstance(error, NoAudioOutput):
            error = NoAudioOutput(error.message, error.hint)
        try:
            self._listener.failed(track.job_id, error)
        except Exception:
            log.exception("a listener of the player stumbled")
