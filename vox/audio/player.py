"""The player: one thread, one loudspeaker, one voice at a time, in queue order.

Plays spools while they grow, and tells its listener what was really heard, so that a job goes on
there after a crash. While there is no sound device, its jobs wait for one. Knows nothing of
states, tables or synthesis, nor how long a job may wait; `output` writes the sound.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import NoAudioOutput, VoxError
from ..sound_variables import Environment
from .absence import Absence
from .device import BUFFER_S, STALL_S, Loudspeaker
from .line import Line
from .output import Listener, Output
from .pcm import USUAL_RATE
from .playback import Place, Playback

__all__ = ["LINGER_S", "Listener", "Playback", "Player"]

log = logging.getLogger(__name__)

LINGER_S = 15.0
"""How long the stream stays open, playing silence, after the last sound."""
_LEAVE_S = 1.0
_CHECK_S = 2.0
"""How long `check` waits for the next try while there is no device."""


class Player:
    """Plays the jobs that are added, in their order, until it is stopped."""

    def __init__(
        self,
        listener: Listener | None = None,
        device: str | int | None = None,
        linger_s: float = LINGER_S,
        stall_s: float = STALL_S,
    ) -> None:
        """`listener` may be set later, before the first job is added.

        `stall_s`: a device that accepts no sound for so long counts as gone."""
        self._speaker = Loudspeaker(device, stall_s)
        self.output = Output(self._speaker, listener, linger_s, self._note_change)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._changes = 0
        self._wake = threading.Event()
        self._line = Line(self._wake.set)
        self._paused = False
        self._stop: str | None = None
        self._ahead_rate = USUAL_RATE
        self._absence: Absence | None = None
        self._last_absence: Absence | None = None
        self._thread = threading.Thread(target=self._run, name="vox-player", daemon=True)
        self.on_change: Callable[[], None] | None = None
        self.on_absence: Callable[[], None] | None = None
        """Called when jobs begin to wait for a device. It must not block."""

    # -- from any thread ---------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def open_ahead(self, sample_rate: int) -> None:
        """Open the device now, because something with this sample rate will soon be added."""
        with self._lock:
            self._ahead_rate = sample_rate
            self.output.note_activity()
        self._note_change()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def warm_up(self) -> None:
        """Open the device in advance: the first sound need not wait. Blocks; never raises."""
        try:
            self.check()
        except NoAudioOutput as exc:
            log.warning("there is no sound yet: %s", exc.line)

    def check(self) -> None:
        """Raises NoAudioOutput if no device can be opened now."""
        if self._absence is not None:
            self.try_again()
            self._wait_for_try(_CHECK_S)
            if (absence := self._absence) is not None:
                raise absence.error
        try:
            self._speaker.probe()
        except NoAudioOutput as exc:
            self.output.error = exc.line
            raise NoAudioOutput(exc.message, exc.hint) from exc
        self.output.error = None

    def offer_environment(self, environ: Environment) -> None:
        """Note the newest caller's variables: they may lead to a sound server. Quick."""
        if self._speaker.servers.offer(environ):
            self.try_again()

    def try_again(self) -> None:
        """Look for a device now, if jobs wait for one."""
        with self._changed:
            if self._absence is None:
                return
            self._absence.ask_for_try()
        self._wake.set()

    def _wait_for_try(self, timeout_s: float) -> None:
        """Block until the next try to open a device has ended."""
        with self._changed:
            if (absence := self._absence) is None:
                return
            before = absence.failures
            self._changed.wait_for(
                lambda: self._absence is not absence or absence.failures > before, timeout_s
            )

    @property
    def absence(self) -> Absence | None:
        """Why and since when jobs wait for a device; None: they do not."""
        return self._absence

    def stop(self, now: bool = False) -> None:
        """End the thread: after the job that is being spoken or, if `now`, at once.

        At once as well while speech is paused or there is no device.
        """
        with self._lock:
            self._stop = "now" if now or self._paused or self._absence else "after current"
        self._note_change()
        if self._thread.ident is not None:
            # A device that hangs is abandoned after `stall_s`; stopping now does not wait for that.
            self._thread.join(_LEAVE_S if self._stop == "now" else None)
        self._speaker.leave()

    def add(self, playback: Playback) -> None:
        """Add a job; its spool may still be growing, or empty."""
        self._line.add(playback)
        with self._lock:
            self.output.note_activity()
            if self._absence is not None:
                self._absence.ask_for_try()
        self._note_change()

    def cancel(self, job_id: str) -> bool:
        """Remove a job, or cut it off while it sounds. False if it is not there any more."""
        if not self._line.cancel(job_id):
            return False
        self._note_change()
        return True

    def move(self, steps: int) -> tuple[str, int] | None:
        """Go so many utterances forward (or back, below 0) in what is heard.

        It is heard from there at once or, while speech is paused, after `resume`. Returns the job
        and the index of that utterance; None: nothing is heard.
        """
        moved = self._line.move(steps, self._speaker.behind_s)
        if moved is not None:
            self._note_change()
        return moved

    def pause(self) -> None:
        """Be silent at once; `resume` goes on at the same sample."""
        with self._lock:
            self._paused = True
        self._note_change()

    def resume(self) -> None:
        with self._lock:
            self._paused = False
            self.output.note_activity()
        self._note_change()

    @property
    def is_paused(self) -> bool:
        return self._paused

    @property
    def current(self) -> str | None:
        """The job that is being heard."""
        return self._line.current

    @property
    def next(self) -> str | None:
        """The job whose turn it is: the one that sounds, else the first in order."""
        return self._line.next

    @property
    def waiting(self) -> list[str]:
        """Jobs that were added and have not begun to sound, in order."""
        return self._line.waiting

    def remaining_s(self, job_id: str | None = None) -> float:
        """Seconds of audio on disk that are still to be heard: of one job, or of all."""
        return self._line.remaining_s(job_id)

    def ahead_s(self, job_id: str, order: tuple[int, ...], interrupts: bool) -> float:
        """Seconds of audio on disk that are heard before what a job of that order may make next."""
        return self._line.ahead_s(job_id, order, interrupts)

    @property
    def behind_s(self) -> float:
        """Seconds from when sound is played until it is heard."""
        return self._speaker.behind_s

    def place(self, job_id: str) -> Place | None:
        """How far the job is in what is played; None: it was not added, or has ended."""
        return self._line.place(job_id)

    def wait_change(self, timeout_s: float) -> None:
        """Block until jobs come or go, or another utterance of the current one was heard."""
        with self._changed:
            before = self._changes
            self._changed.wait_for(lambda: self._changes != before, timeout_s)

    def describe(self) -> dict[str, Any]:
        is_open = self._speaker.is_open
        state = "closed"
        if self._paused:
            state = "paused"
        elif self._absence is not None:
            state = "waiting"
        elif is_open:
            state = "playing" if self.current else "open"
        return {
            "device": self._speaker.name or None,
            "state": state,
            "sample_rate": self._speaker.sample_rate,
            "error": self.output.error,
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
                if self._absence is None:
                    self._step()
                else:
                    self._await_device(self._absence)
            except NoAudioOutput as exc:
                self._lose_device(exc)
            except Exception as exc:
                log.exception("the player failed")
                self._fail_current(VoxError(f"cannot play the audio: {exc}"))
        self._leave()

    def _is_leaving(self) -> bool:
        with self._lock:
            if self._stop == "now":
                return True
            return self._stop is not None and self.current is None

    def _leave(self) -> None:
        try:
            self.output.close(self._line.chosen)
        except NoAudioOutput as exc:
            log.warning("%s", exc.line)
        self.output.deliver()
        self._line.drop_all()

    def _step(self) -> None:
        self._wake.clear()
        self.output.deliver(time.monotonic())
        self._drop_cut_off()
        self._make_move()
        self._interrupt()
        playback = self._choose()
        is_held = playback is not None and self._paused and not playback.is_assistive
        if playback is not None and is_held and not playback.is_faded_out:
            self.output.fade_out(playback)
        if playback is None or is_held:
            self._idle()
            return
        has_written = self.output.play(playback)
        if playback.is_over:
            self.output.finish(playback)
            self._line.drop(playback)
            self._note_change()
        elif not has_written:
            self._idle()

    def _drop_cut_off(self) -> None:
        for playback in self._line.cut_off():
            self.output.forget(playback)
            try:
                self.output.fade_out(playback)
            finally:
                self._line.drop(playback)
                self._note_change()

    def _make_move(self) -> None:
        playback = self._line.moving
        if playback is None:
            return
        try:
            self.output.fade_out(playback)
        finally:
            self._line.make_move(playback)
            self.output.tell_move(playback)
            self._note_change()

    def _interrupt(self) -> None:
        """Let what interrupts be heard, unless it may not while speech is paused, or that ends."""
        if self._stop is not None:
            return
        playback = self._line.interrupted(self._speaker.behind_s, self._paused)
        if playback is None:
            return
        try:
            self.output.fade_out(playback)
        finally:
            self._line.suspend(playback)
            self.output.tell_interruption(playback)
            self._note_change()

    def _choose(self) -> Playback | None:
        return self._line.choose(self._stop is None, self._paused)

    def _idle(self) -> None:
        """Nothing to play now: wait to be woken."""
        wait_s = self.output.idle(self._rate)
        if floor_left_s := self._line.floor_left_s:
            wait_s = floor_left_s if wait_s is None else min(wait_s, floor_left_s)
        self._wake.wait(wait_s)

    @property
    def _rate(self) -> int:
        """The sample rate to open the device with."""
        playback = self._line.chosen
        return (playback and playback.spool.sample_rate) or self._ahead_rate

    def _lose_device(self, error: NoAudioOutput) -> None:
        """The device is gone or cannot be opened: jobs wait until one can."""
        error = NoAudioOutput(error.message, error.hint)
        self.output.gaps.note_loss()
        now = time.monotonic()
        self.output.error = error.line
        if self._absence is not None:
            self._absence.note_failure(error, now)
            self._note_change()
            return
        playback = self._line.chosen
        if playback is None:
            log.warning("%s", error.line)
            self.output.note_rest()  # nobody waits for it: no further try
            return
        self.output.lose(playback, BUFFER_S)
        if self._last_absence is not None and self._last_absence.is_recent(now):
            self._absence = self._last_absence
            self._absence.note_failure(error, now)
        else:
            log.warning("%s", error.line)
            self._absence = Absence(error, now)
        self._note_change()
        if self.on_absence is not None:
            self.on_absence()

    def _await_device(self, absence: Absence) -> None:
        """Sleep until the next try to open a device, and make it."""
        self._wake.clear()
        now = time.monotonic()
        self.output.deliver(now)
        self._drop_cut_off()
        self._make_move()
        with self._lock:
            is_wanted = self._line.is_wanted(self._paused)
            if self._stop is not None:
                self._stop = "now"  # What is not finished goes back into the queue.
                return
        if not is_wanted:
            self.output.note_rest()
            self._end_absence()
        elif (left_s := absence.left_s(now)) > 0:
            self._wake.wait(left_s)
        else:
            self._choose()
            self.output.open(self._rate)
            absence.note_success(time.monotonic())
            self._last_absence = absence
            self._end_absence()

    def _end_absence(self) -> None:
        self._absence = None
        self._note_change()

    def _fail_current(self, error: VoxError) -> None:
        self.output.deliver()
        playback = self._line.chosen
        if playback is None:
            return
        self._line.drop(playback)
        self._note_change()
        self.output.fail(playback, error)
