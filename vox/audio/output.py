"""Writes a playback to the loudspeaker, and tells the listener when that is really heard.

Owns the loudspeaker, the silence that is due and the calls that wait for the ear. Knows nothing of
whose turn it is, of pauses, nor what becomes of jobs while there is no device.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from typing import Protocol

from ..errors import VoxError
from .device import BLOCK_S, Loudspeaker
from .gaps import Gaps
from .notices import Notices
from .pcm import Samples, quiet_frames
from .playback import Playback

log = logging.getLogger(__name__)

_TAIL_S = 0.04
"""How much earlier than its last sample a sound may end for the ear."""


class Listener(Protocol):
    """Called from the player's thread; must not block, and must not call `Player.stop`."""

    def started(self, job_id: str) -> None:
        """The first sample is audible."""

    def heard(self, job_id: str, utterances: int) -> None:
        """This many utterances, counted from the text's start, are before the ear.

        They were heard to their end, unless the user has moved past them; fewer after a move back.
        """

    def mark(self, job_id: str, name: str) -> None:
        """That mark of the job is heard. Told once, wherever the job goes on."""

    def interrupted(self, job_id: str) -> None:
        """It is heard no longer, but later again from where the last `heard` says."""

    def finished(self, job_id: str) -> None:
        """The last sample was heard."""

    def failed(self, job_id: str, error: VoxError) -> None:
        """The job cannot be played, or not to its end."""


class Output:
    """For the player's thread alone, except for what says otherwise.

    What writes raises NoAudioOutput if the device is gone, and StorageError if a spool is.
    """

    def __init__(
        self,
        speaker: Loudspeaker,
        listener: Listener | None,
        linger_s: float,
        on_change: Callable[[], None],
    ) -> None:
        """`listener` may be set later, before the first job is played.

        `linger_s`: how long the stream stays open after the last sound. `on_change`: called when
        a job has begun, or more of it was heard.
        """
        self.speaker = speaker
        self.listener = listener
        self.gaps = Gaps()
        """May be set later as well."""
        self.error: str | None = None
        """Why the device could not be opened, on one line. Any thread may read and set it."""
        self._linger_s = linger_s
        self._on_change = on_change
        self._notices = Notices()
        self._active_at = 0.0
        self._quiet_s = 0.0
        """How much of what was written last, up to its end, is too quiet to be heard."""

    def note_activity(self) -> None:
        """The stream is to stay open for a while. From any thread."""
        self._active_at = time.monotonic()

    def note_rest(self) -> None:
        """The stream is not to be opened for nothing."""
        self._active_at = time.monotonic() - self._linger_s - 1

    def play(self, playback: Playback) -> bool:
        """Write its next block, or some of the silence before it. False: there is none now."""
        if playback.has_more and (left_s := self._gap_s(playback)) > 0:
            self._write_gap(left_s)
            return True
        samples = playback.take()
        if len(samples):
            self._sound(playback, samples)
        self._note_marks(playback)
        self._note_utterances(playback)
        return len(samples) > 0

    def finish(self, playback: Playback) -> None:
        """All of it was written: tell so when its sound is over."""
        self._notify_when_over(playback, lambda: self._told.finished(playback.job_id))

    def fail(self, playback: Playback, error: VoxError) -> None:
        """It cannot be played: tell so."""
        try:
            self._told.failed(playback.job_id, error)
        except Exception:
            log.exception("a listener of the player failed")

    def fade_out(self, playback: Playback) -> None:
        """End its sound without a click."""
        samples = playback.take_fade_out()
        self.gaps.note_pause()
        if len(samples) and self.speaker.is_open:
            self.speaker.write(samples)
            self.note_activity()

    def idle(self, sample_rate: int) -> float | None:
        """Nothing is to be played now: keep the stream open for a while, in silence.

        `sample_rate`: to open it with, if it is not open. Returns for how many seconds there is
        nothing to do; None: until there is something to play.
        """
        now, notice_at = time.monotonic(), self._notices.next_at
        until_notice = None if notice_at is None else notice_at - now
        if now - self._active_at > self._linger_s and until_notice is None:
            if self.speaker.is_open:
                self.speaker.close()
            return None
        if not self.speaker.is_open:
            self.open(sample_rate)
        enough_s = self.speaker.idle()
        if enough_s <= 0:
            return 0.0
        return max(0.0, min(until_notice or enough_s, enough_s, BLOCK_S / 2))

    def open(self, sample_rate: int) -> None:
        self.speaker.open(sample_rate)
        self.error = None

    def close(self, playback: Playback | None) -> None:
        """Fade out what sounds, if anything does, and close the stream."""
        if playback is not None and self.speaker.is_open:
            self.speaker.write(playback.take_fade_out())
        self.speaker.close()

    def lose(self, playback: Playback, seconds: float) -> None:
        """The device is gone, with so much of the playback that was not heard."""
        playback.rewind(seconds)
        self._notices.drop(playback)

    def forget(self, playback: Playback) -> None:
        """It was cut off: nothing is told of it any more."""
        self._notices.drop(playback)

    def tell_move(self, playback: Playback) -> None:
        """It was moved: what was written and not heard is not told, but where it goes on."""
        self._notices.drop(playback)
        self._told.heard(playback.job_id, playback.utterances_written)

    def tell_interruption(self, playback: Playback) -> None:
        """It goes on later, from the beginning of its utterance."""
        self.tell_move(playback)
        self._told.interrupted(playback.job_id)

    def deliver(self, until: float = math.inf) -> None:
        """Tell the listener what was heard until then (monotonic)."""
        self._notices.deliver(until)

    @property
    def _told(self) -> Listener:
        assert self.listener is not None, "set before the first job is played"
        return self.listener

    def _open_for(self, playback: Playback) -> None:
        rate = playback.spool.sample_rate
        assert rate is not None
        if self.speaker.sample_rate != rate:
            self.speaker.close()
            self.open(rate)

    def _gap_s(self, playback: Playback) -> float:
        """Seconds of silence that are due before the playback's next sample."""
        self._open_for(playback)
        return self.gaps.left_s(playback, self.speaker)

    def _write_gap(self, left_s: float) -> None:
        """Write some of the silence that is due. Meanwhile the job can be cancelled or paused."""
        block_s = min(left_s, BLOCK_S)
        self.speaker.write_silence(block_s)
        self.gaps.wrote(block_s)

    def _sound(self, playback: Playback, samples: Samples) -> None:
        self._open_for(playback)
        playback.is_sounding = True
        self.speaker.write(samples)
        self._note_quiet(samples)
        self.gaps.sounded(playback)
        self.note_activity()
        if not playback.was_started:
            playback.was_started = True
            self._notify_when_audible(playback, lambda: self._notify_started(playback))
            self._on_change()

    def _note_quiet(self, samples: Samples) -> None:
        quiet = quiet_frames(samples)
        before_s = self._quiet_s if quiet == len(samples) else 0.0
        self._quiet_s = before_s + quiet / (self.speaker.sample_rate or 1)

    def _note_utterances(self, playback: Playback) -> None:
        count = playback.spool.utterances_before(playback.position or 0)
        if count > playback.utterances_written:
            playback.utterances_written = count
            self._notify_when_over(playback, lambda: self._notify_heard(playback, count))

    def _note_marks(self, playback: Playback) -> None:
        while (mark := playback.take_mark()) is not None:
            told, name = playback.marks_written, mark.name
            self._notify_when_audible(
                playback, functools.partial(self._notify_mark, playback, told, name)
            )

    def _notify_mark(self, playback: Playback, told: int, name: str) -> None:
        playback.marks_told = told
        self._told.mark(playback.job_id, name)

    def _notify_started(self, playback: Playback) -> None:
        playback.was_heard = True
        self._told.started(playback.job_id)

    def _notify_heard(self, playback: Playback, count: int) -> None:
        self._told.heard(playback.job_id, count)
        self._on_change()

    def _notify_when_audible(self, playback: Playback, notify: Callable[[], None]) -> None:
        """Call `notify` once what has been written so far is audible."""
        self._notices.add(time.monotonic() + self.speaker.audible_in_s(), playback, notify)

    def _notify_when_over(self, playback: Playback, notify: Callable[[], None]) -> None:
        """Call `notify` once the sound of what has been written so far is over."""
        over_in_s = self.speaker.audible_in_s() - min(self._quiet_s, _TAIL_S)
        self._notices.add(time.monotonic() + over_in_s, playback, notify)
