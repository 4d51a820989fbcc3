"""A host whose work is done by workers on other machines (see `fleet`).

It holds nothing of this machine, so each job has one of its own, and needs no turn for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from ..backends.base import Chunk, Progress, Settings, Utterance
from ..errors import NotAvailable, WorkerLost
from ..fleet import keys
from ..fleet.clones import digest_of
from ..fleet.failures import error_of
from ..fleet.requests import Answer, CloneRef, Request, said_of
from .base import no_progress, nothing
from .handle import Limits

WORKERS = "workers"
"""The `device` of such a host."""
MOST_AT_ONCE = 32
"""Most utterances of one job that are asked for at once."""
_MORE = 2
"""Fewest utterances to ask for ahead each time: one more than is used up."""
_LOOK_S = 1.0
_USUAL_LIMITS = Limits()


class Asked(Protocol):
    """A request under way: see `fleet.session.Asked`."""

    @property
    def worker(self) -> str | None: ...
    @property
    def is_cancelled(self) -> bool: ...
    @property
    def is_going_on(self) -> bool: ...
    @property
    def has_sound(self) -> bool: ...
    @property
    def was_away(self) -> bool: ...
    def next(self, timeout_s: float) -> Answer | None: ...
    def cancel(self) -> None: ...
    def give_up(self, what: str) -> None: ...


class Session(Protocol):
    """See `fleet.session.Session`."""

    def ask(self, request: Request, recording: str | None = None) -> Asked: ...
    def is_warm(self, lane: str) -> bool: ...
    def width(self, lane: str) -> int: ...


class RemoteHost:
    """A `Host` on other machines, for one job."""

    def __init__(
        self,
        name: str,
        model: str | None,
        settings: Settings,
        session: Session,
        tier: int,
        priority: int,
        limits: Limits = _USUAL_LIMITS,
    ) -> None:
        """`name`: the backend that speaks. `tier`, `priority`: see `fleet.requests.Request`.

        `limits`: after them a worker counts as hung that still renews its lease.
        """
        self.name = name
        self.limits = limits
        self.settings = settings
        self.device: str | None = None
        self.load_s: float | None = None
        self.rss_mb: float | None = None
        self.vram_mb: float | None = None
        self.is_alive = True
        self.is_current = True
        self.last_used = time.monotonic()
        self.cut_off = False
        self.made_on: str | None = None
        self.is_going_on = False
        """The utterance that was lost last is being made again."""
        self._lane = keys.lane(name, model)
        self._model = model
        self._session = session
        self._tier = tier
        self._priority = priority
        self._notes: list[str] = []
        self._on_progress: Progress = no_progress
        self._current: Asked | None = None
        self._ahead: list[tuple[Utterance, Asked]] = []
        """Requests for the utterances to come, in order."""

    @property
    def width(self) -> int:
        """How many utterances are asked for at once, so that no worker has to wait."""
        return max(1, min(MOST_AT_ONCE, 2 * self._session.width(self._lane)))

    @property
    def idle_s(self) -> float:
        return 0.0 if self._current else time.monotonic() - self.last_used

    def take_notes(self) -> list[str]:
        notes, self._notes = self._notes, []
        return notes

    def load(self, wish: Utterance | None = None, on_progress: Progress = no_progress) -> None:
        """Have a worker load the model, unless one has or will. `cancel` ends that too.

        Raises as `synthesize`, and what `on_progress` raises.
        """
        self._on_progress = on_progress
        # What is under way has it loaded, and is made before a load that is asked for now.
        if not (self._ahead or self._session.is_warm(self._lane)):
            began = time.monotonic()
            asked = self._current = self._ask(wish or Utterance(""), is_load=True)
            try:
                on_progress(f"loading {self.name} on a worker", None)  # `cancel` reaches it now
                for _ in self._answers(asked):
                    pass
            finally:
                self._current = None
                asked.cancel()
            self.load_s = time.monotonic() - began
        self.device, self.load_s = WORKERS, self.load_s or 0.0
        self.last_used = time.monotonic()

    def expect(self, utterance: Utterance) -> None:
        """Have the next utterance made, unless it was asked for already.

        What found neither server nor workers is asked for anew: they may be back.
        """
        if all(known != utterance or asked.was_away for known, asked in self._ahead):
            self._ask_ahead(0, utterance)

    def prefetch(self, utterances: Sequence[Utterance]) -> None:
        """Have these made, the present one first; cancel the others that were asked for.

        If the job is for the ear and the present one has sound, the others are asked for bit by
        bit.
        """
        missing = list(utterances)
        for utterance, asked in list(self._ahead):
            if utterance in missing and not asked.was_away:
                missing.remove(utterance)
            else:
                self._ahead.remove((utterance, asked))
                asked.cancel()
        for count, utterance in enumerate(missing[: max(0, self.width - len(self._ahead))], 1):
            self._ask_ahead(len(self._ahead), utterance)
            # Each is a round trip, and the sound that there is waits for it.
            if self._tier == 0 and count >= _MORE and self._ahead[0][1].has_sound:
                return

    def _ask_ahead(self, at: int, utterance: Utterance) -> None:
        self._ahead.insert(at, (utterance, self._ask(utterance)))
        if not self.is_alive:  # it was closed meanwhile
            self.close()

    def synthesize(
        self, utterance: Utterance, on_begun: Callable[[], None] = nothing
    ) -> Generator[Chunk, None, None]:
        """Yield the utterance's chunks as they come.

        Raises WorkersAway; WorkerLost if too many workers were lost or one is not able to do it
        (the cause is what that one said), or, with `is_going_on`, if one was lost after its first
        chunk: the utterance is made again, from its beginning. What the worker's host raises is
        raised here too, with the worker's name.
        """
        import numpy as np

        asked = self._current = self._take_ahead(utterance) or self._ask(utterance)
        self.is_going_on = False
        try:
            if not self.is_alive:
                asked.cancel()
            on_begun()
            for answer in self._answers(asked):
                samples = np.frombuffer(answer.pcm, "<f4").astype(np.float32, copy=False)
                yield Chunk(samples, int(answer.header["sample_rate"]))
        except WorkerLost:
            self.is_going_on = asked.is_going_on
            raise
        finally:
            self._current = None
            self.last_used = time.monotonic()
            if self.is_going_on:
                self._ahead.insert(0, (utterance, asked))
            else:
                asked.cancel()

    def _answers(self, asked: Asked) -> Generator[Answer, None, None]:
        """The chunks that answer a request, until its end."""
        limit_s, since = math.inf, 0.0
        while True:
            answer = asked.next(_LOOK_S)
            has_sound_or_end = answer is not None and answer.event != "loading"
            if not has_sound_or_end and time.monotonic() - since > limit_s:
                asked.give_up(f"did not go on for {limit_s:g} s")
                limit_s = math.inf
            if answer is None:
                if asked.is_cancelled:
                    self.cut_off = True
                    return
                continue
            header = answer.header
            if answer.event == "begun":
                limit_s = self.limits.load_s + self.limits.first_chunk_s
                since = time.monotonic()
            elif answer.event == "chunk":
                yield answer
                limit_s, since = self.limits.stall_s, time.monotonic()
            elif answer.event == "loading":
                text, fraction = f"{header['text']} on {_name(asked)}", header["fraction"]
                self._on_progress(text, fraction)
            elif answer.event == "end":
                self.cut_off, self.made_on = header["cut_off"], asked.worker
                self._notes += [
                    f"{note} (on the worker {_name(asked)})" for note in header["notes"]
                ]
                return
            elif answer.event == "error":
                raise error_of(_name(asked), header["error"])

    def _take_ahead(self, utterance: Utterance) -> Asked | None:
        for known, asked in self._ahead:
            if known == utterance:
                self._ahead.remove((known, asked))
                return asked
        return None

    def _ask(self, utterance: Utterance, is_load: bool = False) -> Asked:
        clone = utterance.clone
        ref = None
        if clone is not None:
            ref = CloneRef(digest_of(clone.audio_path), clone.transcript, clone.lang)
        request = Request(
            id="",
            client="",
            session="",
            lane=self._lane,
            backend=self.name,
            model=self._model,
            text=None if is_load else utterance.text,
            said=said_of(utterance),
            clone=ref,
            tier=self._tier,
            priority=self._priority,
        )
        try:
            return self._session.ask(request, clone.audio_path if clone else None)
        except NotAvailable as exc:
            self.is_going_on = False
            raise WorkerLost(exc.message, exc.hint) from exc

    def cancel(self) -> None:
        asked = self._current
        if asked is not None:
            asked.cancel()

    def end_job(self) -> None:
        self.last_used = time.monotonic()

    def close(self) -> None:
        """Cancel all requests, also the present one."""
        self.is_alive = False
        for _, asked in list(self._ahead):
            asked.cancel()
        self.cancel()

    def kill(self) -> None:
        self.close()

    def answers(self, timeout_s: float = 2.0) -> bool:
        return self.is_alive

    def describe(self) -> dict[str, Any]:
        return {
            "backend": self.name,
            "model": self._model,
            "device": WORKERS,
            "dtype": None,
            "engine": None,
            "notes": self._notes,
            "state": "idle",
            "load_s": round(self.load_s, 3) if self.load_s else None,
            "idle_s": round(self.idle_s, 1),
            "keep_alive_s": None,
            "expires_at": None,
            "memory_mb": None,
            "vram_mb": None,
        }


def _name(asked: Asked) -> str:
    return asked.worker or "unnamed"
