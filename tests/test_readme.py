"""The README's console blocks print what they say, on a terminal, in a new home."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.redis_server import RedisServer, free_port
from tests.running import CHECKOUT, read_terminal
from tests.sound import SoundServer

pytestmark = pytest.mark.slow

README = CHECKOUT / "README.md"
COLUMNS = 120
TIMEOUT_S = 120.0
PORT = "8765"
"""The port that the README uses; the test takes a free one."""
REDIS = "redis.lan"
"""And the machine of its Redis server."""

NEIGHBOURS = {
    "make": 'echo "gcc -o hello hello.c"; echo "The build is finished."',
    "some-llm": 'printf "One. "; printf "Two."',
    "ffmpeg": 'cat > "${@: -1}"',
}
"""Programs that the README uses and that are no part of its set-up, as scripts for bash."""

FILES = {
    "notes.txt": "These are my notes.",
    "a.txt": "This is the first file.",
    "b.txt": "This is the second file.",
    "story.txt": "Chapter 1. " + "Alice was beginning to get very tired of sitting there. " * 20,
    "book.txt": "Down, down, down. " + " ".join(f"She fell {n} miles." for n in range(4_000)),
}
"""What lies in the folder in which the commands are typed."""

MASKS = (
    (r"\x1b\[[\d;?]*[A-Za-z]|\r", ""),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\b[2-9abcdefghjkmnpqrstwxyz]{6}\b", "ID"),
    (r"(?i)\bPID \d+|\"pid\": ?\d+", "PID"),
    (r"~?\b\d+:\d\d\b", "SPAN"),
    (r"(making|%,) +\d+/\d+,?", r"\1"),  # it is counted a little later on a busy machine
    (r"\b\d+/\d+\b", "OF"),
    (r"(Chapter 1\.|Down, down)[^\n]*?…", r"\1…"),
    (r"\b\d+\.\d+\b", "NUMBER"),
    (r"\b(?:\d+|NUMBER) (%|[kMG]B|ms|s|min|h)(?!\w)", r"NUMBER \1"),
    (r"\s+", ""),
)
"""What differs from run to run, and what stands for it. Where a line breaks does not count."""


class Command(NamedTuple):
    block: int
    """The line of the README at which its block begins."""
    typed: str
    printed: str


def commands() -> Iterator[Command]:
    text = README.read_text(encoding="utf-8")
    for block in re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start()) + 1
        for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            typed = re.match(r"(?:[^\n]*\\\n)*[^\n]*\n", part)
            assert typed is not None
            yield Command(line, typed[0].strip(), part[typed.end() :])


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return text


def is_printed(expected: str, printed: str) -> bool:
    """Whether the README tells what was printed; `...` stands for anything."""
    parts = [re.escape(masked(part)) for part in expected.split("...")]
    return re.fullmatch(".*".join(parts), masked(printed)) is not None


class Terminal:
    """A terminal of its own for each command, and a home that is new for all of them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "work"
        programs = home / "bin"
        for folder in (self.folder, programs):
            folder.mkdir()
        for name, text in FILES.items():
            (self.folder / name).write_text(text)
        scripts = {
            **NEIGHBOURS,
            "vox": f'exec "{sys.executable}" -m vox "$@"',
        }
        for name, script in scripts.items():
            (programs / name).write_text(f"#!/bin/bash\n{script}\n")
            (programs / name).chmod(0o755)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VOX_", "XDG_", "PYTEST"))
        }
        self.environ = {
            **kept,
            "HOME": str(home),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "XDG_RUNTIME_DIR": str(home),
            "TERM": "xterm-256color",
            "VOX_SOURCE": "shell",
        }

    def run(self, typed: str) -> str:
        """What the command shows."""
        control, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        call = subprocess.Popen(
            ["bash", "-c", typed],
            cwd=self.folder,
            env=self.environ,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        shown = read_terminal(control)
        call.wait(TIMEOUT_S)
        return _last_states(shown.decode()).replace(str(self.home), "/home/you")


def _last_states(shown: str) -> str:
    """The lines as they stand on the terminal in the end, without what was erased."""
    return "\n".join(line.rpartition("\r\x1b[K")[2] for line in shown.split("\r\n"))


@pytest.fixture
def terminal(sound: SoundServer) -> Iterator[Terminal]:
    home = Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp"))
    terminal = Terminal(home)
    yield terminal
    terminal.run("vox daemon stop --now")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def redis(terminal: Terminal, tmp_path: Path) -> Iterator[str]:
    """Where a Redis server is at which a worker waits for the daemon of the terminal."""
    server = RedisServer()
    worker = subprocess.Popen(
        [sys.executable, "-m", "vox", "worker", server.url, "--name", "studio"],
        env={**terminal.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    deadline = time.monotonic() + TIMEOUT_S
    while not server.client().exists("vox:workers"):
        assert worker.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    yield f"127.0.0.1:{server.port}"
    worker.terminate()
    worker.wait(TIMEOUT_S)
    server.close()


@pytest.mark.timeout(600)
def test_every_console_block_prints_what_it_says(terminal: Terminal, redis: str) -> None:
    places = {PORT: str(free_port()), REDIS: redis}
    wrong = []
    for command in commands():
        typed = command.typed
        for written, real in places.items():
            typed = typed.replace(written, real)
        shown = terminal.run(typed)
        for written, real in places.items():
            shown = shown.replace(real, written)
        if not is_printed(command.printed, shown):
            wrong.append(
                f"README.md:{command.block}: $ {command.typed}\n"
                f"--- the README\n{command.printed}--- the terminal\n{shown}"
            )
    assert not wrong, "\n\n".join(wrong)
