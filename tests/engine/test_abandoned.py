"""A job does not outlive its caller, wherever it stands; what is released goes on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Process, name_of_the_dead
from vox.audio.files import part_name
from vox.callers import WENT_AWAY, me
from vox.engine.engine import Engine
from vox.errors import StorageError
from vox.queue.store import Store

from .fakes import LIMIT_S, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request


class FullStore(Store):
    """Has no room for what is done, until there `is_room`."""

    is_room = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.looked = threading.Semaphore(0)
        """Released by each look for the callers."""

    def change(self, job_id: str, sources: Any, target: Any, *more: Any, **columns: Any) -> Any:
        if target == "done" and not self.is_room:
            raise StorageError("there is no room")
        return super().change(job_id, sources, target, *more, **columns)

    def callers(self) -> list[tuple[str, str]]:
        self.looked.release()
        return super().callers()


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.end()


@pytest.fixture
def dead() -> str:
    return name_of_the_dead()


def test_a_job_whose_caller_died_before_the_start_is_cancelled(
    rig: Rig, hosts: FakeHosts, dead: str
) -> None:
    engine = rig.make_engine()
    left = engine.submit(request(ONE, caller=dead))
    spoken = engine.submit(request(TWO, caller=me()))
    engine.start()
    assert rig.until_ended(left)["error"] == WENT_AWAY
    assert rig.until_ended(spoken)["state"] == "done"
    assert hosts.texts == [TWO]


@pytest.mark.parametrize("state", ["preparing", "speaking"])
def test_a_job_that_was_begun_when_both_caller_and_daemon_died_is_cancelled(
    rig: Rig, hosts: FakeHosts, dead: str, state: str
) -> None:
    engine = rig.make_engine()
    left = engine.submit(request(ONE, caller=dead))
    engine.store.change(left.id, ("queued",), state)
    engine.start()
    assert rig.until_ended(left)["error"] == WENT_AWAY
    assert rig.states(left) == ["queued", state, "cancelled"]
    assert hosts.texts == []


def test_a_file_that_was_half_written_when_both_died_is_removed(
    rig: Rig, dead: str, tmp_path: Path
) -> None:
    engine = rig.make_engine()
    left = engine.submit(request(ONE, caller=dead, output=str(tmp_path / "out.wav")))
    engine.store.change(left.id, ("queued",), "preparing")
    (tmp_path / part_name(left.id)).write_bytes(b"RIFF")
    (tmp_path / part_name("nobody")).touch()
    engine.start()
    assert rig.until_ended(left)["error"] == WENT_AWAY
    assert os.listdir(tmp_path) == [part_name("nobody")]


def test_a_job_whose_caller_was_dead_when_it_came_is_never_begun(
    rig: Rig, hosts: FakeHosts, engine: Engine, dead: str
) -> None:
    left = engine.submit(request(ONE, caller=dead))
    assert rig.until_ended(left)["error"] == WENT_AWAY
    assert rig.states(left) == ["queued", "cancelled"]
    assert hosts.texts == []


def test_a_job_is_cut_off_when_its_caller_dies(
    rig: Rig, hosts: FakeHosts, engine: Engine, process: Process
) -> None:
    job = engine.submit(request(*[ONE] * 50, caller=process.name))
    behind = engine.submit(request(TWO))
    rig.until_state(job, "speaking")
    process.kill()
    assert rig.until_ended(job)["error"] == WENT_AWAY
    assert rig.until_ended(behind)["state"] == "done"
    rig.until(lambda: engine.player.current is None)


def test_a_job_whose_caller_is_stopped_is_spoken(
    rig: Rig, engine: Engine, process: Process
) -> None:
    process.pause()
    job = engine.submit(request(caller=process.name))
    assert rig.until_ended(job)["state"] == "done"


@pytest.mark.parametrize("caller", ["4711", "connection", "linux:4711:1:1:1:elsewhere"])
def test_a_caller_that_cannot_be_judged_keeps_its_job(
    rig: Rig, engine: Engine, caller: str
) -> None:
    job = engine.submit(request(caller=caller))
    assert rig.until_ended(job)["state"] == "done"


def test_a_released_job_outlives_its_caller(
    rig: Rig, hosts: FakeHosts, engine: Engine, process: Process
) -> None:
    engine.pause()
    job = engine.submit(request(caller=process.name))
    with contextlib.closing(rig.store()) as store:  # as another process does it
        store.note(job.id, caller=None)
    process.kill()
    # By then it has looked at those that are not released.
    left = engine.submit(request(THREE, caller=process.name))
    rig.until_ended(left)
    engine.resume()
    assert rig.until_ended(job)["state"] == "done"


def test_a_job_that_is_released_at_the_last_moment_is_not_cancelled(rig: Rig, dead: str) -> None:
    """Its caller was seen bound, then released it, and ended before it was looked for."""
    engine = rig.make_engine()
    job = engine.submit(request(caller=dead))
    ((job_id, caller),) = engine.store.callers()
    engine.store.note(job.id, caller=None)
    assert engine.store.cancel_abandoned(job_id, caller) is None
    assert engine.store.get(job.id).state == "queued"


def test_who_leaves_before_the_end_of_its_job_is_written_does_not_cancel_it(
    rig: Rig, process: Process
) -> None:
    store = FullStore(rig.paths.db_path, rig.bus)
    engine = rig.make_engine(store=store)
    engine.start()
    job = engine.submit(request(caller=process.name))
    assert rig.until_ended(job)["state"] == "done"
    process.kill()
    while store.looked.acquire(blocking=False):
        pass
    for _ in range(2):
        assert store.looked.acquire(timeout=LIMIT_S)
    store.is_room = True
    rig.until(lambda: store.get(job.id).state == "done")
