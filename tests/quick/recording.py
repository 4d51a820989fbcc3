"""A daemon of no kind: it keeps the requests that it is sent, and answers as it is told."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: %d\r\n\r\n%b"


def accept(body: dict[str, Any]) -> bytes:
    """The answer to a request that made a job, as it is sent."""
    job = json.dumps({"id": body["id"], "notes": [], "exit_code": None}).encode()
    return ACCEPTED % (len(job), job)


class RecordingDaemon:
    """Answers `POST /speak` with what `answer` returns for its body; b"": it hangs up."""

    def __init__(
        self, socket_path: str, answer: Callable[[dict[str, Any]], bytes] = accept
    ) -> None:
        self._has_vanished = False
        self.targets: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        """Those of `POST /speak`."""
        os.makedirs(os.path.dirname(socket_path), mode=0o700, exist_ok=True)
        daemon = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                target, length = self.rfile.readline().split()[1].decode(), 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = json.loads(self.rfile.read(length) or b"{}")
                daemon.targets.append(target)
                if target == "/speak":
                    daemon.bodies.append(body)
                    self.wfile.write(answer(body))
                self.connection.shutdown(socket.SHUT_RDWR)

        self._server = socketserver.ThreadingUnixStreamServer(socket_path, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> RecordingDaemon:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.vanish()

    def vanish(self) -> None:
        """Listen no more, from within an answer too."""
        if not self._has_vanished:
            self._has_vanished = True
            os.unlink(str(self._server.server_address))
