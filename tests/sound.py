"""Real sound without a loudspeaker: a private PulseAudio with a null sink that can be recorded.

The helpers tell when something was heard, for how long, and which words it was.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

RATE = 48_000
SINK = "vox"
AUDIBLE = 0.004
"""A sample louder than this is sound: the sink itself adds nothing."""
_PROGRAMS = ("pulseaudio", "pactl", "parec")


class SoundServer:
    """A PulseAudio of our own. `environ` leads a process to it."""

    def __init__(self) -> None:
        missing = [name for name in _PROGRAMS if shutil.which(name) is None]
        if missing:
            raise RuntimeError(
                f"the tests record what is heard, and {', '.join(missing)} is not installed: "
                "apt-get install pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"
            )
        self.path = tempfile.mkdtemp(prefix="vox-sound-", dir="/tmp")
        socket = f"{self.path}/pulse/native"
        self.environ = {"PULSE_SERVER": f"unix:{socket}", "PULSE_COOKIE": f"{self.path}/cookie"}
        self._own_environ = {
            **os.environ,
            **self.environ,
            "XDG_RUNTIME_DIR": self.path,
            "XDG_CONFIG_HOME": self.path,
            "PULSE_RUNTIME_PATH": f"{self.path}/pulse",
            "PULSE_STATE_PATH": f"{self.path}/state",
        }
        self._own_environ.pop("PULSE_SERVER")
        self._socket = socket
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.log_path = Path(self.path, "log")
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                 "-L", "module-native-protocol-unix",
                 "-L", f"module-null-sink sink_name={SINK} rate={RATE}"],
                env=self._own_environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait(lambda: os.path.exists(self._socket) and self._pactl("info").returncode == 0)
        self._keep_awake()

    def _keep_awake(self) -> None:
        # An idle null sink renders two seconds ahead, and what is played then is heard that late.
        # With somebody listening closely it does not; no sound card has that habit.
        self._keeper = subprocess.Popen(
            ["parec", *_parec_options()],
            env={**os.environ, **self.environ},
            stdout=subprocess.DEVNULL,
        )
        self._wait(lambda: self.latency_s() < 0.05)

    def latency_s(self) -> float:
        """How much of the future the sink has rendered already."""
        found = re.search(
            rb"Latency: (\d+) usec, configured (\d+) usec", self._pactl("list", "sinks").stdout
        )
        return max(int(found[1]), int(found[2])) / 1e6 if found else 99.0

    def _pactl(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        environ = {**os.environ, **self.environ, "LC_ALL": "C"}
        return subprocess.run(["pactl", *arguments], env=environ, capture_output=True, check=False)

    def _wait(self, is_ready: Callable[[], bool], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.log_path.read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"PulseAudio does not work here: {log}")
            time.sleep(0.02)

    def kill(self) -> None:
        """The sound server dies; `start` brings it back in the same place."""
        assert self._keeper is not None
        self.process.kill()
        self.process.wait()
        self._keeper.wait()

    def remove_sink(self) -> None:
        """The sound card is pulled out."""
        assert self._keeper is not None
        self._pactl("unload-module", "module-null-sink")
        self._keeper.wait()

    def add_sink(self) -> None:
        """It is plugged in again."""
        self._pactl("load-module", "module-null-sink", f"sink_name={SINK}", f"rate={RATE}")
        self._keep_awake()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        for process in (self._keeper, self.process):
            if process is not None:
                process.terminate()
                process.wait()
        shutil.rmtree(self.path, ignore_errors=True)


def _parec_options() -> list[str]:
    return [
        "-d",
        f"{SINK}.monitor",
        f"--rate={RATE}",
        "--channels=1",
        "--format=s16le",
        "--latency-msec=5",
    ]


@dataclass(frozen=True)
class Recording:
    """What was heard, mono. `started_at` is the first sample's `time.monotonic()`."""

    samples: npt.NDArray[np.float32]
    sample_rate: int
    started_at: float = 0.0

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate

    def after(self, at: float) -> Recording:
        """Only what was heard after that `time.monotonic()`."""
        skip = max(0, round((at - self.started_at) * self.sample_rate))
        return Recording(
            self.samples[skip:], self.sample_rate, self.started_at + skip / self.sample_rate
        )


class Recorder:
    """Records the sink while it is entered: `with Recorder() as recorder: ...; recorder.stop()`."""

    def __init__(self) -> None:
        self._blocks: list[npt.NDArray[np.int16]] = []
        self._frames = 0
        self._started_at = float("inf")
        self._changed = threading.Condition()

    def __enter__(self) -> Recorder:
        self._process = subprocess.Popen(["parec", *_parec_options()], stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()
        self._until(lambda: self._frames > 0, 10.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _pump(self) -> None:
        assert self._process.stdout is not None
        odd = b""
        while data := self._process.stdout.read1(65536):  # type: ignore[attr-defined]
            at = time.monotonic()
            data = odd + data
            odd = data[len(data) // 2 * 2 :]
            block = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
            with self._changed:
                self._blocks.append(block)
                self._frames += len(block)
                # Blocks come late, never early: the earliest estimate is the truest.
                self._started_at = min(self._started_at, at - self._frames / RATE)
                self._changed.notify_all()

    def _until(self, is_true: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            if not self._changed.wait_for(is_true, timeout_s):
                raise TimeoutError(f"not heard within {timeout_s} s")

    def recording(self) -> Recording:
        """What was heard so far."""
        with self._changed:
            samples = np.concatenate([np.zeros(0, np.int16), *self._blocks])
            floats = samples.astype(np.float32) / np.float32(32768)
            return Recording(floats, RATE, self._started_at)

    def stop(self) -> Recording:
        """Everything that was heard until now."""
        now = time.monotonic()
        self._until(lambda: self._started_at + self._frames / RATE >= now, 10.0)
        return self.recording()

    def wait_for_sound(self, timeout_s: float = 30.0, since: float | None = None) -> float:
        """Block until something is heard (after `since`, else now); its `time.monotonic()`."""
        since = time.monotonic() if since is None else since
        with self._changed:
            seen = len(self._blocks)
            while seen and self._started_at + self._end_of(seen - 1) / RATE > since:
                seen -= 1
        deadline = time.monotonic() + timeout_s
        while True:
            self._until(lambda seen=seen: len(self._blocks) > seen, deadline - time.monotonic())  # type: ignore[misc]
            loud = np.flatnonzero(np.abs(self._blocks[seen].astype(np.int32)) > AUDIBLE * 32768)
            at = self._started_at + (self._end_of(seen - 1) + (loud[0] if len(loud) else 0)) / RATE
            if len(loud) and at >= since:
                return float(at)
            seen += 1

    def _end_of(self, index: int) -> int:
        return sum(len(block) for block in self._blocks[: index + 1])

    def wait_for_silence(self, seconds: float = 0.5, timeout_s: float = 60.0) -> None:
        """Block until nothing has been heard for so long."""
        since = time.monotonic()

        def is_silent() -> bool:
            wanted, frames = round(seconds * RATE), 0
            if self._started_at + self._frames / RATE < since + seconds:
                return False
            for block in reversed(self._blocks):
                if np.any(np.abs(block.astype(np.int32)) > AUDIBLE * 32768):
                    return False
                frames += len(block)
                if frames >= wanted:
                    return True
            return False

        self._until(is_silent, timeout_s)


def segments_of_sound(recording: Recording, gap_s: float = 0.1) -> list[tuple[float, float]]:
    """From when to when (seconds from its beginning) it sounds; silences under `gap_s` count."""
    loud = np.flatnonzero(np.abs(recording.samples) > AUDIBLE)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > gap_s * recording.sample_rate)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    rate = recording.sample_rate
    return [
        (float(start / rate), float((end + 1) / rate))
        for start, end in zip(starts, ends, strict=True)
    ]


def first_sound_s(recording: Recording, since: float | None = None) -> float:
    """Seconds from `since` (a `time.monotonic()`), or from its beginning, to the first sound."""
    since = recording.started_at if since is None else since
    segments = segments_of_sound(recording.after(since))
    assert segments, "nothing was heard"
    return segments[0][0] + recording.after(since).started_at - since


def read_audio(path: str | Path) -> Recording:
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return Recording(samples[:, 0], rate)


def decoded(data: bytes) -> Recording:
    """All of an encoded stream, as players decode it: libsndfile stumbles where no length is."""
    import av

    blocks, to_mono = [], av.AudioResampler(format="flt", layout="mono")
    with av.open(io.BytesIO(data), "r") as container:
        rate = container.streams.audio[0].rate
        for frame in container.decode(audio=0):
            blocks += [block.to_ndarray()[0] for block in to_mono.resample(frame)]
    return Recording(np.concatenate(blocks), rate)


def recognise(recording: Recording, gap_s: float = 0.2) -> list[str]:
    """The words that an English recogniser hears, sentence by sentence."""
    from pocketsphinx import Decoder  # type: ignore[import-untyped]  # no stubs

    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    words: list[str] = []
    # It needs some silence to begin with: from a file that is trimmed it would miss the first word.
    edge = np.zeros(round(0.2 * recording.sample_rate), np.float32)
    recording = Recording(np.concatenate([edge, recording.samples, edge]), recording.sample_rate)
    for start, end in segments_of_sound(recording, gap_s):
        margin = int(0.1 * recording.sample_rate)
        first = max(0, int(start * recording.sample_rate) - margin)
        piece = recording.samples[first : int(end * recording.sample_rate) + margin]
        decoder.start_utt()
        decoder.process_raw(_at_16_khz(piece, recording.sample_rate), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        words += hypothesis.hypstr.split() if hypothesis else []
    return words


def _at_16_khz(samples: npt.NDArray[np.float32], sample_rate: int) -> bytes:
    # A plain low pass first, so that nothing above 8 kHz is folded down.
    width = max(1, round(sample_rate / 16_000))
    smooth = np.convolve(samples, np.ones(width) / width, mode="same")
    positions = np.arange(int(len(smooth) * 16_000 / sample_rate)) * (sample_rate / 16_000)
    resampled = np.interp(positions, np.arange(len(smooth)), smooth)
    return bytes((resampled * 32767).clip(-32768, 32767).astype("<i2").data)


def words_of(text: str | Iterable[str]) -> list[str]:
    joined = text if isinstance(text, str) else " ".join(text)
    return re.findall(r"[a-z']+", joined.lower())


def word_overlap(expected: str | Iterable[str], heard: str | Iterable[str]) -> float:
    """The share of the expected words that were heard, in order: 1.0 for all of them."""
    wanted, got = words_of(expected), words_of(heard)
    matcher = difflib.SequenceMatcher(None, wanted, got, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / max(1, len(wanted))
