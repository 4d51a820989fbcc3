"""`vox hook AGENT:EVENT`: what an assistant's hook starts. It never fails who started it.

Exit 0 whatever happens, nothing on standard error, and on standard output what that assistant takes
for "go on". All of that is settled before anything is imported that may fail.
"""

from __future__ import annotations

import os
import select
import time

from ..ids import id_for
from ..quick.place import may_be_elsewhere, runtime_dir
from ..quick.sending import ANSWER_S, hand_in, is_taken
from . import drafts
from .agents import AGENTS, DRAFT, QUESTION, TURN
from .json_reader import parse
from .said import Said, said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

MOST_BYTES = 1_000_000
"""Of an assistant's JSON; a longer one is read, and dropped."""
READ_S = 2.0
PATIENCE_S = 0.01
"""How long an assistant waits for the daemon's answer."""
AGAIN_S = 10
"""The same words of one session within that time are said once."""
OFF = ("0", "off", "false", "no")
"""Values of VOX_HOOKS that silence all hooks."""


def main(args: list[str]) -> NoReturn:
    """Ends the process. `args`: `AGENT:EVENT`, then what the assistant adds."""
    try:
        agent, _, event = args[0].partition(":")
        known = AGENTS.get(agent)
        answer(known.answer if known else "")
        data = given(args[1:]) if known is None or known.tells else b""
        leave_streams()
        if os.environ.get("VOX_HOOKS", "").strip().lower() not in OFF:
            speak(agent, event, data)
    except BaseException:  # an interrupt too: the assistant's terminal sends it to us as well
        pass
    finally:
        os._exit(0)


def answer(text: str) -> None:
    """Print it for the assistant, which may not want to read it."""
    try:
        if text:
            os.write(1, f"{text}\n".encode())
    except OSError:
        pass


def given(args: list[str]) -> bytes:
    """The assistant's JSON: on standard input or, where that is empty, the last argument."""
    data = b"" if is_terminal(0) else read_all(0, READ_S)
    if not data.strip() and args and args[-1].startswith("{"):
        return os.fsencode(args[-1])
    return data


def is_terminal(file: int) -> bool:
    """Whether there is nothing to read but what somebody types."""
    try:
        return os.isatty(file)
    except OSError:  # it is closed
        return True


def read_all(file: int, limit_s: float) -> bytes:
    """What comes until its end or so many seconds have passed; b"" if it is too long.

    All of it is read, for a writer whose pipe closes early may take that for a failure.
    """
    data, size, deadline = [b""], 0, time.monotonic() + limit_s
    while (left_s := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([file], [], [], left_s)
        if not ready:
            break
        block = os.read(file, 65_536)
        if not block:
            break
        size += len(block)
        if size <= MOST_BYTES:
            data.append(block)
    return b"".join(data) if size <= MOST_BYTES else b""


def leave_streams() -> None:
    """Let go of the pipes of who started us: some wait until these are closed."""
    null = os.open(os.devnull, os.O_RDWR)
    for file in (0, 1, 2):
        os.dup2(null, file)


def speak(agent: str, event: str, data: bytes) -> None:
    """Make the job of an event, if it says something. Raises what goes wrong."""
    payload = parse(data.decode("utf-8", "replace") if AGENTS[agent].tells else "{}")
    if not isinstance(payload, dict):
        return
    found = said(agent, event, payload, parse, _folder())
    if found is None:
        return
    if found.kind == DRAFT:
        drafts.keep(_runtime_dir(), id_for(found.key), found.text)
        return
    if found.kind == TURN and not found.text:
        found.text = drafts.take(_runtime_dir(), id_for(found.key))
    submit(job_of(found, time.time()))


def _runtime_dir() -> str:
    if place := runtime_dir(os.environ):
        return place
    from ..paths import get_paths

    return get_paths().runtime_dir


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


def job_of(found: Said, now: float) -> dict[str, Any]:
    """The job, by the fields of `Request`. The same words soon after have the same id: they are
    one job."""
    told = "\0".join((found.session, found.kind, found.line, str(now // AGAIN_S)))
    job: dict[str, Any] = {
        "id": id_for(told),
        "text": taken(found.line),
        "source": found.source,
        "replace": taken(found.key),
        "via": "hook",
    }
    if found.kind == QUESTION:
        job["priority"] = "high"
    return job


def taken(text: str) -> str:
    """The text without what no job has: half of a character, as JSON may have it, and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")


def submit(job: dict[str, Any]) -> None:
    """Give the job to the daemon. A process of its own waits for one that is slow to take it, and
    does what is to be done where none takes it: asking again makes no second job."""
    connection = hand_in(job)
    taken = is_taken(connection, PATIENCE_S) if connection else False
    if taken or not is_other_process():
        return
    if connection and taken is None and is_taken(connection, ANSWER_S):
        return
    from ..client.front import Front
    from ..jobs import Request
    from ..paths import get_paths

    paths, laptop = get_paths(), None
    if may_be_elsewhere(os.environ):
        from ..client.laptop import find

        laptop = find(paths)
    (laptop or Front(paths)).submit(Request(**job), is_followed=False)


def is_other_process() -> bool:
    """Go on as two processes; True in the new one.

    It outlives a terminal that is closed, and an assistant that ends its hooks.
    """
    is_apart, apart = os.pipe()
    if os.fork():
        os.close(apart)
        os.read(is_apart, 1)
        return False
    os.setsid()
    os.close(apart)
    return True
