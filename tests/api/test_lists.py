"""Lists of any length: in pages, as they come, and without keeping the player from writing."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.fakes import FakeContext, client_of
from vox.api.responses import PART_BYTES, json_array
from vox.client import http
from vox.errors import StorageError
from vox.jobs import Job, new_id


def add(context: FakeContext, count: int) -> list[str]:
    """That many ended jobs; their ids, newest first."""
    text = "Build number {} is finished, and all tests of it pass."
    jobs = [
        Job(id="", text=text.format(number), backend="scripted", state="done")
        for number in range(count)
    ]
    return [job.id for job in context.engine.store.add(jobs)][::-1]


def get(context: FakeContext, *targets: str) -> list[httpx.Response]:
    async def answers() -> list[httpx.Response]:
        async with client_of(context) as client:
            return [await client.get(target) for target in targets]

    return context.run(answers())


def test_the_header_link_leads_through_the_whole_history(context: FakeContext) -> None:
    ids = add(context, 25)
    found, target = [], "/jobs?limit=10&search=BUILD&state=done&state=failed"
    while target:
        (answer,) = get(context, target)
        found.append([job["id"] for job in answer.json()])
        target = answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == [ids[:10], ids[10:20], ids[20:]]


def test_there_is_no_next_page_after_the_last_job_or_without_a_limit(context: FakeContext) -> None:
    add(context, 3)
    for answer in get(context, "/jobs?limit=3", "/jobs?limit=4", "/jobs?limit=0", "/jobs"):
        assert "link" not in answer.headers


def test_jobs_are_found_by_who_sent_them_and_by_the_way_they_came(context: FakeContext) -> None:
    made = [context.engine.add(source=source, via=via).id
            for source, via in (("a", "cli"), ("a", "inbox"), ("b", "inbox"))]  # fmt: skip
    targets = "/jobs?source=a", "/jobs?via=inbox", "/jobs?source=a&via=inbox", "/jobs?source=A"
    found = [[job["id"] for job in answer.json()] for answer in get(context, *targets)]
    assert found == [made[1::-1], made[:0:-1], [made[1]], []]
    assert get(context, "/jobs?via=pigeon")[0].status_code == 422


def test_a_page_begins_behind_a_job_by_any_beginning_of_its_id(context: FakeContext) -> None:
    ids = add(context, 3)
    known, unknown = get(context, f"/jobs?before={ids[0][:5]}", f"/jobs?before={new_id()}")
    assert [job["id"] for job in known.json()] == ids[1:]
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-job")


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_a_list_is_one_json_array_with_one_job_a_line(context: FakeContext, count: int) -> None:
    ids = add(context, count)
    (answer,) = get(context, "/jobs")
    assert [job["id"] for job in answer.json()] == ids
    lines = answer.text.splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", count + 2 or 3)
    assert (len(answer.content) > 2 * PART_BYTES) == (count == 3000)


def test_an_error_before_the_first_part_is_answered_and_a_later_one_breaks_off() -> None:
    def failing(after: int) -> Any:
        yield from ("x" * PART_BYTES for _ in range(after))
        raise StorageError("the disk is gone")

    async def read(after: int) -> list[bytes]:
        answer: Any = await json_array(lambda: failing(after))
        return [part async for part in answer.body_iterator]

    for after in (0, 3):
        with pytest.raises(StorageError):
            asyncio.run(read(after))


def _answer(body: bytes, home: Path) -> http.Answer:
    """A daemon's answer with that body, cut off where it ends."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    return http.Answer(ours)


@pytest.mark.parametrize(
    "body", [b'[\n{"a": 1},\n{"a": 2}\n]\n', b'[{"a": 1}, {"a": 2}]', b'[{"a": 1}, {"a": 2}]\n']
)
def test_the_client_reads_the_array_of_this_daemon_and_of_an_older_one(
    body: bytes, home: Path
) -> None:
    with _answer(body, home) as answer:
        assert list(answer.items()) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("body", [b"", b"[\n", b'[\n{"a": 1},\n', b'[\n{"a": 1}'])
def test_the_client_takes_no_cut_off_array_for_the_whole(body: bytes, home: Path) -> None:
    with _answer(body, home) as answer, pytest.raises(http.Dropped):
        list(answer.items())


@pytest.mark.slow
def test_a_list_needs_no_more_memory_than_its_parts(context: FakeContext) -> None:
    store = context.engine.store

    async def peak_bytes(limit: int) -> int:
        pages = store.history.pages(limit=limit)
        answer: Any = await json_array(lambda: store.shown(job for page in pages for job in page))
        tracemalloc.start()
        async for part in answer.body_iterator:
            assert len(part) < 2 * PART_BYTES
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    add(context, 6000)
    few, many = (asyncio.run(peak_bytes(limit)) for limit in (1000, 6000))
    assert many < 1.5 * few
