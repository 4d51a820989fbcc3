"""`contrib/vox.sh` in several shells, against the real API and a stand-in for `vox`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.running import CHECKOUT, Vox
from vox.options import OPTIONS

SCRIPT = CHECKOUT / "contrib" / "vox.sh"
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
STAND_IN = '#!/bin/sh\necho "vox: $*"; cat; exit 9\n'
TEXT = "Quotes \" and ' and \\ and $HOME,\na new line, \u00fcml\u00e4ut \U0001f600 %41 & a=b"


class Script:
    """The script in one shell. `vox` is a program that prints how it was called."""

    def __init__(self, shell: list[str], vox: Vox, folder: Path) -> None:
        self._shell, self._vox, self.home = shell, vox, folder
        self._bin = folder / "bin"
        self._bin.mkdir()
        stand_in = self._bin / "vox"
        stand_in.write_text(STAND_IN)
        stand_in.chmod(0o755)

    def popen(self, *args: str, **environ: str) -> subprocess.Popen[str]:
        path = f"{self._bin}:{os.environ['PATH']}"
        return subprocess.Popen(
            [*self._shell, str(SCRIPT), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=self._bin,
            env={**os.environ, "PATH": path, **environ},
        )  # fmt: skip

    def __call__(self, *args: str, stdin: str = "", **environ: str) -> tuple[int, str, str]:
        with self.popen(*args, **environ) as process:
            out, err = process.communicate(stdin, timeout=60)
        return process.returncode, out, err

    def job(self, *args: str, stdin: str = "", **environ: str) -> dict[str, Any]:
        """The job that a call makes with `--async`."""
        code, out, err = self("--async", *args, stdin=stdin, **environ)
        assert (code, err) == (0, "")
        found: dict[str, Any] = self._vox.client.call("GET", f"/jobs/{out.strip()}")
        return found


@pytest.fixture(params=SHELLS)
def script(request: pytest.FixtureRequest, vox: Vox, tmp_path: Path) -> Script:
    shell = SHELLS[request.param]
    for program in (shell[0], "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    return Script(shell, vox, tmp_path)


def test_a_text_and_its_options_arrive_as_they_were_given(
    vox: Vox, sound: object, script: Script
) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    scripted = ("-b", "scripted")
    assert script.job(*scripted, TEXT)["text"] == TEXT
    assert script.job(*scripted, "--", "-5", "degrees", "", "x")["text"] == "-5 degrees  x"
    assert script.job(*scripted, stdin=f"{TEXT}\n\n")["text"] == f"{TEXT}\n\n"
    assert script.job(*scripted, "-", stdin="From a pipe.")["text"] == "From a pipe."
    assert script.job(*scripted, stdin="All of it. " * 50_000)["text"] == "All of it. " * 50_000
    job = script.job(
        *scripted, "-v", "one", "--voice", "two", "--speed", "1.5", "--replace", "a key & more",
        "--priority", "high", "--keep-alive", "30m", "-q", "--fresh", "Hi.", "--source", "me",
        VOX_LANG="en", VOX_VOICE="three",
    )  # fmt: skip
    expected = {
        "voice": "two", "speed": 1.5, "replace": "a key & more", "priority": "high",
        "keep_alive": 1800, "fresh": True, "text": "Hi.", "source": "me", "via": "cli",
    }  # fmt: skip
    assert {name: job[name] for name in expected} == expected
    vox.ok("stop")
    # Where a laptop may hear it instead, it is vox.
    (script.home / ".local/state/vox/remote").mkdir(parents=True)
    assert script("Hi.", HOME=str(script.home)) == (9, "vox: Hi.\n", "")
    assert script("Hi.", VOX_SOCKET="/nowhere") == (9, "vox: Hi.\n", "")


def test_a_call_waits_for_its_job_and_ends_as_that_does(
    vox: Vox, sound: object, script: Script
) -> None:
    vox.ok("daemon", "start")
    assert script("-b", "scripted", "1 [say 0.1s]") == (0, "", "")
    assert vox.jobs()[-1]["state"] == "done"
    code, out, err = script("-b", "scripted", '1 [fail it said "no"]')
    assert (code, out) == (1, "")
    assert err.startswith("vox: ") and 'it said "no"' in err and err.count("\n") == 1
    with script.popen("-b", "scripted", "2 [say 30s]") as process:
        while not (live := vox.client.queue()) or live[0]["state"] != "speaking":
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert vox.until(live[0]["id"], "cancelled")
    assert not list(Path(vox.paths.runtime_dir).glob("answer.*"))
    # What the daemon refuses, vox tells in its own words.
    assert script("-b", "scripted", "-v", "nobody", "A b.")[:2] == (
        9,
        "vox: -b scripted -v nobody A b.\n",
    )
    assert script("-b", "nothing", stdin="A b.")[:2] == (9, "vox: -b nothing\nA b.")


@pytest.mark.parametrize(
    "args", [("history",), ("-o", "x.wav", "Hi."), ("--help",), ("-v",), ("-m", "./x", "Hi.")]
)
def test_what_is_not_plain_is_left_to_vox(script: Script, args: tuple[str, ...]) -> None:
    assert script(*args)[:2] == (9, f"vox: {' '.join(args)}\n")


def test_a_pipe_without_words_is_left_to_vox(vox: Vox, script: Script) -> None:
    vox.ok("daemon", "start")
    assert script("-q", stdin=" \n")[:2] == (9, "vox: -q\n \n")
    assert vox.jobs() == []


def test_without_a_daemon_or_curl_it_is_vox(vox: Vox, script: Script, tmp_path: Path) -> None:
    assert script("Hi there.")[:2] == (9, "vox: Hi there.\n")
    assert script("-q", stdin="Hi.")[:2] == (9, "vox: -q\nHi.")
    vox.ok("daemon", "start")
    vox.kill_daemon()
    assert os.path.exists(vox.paths.socket_path)
    assert script("-q", stdin="Hi.")[:2] == (9, "vox: -q\nHi.")
    few = tmp_path / "few"
    few.mkdir()
    for program in ("cat", "ls", "id", "dash", "bash", "busybox"):
        if found := shutil.which(program):
            (few / program).symlink_to(found)
    (few / "vox").symlink_to(tmp_path / "bin" / "vox")
    assert script("Hi there.", PATH=str(few))[:2] == (9, "vox: Hi there.\n")


def test_it_knows_every_option_of_a_request() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    known = set(text.replace("|", " ").replace(")", " ").replace(";", " ").split())
    for name, option in OPTIONS.items():
        assert name == "output" or set(option.flags) <= known
        if option.variable:
            assert option.variable.removeprefix("VOX_") in known


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert os.access(SCRIPT, os.X_OK)
