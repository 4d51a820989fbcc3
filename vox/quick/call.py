"""A plain call, `vox [OPTIONS] TEXT`, with a daemon up: the request is sent before anything heavy
is imported.

Whatever is not plain (see `arguments`), and whatever goes wrong, is left to the command line, which
does it from the beginning. Once a request is sent it is not sent again: `Sent` goes on with it.
"""

from __future__ import annotations

import os
import sys
import time

from .. import callers
from ..ids import new_id
from . import arguments, wire
from .begun import Begun
from .follow import ends_plainly, has_no_notes, is_shown
from .interrupts import Heeded, Terminated
from .sending import ACCEPTED, body_of, connected, daemon_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .arguments import Wishes

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class Sent:
    """A call whose request was sent, for whoever follows its job."""

    def __init__(self, wishes: Wishes, socket_path: str) -> None:
        self.wishes = wishes
        self.socket_path = socket_path
        self.begun: dict[tuple[str, str], Begun] = {}
        """The requests that were sent, by method and target."""
        self.job_id: str = wishes.values["id"]
        self.began = 0.0
        """When it began to wait for the job, by the monotonic clock."""
        self.interrupt: BaseException | None = None
        """The job is to be cancelled, because of that."""
        self.heeded = Heeded()

    def begin(self, method: str, target: str, body: str | None = None) -> Begun | None:
        """Send a request; None: nobody takes it."""
        connection = connected(self.socket_path)
        if connection is None:
            return None
        try:
            connection.sendall(wire.written(method, target, body))
        except OSError:  # the daemon takes no half of a request
            connection.close()
            return None
        begun = self.begun[method, target] = Begun(connection)
        return begun

    def is_cancelled(self) -> bool:
        """Cancel the job; False if no daemon answers."""
        cancelling = self.begin("DELETE", f"/jobs/{self.job_id}")
        return cancelling is not None and cancelling.is_answered()

    def close(self) -> None:
        for begun in self.begun.values():
            begun.connection.close()
        self.heeded.__exit__()


def speak(args: Sequence[str], environ: Mapping[str, str] = os.environ) -> int | Sent | None:
    """Speak what is asked for.

    Returns the exit code if that was all, a call that somebody has to follow further (signals stay
    heeded), or None if nothing was done.
    """
    wishes = arguments.understood(args, environ)
    socket_path = wishes and daemon_socket(environ)
    if not wishes or not socket_path:
        return None
    wishes.values["id"] = new_id()
    if not wishes.is_async:
        wishes.values["caller"] = callers.me()
    sent = Sent(wishes, socket_path)
    sent.heeded.__enter__()
    try:
        code = _code(sent)
    except (KeyboardInterrupt, Terminated) as exc:
        sent.interrupt = exc
        is_cancelled = sent.is_cancelled()
        code = getattr(exc, "exit_code", INTERRUPTED) if is_cancelled else UNDER_WAY
    if code == UNDER_WAY:
        return sent
    sent.close()
    return None if code == UNDONE else code


UNDONE, UNDER_WAY = -2, -1


def _code(sent: Sent) -> int:
    """Send the request and see to its job: an exit code, or one of the above."""
    speaking = sent.begin("POST", "/speak", body_of(sent.wishes.values))
    if speaking is None:
        return UNDONE
    if not speaking.is_answered():
        return UNDER_WAY
    if speaking.status >= b" 400 ":
        return UNDONE
    job, is_quiet = speaking.body, sent.wishes.is_quiet
    sent.job_id = job.partition(b'"id": "')[2].partition(b'"')[0].decode() or sent.job_id
    is_plain = speaking.status == ACCEPTED and has_no_notes(job, is_quiet)
    if sent.wishes.is_async:
        return 0 if is_plain and _print(sent.job_id) else UNDER_WAY
    # At once: who follows from now on misses nothing while more is imported.
    events = sent.begin("GET", f"/jobs/{sent.job_id}/events?bind=true")
    sent.began = time.monotonic()
    if not is_plain or events is None or is_shown(is_quiet):
        return UNDER_WAY
    return 0 if ends_plainly(events, is_quiet, sent.began) else UNDER_WAY


def _print(line: str) -> bool:
    """Print the line; False if that fails."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True
