"""Says when the jobs may have changed: for what is shown until Ctrl-C.

While a daemon is up its events say so. While none is, nothing can: the job table is looked at once
a second, as is whether a daemon has come up. Starts none.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading

from ..paths import Paths
from .jobs import NoDaemon
from .remote import Remote

LOOK_S = 1.0
"""How often to look while no daemon is up."""


class Changes:
    """`wait` returns once something may have changed. A context: it listens inside."""

    def __init__(self, paths: Paths) -> None:
        self._remote = Remote(paths)
        self._reading, self._writing = os.pipe()
        for fd in (self._reading, self._writing):
            os.set_blocking(fd, False)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="changes", daemon=True)

    def __enter__(self) -> Changes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The thread reads from a connection that may be silent for ever; it ends with the process.
        self._is_over.set()

    def note(self) -> None:
        """Have `wait` return. From any thread, and from a signal's handler."""
        with contextlib.suppress(BlockingIOError):  # it is full of notes
            os.write(self._writing, b"!")

    def wait(self, timeout_s: float | None = None, output: int | None = None) -> bool:
        """False if nothing has changed for so long, or nobody reads that descriptor any more."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        if output is not None:
            poll.register(output, 0)  # its end alone
        ready = poll.poll(None if timeout_s is None else 1_000 * timeout_s)
        if all(fd != self._reading for fd, _ in ready):
            return False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reading, 1_024):
                pass
        return True

    def _listen(self) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(NoDaemon):
                for _ in self._remote.events():
                    self.note()
            self.note()
            self._is_over.wait(LOOK_S)
