"""What a bare `vox "text"` loads while a daemon is up: the way to the first sound is short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.slow
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


def modules_of(program: str) -> set[str]:
    program += "; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_daemon_s_code_loads_nothing_of_the_workers() -> None:
    loaded = modules_of("import vox.daemon.main, vox.daemon.daemon")
    assert not {name for name in loaded if name.partition(".")[0] == "redis"}
    of_workers = {name for name in loaded if name.startswith(("vox.fleet", "vox.hosts.remote"))}
    assert of_workers == {"vox.fleet", "vox.fleet.keys", "vox.fleet.summary"}


def test_redis_can_be_imported_although_the_queue_s_library_was_kept_from_it() -> None:
    loaded = modules_of(
        "import sys, vox.queue.broker; assert 'redis' not in sys.modules; import redis"
    )
    assert {"redis", "huey.storage"} <= loaded


@pytest.mark.slow
def test_a_daemon_loads_redis_only_once_workers_are_set(vox: Vox) -> None:
    # In place of the package: it tells that it was imported.
    folder = vox.home / "packages"
    folder.mkdir()
    loaded = vox.home / "loaded"
    (folder / "redis.py").write_text(f"open({str(loaded)!r}, 'w').close(); raise ImportError")
    vox.environ["PYTHONPATH"] = f"{folder}:{vox.environ['PYTHONPATH']}"
    vox.ok("daemon", "start")
    vox.ok("-b", "scripted", "-o", f"{vox.home}/a.wav", "1")
    for command in ("status", "daemon status", "doctor", "workers", "history"):
        vox(*command.split())
    vox.client.call("GET", "/workers")
    assert not loaded.exists()
    Path(vox.paths.config_path).write_text('workers = "redis://gpu"\n')
    found = vox.client.call("GET", "/workers")
    assert loaded.exists()
    assert found["reason"].startswith("the package redis is not installed; install it: ")


@pytest.mark.slow
def test_with_workers_set_only_who_asks_them_loads_redis(vox: Vox, sound: object) -> None:
    Path(vox.paths.config_path).write_text('workers = "redis://127.0.0.1:1"\n')
    light = f"-b say -o {vox.home}/b.wav 1"
    for command in (light, f"-b hibari -o {vox.home}/a.wav 1", "status", "config show"):
        loaded = modules_after(vox, *command.split())
        assert not {"redis", "vox.fleet.server"} & loaded, command
    vox.ok("daemon", "start")
    assert modules_after(vox, "-b", "scripted", "--async", "1") == QUICK | OF_PYTHON
    for command in ("status", "daemon status"):
        loaded = modules_after(vox, *command.split())
        assert not {"redis", "vox.fleet.server"} & loaded, command
