"""What a bare `vox "text"` loads while a daemon is up: the way to the first sound is short."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.running import Vox

HEAVY = {
    "numpy", "huey", "sqlite3", "fastapi", "uvicorn", "pydantic", "tomlkit", "tomllib",
    "platformdirs", "sounddevice", "soundfile", "watchdog", "hibari", "sentencex", "rich",
    "subprocess", "logging", "http", "asyncio", "urllib", "secrets", "hashlib", "tempfile",
    "shutil", "mcp", "anyio",
}  # fmt: skip

QUICK = {
    "vox", "vox.cli", "vox.callers", "vox.flat_json", "vox.ids", "vox.options",
    "vox.sound_variables", "vox.source_names", "vox.quick", "vox.quick.arguments",
    "vox.quick.begun", "vox.quick.call", "vox.quick.follow", "vox.quick.interrupts",
    "vox.quick.place", "vox.quick.sender", "vox.quick.sending", "vox.quick.wire",
}  # fmt: skip
"""What a plain call loads."""

OF_PYTHON = {"__future__", "_json", "_socket", "gc"}
"""What that takes of Python, besides what every program has."""

FOLLOWING = {
    "vox.cli.output", "vox.cli.speaking", "vox.client", "vox.client.front", "vox.client.http",
    "vox.client.jobs", "vox.client.remote", "vox.errors", "vox.jobs", "vox.paths", "vox.printable",
}  # fmt: skip
"""What one loads besides that has a note to tell."""

PROGRAM = """\
import sys
before = set(sys.modules)
from vox.cli import run
code = run(sys.argv[1:])
loaded = set(sys.modules) - before
import json
print(json.dumps([code, sorted(loaded)]))
"""


def modules_after(vox: Vox, *args: str) -> set[str]:
    environ = {**os.environ, **vox.environ}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done
    return set(modules)


def test_a_warm_call_loads_nothing_heavy_and_no_command(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    assert modules_after(vox, "-b", "scripted", "--async", "1") == QUICK | OF_PYTHON
    assert modules_after(vox, "-b", "scripted", "1") == QUICK | OF_PYTHON
    loaded = modules_after(vox, "-b", "scripted", "--gender", "male", "-v", "one", "1")
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert {name for name in loaded if name.partition(".")[0] == "vox"} == QUICK | FOLLOWING


@pytest.mark.parametrize("command", ["history", "queue", "voices", "backends", "config show"])
def test_a_list_that_goes_into_a_pipe_is_not_laid_out(vox: Vox, command: str) -> None:
    loaded = modules_after(vox, *command.split())
    assert "vox.cli.output" in loaded
    assert "rich" not in loaded


def test_help_loads_no_command(vox: Vox) -> None:
    loaded = modules_after(vox, "--help")
    assert {name for name in loaded if name.startswith("vox.cli.")} == {
        "vox.cli.commands",
        "vox.cli.options",
        "vox.cli.root",
    }


def test_nothing_is_imported_before_ctrl_c_is_minded(vox: Vox) -> None:
    program = "import sys; b = set(sys.modules); import vox.cli; print(*(set(sys.modules) - b))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **vox.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) <= {"vox", "vox.cli", "gc", "__future__"}
