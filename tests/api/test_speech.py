"""A job's audio as a response: what a client is sent while the spool grows, and when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.api.fakes import FakeContext
from vox.api.speech import SpeechResponse
from vox.audio.spool import Spool
from vox.jobs import Job

RATE = 24_000


class Exchange:
    """One response on its way to a client that can go away."""

    def __init__(self, context: FakeContext, job: Job, is_sse: bool = False) -> None:
        self._response = SpeechResponse(context, job, "pcm", is_sse)
        self._gone = asyncio.Event()
        self.has_begun = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        self._task = asyncio.create_task(
            self._response({"type": "http", "path": "/v1/audio/speech"}, self._receive, self._send)
        )

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            self.has_begun.set()

    async def over(self) -> None:
        await self._task

    async def go_away(self) -> None:
        self._gone.set()
        await self._task

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent)

    @property
    def is_whole(self) -> bool:
        """Whether the client can tell that it has all of it."""
        return self.sent[-1].get("more_body") is False


@pytest.fixture
def job(context: FakeContext) -> Job:
    return context.engine.add(sink="stream", volume=0.5)


@pytest.fixture
def spool(context: FakeContext, job: Job) -> Iterator[Spool]:
    with contextlib.closing(context.engine.spools.open(job.id)) as spool:
        yield spool


def say(spool: Spool, index: int, level: float) -> None:
    """An utterance of a tenth of a second."""
    spool.begin_utterance(index)
    spool.append(np.full(RATE // 10, level, np.float32), RATE)
    spool.end_utterance()


def end(context: FakeContext, job: Job, state: str, **fields: Any) -> None:
    store = context.engine.store
    store.change(job.id, ("queued",), "preparing")
    assert store.change(job.id, ("preparing",), state, **fields)  # type: ignore[arg-type]


def test_audio_is_sent_as_it_is_made_at_the_job_s_volume(
    context: FakeContext, job: Job, spool: Spool
) -> None:
    async def listen() -> Exchange:
        exchange = Exchange(context, job)
        await asyncio.to_thread(say, spool, 0, 0.5)
        await exchange.has_begun.wait()
        await asyncio.to_thread(say, spool, 1, -0.5)
        spool.finish()
        end(context, job, "done")
        await exchange.over()
        return exchange

    exchange = context.run(listen())
    samples = np.frombuffer(exchange.body, "<i2") / 32768
    assert exchange.status == 200
    assert exchange.is_whole
    assert len(samples) == RATE // 10 * 2
    assert samples[len(samples) // 4] == pytest.approx(0.25, abs=0.01)
    assert samples[len(samples) * 3 // 4] == pytest.approx(-0.25, abs=0.01)


def test_the_end_is_sent_only_once_the_job_is_done(
    context: FakeContext, job: Job, spool: Spool
) -> None:
    async def listen() -> tuple[bool, bool]:
        exchange = Exchange(context, job)
        say(spool, 0, 0.5)
        spool.finish()
        await exchange.has_begun.wait()
        await asyncio.sleep(0.05)
        was_whole = exchange.is_whole
        end(context, job, "done")
        await exchange.over()
        return was_whole, exchange.is_whole

    assert context.run(listen()) == (False, True)


def test_a_job_that_fails_before_any_audio_is_a_problem(
    context: FakeContext, job: Job, spool: Spool
) -> None:
    async def listen() -> Exchange:
        exchange = Exchange(context, job)
        end(context, job, "failed", error="it broke", error_code="job-failed")
        await exchange.over()
        return exchange

    exchange = context.run(listen())
    assert exchange.status == 500
    assert json.loads(exchange.body)["error"]["message"] == "it broke"


def test_a_job_that_fails_later_leaves_the_response_unfinished(
    context: FakeContext, job: Job, spool: Spool
) -> None:
    async def listen() -> Exchange:
        exchange = Exchange(context, job)
        say(spool, 0, 0.5)
        await exchange.has_begun.wait()
        end(context, job, "failed", error="it broke", error_code="job-failed")
        await exchange.over()
        return exchange

    exchange = context.run(listen())
    assert exchange.status == 200
    assert not exchange.is_whole


def test_as_events_a_later_failure_is_an_event(
    context: FakeContext, job: Job, spool: Spool
) -> None:
    async def listen() -> Exchange:
        exchange = Exchange(context, job, is_sse=True)
        say(spool, 0, 0.5)
        await exchange.has_begun.wait()
        end(context, job, "failed", error="it broke", error_code="job-failed")
        await exchange.over()
        return exchange

    exchange = context.run(listen())
    lines = exchange.body.split(b"\n\n")[:-1]
    events = [json.loads(line.removeprefix(b"data: ")) for line in lines]
    assert [event["type"] for event in events] == ["speech.audio.delta", "error"]
    assert events[-1]["error"]["message"] == "it broke"


def test_a_client_that_goes_away_cancels_the_job(
    context: FakeContext, job: Job, spool: Spool
) -> None:
    async def listen() -> None:
        exchange = Exchange(context, job)
        say(spool, 0, 0.5)
        await exchange.has_begun.wait()
        await exchange.go_away()

    context.run(listen())
    cancelled = context.engine.store.get(job.id)
    assert (cancelled.state, cancelled.error) == ("cancelled", "the calling program has ended")


def test_a_daemon_that_leaves_before_any_audio_says_so(
    context: FakeContext, job: Job, spool: Spool
) -> None:
    async def listen() -> Exchange:
        exchange = Exchange(context, job)
        await asyncio.sleep(0.05)
        context.broadcaster.announce_leaving("stop", everybody=True)
        await exchange.over()
        return exchange

    exchange = context.run(listen())
    assert exchange.status == 503
    assert json.loads(exchange.body)["code"] == "daemon-unavailable"
