"""What drives the module: its own pipes, or a real speech-dispatcher with clients."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.running import CHECKOUT

PROGRAMS = ("speech-dispatcher", "spd-say")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
ENDS = ("702 END", "703 STOP", "704 PAUSE")
COMMAND = [sys.executable, "-P", "-m", "vox.speechd"]
SET = """\
SET
pitch=0
pitch_range=0
rate=0
volume=100
punctuation_mode=none
spelling_mode=off
cap_let_recogn=none
voice=male1
language=en-us
synthesis_voice=NULL
.
"""


class Piped:
    """The module, with a test in the place of the server."""

    def __init__(self, environ: Mapping[str, str], *args: str) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, *args],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.lines: list[str] = []
        self.times: list[float] = []
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=each) for each in (self._read, self._read_log)]
        self.log = ""
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            with self._changed:
                self.lines.append(raw.decode().rstrip("\n"))
                self.times.append(time.monotonic())
                self._changed.notify_all()

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            self.log += raw.decode()

    def write(self, text: str | bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() if isinstance(text, str) else text)
        self._process.stdin.flush()

    def wait_for(self, *wanted: str, since: int = 0, timeout_s: float = 60.0) -> str:
        """The first of these lines that has come, or comes, after `since` lines."""

        def found() -> str | None:
            return next((line for line in self.lines[since:] if line in wanted), None)

        with self._changed:
            assert self._changed.wait_for(found, timeout_s), (wanted, self.lines, self.log)
            return found() or ""

    def ask(self, request: str, last: str, timeout_s: float = 60.0) -> list[str]:
        """Write a request; the lines of its answer, to the last one."""
        since = len(self.lines)
        self.write(request)
        self.wait_for(last, since=since, timeout_s=timeout_s)
        return self.lines[since : self.lines.index(last, since) + 1]

    def accept(self, text: str, kind: str = "SPEAK", settings: str = SET) -> int:
        """Have a message accepted; the number of lines before its events."""
        self.ask(f"{settings}{kind}\n{text}\n.\n", "200 OK SPEAKING")
        return len(self.lines) - self.lines[::-1].index("200 OK SPEAKING")

    def say(self, text: str, kind: str = "SPEAK", settings: str = SET) -> list[str]:
        """Have a message said; its events to the end."""
        since = self.accept(text, kind, settings)
        end = self.wait_for(*ENDS, since=since)
        return self.lines[since : self.lines.index(end, since) + 1]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def leave(self) -> int:
        """Close its input, as a server that has died; its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(30)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


class Server:
    """A speech-dispatcher of the test's own, with our module and that of espeak if it is there."""

    def __init__(self, environ: Mapping[str, str], symbols: str = "no") -> None:
        """`environ`: how the module finds vox. `symbols`: what the server makes of them."""
        self.folder = tempfile.mkdtemp(prefix="vox-spd-", dir="/tmp")
        self._address = f"{self.folder}/socket"
        self._wrapper = Path(self.folder, "sd_vox")
        self._wrapper.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
        self._wrapper.chmod(0o755)
        os.makedirs(f"{self.folder}/conf/modules")
        Path(self.folder, "conf", "speechd.conf").write_text(self._configuration(symbols))
        self.environ = {
            **os.environ, **environ, "XDG_RUNTIME_DIR": self.folder, "LANG": "C.UTF-8",
            "SPEECHD_ADDRESS": f"unix_socket:{self._address}",
            "SPEECHD_CMD": "/bin/false",  # no server of the user's instead
        }  # fmt: skip

    def _configuration(self, symbols: str) -> str:
        return "\n".join(
            [
                "LogLevel 3",
                'LogDir "default"',
                "DefaultVolume 100",
                f'SymbolsPreproc "{symbols}"',
                *(f'SymbolsPreprocFile "{name}.dic"' for name in ("symbols", "emojis", "orca")),
                f'AddModule "vox" "{self._wrapper}" "vox.conf"',
                'AddModule "espeak-ng" "sd_espeak-ng" "espeak-ng.conf"',
                "DefaultModule vox",
                "",
            ]
        )

    def start(self) -> None:
        with Path(self.folder, "out").open("wb") as out:
            self._process = subprocess.Popen(
                ["speech-dispatcher", "-s", "-t", "0", "-C", f"{self.folder}/conf",
                 "-c", "unix_socket", "-S", self._address, "-P", f"{self.folder}/pid",
                 "-L", self.folder],
                env=self.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not os.path.exists(self._address):
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def say(self, *args: str, timeout_s: float = 60.0) -> str:
        """Run `spd-say` to its end; what it printed."""
        done = subprocess.run(
            ["spd-say", "-l", "en-US", *args],
            env=self.environ, timeout=timeout_s, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    def client(self, name: str) -> Client:
        return Client(self._address, name)

    def log(self) -> str:
        """What the module and the server wrote."""
        names = ("vox.log", "out", "speech-dispatcher.log")
        paths = [path for name in names if (path := Path(self.folder, name)).exists()]
        return "".join(path.read_text(errors="replace") for path in paths)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    """A client of speech-dispatcher, in its protocol (SSIP), that hears all events."""

    def __init__(self, address: str, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self.events: list[tuple[str, str]] = []
        """Each as the message's number and its name: BEGIN, END, CANCELED, PAUSED ... or a mark."""
        self._replies: list[str] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self.call(f"SET SELF CLIENT_NAME tests:{name}:main")
        self.call("SET SELF NOTIFICATION ALL ON")
        self.call("SET SELF LANGUAGE en-US")
        self.call("SET SELF PRIORITY MESSAGE")

    def _read(self) -> None:
        parts: list[str] = []
        with self._socket.makefile(encoding="utf-8") as stream:
            for line in stream:
                number, is_last, text = line[:3], line[3] != "-", line[4:].strip()
                if not is_last:
                    parts.append(text)
                    continue
                with self._changed:
                    if number.startswith("7"):
                        message, *rest = parts[0], *parts[2:]
                        self.events.append((message, rest[0] if number == "700" else text))
                    else:
                        self._replies.append(" ".join([number, *parts]))
                    self._changed.notify_all()
                parts = []

    def call(self, request: str) -> str:
        """Send one request; the answer, which begins with its number."""
        with self._changed:
            self._socket.sendall(f"{request}\r\n".encode())
            assert self._changed.wait_for(lambda: self._replies, 60), request
            reply = self._replies.pop(0)
        assert reply.startswith("2"), (request, reply)
        return reply

    def speak(self, text: str) -> str:
        """Queue a message; its number."""
        self.call("SPEAK")
        return self.call(f"{text}\r\n.").split()[1]

    def until(self, is_true: Callable[[list[tuple[str, str]]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: is_true(self.events), 60), self.events

    def until_event(self, message: str, *names: str) -> str:
        """The first of these events of the message."""

        def found() -> list[str]:
            return [name for number, name in self.events if number == message and name in names]

        self.until(lambda _events: bool(found()))
        return found()[0]

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


CHECKOUT_ENVIRON = {"PYTHONPATH": str(CHECKOUT)}
