"""Running vox as a user does: its command line in a process of its own, with a home of its own."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vox.backends.kit.venv import site_packages_in
from vox.client.jobs import NoDaemon
from vox.client.remote import Remote
from vox.files import holder
from vox.install.status import MARKER
from vox.paths import get_paths

CHECKOUT = Path(__file__).parent.parent
SCRIPTED_PLUGIN = Path(__file__).parent / "plugins" / "scripted"
TIMEOUT_S = 120.0
_WAITING = re.compile(
    r"^vox: ((\S+\.\w+: )?(starting the daemon|loading .+|\d+(st|nd|rd|th) in line.*"
    r"|(making|ready|writing|waiting for (more|a worker))\b.*)|\S+ \d+ %.*)\n",
    re.MULTILINE,
)
"""What a call says once that it waits for, if it waits for long."""


def install_environment(env_dir: Path, plugin: Path, **marker: str) -> None:
    """Make what an installation leaves: an environment with that plugin, and its record."""
    venv.create(env_dir / "venv", symlinks=True)
    site_packages = site_packages_in(str(env_dir / "venv"))
    assert site_packages is not None
    folders = [str(plugin), sysconfig.get_path("purelib")]
    Path(site_packages, "tests.pth").write_text("\n".join(folders))
    record = {
        "requirements": "of the tests",
        "executable": os.path.basename(os.path.realpath(sys.executable)),
        "installed_at": "2026-01-01T00:00:00Z",
        **marker,
    }
    (env_dir / MARKER).write_text(json.dumps(record))


def read_terminal(control: int) -> bytes:
    """All that is shown on the terminal of that controlling end, which is closed then."""
    shown = b""
    while True:
        try:
            block = os.read(control, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(control)
    return shown


def seconds(iso: str) -> float:
    """A time as it stands in JSON, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(iso).timestamp()


def without_waiting(err: str) -> str:
    """What was printed on standard error, but for the line on what was waited for."""
    return _WAITING.sub("", err)


@dataclass(frozen=True)
class Result:
    """What a command answered.

    `err` is without the line on what was waited for, which depends on how fast the machine is.
    """

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Call(subprocess.Popen[str]):
    """A command that runs."""

    waited_for = ""
    """The line on what was waited for, which `communicate` leaves out of standard error."""

    def communicate(self, *args: Any, **options: Any) -> tuple[Any, Any]:
        out, err = super().communicate(*args, **options)
        if err is not None:
            self.waited_for = "".join(line[0] for line in _WAITING.finditer(err))
            err = without_waiting(err)
        return out, err


class Vox:
    """The command line, under the environment's VOX_HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.paths = get_paths({"VOX_HOME": str(home)})
        self.client = Remote(self.paths)
        # With the scripted backend on the path as an installed third party's.
        path = [str(CHECKOUT), str(SCRIPTED_PLUGIN), os.environ.get("PYTHONPATH", "")]
        self.environ = {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "SCRIPTED_DIR": str(home),
        }
        self._calls: list[Call] = []

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "vox"]

    def popen(self, *args: str, **options: Any) -> Call:
        """Start a command; its output is piped unless `options` say otherwise."""
        environ = {**os.environ, **self.environ, **options.pop("env", {})}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        options.setdefault("stdin", subprocess.DEVNULL)
        call = Call([*self.command, *args], env=environ, text=True, **options)
        self._calls.append(call)
        return call

    def __call__(self, *args: str, stdin: str | bytes | None = None, **options: Any) -> Result:
        """Run a command to its end."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        timeout_s = options.pop("timeout_s", TIMEOUT_S)
        environ = {**os.environ, **self.environ, **options.pop("env", {})}
        feed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        done = subprocess.run(
            [*self.command, *args],
            env=environ, capture_output=True, timeout=timeout_s, check=False, **feed, **options,
        )  # fmt: skip
        err = without_waiting(done.stderr.decode())
        return Result(done.returncode, done.stdout.decode(), err)

    def ok(self, *args: str, **options: Any) -> str:
        """Run a command that must succeed; what it printed."""
        result = self(*args, **options)
        assert result.code == 0, f"vox {' '.join(args)}: {result}\n{self.log()}"
        return result.out.strip()

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ok("history", "show", job_id, "--json"))
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """The history, oldest first."""
        found: list[dict[str, Any]] = json.loads(self.ok("history", "-n", "100000", "--json"))
        return found[::-1]

    def until(self, job_id: str, *states: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """Follow the job over the socket until it is in one of these states."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(NoDaemon):
                job: dict[str, Any] = self.client.call("GET", f"/jobs/{job_id}")
                if job["state"] in states:
                    return job
                assert job["exit_code"] is None, job
            assert time.monotonic() < deadline, f"{job_id} never came to {states}"
            time.sleep(0.02)

    def until_health(self, status: str, timeout_s: float = 60.0) -> None:
        """Until the daemon that is up says that of itself."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(NoDaemon):
                if self.client.call("GET", "/health")["status"] == status:
                    return
            assert time.monotonic() < deadline, f"the daemon was never {status}"
            time.sleep(0.02)

    @property
    def pid(self) -> int | None:
        """The PID in the PID file, if there is one."""
        with contextlib.suppress(OSError):
            return int(Path(self.paths.pid_path).read_text().split()[0])
        return None

    def kill_daemon(self) -> None:
        """kill -9, and wait until its socket is dead."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while self.client.is_up():
            time.sleep(0.01)

    def log(self) -> str:
        with contextlib.suppress(OSError):
            return Path(self.paths.log_path).read_text(errors="replace")[-4000:]
        return ""

    def end_calls(self) -> None:
        """End every call that was started."""
        for call in self._calls:
            if call.poll() is None:
                call.kill()
            call.wait()
            for stream in (call.stdin, call.stdout, call.stderr):
                if stream is not None:
                    stream.close()
        self._calls.clear()

    def stop(self) -> None:
        """End every call that was started, and the daemon, whatever they do."""
        self.end_calls()
        with contextlib.suppress(Exception):
            self.client.call("POST", "/stop", {"now": True}, timeout_s=5)
        deadline = time.monotonic() + 10
        # Not by the PID file: a test may have written any PID into it.
        while (pids := self._holders()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _holders(self) -> set[int]:
        """PIDs of the daemons that hold a lock."""
        locks = (self.paths.lock_path, self.paths.consumer_lock_path)
        return {pid for pid in map(holder, locks) if pid is not None}
