"""A request under way, as the thread that asked sees it. Knows neither Redis nor workers."""

from __future__ import annotations

import contextlib
import math
import queue
import struct
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace

from ..errors import VoxError, WorkerLost, WorkersAway
from .requests import Answer, NotOurs, Request, utterance_of

_SAME = 0.01
"""Sound that differs by less is the same, made on other hardware."""


class Asked:
    """The thread that asked reads it; the session's threads fill it, under the session's lock."""

    def __init__(
        self,
        request: Request,
        recording: str | None,
        cancel: Callable[[Asked], None],
        give_up: Callable[[Asked, str, str], None] = lambda _asked, _id, _what: None,
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
        """The worker that makes it, once known."""
        self.worker_id: str | None = None
        self.heard_at = math.inf
        """When it was sent or last answered; inf: it is being sent."""
        self.missing_since = math.inf
        """Since when the server does not know it, without an answer that says why."""
        self.is_ended = False
        """No more answers will come."""
        self.is_cancelled = False
        self.was_away = False
        """It ended because there was no server, or no worker."""
        self._next_seq = 0
        self._sample_rate: int | None = None
        self._sound_s = 0.0
        self._longest_s = utterance_of(request).longest_s
        self.answers: queue.SimpleQueue[Answer | VoxError | None] = queue.SimpleQueue()
        self._cancel = cancel
        self._give_up = give_up
        self._read_id = ""
        """The attempt of which an answer was read last."""
        self._begun_id: str | None = None
        """The attempt of which sound was read."""
        self._sound = bytearray()
        """What was read of its sound: float32 samples."""
        self._rate: int | None = None
        self._compared: list[Answer] = []
        """What a later attempt has brought of the same sound so far."""
        self._unread: deque[Answer] = deque()

    def begin(self, serving: Collection[str]) -> Request:
        """The request of the present attempt, which is to be sent. `serving`: ids of workers."""
        with contextlib.suppress(queue.Empty):
            while True:  # unread answers of the last attempt must not be heard
                self.answers.get_nowait()
        avoid = () if self.lost_by.issuperset(serving) else sorted(self.lost_by)
        self.request = replace(self.request, id=f"{self.number}.{self.attempt}", avoid=avoid)
        self.worker = self.worker_id = None
        self._next_seq, self._sample_rate, self._sound_s = 0, None, 0.0
        self.heard_at = self.missing_since = math.inf
        return self.request

    def is_next(self, answer: Answer) -> bool:
        """Whether it follows those before. Raises NotOurs if it cannot."""
        if self.request.id != answer.request_id:
            return False
        self.heard_at = time.monotonic()
        if answer.seq > self._next_seq:
            raise NotOurs("an answer out of order")
        if answer.seq < self._next_seq:
            return False  # sent twice: the worker did not know that it had arrived
        self._next_seq += 1
        if answer.event == "chunk":
            self._check_sound(answer)
        return True

    def _check_sound(self, chunk: Answer) -> None:
        """A worker's own checks let neither pass (see `hosts.sound_checks`)."""
        rate: int = chunk.header["sample_rate"]
        self._sample_rate = self._sample_rate or rate
        self._sound_s += len(chunk.pcm) / 4 / rate
        if rate != self._sample_rate:
            raise NotOurs("another sample rate in mid-utterance")
        if self._sound_s > self._longest_s:
            raise NotOurs("sound without end")

    def next(self, timeout_s: float) -> Answer | None:
        """The next answer: "loading", "begun", "chunk", "end" or "error".

        None: there was none in time, or it was cancelled. If a worker was lost after sound of it
        was read, what another one makes follows on that. Raises WorkersAway or WorkerLost if it
        has failed. WorkerLost also if the other one makes other sound, as it does with voices that
        draw their rhythm: then `is_going_on`, and the next answers are all of that sound.
        """
        while True:
            found = self._unread.popleft() if self._unread else self._taken(timeout_s)
            if found is None:
                return None
            self._read_id = found.request_id
            if found.event not in ("chunk", "end"):
                return found
            is_first = self._begun_id in (None, found.request_id)
            following = found if is_first else self._following(found)
            if following is not None:
                self._begun_id = following.request_id
                self._sound += following.pcm
                self._rate = following.header.get("sample_rate", self._rate)
                return following

    def _taken(self, timeout_s: float) -> Answer | None:
        try:
            got = self.answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(got, VoxError):
            raise got
        return got

    def _following(self, answer: Answer) -> Answer | None:
        """What follows in a later attempt on the sound that was read; None: nothing does yet.

        Raises WorkerLost if that attempt's sound is another.
        """
        if self._compared and self._compared[0].request_id != answer.request_id:
            self._compared = []
        at = sum(len(each.pcm) for each in self._compared)
        self._compared.append(answer)
        known = self._sound[at : at + len(answer.pcm)]
        if answer.event == "end":
            is_same = at == len(self._sound)
        else:
            is_same = answer.header["sample_rate"] == self._rate
            is_same = is_same and _sounds_like(known, answer.pcm[: len(known)])
        if not is_same:
            self._unread.extend(self._compared)
            self._begun_id, self._sound, self._compared = None, bytearray(), []
            raise WorkerLost("the worker was lost in the middle of an utterance")
        if answer.event == "chunk" and len(answer.pcm) == len(known):
            return None
        self._compared = []
        return answer._replace(pcm=answer.pcm[len(known) :])

    @property
    def has_sound(self) -> bool:
        """The present attempt has brought some."""
        return self._sound_s > 0

    @property
    def is_going_on(self) -> bool:
        """There are answers to come, or to read."""
        return bool(self._unread) or not self.is_ended

    def end(self, why: VoxError | None) -> None:
        """There will be no more answers. `why`: None: nobody wants them."""
        self.is_ended = True
        self.is_cancelled = self.is_cancelled or why is None
        self.was_away = isinstance(why, WorkersAway)
        self.answers.put(why)

    def cancel(self) -> None:
        """It is not wanted any more. May be called from any thread, and more than once."""
        self._cancel(self)

    def give_up(self, what: str) -> None:
        """Have another worker make it. The message says, after its name, how this one failed."""
        self._give_up(self, self._read_id, what)


def _sounds_like(one: bytes | bytearray, other: bytes) -> bool:
    """Of float32 samples, as many in both."""
    samples = f"<{len(one) // 4}f"
    pairs = zip(struct.unpack(samples, one), struct.unpack(samples, other), strict=True)
    return all(abs(left - right) < _SAME for left, right in pairs)
