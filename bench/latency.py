"""From exec to the first sound that is heard: recorded from a sound server, not assumed.

    python -m bench.latency [-n ROUNDS] [--json FILE]

Every round measures every case once, so that other load on the machine affects all cases alike.
Linux: needs PulseAudio; speech-dispatcher and espeak-ng are measured where they are there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.sound import Recorder, SoundServer
from vox.speechd.installing import wrapper

from . import stages
from .instance import CHECKOUT, Instance, machine, markdown

TEXT = "The build is finished."
NEXT = "Then it is deployed"
"""What a stream has of its second sentence: so the first is known to be complete."""
WAITS_S = 1.5
"""How long a stream is there before its text comes."""
SOUND_TIMEOUT_S = 60.0
BOOK = "\n\n".join(
    f"This is sentence {number} of a book that is written into a file while others speak."
    for number in range(1, 400)
)


def nothing() -> None:
    pass


@dataclass
class Case:
    """One command that is measured, and what is to be so before it."""

    name: str
    command: list[str]
    environ: Mapping[str, str]
    heard: bool = True
    """Measure to the first sound, else to the exit."""
    before: Callable[[], object] = nothing
    after: Callable[[], object] = nothing
    written: str = ""
    """What is written into its standard input, which then stays open until the sound."""
    ahead_s: float = 0.0
    """It is started so long before that, and measured from the writing."""
    seconds: list[float] = field(default_factory=list)

    def measure(self, recorder: Recorder) -> float:
        self.before()
        recorder.wait_for_silence(0.3)
        began = time.monotonic()
        with subprocess.Popen(
            self.command,
            env=self.environ,
            stdin=subprocess.PIPE if self.written else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            if process.stdin is not None:
                if self.ahead_s:
                    time.sleep(self.ahead_s)
                    began = time.monotonic()
                process.stdin.write(self.written.encode())
                process.stdin.flush()
            if self.heard:
                ended = recorder.wait_for_sound(SOUND_TIMEOUT_S, since=began)
                if process.stdin is not None:
                    process.stdin.close()
                process.wait(SOUND_TIMEOUT_S)
            else:
                # Without a timeout, for which `subprocess` would look only every 50 ms.
                process.wait()
                ended = time.monotonic()
        self.after()
        if process.returncode != 0:
            raise RuntimeError(f"{self.name}: exit {process.returncode}")
        return ended - began


class Book:
    """A long text that is written into a file, by the default voice."""

    def __init__(self, vox: Instance) -> None:
        self._vox = vox
        self._id = ""

    def begin(self) -> None:
        """It is being made when this returns."""
        path = os.path.join(self._vox.home, "book.wav")
        self._id = self._vox.checked("--async", "--fresh", "-o", path, BOOK).strip()
        while not self._vox.json("history", "show", self._id)["heard"]:
            time.sleep(0.05)

    def end(self) -> None:
        self._vox.checked("cancel", self._id)


class SpeechDispatcher:
    """A speech-dispatcher of our own; `spd-say` starts it by itself, as on a desktop."""

    def __init__(self, folder: str, environ: Mapping[str, str], name: str, program: str) -> None:
        """It speaks with this output module."""
        config_dir = os.path.join(folder, "speech-dispatcher")
        os.makedirs(config_dir)
        with open(os.path.join(config_dir, "speechd.conf"), "w", encoding="utf-8") as file:
            file.write(
                'AudioOutputMethod "pulse"\n'
                f'AddModule "{name}" "{program}" "{name}.conf"\n'
                f"DefaultModule {name}\n"
            )
        self.environ = {**environ, "XDG_RUNTIME_DIR": folder, "XDG_CONFIG_HOME": folder}
        self._pid_path = os.path.join(config_dir, "pid", "speech-dispatcher.pid")

    def stop(self) -> None:
        """None is up when this returns."""
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            with open(self._pid_path, encoding="ascii") as file:
                pid = int(file.read())
            os.kill(pid, signal.SIGTERM)
            while True:  # ends with ProcessLookupError
                os.kill(pid, 0)
                time.sleep(0.01)


def with_vox(folder: str, vox: Instance) -> SpeechDispatcher:
    """A speech-dispatcher that speaks with the vox that is measured."""
    program = os.path.join(folder, "sd_vox")
    with open(program, "w", encoding="utf-8") as file:
        file.write(wrapper({name: vox.environ[name] for name in ("VOX_HOME", "PYTHONPATH")}))
    os.chmod(program, 0o755)
    return SpeechDispatcher(folder, vox.environ, "vox", program)


def cases(vox: Instance, spd: SpeechDispatcher, ours: SpeechDispatcher) -> Iterator[Case]:
    """In the order of a round: who needs a warm daemon follows who leaves one."""
    python = [sys.executable, "-c"]
    yield Case("`python -c pass`, to its exit", [*python, "pass"], vox.environ, heard=False)
    yield Case("`import click`, to its exit", [*python, "import click"], vox.environ, heard=False)
    if shutil.which("espeak-ng"):
        yield Case("`espeak-ng`", ["espeak-ng", TEXT], vox.environ)
    if shutil.which("spd-say"):
        say = ["spd-say", "-w", TEXT]
        yield Case("`spd-say -w`, its daemon to be started", say, spd.environ, before=spd.stop)
        yield Case("`spd-say -w`, warm", say, spd.environ)

        def speak_with_it() -> None:
            # `-l`: in the C locale it asks for a language of that name.
            subprocess.run([*say[:2], "-l", "en-US", "Ready."], env=ours.environ, check=True)

        # Not up meanwhile: it keeps a daemon up.
        more: dict[str, Any] = {"before": speak_with_it, "after": ours.stop}
        yield Case("`spd-say -w` with vox's module, warm", say, ours.environ, **more)
    speak = [*vox.command, "--fresh", TEXT]
    again = [*vox.command, TEXT]

    def stop_after_saying_it() -> None:
        vox.checked("-o", os.path.join(vox.home, "said.wav"), TEXT)
        vox.stop()

    if shutil.which("espeak-ng"):
        light = [*vox.command, "-b", "say", "--fresh", TEXT]
        yield Case("`vox -b say`, no daemon", light, vox.environ, before=vox.stop)
    before = stop_after_saying_it
    yield Case("`vox`, cold, said before (daemon to be started)", again, vox.environ, before=before)
    yield Case("`vox`, cold (daemon and model to be loaded)", speak, vox.environ, before=vox.stop)
    yield Case("`vox`, warm", speak, vox.environ)
    book = Book(vox)
    beside: dict[str, Any] = {"before": book.begin, "after": book.end}
    yield Case("`vox`, warm, while it writes a book into a file", speak, vox.environ, **beside)
    if shutil.which("espeak-ng"):
        light = ["-b", "say", "--fresh", TEXT]
        other = [*vox.command, *light]
        name = "`vox -b say`, warm"
        yield Case(name, other, vox.environ, before=lambda: vox.checked(*light))
        yield Case(f"{name}, while `hibari` writes a book", other, vox.environ, **beside)
    stream = [*vox.command, "--fresh", "--stream"]
    began = f"{TEXT} {NEXT}"
    yield Case("`vox --stream`, warm, its first sentence", stream, vox.environ, written=began)
    yield Case(
        "`vox --stream`, that waits for text, from its coming",
        stream,
        vox.environ,
        written=began,
        ahead_s=WAITS_S,
    )
    yield Case("`vox`, warm, said before", again, vox.environ)
    if shutil.which("curl"):
        by_curl = [os.path.join(CHECKOUT, "contrib", "vox.sh"), "--async", TEXT]
        yield Case("`contrib/vox.sh --async`, warm, to its exit", by_curl, vox.environ, heard=False)
    later = [*vox.command, "--async", TEXT]
    yield Case("`vox --async`, warm, to its exit", later, vox.environ, heard=False)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def table(measured: list[Case]) -> str:
    rows = [
        [
            case.name,
            milliseconds(statistics.median(case.seconds)),
            f"{milliseconds(min(case.seconds))} to {milliseconds(max(case.seconds))}",
        ]
        for case in measured
    ]
    return markdown(["from exec to the first sound heard", "median", "from ... to"], rows)


Stages = list[dict[str, float]]


def document(measured: list[Case], of_stages: Stages, rounds: int) -> dict[str, object]:
    return {
        "machine": machine(),
        "text": TEXT,
        "rounds": rounds,
        "cases": [
            {
                "name": case.name.replace("`", ""),
                "until": "sound" if case.heard else "exit",
                "median_s": round(statistics.median(case.seconds), 4),
                "seconds": [round(value, 4) for value in case.seconds],
            }
            for case in measured
        ],
        "stages": [
            {stage: round(times[stage], 4) for stage in stages.STAGES} for times in of_stages
        ],
    }


def measure(rounds: int) -> tuple[list[Case], Stages]:
    """The cases, and the stages of the warm call, one for each round."""
    of_stages: Stages = []
    server = SoundServer()
    server.start()
    os.environ.update(server.environ)
    # Short and private: speech-dispatcher keeps its socket in it.
    folder, other_folder = (tempfile.mkdtemp(prefix="vox-spd-", dir="/tmp") for _ in range(2))
    spd = SpeechDispatcher(folder, {**os.environ}, "espeak-ng", "sd_espeak-ng")
    try:
        with Instance(os.environ) as vox, Recorder() as recorder:
            ours = with_vox(other_folder, vox)
            measured = list(cases(vox, spd, ours))
            for number in range(1, rounds + 1):
                for case in measured:
                    print(f"round {number} of {rounds}: {case.name:60}", end="\r", file=sys.stderr)
                    case.seconds.append(case.measure(recorder))
                # What `--async` left behind is heard before the next round begins.
                recorder.wait_for_sound(SOUND_TIMEOUT_S)
                recorder.wait_for_silence(1.0)
                speak = [*vox.command, "--fresh", TEXT]
                of_stages.append(stages.measure(speak, vox.environ, vox.socket_path, recorder))
            print(file=sys.stderr)
    finally:
        spd.stop()
        server.stop()
        for each in (folder, other_folder):
            shutil.rmtree(each, ignore_errors=True)
    return measured, of_stages


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=10, help="default: 10")
    parser.add_argument("--json", metavar="FILE", help="write the single values there as well")
    options = parser.parse_args()
    measured, of_stages = measure(options.rounds)
    print(table(measured), end="\n\n")
    header = ["`vox`, warm, by stages", "over after (median)", "since the one before"]
    print(markdown(header, list(stages.rows(of_stages))))
    print(f"\n{machine()}; {options.rounds} rounds; {TEXT!r}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(document(measured, of_stages, options.rounds), file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
