"""The loudspeaker: one PortAudio output stream, whose callers never hang.

A sound server that hangs blocks PortAudio's calls for ever, so each is made in a thread that can
be abandoned. Knows nothing of jobs. One thread opens, writes and closes; any thread may probe.
"""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import NoAudioOutput
from .pcm import USUAL_RATE, Samples, silence
from .portaudio import quiet, sounddevice
from .sound_servers import SoundServers, applied

T = TypeVar("T")
log = logging.getLogger(__name__)

BUFFER_S = 0.04
"""The device's buffer at first: how long a cancel takes to be silent, and how late we may write.

Measured on PulseAudio: with half of it filled while idle, a sound is heard 20 to 30 ms after it was
added. With four busy programs on each core it ran dry once a second; then the buffer is doubled.
"""
_BUFFER_MAX_S = 0.16
BLOCK_S = 0.01
_OPENING_S = 0.02  # a device does not play the first milliseconds after it was opened
_SERVER_S = 0.02  # what the sound server holds beside our buffer
STALL_S = 5.0
"""A device that accepts nothing for so long counts as hung."""
_PROBE_GOOD_S = 2.0
_DEVICES_SHOWN = 8
NO_DEVICE = "there is no sound device"


def device_of(setting: str | None) -> str | int | None:
    """PortAudio's device that the setting `audio_device` names; None: the system's default."""
    return int(setting) if setting is not None and setting.isdigit() else setting


class DeviceLost(NoAudioOutput):
    """The device went away or hangs; opening it again may help."""


class _Caller:
    """A thread for calls that may never return."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], _Result] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._run, name="vox-loudspeaker", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, result = call
            try:
                result.value = function()
            except Exception as exc:  # raised again in the thread that asked
                result.error = exc
            result.done.set()

    def call(self, function: Callable[[], T], timeout_s: float) -> T:
        """The function's result. Raises TimeoutError if it takes longer, and what it raises."""
        result = _Result()
        self._calls.put((function, result))
        if not result.done.wait(timeout_s):
            raise TimeoutError
        if result.error is not None:
            raise result.error
        value: T = result.value
        return value

    def post(self, function: Callable[[], Any]) -> None:
        """Make the call after the present one; nobody learns what becomes of it."""
        self._calls.put((function, _Result()))

    def leave(self) -> None:
        """End the thread, once its calls have returned."""
        self._calls.put(None)


class _Result:
    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


class Loudspeaker:
    """The output stream. Every method may raise NoAudioOutput (DeviceLost: worth another try)."""

    def __init__(
        self,
        device: str | int | None = None,
        stall_s: float = STALL_S,
        servers: SoundServers | None = None,
    ) -> None:
        """`device`: PortAudio's name (or a part of it) or number; None: the system's default.

        `servers`: where the sound server may be; None: the usual places.
        """
        self._device = device
        self._stall_s = stall_s
        self.servers = servers or SoundServers()
        self._has_failed = False
        """Whether the last try to open a device did."""
        self._caller = _Caller()
        self._stuck: _Caller | None = None
        """The one whose call did not return in time, perhaps not yet."""
        self._lock = threading.Lock()  # of opening and closing
        self._stream: Any = None
        self._buffer_s = BUFFER_S
        self._room_frames = 0
        self._was_sound = False
        """Whether sound, not silence, was written last."""
        self._has_sounded = False
        """Whether anything but silence was written since it was opened."""
        self._probed_at = -_PROBE_GOOD_S
        self.silent_s = math.inf
        """How much silence was written since the last sound, in seconds."""
        self.name = ""
        self.sample_rate: int | None = None

    @property
    def is_open(self) -> bool:
        return self._stream is not None

    def open(self, sample_rate: int) -> None:
        with self._lock:
            if self._stream is None:
                self._stream = self._open_somewhere(lambda: self._make_stream(sample_rate))
                self.sample_rate, self._has_sounded = sample_rate, False
                self.write_silence(_OPENING_S)

    def probe(self) -> None:
        """Check that it is open or can be opened now."""
        if self._stream is not None or time.monotonic() - self._probed_at < _PROBE_GOOD_S:
            return
        with self._lock:
            if self._stream is None:
                self._open_somewhere(lambda: self._make_stream(USUAL_RATE).close())
            self._probed_at = time.monotonic()

    def _open_somewhere(self, make: Callable[[], T]) -> T:
        self._check_not_stuck()
        try:
            return self._call(make)
        except NoAudioOutput:
            if not self.servers.vet():
                raise
        self._check_not_stuck()
        return self._call(make)

    def write(self, samples: Samples) -> None:
        """Block until the device has taken the samples, at most `stall_s`."""
        ran_dry = self._write(samples)
        if ran_dry and self._was_sound and self._buffer_s < _BUFFER_MAX_S:
            self._widen(samples)
        self._was_sound = self._has_sounded = True
        self.silent_s = 0.0

    def write_silence(self, seconds: float) -> None:
        """As `write`; at most a part of a second, for what is written cannot be taken back."""
        self._was_sound = False
        self._write(silence(seconds, self.sample_rate or 1))
        self.silent_s += seconds

    def idle(self) -> float:
        """Write some silence if the stream needs it. Returns for how many seconds it needs none."""
        ahead_s = self.buffered_s() - self._buffer_s / 2
        if ahead_s > 0:
            return ahead_s
        self.write_silence(BLOCK_S)
        return 0.0

    def _write(self, samples: Samples) -> bool:
        stream = self._stream
        ran_dry: bool = self._call(lambda: stream.write(samples.reshape(-1, 1)))
        return ran_dry

    def _widen(self, samples: Samples) -> None:
        """The machine is too busy for so small a buffer: open it again with a larger one."""
        self._buffer_s *= 2
        log.info("the sound buffer ran dry; it is now %d ms", self._buffer_s * 1000)
        sample_rate = self.sample_rate or 1
        self._close_now()
        self.open(sample_rate)
        self._write(samples)

    def buffered_s(self) -> float:
        """Seconds of sound that were written and are not played yet."""
        if self._stream is None:
            return 0.0
        stream, rate = self._stream, self.sample_rate or 1
        free: int = self._call(lambda: stream.write_available)
        return max(0, self._room_frames - free) / rate

    @property
    def behind_s(self) -> float:
        """About how far (s) the ear is behind what was written, while sound is written."""
        return self._buffer_s + _SERVER_S

    def audible_in_s(self) -> float:
        """Seconds until what has been written so far is heard."""
        return self.buffered_s() + _SERVER_S

    def close(self) -> None:
        """Close the stream; what was written is played first."""
        if self._stream is None:
            return
        if self._has_sounded:
            # On PulseAudio, Pa_StopStream drops the last 50 ms, so these must be silence.
            rate = self.sample_rate or 1
            self._write(silence(self._room_frames / rate + _SERVER_S, rate))
        self._close_now()
        self._buffer_s = BUFFER_S  # the machine may be less busy next time

    def _close_now(self) -> None:
        self._was_sound = False
        with self._lock:
            stream, self._stream, self.sample_rate = self._stream, None, None
            self._call(lambda: _close(stream))

    def leave(self) -> None:
        """End the thread; there must be no further calls."""
        self._caller.leave()

    def _call(self, function: Callable[[], T]) -> T:
        try:
            return self._caller.call(function, self._stall_s)
        except TimeoutError:
            self._give_up_caller()
            raise self._hangs() from None
        except NoAudioOutput:
            raise
        except Exception as exc:  # PortAudioError, which cannot be named before the import
            stream, self._stream, self.sample_rate = self._stream, None, None
            if stream is not None:
                # Before any other call: PortAudio must not be initialized again meanwhile.
                self._caller.post(lambda: _close(stream))
            raise DeviceLost(f"the sound device is gone: {_reason(exc)}") from exc

    def _hangs(self) -> DeviceLost:
        return DeviceLost(
            f"the sound server accepted no sound for {self._stall_s:g} s", "restart it"
        )

    def _give_up_caller(self) -> None:
        stream, self._stream, self.sample_rate = self._stream, None, None
        if stream is not None:
            self._caller.post(lambda: _close(stream))
        self._caller.leave()
        self._stuck, self._caller = self._caller, _Caller()

    def _check_not_stuck(self) -> None:
        """PortAudio would wait for the call that has not returned, and so would every new try."""
        if self._stuck is not None and self._stuck.is_alive:
            raise self._hangs()
        self._stuck = None

    def _make_stream(self, sample_rate: int) -> Any:
        sd = sounddevice()
        if self._has_failed:
            return self._search(sd, sample_rate)
        try:
            with applied(self.servers.kept):
                return self._start(sd, sample_rate)
        except (sd.PortAudioError, ValueError):
            self._has_failed = True  # What the libraries print about it is in the log now, once.
            return self._search(sd, sample_rate)

    def _search(self, sd: Any, sample_rate: int) -> Any:
        """Ask every sound server that may be the user's."""
        failures = []
        for environ in self.servers.candidates():
            with applied(environ), quiet():
                try:
                    _initialize_again(sd)
                    stream = self._start(sd, sample_rate)
                except (sd.PortAudioError, ValueError) as exc:
                    failures.append(self._explained(sd, exc))
                    continue
            self.servers.keep(environ)
            self._has_failed = False
            return stream
        raise next((each for each in failures if each.message != NO_DEVICE), failures[0])

    def _explained(self, sd: Any, exc: BaseException) -> NoAudioOutput:
        """The error in words for users: PortAudio's own say "device -1"."""
        try:
            sd.query_devices(self._device, "output")
            is_known = True
        except (sd.PortAudioError, ValueError) as missing:
            is_known = str(missing).startswith("Multiple")
        if is_known:
            return NoAudioOutput(f"cannot open a sound device: {_reason(exc)}")
        if self._device is None:
            return NoAudioOutput(NO_DEVICE)
        names = [each["name"] for each in sd.query_devices() if each["max_output_channels"]]
        there = "there is none"
        if names:
            there = f"available: {', '.join(names[:_DEVICES_SHOWN])}"
        return NoAudioOutput(
            f"no sound device matches {self._device!r} (the setting audio_device)",
            f"{there}; for the system's default: vox config unset audio_device",
        )

    def _start(self, sd: Any, sample_rate: int) -> Any:
        stream = sd.OutputStream(
            samplerate=sample_rate,
            channels=1,
            dtype="float32",
            device=self._device,
            latency=self._buffer_s,
        )
        try:
            self.name = str(sd.query_devices(stream.device)["name"])
            stream.start()
            self._room_frames = stream.write_available
        except BaseException:
            stream.close()
            raise
        return stream


def _initialize_again(sd: Any) -> None:
    """PortAudio looks for devices only when it is initialized."""
    with contextlib.suppress(sd.PortAudioError):  # the last time has failed
        sd._terminate()
    sd._initialize()


def _close(stream: Any) -> None:
    stream.abort()
    stream.close()


def _reason(exc: BaseException) -> str:
    return " ".join(str(exc.args[0] if exc.args else exc).split())
