"""A plain call, `vox [OPTIONS] TEXT`, with a daemon up: the request is sent before anything heavy
is imported.

Whatever is not plain (see `arguments`), and whatever goes wrong, is left to the command line, which
does it from the beginning. Once a request is sent it is not sent again: `Sent` goes on with it.
"""

from __future__ import annotations

import _socket
import os
import sys

from .. import __version__, callers
from ..flat_json import flat_json
from ..ids import new_id
from ..options import OPTIONS
from . import arguments, place, wire
from .interrupts import Heeded, Terminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .arguments import Wishes

ANSWER_S = 1.0
"""An answer that takes longer is waited for by the command line, which then says what is wrong."""
ACCEPTED = b" 202 "


class Sent:
    """A request on its way to the daemon, for whoever follows its job."""

    def __init__(self, wishes: Wishes, connection: _socket.socket) -> None:
        self.wishes = wishes
        self.connection = connection
        """Over which its answer comes."""
        self.received = b""
        """What has come of the answer."""
        self.interrupt: BaseException | None = None
        """It is to be cancelled, because of that."""
        self.heeded = Heeded()


def speak(args: Sequence[str], environ: Mapping[str, str] = os.environ) -> int | Sent | None:
    """Send what is asked for.

    Returns the exit code if that was all, a request whose job is to be followed (its signals stay
    heeded), or None if nothing was done.
    """
    wishes = arguments.understood(args, environ)
    connection = wishes and _connected(environ)
    if not wishes or not connection:
        return None
    wishes.values["id"] = new_id()
    if not wishes.is_async:
        wishes.values["caller"] = callers.me()
    request = wire.written("POST", "/speak", body_of(wishes.values), environ)
    sent = Sent(wishes, connection)
    sent.heeded.__enter__()
    try:
        code = _sent(sent, request)
    except (KeyboardInterrupt, Terminated) as exc:
        sent.interrupt = exc
        return sent
    if code == UNDONE or code >= 0:
        sent.heeded.__exit__()
        connection.close()
        return None if code == UNDONE else code
    return sent


def hand_in(values: dict[str, Any], environ: Mapping[str, str] = os.environ) -> bool:
    """Have a daemon of our version take the request of these fields, which have an `id`.

    False: none is up, or it did not take it; to ask again makes no second job.
    """
    connection = _connected(environ)
    if connection is None:
        return False
    try:
        connection.sendall(wire.written("POST", "/speak", body_of(values), environ))
        return connection.recv(64).partition(b"\r\n")[0][8:13] == ACCEPTED
    except OSError:
        return False
    finally:
        connection.close()


UNDONE, UNDER_WAY = -2, -1


def _sent(sent: Sent, request: bytes) -> int:
    """Send it: an exit code, or one of the above."""
    try:
        sent.connection.sendall(request)
    except OSError:
        return UNDONE  # the daemon takes no half of a request
    if not _is_answered(sent):
        return UNDER_WAY
    head, _, job = sent.received.partition(b"\r\n\r\n")
    status = head[8:13]
    if status >= b" 400 ":
        return UNDONE
    is_said = sent.wishes.is_quiet or b'"notes": []' in job
    if status == ACCEPTED and sent.wishes.is_async and is_said and _print_id(job):
        return 0
    return UNDER_WAY


def _is_answered(sent: Sent) -> bool:
    """Wait for the whole answer; False if there is none, or none so far."""
    try:
        while part := sent.connection.recv(1 << 16):
            sent.received += part
            if _is_whole(sent.received):
                return True
    except OSError:
        pass
    return False


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0].strip()
    return bool(end) and length.isdigit() and len(body) >= int(length)


def _print_id(job: bytes) -> bool:
    """Print the id of a job in JSON. False if that fails, or there is none."""
    # In a text every quotation mark has a backslash before it.
    job_id = job.partition(b'"id": "')[2].partition(b'"')[0].decode()
    if not job_id or sys.stdout is None:
        return False
    try:
        sys.stdout.write(f"{job_id}\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True


def body_of(values: dict[str, Any]) -> str:
    """The body of `POST /speak` for the fields of a request, answered at once."""
    named = {OPTIONS[n].key if n in OPTIONS else n: value for n, value in values.items()}
    return flat_json({"via": "cli", **named, "async": True})


def _connected(environ: Mapping[str, str]) -> _socket.socket | None:
    """A connection to a daemon of our version, if one is up."""
    found = place.files(environ)
    if found is None or _other_version(found[1]):
        return None
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        wire.connect(connection, found[0])
    except (wire.Refused, TimeoutError):
        connection.close()
        return None
    return connection


def _other_version(pid_path: str) -> bool:
    """Whether the PID file names another version than ours; see `client.remote`."""
    try:
        with open(pid_path, "rb", buffering=0) as file:
            words = file.read(256).split()
    except OSError:
        return False
    return len(words) > 1 and words[1] != __version__.encode()
