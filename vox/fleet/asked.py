"""A request under way, as the thread that asked sees it. Knows neither Redis nor workers."""

from __future__ import annotations

import contextlib
import math
import queue
from collections.abc import Callable, Collection
from dataclasses import replace

from ..errors import VoxError, WorkerLost
from .requests import Answer, Request


class Asked:
    """The thread that asked reads it; the session's threads fill it, under the session's lock."""

    def __init__(
        self, request: Request, recording: str | None, cancel: Callable[[Asked], None]
    ) -> None:
        self.request = request
        self.recording = recording
        """The path of the clone's recording."""
        self.number = request.id
        self.attempt = 1
        self.losses = 0
        self.lost_by: set[str] = set()
        """The ids of the workers that have failed it."""
        self.worker: str | None = None
        """Who makes it, once somebody does."""
        self.heard_at = math.inf
        """When it was sent, or a worker last said something of it; inf: it is being sent."""
        self.missing_since = math.inf
        """The server does not know it, and nobody has said why yet."""
        self.is_ended = False
        """No more answers will come."""
        self.is_cancelled = False
        self.next_seq = 0
        self.answers: queue.SimpleQueue[Answer | VoxError | None] = queue.SimpleQueue()
        self._cancel = cancel
        self._begun_id: str | None = None
        """The attempt of which sound was read."""
        self._unread: Answer | None = None

    def begin(self, serving: Collection[str]) -> Request:
        """The request of the present attempt, which is to be sent. `serving`: ids of workers."""
        with contextlib.suppress(queue.Empty):
            while True:  # what nobody has read of the attempt before is not to be heard
                self.answers.get_nowait()
        avoid = () if self.lost_by.issuperset(serving) else sorted(self.lost_by)
        self.request = replace(self.request, id=f"{self.number}.{self.attempt}", avoid=avoid)
        self.worker, self.next_seq, self.heard_at = None, 0, math.inf
        self.missing_since = math.inf
        return self.request

    def next(self, timeout_s: float) -> Answer | None:
        """The next answer: "loading", "begun", "chunk", "end" or "error".

        None: there was none in time, or it was cancelled. Raises WorkersAway or WorkerLost if it
        has failed. WorkerLost also if it begins anew after sound of it was read: then
        `is_going_on`, and the next answers are those of the new attempt, from its beginning.
        """
        found, self._unread = self._unread, None
        if found is None:
            try:
                got = self.answers.get(timeout=timeout_s)
            except queue.Empty:
                return None
            if isinstance(got, VoxError):
                raise got
            if got is None:
                return None
            found = got
        if found.event in ("chunk", "end"):
            if self._begun_id not in (None, found.request_id):
                self._begun_id, self._unread = None, found
                raise WorkerLost("the worker was lost in the middle of an utterance")
            self._begun_id = found.request_id
        return found

    @property
    def is_going_on(self) -> bool:
        """There are answers to come, or to read."""
        return self._unread is not None or not self.is_ended

    def end(self, why: VoxError | None) -> None:
        """There will be no more answers. `why`: None: nobody wants them."""
        self.is_ended = True
        self.is_cancelled = self.is_cancelled or why is None
        self.answers.put(why)

    def cancel(self) -> None:
        """It is not wanted any more. May be called from any thread, and more than once."""
        self._cancel(self)
