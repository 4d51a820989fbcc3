"""Event streams without a daemon: what a listener is sent, in which order, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.fakes import FakeContext
from vox.api.event_streams import Item
from vox.api.events import all_events, job_events
from vox.errors import UnknownJob
from vox.jobs import Job
from vox.queue.store import Store


def parsed(chunks: bytes) -> list[dict[str, Any]]:
    """The events in it: `id` and `name`, and the data's fields; without comments."""
    found = []
    for block in chunks.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            data = json.loads(lines["data"])
            found.append({**data, "event_id": lines.get("id"), "name": lines["event"]})
    return found


async def collected(chunks: AsyncIterator[bytes]) -> list[dict[str, Any]]:
    return parsed(b"".join([chunk async for chunk in chunks]))


def taken(queue: asyncio.Queue[Item]) -> list[str | None]:
    """The names of the events that wait in it; None is the stream's end."""
    items = [queue.get_nowait() for _ in range(queue.qsize())]
    return [item and item.event.name for item in items]


# -- the broadcaster -------------------------------------------------------------------------------


def test_a_stream_gets_its_job_s_events_alone_or_all(context: FakeContext) -> None:
    first, second = context.engine.add(), context.engine.add()

    async def listen() -> list[list[str]]:
        # What adding them published is handed out first.
        await asyncio.sleep(0)
        broadcaster = context.broadcaster
        with broadcaster.subscribe(first.id) as one, broadcaster.subscribe() as both:
            for job in (second, first):
                context.engine.cancel(job.id)
            await asyncio.sleep(0)
            waiting = [[q.get_nowait() for _ in range(q.qsize())] for q in (one, both)]
            kept = [[item.event for item in items if item] for items in waiting]
            return [[event.job_id for event in events if event.number] for events in kept]

    assert context.run(listen()) == [[first.id], [second.id, first.id]]


def test_a_stream_whose_reader_is_too_slow_is_ended(context: FakeContext) -> None:
    async def listen() -> list[str | None]:
        with context.broadcaster.subscribe() as queue:
            for number in range(150):
                context.engine.bus.publish("note", "x", {"number": number})
            await asyncio.sleep(0)
            return taken(queue)

    assert context.run(listen()) == [*["note"] * 100, None]


def test_who_follows_a_job_is_sent_its_position(context: FakeContext) -> None:
    jobs = [context.engine.add() for _ in range(3)]

    async def follow() -> list[dict[str, Any]]:
        with context.broadcaster.subscribe(jobs[1].id) as queue:
            while True:
                item = await queue.get()
                assert item is not None
                if "position" in item.event.data and item.event.name == "progress":
                    return parsed(item.frame)

    (event,) = context.run(follow())
    assert (event["id"], event["position"], event["queue_length"]) == (jobs[1].id, 2, 3)
    assert event["event_id"] is None


def test_who_follows_one_job_or_all_is_sent_a_pause(context: FakeContext) -> None:
    async def listen() -> list[list[str | None]]:
        broadcaster = context.broadcaster
        with broadcaster.subscribe("x") as one, broadcaster.subscribe() as all_of_them:
            broadcaster.announce_paused(True)
            return [taken(one), taken(all_of_them)]

    assert context.run(listen()) == [["progress"], ["progress"]]


def test_leaving_ends_the_streams_but_those_of_jobs_at_work(context: FakeContext) -> None:
    waiting, working = context.engine.add(), context.engine.add()
    context.engine.store.change(working.id, ("queued",), "preparing")

    async def leave() -> list[list[str | None]]:
        await asyncio.sleep(0)
        broadcaster = context.broadcaster
        with (
            broadcaster.subscribe(waiting.id) as of_waiting,
            broadcaster.subscribe(working.id) as of_working,
            broadcaster.subscribe() as of_all,
        ):
            broadcaster.announce_leaving("stop", everybody=False)
            ended = [taken(queue) for queue in (of_waiting, of_working, of_all)]
            broadcaster.announce_leaving("stop", everybody=True)
            return [*ended, taken(of_working)]

    bye = ["bye", None]
    assert context.run(leave()) == [bye, [], bye, bye]


def test_leaving_says_no_bye_to_who_waits_for_a_job_of_the_successor(context: FakeContext) -> None:
    late = context.engine.add()

    async def leave() -> list[str | None]:
        await asyncio.sleep(0)
        with context.broadcaster.subscribe(late.id) as queue:
            context.broadcaster.announce_leaving("stop", everybody=True, but={late.id})
            return taken(queue)

    assert context.run(leave()) == [None]


def test_leaving_says_no_bye_to_who_was_not_told_yet_that_the_job_has_ended(
    context: FakeContext,
) -> None:
    job = context.engine.add()

    async def leave() -> list[str | None]:
        with context.broadcaster.subscribe(job.id) as queue:
            context.engine.store.change(job.id, ("queued",), "cancelled")
            context.broadcaster.announce_leaving("idle", everybody=False)
            return taken(queue)

    assert context.run(leave()) == [None]


def test_the_end_of_a_job_is_waited_for(context: FakeContext) -> None:
    job = context.engine.add()

    async def wait() -> Job:
        waiting = asyncio.create_task(context.broadcaster.wait_for_end(job.id))
        await asyncio.to_thread(context.engine.cancel, job.id)
        return await waiting

    assert context.run(wait()).state == "cancelled"


def test_an_end_that_another_process_wrote_is_found_too(context: FakeContext) -> None:
    job = context.engine.add()

    async def wait() -> Job:
        waiting = asyncio.create_task(context.broadcaster.wait_for_end(job.id))
        with contextlib.closing(Store(context.paths.db_path)) as of_another:
            of_another.cancel(job.id)
        return await waiting

    assert context.run(wait()).state == "cancelled"


def test_an_end_that_the_full_disk_does_not_take_is_believed(context: FakeContext) -> None:
    job = context.engine.add()

    async def wait() -> Job:
        waiting = asyncio.create_task(context.broadcaster.wait_for_end(job.id))
        data = {"state": "failed", "exit_code": 1, "error": "full", "error_code": "storage"}
        context.engine.bus.publish("state", job.id, data)
        return await waiting

    ended = context.run(wait())
    assert (ended.state, ended.error, ended.error_code) == ("failed", "full", "storage")
    assert context.engine.store.get(job.id).is_live


def test_waiting_ends_with_a_live_job_when_the_daemon_leaves(context: FakeContext) -> None:
    job = context.engine.add()

    async def wait() -> Job:
        waiting = asyncio.create_task(context.broadcaster.wait_for_end(job.id))
        await asyncio.sleep(0)
        context.broadcaster.announce_leaving("stop", everybody=True)
        return await waiting

    # The stream is given its `bye`, which ends no job, and then its end.
    assert context.run(wait()).is_live


def test_waiting_for_no_job_is_an_error(context: FakeContext) -> None:
    with pytest.raises(UnknownJob):
        context.run(context.broadcaster.wait_for_end("zzzzzz"))


# -- a job's events --------------------------------------------------------------------------------


def test_a_job_that_gets_on_while_it_is_looked_up_never_seems_to_go_back(
    context: FakeContext,
) -> None:
    class Busy(Store):
        """The job gets on while it is looked up."""

        def get(self, job_id: str) -> Job:
            self.change(job_id, ("queued",), "preparing")
            self.change(job_id, ("preparing",), "speaking")
            return super().get(job_id)

    context.engine.store.close()
    context.engine.store = store = Busy(context.paths.db_path, context.engine.bus)
    job = context.engine.add()

    async def follow() -> list[str]:
        states = []
        async for chunk in job_events(context, job, None, bind=False):
            if not states:
                store.change(job.id, ("speaking",), "done")
            states += [event["state"] for event in parsed(chunk) if event["name"] == "state"]
        return states

    assert context.run(follow()) == ["speaking", "done"]


def test_a_job_that_has_ended_is_sent_once(context: FakeContext) -> None:
    job = context.engine.add()
    context.engine.cancel(job.id)
    events = context.run(collected(job_events(context, job, None, bind=True)))
    assert [(event["state"], event["exit_code"]) for event in events] == [("cancelled", 5)]


def test_what_was_missed_up_to_the_end_is_all_that_is_sent(context: FakeContext) -> None:
    job = context.engine.add()
    context.engine.cancel(job.id)
    events = context.run(collected(job_events(context, job, "epoch-0", bind=False)))
    assert [(each["event_id"], each["state"]) for each in events] == [
        ("epoch-1", "queued"),
        ("epoch-2", "cancelled"),
    ]


def test_a_missed_event_that_is_handed_out_again_is_sent_once(context: FakeContext) -> None:
    async def follow() -> list[dict[str, Any]]:
        job = context.engine.add()  # published, but not handed out before the loop goes on
        chunks = job_events(context, job, "epoch-0", bind=False)
        found = parsed(await anext(chunks)) + parsed(await anext(chunks))
        context.engine.cancel(job.id)
        return found + await collected(chunks)

    states = [event["state"] for event in context.run(follow()) if event["name"] == "state"]
    assert states == ["queued", "cancelled"]


def test_a_pause_is_sent_to_who_begins_to_follow(context: FakeContext) -> None:
    job = context.engine.add()
    context.engine.pause()

    async def first() -> list[dict[str, Any]]:
        return parsed(await anext(job_events(context, job, None, bind=False)))

    state, progress = context.run(first())
    assert state["position"] == 1
    assert (progress["name"], progress["paused"]) == ("progress", True)


@pytest.mark.parametrize("bind", [True, False])
def test_a_listener_that_goes_cancels_the_job_only_if_bound(
    context: FakeContext, bind: bool
) -> None:
    job = context.engine.add()

    async def go() -> None:
        chunks: Any = job_events(context, job, None, bind)
        await anext(chunks)
        await chunks.aclose()

    cancelled = threading.Event()
    context.engine.bus.subscribe(lambda event: event.number and cancelled.set())
    context.run(go())
    assert cancelled.wait(5.0 if bind else 0.1) == bind
    assert context.engine.store.get(job.id).state == ("cancelled" if bind else "queued")


# -- all events ------------------------------------------------------------------------------------


def test_all_events_begin_with_the_live_jobs_and_the_id_to_go_on_from(context: FakeContext) -> None:
    ended, live = context.engine.add(), context.engine.add()
    context.engine.cancel(ended.id)

    async def begin() -> tuple[bytes, bytes, bytes]:
        await asyncio.sleep(0)
        chunks = all_events(context, None)
        jobs, known_id = await anext(chunks), await anext(chunks)
        context.engine.cancel(live.id)
        return jobs, known_id, await anext(chunks)

    jobs, known_id, news = context.run(begin())
    assert [(event["id"], event["phase"]) for event in parsed(jobs)] == [(live.id, "waiting")]
    assert known_id.endswith(b"\nid: epoch-3\n\n")
    assert [e["event_id"] for e in parsed(news) if e["event_id"]] == ["epoch-4"]


def test_all_events_go_on_after_the_last_id(context: FakeContext) -> None:
    for _ in range(3):
        context.engine.add()

    async def go_on() -> list[str]:
        chunks = all_events(context, "epoch-1")
        return [event["event_id"] for event in parsed(await anext(chunks))]

    assert context.run(go_on()) == ["epoch-2", "epoch-3"]


def test_events_of_many_threads_arrive_in_their_order(context: FakeContext) -> None:
    def publish() -> None:
        for _ in range(20):
            context.engine.bus.publish("note", "x", {})

    async def listen() -> list[int]:
        with context.broadcaster.subscribe() as queue:
            threads = [threading.Thread(target=publish) for _ in range(4)]
            for thread in threads:
                thread.start()
            items = [await queue.get() for _ in range(80)]
            for thread in threads:
                thread.join()
            return [item.event.number for item in items if item]

    assert context.run(listen()) == list(range(1, 81))
