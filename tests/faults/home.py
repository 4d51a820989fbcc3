"""A home of real processes that keeps account of what vox accepted.

What is accepted is what vox has promised to end: the command printed the job's id or came back with
0, the API answered 2xx, or the file lies in the inbox whole. A call that was killed, or refused,
may leave a job or none, but never two. The books are checked by `audit`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.running import Vox
from vox.client.http import Dropped, Refused
from vox.client.jobs import NoDaemon
from vox.errors import VoxError
from vox.jobs import ENDED

SCRIPTED = ("-b", "scripted")
SETTINGS = "inbox.settle_s = 0.1\ninbox.scan_s = 1\n"
FAILURES_DIR = "VOX_TEST_FAULTS_KEEP"
"""Names the variable with a folder that keeps the homes of cases that failed."""

ANY_END = frozenset(ENDED)
DONE = frozenset({"done"})


def wait_until(is_true: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Wait for something that nothing announces."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)


def remove(path: str | Path, timeout_s: float = 10.0) -> None:
    """Remove a file, or a folder with all that is in it, which a daemon may be filling again."""
    deadline = time.monotonic() + timeout_s
    while os.path.lexists(path):
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as exc:
            if exc.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
        else:
            return


@dataclass
class Asked:
    """One thing that was asked of vox: a call, a request or a file."""

    number: int | None
    """Its pitch. Of the first 64, each has one of its own. None: it has no pitch of ours."""
    tag: str
    """A word in its text that no other has, so that a job made twice is seen."""
    text: str
    is_accepted: bool = False
    id: str | None = None
    """None: nobody told it."""
    ends: frozenset[str] = DONE
    """States in which it may end."""
    data: bytes | None = None
    """What lies in the dropped file; None: it has the text in it."""
    output: Path | None = None
    file_name: str | None = None
    """The name under which it was dropped into the inbox."""
    error: str = ""
    """What was said when it was refused."""


@dataclass
class Call:
    """A command that is running, and what it asks."""

    asked: Asked
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """kill -9. Its job, if there is one, may end in any way; `end` has the last word."""
        self.asked.ends = ANY_END
        self.process.kill()

    def end(self, timeout_s: float = 60.0) -> int:
        """Wait for it. With exit code 0 the job must have been done."""
        out, err = self.process.communicate(timeout=timeout_s)
        asked, code = self.asked, self.process.returncode
        asked.error = err
        if code == 0:
            asked.is_accepted = True
            asked.id = asked.id or out.strip() or None
        else:
            asked.ends = ANY_END
        assert "Traceback" not in err, err
        return code


@dataclass
class Books:
    asked: list[Asked] = field(default_factory=list)

    @property
    def accepted(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.is_accepted]


class Home(Vox):
    """The command line with a home, a runtime folder, a daemon and books of its own.

    `say` asks through the command line, `post` through the control socket, `drop` through the
    inbox; each has a tone of its own. A case ends with `audit` (the fixture sees to it).
    """

    def __init__(self, home: Path, settings: str = SETTINGS) -> None:
        super().__init__(home)
        runtime = home / "xdg"
        runtime.mkdir(mode=0o700)
        self._runtime_dir = str(runtime)
        self.environ |= {"VOX_HOME": str(home), "XDG_RUNTIME_DIR": self._runtime_dir}
        (home / "config.toml").write_text(settings)
        self.outputs = home / "outputs"
        self.outputs.mkdir()
        self.inbox = Path(self.paths.inbox_dir)
        self.books = Books()
        self.is_audited = False
        self.damages: set[str] = set()
        """Names of files in the home that the case put there, or that vox may leave there."""
        self.deaths: list[tuple[float, float]] = []
        """Between which two times (monotonic) a daemon was killed, or cut off what it said."""

    # -- asking ------------------------------------------------------------------------------

    def ask(self, script: str = "[say 0.1s]", ends: frozenset[str] = DONE) -> Asked:
        """Enter a text into the books; whoever submits it says whether it was accepted."""
        number = len(self.books.asked)
        tag = self._new_tag()
        asked = Asked(number % 64, tag, f"{number % 64} {script} {tag}.", ends=ends)
        self.books.asked.append(asked)
        return asked

    def ask_as_it_is(self, text: str, ends: frozenset[str]) -> Asked:
        """Enter a text that gets no tag: only its id, or its file's name, tells which job it is."""
        asked = Asked(None, self._new_tag(), text, ends=ends)
        self.books.asked.append(asked)
        return asked

    def _new_tag(self) -> str:
        letters = (chr(ord("a") + int(digit)) for digit in f"{len(self.books.asked):05}")
        return "tag" + "".join(letters)

    def start_call(self, script: str = "[say 0.1s]", *options: str, file: bool = False) -> Call:
        """Start `vox TEXT`, or with `file` `vox -o FILE TEXT`; see `Call.end`."""
        asked = self.ask(script)
        if file:
            asked.output = self.outputs / f"{asked.tag}.wav"
            options = (*options, "-o", str(asked.output))
        return Call(asked, self.popen(*SCRIPTED, *options, asked.text))

    def say(self, script: str = "[say 0.1s]", *options: str, file: bool = False) -> Asked:
        """`vox --async TEXT`: it is accepted if that exits with 0 and prints an id."""
        call = self.start_call(script, "--async", *options, file=file)
        call.end()
        return call.asked

    def post(
        self,
        script: str = "[say 0.1s]",
        file: bool = False,
        ends: frozenset[str] = DONE,
        **body: Any,
    ) -> Asked:
        """`POST /speak` over the control socket: it is accepted if the answer is 2xx."""
        asked = self.ask(script, ends)
        if file:
            asked.output = self.outputs / f"{asked.tag}.wav"
            body["output"] = str(asked.output)
        request = {"text": asked.text, "backend": "scripted", "async": True, **body}
        try:
            asked.id = self.client.call("POST", "/speak", request, timeout_s=20.0)["id"]
            asked.is_accepted = True
        except (VoxError, NoDaemon, Refused, Dropped, TimeoutError) as exc:
            asked.error = f"{type(exc).__name__}: {exc}"
            asked.ends = ANY_END
        return asked

    def drop(self, script: str = "[say 0.1s]", header: str = "") -> Asked:
        """Move a file into the inbox whole. It is accepted: nobody could tell the writer else."""
        asked = self.ask(script)
        self.put(asked, f"---\nbackend: scripted\n{header}---\n{asked.text}".encode())
        return asked

    def put(self, asked: Asked, data: bytes) -> None:
        """Move a file with that content into the inbox."""
        asked.file_name = f"{asked.tag}.txt"
        asked.data = data
        self.inbox.mkdir(mode=0o700, exist_ok=True)
        part = self.home / f"{asked.file_name}.writing"
        try:
            part.write_bytes(data)
        except OSError as exc:  # a full disk
            part.unlink()
            asked.error, asked.file_name = str(exc), None
            return
        part.rename(self.inbox / asked.file_name)
        asked.is_accepted = True

    # -- processes ---------------------------------------------------------------------------

    def processes(self) -> list[psutil.Process]:
        """All live processes that were started for this home: daemons, hosts and calls."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                # Only what we have started has that: the recorder has our VOX_HOME as well.
                if process.environ().get("XDG_RUNTIME_DIR") == self._runtime_dir:
                    found.append(process)
        return [process for process in found if process.pid != os.getpid()]

    def daemons(self) -> list[psutil.Process]:
        found = self._running("vox.daemon")
        pids = {process.pid for process in found}
        # What a daemon starts looks like itself for a moment.
        return [process for process in found if _parent_of(process) not in pids]

    def hosts(self) -> list[psutil.Process]:
        return self._running("vox.hosts")

    def _running(self, module: str) -> list[psutil.Process]:
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if any(module in argument for argument in process.cmdline()):
                    found.append(process)
        return found

    def kill_daemons(self) -> int:
        """kill -9 to every daemon there is, starting ones too; returns how many there were."""
        killed = 0
        with self.dying():
            for process in self.daemons():
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    killed += 1
        return killed

    @contextlib.contextmanager
    def dying(self) -> Iterator[None]:
        """While the block runs, a daemon may die in the middle of a job."""
        began = time.monotonic()
        yield
        self.deaths.append((began, time.monotonic()))

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.call("GET", "/health", timeout_s=10.0)
        return found

    # -- ends --------------------------------------------------------------------------------

    def drain(self, timeout_s: float = 60.0) -> None:
        """Have a daemon, and wait until nothing waits any more, in the queue or in the inbox."""
        deadline = time.monotonic() + timeout_s
        self.ok("daemon", "start", timeout_s=timeout_s)
        while True:
            with contextlib.suppress(NoDaemon, Refused, Dropped, VoxError, TimeoutError):
                if not self.waiting_files() and not self.client.call("GET", "/queue"):
                    return
            if time.monotonic() > deadline:
                raise AssertionError(f"not drained within {timeout_s:g} s: {self._what_waits()}")
            if not self.client.is_up():
                self.ok("daemon", "start", timeout_s=timeout_s)
            time.sleep(0.05)

    def waiting_files(self) -> list[str]:
        """Files in the inbox, and claimed ones, that are to be spoken."""
        found: list[str] = []
        for folder in (self.inbox, self.inbox / ".work"):
            with contextlib.suppress(OSError):
                found += [entry.name for entry in folder.iterdir() if entry.is_file()]
        return [name for name in found if name.endswith(".txt")]

    def _what_waits(self) -> str:
        with contextlib.suppress(Exception):
            queue = self.client.call("GET", "/queue")
            return f"queue {queue}, files {self.waiting_files()}, health {self.health()}"
        return f"no daemon answers; files {self.waiting_files()}"

    def leave(self) -> None:
        """Stop the daemon as a user does, and wait until no process is left."""
        result = self("daemon", "stop", timeout_s=60)
        assert result.code == 0, result
        wait_until(lambda: not self.processes(), f"{self._named()} ends", 20.0)

    def _named(self) -> list[str]:
        named = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                named.append(f"{process.pid} {' '.join(process.cmdline())[-80:]}")
        return named

    def end_everything(self) -> None:
        """Kill whatever is left. For the end of a case, also of one that failed."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
                process.kill()
        self.stop()


def _parent_of(process: psutil.Process) -> int | None:
    with contextlib.suppress(psutil.Error):
        return process.ppid()
    return None
