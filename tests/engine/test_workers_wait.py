"""Jobs that only workers could make, while there are none."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from vox.callers import me
from vox.engine.engine import Engine
from vox.engine.workers_wait import MOST_TRIED
from vox.errors import (
    SynthesisFailed,
    WorkersAway,
)
from vox.jobs import Job
from vox.queue.tasks import LOOK_PAST

from .fake_workers import ELSEWHERE, GPU, FakeWorkers, elsewhere, file_elsewhere, worker
from .rig import ONE, THREE, TWO, Rig, request

pytestmark = pytest.mark.usefixtures("workers")


def until_waiting(rig: Rig, job: Job) -> None:
    """Wait until it is known that there are no workers for the job, and it is in the queue."""

    (engine,) = rig.engines
    rig.until(lambda: engine.workers_wait.what(job.id) is not None)
    rig.until(lambda: rig.states(job)[-1] == "queued")


def test_a_job_without_workers_waits_and_goes_on_by_itself(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    job = engine.submit(elsewhere())
    until_waiting(rig, job)
    other = engine.submit(request(TWO))
    assert rig.until_ended(other)["state"] == "done"  # it overtakes
    workers.announce(GPU)
    assert rig.until_ended(job)["state"] == "done"


def test_what_a_job_waits_for_is_foreseen_and_told(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    workers.announce()
    job = engine.submit(file_elsewhere(tmp_path / "x.wav", ONE))
    until_waiting(rig, job)
    waits_for = f"a worker: no worker serves {ELSEWHERE}; see: vox workers"
    found = engine.store.get(job.id)
    for outlook in (engine.store.outlooks.of(found), engine.store.outlooks.at_once(found)):
        assert (outlook.phase, outlook.waits_for) == ("waiting", waits_for)
        assert (outlook.starts_in_s, outlook.left_s) == (None, None)
    later = engine.submit(request(TWO))
    assert engine.store.outlooks.of(later).position == 1
    workers.announce(GPU)
    ended = rig.until_ended(job)
    assert (ended["phase"], ended["waits_for"]) == (None, None)


def test_what_is_spoken_at_once_or_never_does_not_wait(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    ended = rig.until_ended(engine.submit(elsewhere(unkept=True)))
    assert (ended["state"], ended["error_code"]) == ("failed", "workers-away")


def test_many_waiting_jobs_hide_no_others(rig: Rig, engine: Engine, workers: FakeWorkers) -> None:
    workers.announce()
    texts = [f"Here is number {n}." for n in range(LOOK_PAST + 5)]
    jobs = engine.submitter.submit_many([elsewhere(text) for text in texts])
    assert rig.until_ended(engine.submit(request(TWO)))["state"] == "done"
    rig.until(lambda: engine.workers_wait.count == len(jobs))
    assert sum(rig.states(job).count("preparing") for job in jobs) < 2 * MOST_TRIED
    assert engine.tasks.pending() == [] and not engine.is_idle
    looks = workers.looks
    rig.until_ended(engine.submit(request(THREE)))
    assert workers.looks - looks < 1000  # nothing looks again and again
    for job in jobs[1:]:
        engine.cancel(job.id)
    workers.announce(GPU)
    assert rig.until_ended(jobs[0])["state"] == "done"


def test_a_waiting_job_can_be_cancelled_and_expires(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    job, mortal = engine.submit(elsewhere()), engine.submit(elsewhere(TWO, expires_s=0.5))
    until_waiting(rig, job)
    engine.cancel(job.id)
    assert rig.until_ended(job)["state"] == "cancelled"
    assert rig.until_ended(mortal)["state"] == "expired"


def test_a_restart_keeps_a_waiting_job(rig: Rig, engine: Engine, workers: FakeWorkers) -> None:
    workers.announce()
    job = engine.submit(elsewhere())
    until_waiting(rig, job)
    rig.close(engine)
    again = rig.make_engine()
    again.start()
    workers.announce(GPU)
    assert rig.until_ended(job)["state"] == "done"


def test_what_is_in_the_cache_is_said_without_workers(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    rig.settings["placement"] = "remote"
    rig.until_ended(engine.submit(request(TWO)))
    workers.announce()
    rig.until_ended(engine.submit(request(TWO)))
    assert workers.texts == [TWO]


def test_speech_goes_on_from_the_next_sentence_once_workers_are_back(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    gate = workers.hosts.gate()
    workers.hosts.script(TWO, gate, WorkersAway("all went away"))
    job = engine.submit(elsewhere(ONE, TWO, THREE))
    gate.wait_reached()
    workers.announce()
    gate.open()
    until_waiting(rig, job)
    found = engine.store.get(job.id)
    assert found.heard == 1
    del workers.asked[:]
    workers.announce(GPU)
    ended = rig.until_ended(job)
    assert (ended["state"], ended["heard"]) == ("done", 3)
    assert workers.texts == [TWO, THREE]


def test_speech_waits_in_the_queue_too_if_its_last_sentence_was_left_out(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    gate = workers.hosts.gate()
    for _ in range(2):
        workers.hosts.script(TWO, SynthesisFailed("no"))
    workers.hosts.script(THREE, gate, WorkersAway("all went away"))
    job = engine.submit(elsewhere(ONE, TWO, THREE))
    gate.wait_reached()
    rig.until(lambda: engine.store.get(job.id).unsaid == 1)
    workers.announce()
    gate.open()
    until_waiting(rig, job)
    workers.announce(GPU)
    ended = rig.until_ended(job)
    assert (ended["state"], ended["heard"], ended["unsaid"]) == ("done", 3, 1)


def test_a_file_goes_on_from_the_next_sentence_once_workers_are_back(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    gate = workers.hosts.gate()
    workers.hosts.script(TWO, 0.05, gate, WorkersAway("all went away"))
    job = engine.submit(file_elsewhere(tmp_path / "x.wav", ONE, TWO, THREE))
    gate.wait_reached()
    workers.announce()
    gate.open()
    until_waiting(rig, job)
    del workers.asked[:]
    workers.announce(worker("gpu2", [ELSEWHERE]))
    assert rig.until_ended(job)["state"] == "done"
    assert workers.texts == [TWO, THREE]
    found = engine.store.get(job.id)
    assert found.audio_s == pytest.approx(3 * 0.1 + 2 * 0.25, abs=0.02)
    assert found.made_on == "gpu1, gpu2"


def test_an_engine_that_finishes_does_not_wait_for_workers_to_come_back(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    gate = workers.hosts.gate()
    workers.hosts.script(TWO, gate, WorkersAway("all went away"))
    job = engine.submit(file_elsewhere(tmp_path / "x.wav", ONE, TWO))
    gate.wait_reached()
    with ThreadPoolExecutor() as threads:
        finishing = threads.submit(engine.finish)
        rig.until(lambda: engine.worker.written_ids and not finishing.done())
        workers.announce()
        gate.open()
        try:
            finishing.result(30)
        finally:
            engine.finish_now()
    assert rig.states(job)[-1] == "queued"


def test_a_response_goes_on_from_the_next_sentence_once_workers_are_back(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    gate = workers.hosts.gate()
    workers.hosts.script(TWO, 0.05, gate, WorkersAway("all went away"))
    job = engine.submit(elsewhere(ONE, TWO, sink="stream"))
    reader = engine.spools.open(job.id)  # as the API has it
    gate.wait_reached()
    workers.announce()
    gate.open()
    until_waiting(rig, job)
    other = engine.submit(request(THREE, sink="stream"))
    assert rig.until_ended(other)["state"] == "done"
    workers.announce(GPU)
    assert rig.until_ended(job)["state"] == "done"
    assert reader.is_complete
    assert reader.frames / 24_000 == pytest.approx(2 * 0.1 + 0.25, abs=0.02)
    reader.close()


def test_a_text_that_is_still_being_written_waits_for_workers_too(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    job = engine.submit(elsewhere("", is_open=True, caller=me()))
    until_waiting(rig, job)
    length = engine.append_text(job.id, 0, f"{ONE} {TWO} ").length
    other = engine.submit(request(TWO))
    assert rig.until_ended(other)["state"] == "done"
    workers.announce(GPU)
    rig.until(lambda: any(e.data.get("heard") == 2 for e in rig.events if e.job_id == job.id))
    engine.append_text(job.id, length, THREE)
    engine.end_text(job.id)
    ended = rig.until_ended(job)
    assert (ended["state"], ended["heard"]) == ("done", 3)
    assert [text for text in workers.texts if text] == [ONE, TWO, THREE]


def test_one_that_is_tried_alone_holds_up_nobody_while_it_waits(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    job = engine.submit(elsewhere())
    engine.lookahead.alone.add(job.id)
    until_waiting(rig, job)
    assert rig.until_ended(engine.submit(request(TWO)))["state"] == "done"


def test_requests_that_cannot_be_sent_are_no_busy_loop(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    tries = itertools.count()
    workers.refusal = WorkersAway("refused")
    connected = engine.fleet.session
    assert connected is workers
    ask: Callable[..., Any] = workers.ask

    def counted(*args: Any) -> Any:
        next(tries)
        return ask(*args)

    workers.ask = counted  # type: ignore[method-assign]
    job = engine.submit(elsewhere())
    until_waiting(rig, job)
    time.sleep(0.5)
    assert next(tries) < 5
    workers.refusal = None
    workers.announce(GPU)
    assert rig.until_ended(job)["state"] == "done"


def test_jobs_that_wait_do_not_keep_other_models_from_being_warmed(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    until_waiting(rig, engine.submit(elsewhere()))
    rig.settings["keep"] = ("scripted",)
    rig.until(lambda: engine.kept.look() or rig.hosts.started)
