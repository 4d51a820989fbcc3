"""`vox queue --watch` and `vox status --watch`, on a terminal and in a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import Vox

SCRIPTED = ("-b", "scripted", "--async")
LIMIT_S = 60.0
_ESCAPES = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, vox: Vox, *args: str, columns: int = 80, **env: str) -> None:
        self._control, terminal = os.openpty()
        self.resize(columns)
        env = {"TERM": "xterm", **env}
        self.call = vox.popen(*args, stdin=terminal, stdout=terminal, stderr=terminal, env=env)
        os.close(terminal)
        self._data = b""
        self._grown = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def resize(self, columns: int) -> None:
        size = struct.pack("HHHH", 12, columns, 0, 0)
        fcntl.ioctl(self._control, termios.TIOCSWINSZ, size)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while block := os.read(self._control, 65536):
                with self._grown:
                    self._data += block
                    self._grown.notify_all()

    @property
    def raw(self) -> str:
        return self._data.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """What is shown now."""
        shown = _ESCAPES.sub("", self.raw.rpartition("\x1b[H")[2])
        return [line.rstrip() for line in shown.splitlines() if line.strip()]

    def until(self, pattern: str) -> list[str]:
        """The lines once one of them matches."""

        def is_there() -> bool:
            return any(re.search(pattern, line) for line in self.lines)

        with self._grown:
            assert self._grown.wait_for(is_there, LIMIT_S), (pattern, self.raw[-3000:])
        return self.lines

    def interrupt(self) -> int:
        self.call.send_signal(signal.SIGINT)
        return self.call.wait(LIMIT_S)


@pytest.fixture
def warm(vox: Vox, sound: object) -> Vox:
    vox.ok("daemon", "start")
    return vox


@pytest.fixture
def held(warm: Vox) -> Vox:
    """Jobs wait, for speech is paused."""
    warm.ok("pause")
    return warm


def test_the_queue_is_drawn_again_as_its_jobs_come_and_go(warm: Vox) -> None:
    screen = Screen(warm, "queue", "--watch")
    screen.until("^the queue is empty$")
    first = warm.ok(*SCRIPTED, "1 [until go] [say 1s]. 2 [say 0.5s].")
    screen.until(f"^1  {first}  making 0/2")
    second = warm.ok(*SCRIPTED, "2 two.")
    lines = screen.until(f"^2  {second}  ")
    assert lines[0].split() == ["#", "id", "state", "when", "voice", "source", "text"]
    Path(warm.home, "go").touch()
    screen.until(f"^1  {first}  speaking [12]/2  now ")
    warm.ok("cancel", "--all")
    screen.until("^the queue is empty$")
    assert screen.interrupt() == 0
    # It has a screen of its own, and gives the user's back with its cursor.
    assert "\x1b[?1049h" in screen.raw
    assert screen.raw.rindex("\x1b[?1049l") > screen.raw.rindex("\x1b[H")
    assert screen.raw.rindex("\x1b[?25h") > screen.raw.rindex("\x1b[?25l")


def test_a_pause_is_drawn_at_once_and_no_clock_runs_in_it(warm: Vox) -> None:
    screen = Screen(warm, "queue", "--watch")
    warm.ok(*SCRIPTED, "1 [say 20s].")
    screen.until(" speaking 1/1  now ")
    warm.ok("pause")
    lines = screen.until(" paused 1/1 ")
    assert lines[-1] == "speech is paused; to resume: vox resume"
    warm.ok("resume")
    screen.until(" speaking 1/1  now ")
    warm.ok("cancel", "--all")


def test_what_is_drawn_fits_a_terminal_that_gets_narrow(held: Vox) -> None:
    held.ok(*SCRIPTED, "1 " + "\u4f60\u597d\u4e16\u754c" * 50)
    screen = Screen(held, "queue", "--watch", columns=100)
    screen.until("\u4f60\u597d")
    assert "source" in screen.lines[0]
    screen.resize(30)
    screen.call.send_signal(signal.SIGWINCH)
    screen.until("^#  id +state +text")
    from rich.cells import cell_len

    assert max(map(cell_len, screen.lines)) <= 30
    for at in range(20):
        held.ok(*SCRIPTED, str(at))
    screen.until("^1[0-9] more$")
    assert len(screen.lines) <= 12


@pytest.mark.slow
@pytest.mark.parametrize("command", ["queue", "status"])
def test_a_daemon_that_dies_leaves_or_comes_is_survived(held: Vox, command: str) -> None:
    job_id = held.ok(*SCRIPTED, "1 one.")
    shown = job_id if command == "queue" else "^next +[a-z]+: .1 one"
    screen = Screen(held, command, "--watch")
    screen.until(shown)
    held.kill_daemon()
    held.ok("cancel", "--all")
    screen.until("^the queue is empty" if command == "queue" else "no daemon runs")
    held.ok("daemon", "start")
    job_id = held.ok(*SCRIPTED, "2 two.")
    screen.until(job_id if command == "queue" else "^next +[a-z]+: .2 two")
    held.ok("daemon", "stop")
    held.ok("resume")
    screen.until("^the queue is empty" if command == "queue" else "^next +nothing waits")
    assert screen.interrupt() == 0


def test_the_status_follows_what_is_said(warm: Vox) -> None:
    screen = Screen(warm, "status", "--watch")
    screen.until("^now +nothing is being said$")
    warm.ok(*SCRIPTED, "1 [say 20s] a text that goes on and on and on and on and on and on and on.")
    screen.until('^now +0:0[0-9] / 0:20, sentence 1/1: "1 \\[say 20s\\]')
    screen.until("^now +0:0[2-9] / 0:20")  # nothing happens but that time passes
    warm.ok(*SCRIPTED, "2 [fail so it is]")
    warm.ok("cancel", "--all")
    assert len(screen.until("^now +nothing is being said$")) == 5


def lines_of(call: subprocess.Popen[str]) -> Iterator[str]:
    assert call.stdout is not None
    for line in call.stdout:
        yield line.rstrip("\n")


def test_a_pipe_gets_a_line_for_each_job_that_is_another(warm: Vox) -> None:
    call = warm.popen("queue", "--watch")
    lines = lines_of(call)
    job_id = warm.ok(*SCRIPTED, "1 [until go] one.")
    assert next(line for line in lines if "making" in line).split("\t")[:3] == [
        "1",
        job_id,
        "making 0/1",
    ]
    Path(warm.home, "go").touch()
    ended = next(line for line in lines if "done" in line).split("\t")
    assert ended[:3] == ["", job_id, "done"]
    call.send_signal(signal.SIGINT)
    assert call.wait(LIMIT_S) == 0


def test_programs_get_a_document_for_each_change(held: Vox) -> None:
    call = held.popen("queue", "--watch", "--json")
    lines = lines_of(call)
    assert json.loads(next(lines)) == []
    job_id = held.ok(*SCRIPTED, "1 one.")
    seen: list[dict[str, Any]] = json.loads(next(lines))
    assert [job["id"] for job in seen] == [job_id]
    call.terminate()
    assert call.wait(LIMIT_S) == 128 + signal.SIGTERM


def test_it_ends_with_its_reader_though_nothing_happens(held: Vox) -> None:
    call = held.popen("status", "--watch")
    assert call.stdout is not None
    assert call.stdout.readline().startswith("now ")
    call.stdout.close()
    assert call.wait(LIMIT_S) == 0
    assert call.stderr is not None
    assert call.stderr.read() == ""


def test_a_dumb_terminal_gets_lines_and_no_escapes(held: Vox) -> None:
    screen = Screen(held, "queue", "--watch", TERM="dumb")
    job_id = held.ok(*SCRIPTED, "1 one.")
    screen.until(job_id)
    assert screen.interrupt() == 0
    assert "\x1b" not in screen.raw


def test_nothing_is_bold_where_nobody_wants_it(held: Vox) -> None:
    held.ok(*SCRIPTED, "1 one.")
    screen = Screen(held, "queue", "--watch", NO_COLOR="1")
    screen.until("1 one")
    assert "\x1b[1m" not in screen.raw
