"""Messages become jobs of the daemon, which is started if need be.

Nothing here is waited for by who reads from the server. Jobs are made one after the other, in a
thread of their own; each is followed in another one.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from ..callers import me
from ..client.jobs import NoDaemon
from ..client.remote import Remote
from ..client.spawn import spawn_daemon
from ..errors import DaemonStopped, DaemonUnavailable, EmptyText, UnknownJob, VoxError
from ..jobs import MOST_MARKS, Mark, Request, new_id
from ..paths import Paths
from .message import Message

SOURCE = "speech-dispatcher"
GIVE_UP_S = 20.0
"""A daemon that takes a message no sooner than this hangs, or cannot be started."""
MAX_DEATHS = 3
"""On how many daemons a message is tried."""
HTTP_STATUS_OF_FAULTS = 500
"""From this status on it is no fault of the request, and another request is no better."""
STALE_S = 30.0
"""What waits so long for a device, for a model or behind a pause is not said any more."""
LAST_RESORT = "say"
"""The backend that speaks what the wanted one cannot."""
_WHO_SPEAKS = ("voice", "backend", "lang")

Wishes = dict[str, Any]
"""Options of a request: who speaks, and how."""


def log(line: str) -> None:
    """A line for the log that the server keeps of the module. Never has words of a message."""
    print(f"vox: {line}", file=sys.stderr, flush=True)


class _Speech:
    """A message on its way to be a job."""

    def __init__(self, message: Message, wishes: Wishes) -> None:
        self.message = message
        self.attempts: Iterator[Wishes] = _attempts(wishes)
        self.attempt: Wishes = {}
        """The last one of these."""
        self.job_id = ""
        self.deaths = 0
        """How many daemons have died on it."""


class Speaker:
    """Says messages in the order in which they come."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._remote = Remote(paths)
        self._key = f"{SOURCE} {me()}"
        self._waiting: queue.SimpleQueue[_Speech] = queue.SimpleQueue()
        self._job_ids: dict[Message, str] = {}
        self.spoken_with: dict[str, str] = {}
        """Backend and voice of the last job."""
        threading.Thread(target=self._work, name="speaker", daemon=True).start()

    def say(self, message: Message, wishes: Wishes) -> None:
        """Returns at once. The message ends in any case. `wishes`: who speaks, and how."""
        self._waiting.put(_Speech(message, wishes))

    def drop(self, message: Message) -> None:
        """The message has ended early. Returns at once; what is heard of it ends soon."""
        if job_id := self._job_ids.get(message):
            threading.Thread(target=self._cancel, args=(job_id,), daemon=True).start()

    def _cancel(self, job_id: str) -> None:
        # What does not answer is not asked again: the next job replaces this one.
        with contextlib.suppress(NoDaemon, VoxError):
            self._remote.call("DELETE", f"/jobs/{job_id}", timeout_s=GIVE_UP_S)

    def start_daemon(self, deadline: float) -> None:
        """Wait until one listens. Raises VoxError if that is not before the deadline."""
        try:
            spawn_daemon(self._paths, wait=True, deadline=deadline)
        except TimeoutError:
            raise DaemonUnavailable(f"no daemon was up within {GIVE_UP_S:g} s") from None

    # -- making jobs -------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            speech = self._waiting.get()
            if speech.message.has_ended:
                continue
            try:
                self._make_job(speech)
            except Exception as exc:  # no fault of ours may keep the server waiting
                self._give_up(speech.message, exc)

    def _give_up(self, message: Message, exc: Exception) -> None:
        if not isinstance(exc, EmptyText):
            what = exc.line if isinstance(exc, VoxError) else type(exc).__name__
            log(f"a message is not said: {what}")
        message.end()

    def _make_job(self, speech: _Speech) -> None:
        """Raises VoxError if there is none."""
        message = speech.message
        text, marks = message.left()
        places = [Mark(name=mark.name, at=mark.at) for mark in marks[:MOST_MARKS]]
        speech.job_id = self._accepted(speech, text, places)
        if not speech.job_id:
            return
        self._job_ids[message] = speech.job_id
        if message.has_ended:
            self.drop(message)
        threading.Thread(target=self._follow, args=(speech,), daemon=True).start()

    def _accepted(self, speech: _Speech, text: str, marks: list[Mark]) -> str:
        """The id of the job by the next attempt that is accepted; "": the message has ended."""
        refused: VoxError | None = None
        for attempt in speech.attempts:
            speech.attempt = attempt
            try:
                return self._posted(speech.message, self._request(text, marks, attempt))
            except EmptyText:
                raise
            except VoxError as exc:
                if exc.http_status >= HTTP_STATUS_OF_FAULTS:
                    raise
                log(f"it is not spoken as it was wished: {exc.line}")
                refused = exc
        raise refused or DaemonUnavailable("no voice could say it")

    def _request(self, text: str, marks: list[Mark], wishes: Wishes) -> Request:
        return Request(
            text=text,
            marks=marks,
            id=new_id(),
            unkept=True,
            interrupt=True,
            format="plain",
            source=SOURCE,
            via="speechd",
            replace=self._key,
            expires_s=STALE_S,
            **wishes,
        )

    def _posted(self, message: Message, request: Request) -> str:
        deadline = time.monotonic() + GIVE_UP_S
        while not message.has_ended:
            left_s = max(0.1, deadline - time.monotonic())
            try:
                job = self._remote.submit(request, timeout_s=left_s)
            except NoDaemon:
                self.start_daemon(deadline)
                continue
            self.spoken_with = {name: job[name] for name in ("backend", "voice") if job[name]}
            return str(job["id"])
        return ""

    # -- following them ----------------------------------------------------------------------

    def _follow(self, speech: _Speech) -> None:
        """Tell what becomes of the job."""
        message = speech.message

        def on_event(name: str, data: dict[str, Any]) -> None:
            if name == "state" and data["state"] == "speaking":
                message.begin()
            elif name == "mark":
                message.reach(int(data["name"]))
                if message.has_ended:  # it was to be paused there
                    self.drop(message)

        try:
            state = self._remote.follow(speech.job_id, on_event, bind=True)["state"]
        except (NoDaemon, DaemonStopped, UnknownJob):
            state = "lost"
        except Exception as exc:  # as above
            self._give_up(message, exc)
            return
        finally:
            self._job_ids.pop(message, None)
        if state == "cancelled":
            message.stop()  # by the user, or it has ended already
        elif state == "failed" and not message.has_begun:
            self._waiting.put(speech)
        elif state == "lost" and speech.deaths < MAX_DEATHS:
            speech.deaths += 1
            speech.attempts = itertools.chain((speech.attempt,), speech.attempts)
            self._waiting.put(speech)  # the next daemon says what is left of it
        else:
            message.end()


def _attempts(wishes: Wishes) -> Iterator[Wishes]:
    """The wishes, then with less and less of who is to speak."""
    how = {name: value for name, value in wishes.items() if name not in _WHO_SPEAKS}
    lang = {name: value for name, value in wishes.items() if name == "lang"}
    resort = {"backend": LAST_RESORT}
    tried = []
    for attempt in (wishes, {**how, **lang}, how, {**how, **lang, **resort}, {**how, **resort}):
        if attempt not in tried:
            tried.append(attempt)
            yield attempt
