"""Wait for the end of a job by its events, where no terminal shows its progress.

Knows a plain end, of which there is nothing to be told. Whatever else comes, the command line reads
all the events again and does what is to be done.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .begun import Begun

PATIENCE_S = 2.0
"""A call that waits for longer says so where no terminal shows it all the time."""
_SOON_S = PATIENCE_S - 0.5
"""Then the command line goes on if nothing is heard: it has to be imported by that time."""


def is_shown(is_quiet: bool) -> bool:
    """Whether a terminal shows the progress."""
    stream = sys.stderr
    try:
        is_terminal = stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False
    return is_terminal and not is_quiet and os.environ.get("TERM") != "dumb"


def has_no_notes(job: bytes, is_quiet: bool) -> bool:
    """Whether there is no note to be told of a job in JSON."""
    # In a text every quotation mark has a backslash before it.
    return is_quiet or b'"notes": []' in job


def ends_plainly(events: Begun, is_quiet: bool, began: float) -> bool:
    """Wait until the job has ended well, and nothing is to be told of it.

    False as soon as that is not so, or may not be. `began`: when the call began to wait.
    """
    head = _head(events)
    if not head or events.status != b" 200 ":
        return False
    at, is_heard, is_patient = head, False, is_quiet
    while True:
        while (end := events.received.find(b"\n\n", at)) >= 0:
            event, at = events.received[at:end], end + 2
            if b"event: bye" in event or _has_ended(event):
                return b'"exit_code": 0' in event and has_no_notes(event, is_quiet)
            _, is_told, phase = event.rpartition(b'"phase": "')
            is_heard = phase.startswith(b'speaking"') if is_told else is_heard
        waited_s = time.monotonic() - began
        is_patient = is_patient or waited_s >= PATIENCE_S
        if is_patient:
            events.received, at = events.received[:head] + events.received[at:], head
        elif waited_s >= _SOON_S and not is_heard:
            return False
        left_s = (PATIENCE_S if is_heard and waited_s >= _SOON_S else _SOON_S) - waited_s
        if not _more(events, None if is_patient else left_s):
            return False


def _head(events: Begun) -> int:
    """The length of the answer's head; 0 if it does not come."""
    while (end := events.received.find(b"\r\n\r\n")) < 0:
        if not _more(events, _SOON_S):
            return 0
    return end + 4


def _more(events: Begun, timeout_s: float | None) -> bool:
    """Wait for more of the answer, until the timeout. False at its end."""
    events.connection.settimeout(timeout_s and max(timeout_s, 0.001))
    try:
        part = events.connection.recv(1 << 16)
    except TimeoutError:
        return True
    except OSError:
        return False
    events.received += part
    return bool(part)


def _has_ended(event: bytes) -> bool:
    return b"event: state\n" in event and b'"exit_code": null' not in event
