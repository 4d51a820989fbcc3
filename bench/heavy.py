"""The heavy models' speed and memory, measured at vox's own host: what its users get.

    python -m bench.heavy [BACKEND] [--case engine=graphs --case engine=hooks] [--model FOLDER]

Each `--case` is a host with other settings (`[backends.NAME]`; none: as vox chooses). All are
loaded side by side and speak in turn, so other load on the machine affects them alike. The table
says how long a host takes until its model is loaded, with cold and with warm page cache; when the
first sound of a sentence comes; what a frame costs from then on; how much faster than it is heard
the whole sentence is made, and what a listener misses if it is slower; memory; how soon a cancel
takes effect; and how much memory grows over many utterances.

Weights are those that are installed, or `--model`. If there are none, or with `--random`,
`bench.checkpoints` makes some of the published size first (a minute; 2.5 GB in `--checkpoints`,
where a second run finds them). They show speed and memory, not sound, and hardly ever end by
themselves: how many frames they make is what the length of the text allows.

On a machine without vox, a clone of vox and an interpreter with numpy and the backend's packages
are enough:

    python3 -m venv --system-site-packages env        # torch is there already
    env/bin/pip install --no-index --find-links WHEELS qwen-tts==0.1.1 transformers==4.57.3
    python3 -m bench.heavy --python env/bin/python --case engine=graphs --case engine=hooks

That takes under ten minutes on a GPU; `--leak-s` bounds the part that takes longest. A CPU needs
a second or so for four frames: see that all cases fit into its memory, and take a short `--text`,
`--rounds 2` and `--utterances 0`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vox.backends import registry
from vox.backends.base import Clone, Settings, Utterance
from vox.backends.kit.venv import site_packages_in
from vox.bootstrap import bootstrap_args
from vox.errors import VoxError
from vox.hosts.handle import Handle

from .instance import CHECKOUT, markdown

# Twenty-five letters: Qwen3-TTS with random weights makes 62 frames of them, 5 s of noise.
RANDOM_TEXT = "The build is finished now"
REAL_TEXT = (
    "The build is finished, all the tests pass, and the coffee is still warm enough to drink."
)
SHORT_TEXT = "Done."
FRAME_S = 0.08
CANCELS = 3
SMALL_BYTES = 1_000_000
"""Smaller files are left in the page cache: there are many, and they are read in no time."""


@dataclass
class Spoken:
    """One utterance, as its chunks arrived."""

    first_s: float
    total_s: float
    audio_s: float
    after_first_s: float
    """How long the audio behind the first chunk took."""
    frames_after_first: float
    missing_s: float
    """How long a listener waits in the middle of it, if it is played from the first chunk on."""


@dataclass
class Case:
    """A host with its settings, and what was measured of it."""

    name: str
    settings: Settings
    cold_s: float | None = None
    warm_s: float = 0.0
    spoken: list[Spoken] = field(default_factory=list)
    cancel_s: list[float] = field(default_factory=list)
    rss_mb: float | None = None
    vram_mb: float | None = None
    computes: str = ""
    """Device, number format and engine, as the host reports them."""
    growth_mb: float | None = None
    utterances: int = 0
    """Spoken for `growth_mb`."""


class Bench:
    """Starts the hosts of one backend and measures them."""

    def __init__(self, backend: str, python: str, clone: Clone | None, text: str) -> None:
        self._command = [python, *bootstrap_args("vox.hosts.host")]
        self._backend = backend
        self._wish = Utterance("", lang="en", clone=clone)
        self._text = text

    def start(self, case: Case) -> tuple[Handle, float]:
        """A loaded host, and the seconds from its start until then."""
        registry.get(self._backend).prepare(case.settings)
        began = time.monotonic()
        spec = registry.import_string(self._backend)
        host = Handle(self._backend, self._command, spec, case.settings)
        try:
            host.load(self._wish)
        except BaseException:
            host.kill()
            raise
        return host, time.monotonic() - began

    def speak(self, host: Handle, text: str | None = None) -> Spoken:
        arrivals: list[tuple[float, float]] = []
        began = time.monotonic()
        for samples, sample_rate in host.synthesize(self._utterance(text or self._text)):
            arrivals.append((time.monotonic() - began, len(samples) / sample_rate))
        return spoken(arrivals, time.monotonic() - began)

    def cancel(self, host: Handle) -> float:
        """Seconds that a cancel in mid-sentence takes until the host is ready for the next."""
        chunks = host.synthesize(self._utterance(self._text))
        for _ in range(2):
            next(chunks, None)
        began = time.monotonic()
        chunks.close()
        return time.monotonic() - began

    def _utterance(self, text: str) -> Utterance:
        return Utterance(text, lang="en", clone=self._wish.clone)

    def measure_loads(self, case: Case, folders: Sequence[str]) -> Handle:
        """Load it from the disk and from the page cache; the host stays up."""
        if drop_page_cache(folders):
            host, case.cold_s = self.start(case)
            host.close()
        host, case.warm_s = self.start(case)
        for note in host.take_notes():
            print(f"{case.name}: {note}", file=sys.stderr)
        parts = (host.device, host.dtype, host.engine)
        case.computes = " ".join(part for part in parts if part)
        return host

    def measure_growth(self, host: Handle, case: Case, utterances: int, limit_s: float) -> None:
        if not utterances:
            return
        self.speak(host, SHORT_TEXT)  # as long as those that follow
        before = host.rss_mb
        began = time.monotonic()
        while case.utterances < utterances and time.monotonic() - began < limit_s:
            self.speak(host, SHORT_TEXT)
            case.utterances += 1
        if case.utterances and before is not None and host.rss_mb is not None:
            case.growth_mb = host.rss_mb - before


def spoken(arrivals: Sequence[tuple[float, float]], total_s: float) -> Spoken:
    """`arrivals`: of each chunk, when it came, and how long its audio is, in seconds.

    Raises RuntimeError if nothing arrived.
    """
    if not arrivals:
        raise RuntimeError("the host made no sound")
    first_s, heard_s = arrivals[0]
    audio_s = sum(length for _, length in arrivals)
    missing_s = 0.0
    for arrived_s, length in arrivals[1:]:
        missing_s += max(0.0, arrived_s - first_s - heard_s - missing_s)
        heard_s += length
    frames = (audio_s - arrivals[0][1]) / FRAME_S
    return Spoken(first_s, total_s, audio_s, arrivals[-1][0] - first_s, frames, missing_s)


def drop_page_cache(folders: Sequence[str]) -> bool:
    """Forget what the system has cached of these files; False where it cannot be asked to."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for path in (os.path.join(parent, name) for name in names):
                with contextlib.suppress(OSError):
                    if os.path.getsize(path) < SMALL_BYTES:
                        continue
                    fd = os.open(path, os.O_RDONLY)
                    try:
                        os.fsync(fd)  # what is not written yet is not forgotten either
                        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                    finally:
                        os.close(fd)
    return True


def run(bench: Bench, cases: list[Case], folders: Sequence[str], options: Any) -> None:
    with contextlib.ExitStack() as stack:
        hosts = []
        for case in cases:
            _say(f"{case.name}: loading")
            host = bench.measure_loads(case, folders)
            stack.callback(host.close)
            bench.cancel(host)  # what is paid once is not measured
            hosts.append(host)
        for number in range(1, options.rounds + 1):
            for case, host in zip(cases, hosts, strict=True):
                _say(f"{case.name}: sentence {number} of {options.rounds}")
                case.spoken.append(bench.speak(host))
        for case, host in zip(cases, hosts, strict=True):
            case.rss_mb, case.vram_mb = host.rss_mb, host.vram_mb
            _say(f"{case.name}: cancelling")
            case.cancel_s = [bench.cancel(host) for _ in range(CANCELS)]
            _say(f"{case.name}: up to {options.utterances} utterances")
            bench.measure_growth(host, case, options.utterances, options.leak_s)


def table(cases: Sequence[Case]) -> str:
    header = [
        "settings", "computes", "load, cold", "load, warm", "first sound", "a frame",
        "x real time", "waits", "memory", "GPU memory", "cancel", "growth",
    ]  # fmt: skip
    return markdown(header, [_row(case) for case in cases])


def _row(case: Case) -> list[str]:
    def median(values: Iterator[float]) -> float:
        return statistics.median(values)

    missing_s = median(spoken.missing_s for spoken in case.spoken)
    per_frame_s = median(
        spoken.after_first_s / max(1.0, spoken.frames_after_first) for spoken in case.spoken
    )
    return [
        case.name,
        case.computes,
        "" if case.cold_s is None else f"{case.cold_s:.1f} s",
        f"{case.warm_s:.1f} s",
        f"{median(spoken.first_s for spoken in case.spoken) * 1000:,.0f} ms",
        f"{per_frame_s * 1000:,.0f} ms",
        f"{median(spoken.audio_s / spoken.total_s for spoken in case.spoken):.2f}",
        "none" if missing_s < 0.02 else f"{missing_s:.1f} s",
        _megabytes(case.rss_mb),
        _megabytes(case.vram_mb),
        f"{statistics.median(case.cancel_s) * 1000:,.0f} ms",
        "" if case.growth_mb is None else f"{case.growth_mb:+.0f} MB in {case.utterances}",
    ]


def _megabytes(size_mb: float | None) -> str:
    return "" if size_mb is None else f"{size_mb:,.0f} MB"


def machine() -> str:
    """The processors, in a line."""
    model = platform.processor()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as info:
        names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
        model = names[0] if names else model
    parts = [f"{os.cpu_count()} CPUs ({model})", sys.platform]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        ask = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        done = subprocess.run(ask, capture_output=True, text=True, timeout=20, check=True)
        parts += [line.replace(",", ", driver") for line in done.stdout.strip().splitlines()]
    return "; ".join(parts)


def make_checkpoint(python: str, backend: str, folder: str, size: str, kind: str) -> None:
    """Fill the folder, unless it is there. Raises RuntimeError with the last line on failure."""
    if os.path.exists(folder):
        return
    family = "voxtream" if backend == "voxtream" else "qwen"
    partial = f"{folder}.part"
    shutil.rmtree(partial, ignore_errors=True)
    ask = [python, "-m", "bench.checkpoints", family, partial, "--size", size, "--kind", kind]
    _say(f"making random weights in {folder}")
    environ = {**os.environ, "PYTHONPATH": CHECKOUT, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(ask, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it failed"])[-1])
    os.rename(partial, folder)


def write_recording(path: str) -> Clone:
    """Three seconds of noise, for a clone with a transcript."""
    noise = np.random.default_rng(0).normal(0, 3000, 3 * 24_000).astype("<i2")
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(noise.tobytes())
    return Clone("noise", path, transcript="Some words that nobody said.", lang="en")


def parse_case(text: str, base: Settings) -> Case:
    """`dtype=bfloat16,engine=loop` as settings of the backend."""
    options: dict[str, Any] = {}
    for entry in filter(None, text.split(",")):
        name, _, value = entry.partition("=")
        try:
            options[name.strip()] = json.loads(value)
        except ValueError:
            options[name.strip()] = value.strip()
    settings = Settings(base.voices_dir, base.env_dir, base.model, base.device, options)
    return Case(text or "as vox chooses", settings)


def installed(backend: str) -> tuple[str | None, str]:
    """The interpreter that `vox backends install` made, and the backend's folder."""
    from vox.install.status import interpreter_for
    from vox.paths import get_paths

    backends_dir = get_paths(os.environ).backends_dir
    python = interpreter_for(backend, backends_dir)
    return python, os.path.join(backends_dir, registry.environment_of(backend))


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.heavy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("backend", nargs="?", default="qwen-native", help="default: qwen-native")
    parser.add_argument("--case", action="append", metavar="NAME=VALUE[,...]", help="settings")
    parser.add_argument("--python", metavar="PATH", help="default: that of the installation")
    parser.add_argument("--model", help="weights, as `vox -m` takes them")
    parser.add_argument("--random", action="store_true", help="weights made here, of this --size")
    parser.add_argument("--size", default="0.6B", help="default: 0.6B")
    parser.add_argument("--clone", action="store_true", help="speak with a clone's voice")
    parser.add_argument("--text", help="the sentence; default: one of about 5 s")
    parser.add_argument("--device", default="auto", help="default: auto")
    parser.add_argument("--rounds", type=int, default=5, help="sentences; default: 5")
    parser.add_argument("--utterances", type=int, default=100, help="for the growth; default: 100")
    parser.add_argument("--leak-s", type=float, default=60.0, help="at most, a case; default: 60")
    parser.add_argument("--checkpoints", metavar="DIR", help="keeps weights that are made")
    parser.add_argument("--json", metavar="FILE", help="write the single values there as well")
    return parser.parse_args()


def settle(options: argparse.Namespace, work_dir: str) -> tuple[str, Settings, bool]:
    """The interpreter, the settings that all cases share, and whether the weights are random."""
    python, env_dir = options.python, work_dir
    if python is None:
        python, env_dir = installed(options.backend)
    if python is None:
        raise RuntimeError(
            f"{options.backend} is not installed here; name an interpreter: --python"
        )
    settings = Settings(work_dir, env_dir, options.model, options.device)
    adapter = registry.get(options.backend)
    if not options.random and (options.model or not adapter.missing(settings)):
        return python, settings, False
    kind = "Base" if options.clone else "CustomVoice"
    kept = os.path.abspath(options.checkpoints or work_dir)
    os.makedirs(kept, exist_ok=True)
    if options.backend == "voxtream":
        env_dir = os.path.join(kept, "voxtream")
        make_checkpoint(python, options.backend, env_dir, options.size, kind)
        return python, Settings(work_dir, env_dir, None, options.device), True
    model = os.path.join(kept, f"qwen-{options.size}-{kind}")
    make_checkpoint(python, options.backend, model, options.size, kind)
    return python, Settings(work_dir, env_dir, model, options.device), True


def read_by_a_load(settings: Settings, python: str) -> list[str]:
    """Folders with the weights, and with the packages of the interpreter's environment."""
    packages = site_packages_in(os.path.dirname(os.path.dirname(python)))
    folders = [os.path.join(settings.env_dir, "weights"), settings.model, packages]
    return [folder for folder in folders if folder and os.path.isdir(folder)]


def main() -> int:
    options = arguments()
    work_dir = tempfile.mkdtemp(prefix="vox-heavy-")
    try:
        python, base, is_random = settle(options, work_dir)
        clone = write_recording(os.path.join(work_dir, "noise.wav")) if options.clone else None
        cases = [parse_case(text, base) for text in options.case or [""]]
        text = options.text or (RANDOM_TEXT if is_random else REAL_TEXT)
        bench = Bench(options.backend, python, clone, text)
        run(bench, cases, read_by_a_load(base, python), options)
    except (OSError, RuntimeError, VoxError) as exc:
        print(f"bench.heavy: {exc}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    weights = f"{options.size}, random weights" if is_random else base.model or "installed weights"
    audio_s = cases[0].spoken[0].audio_s
    print(table(cases))
    print(f"\n`{options.backend}`, {weights}, {audio_s:.1f} s of audio; {machine()}")
    print(f"sentences, spoken in turn: {options.rounds}; medians")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([{**vars(case), "settings": case.settings.options, "spoken": [
                vars(one) for one in case.spoken]} for case in cases], file, indent=2)  # fmt: skip
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
