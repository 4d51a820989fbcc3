"""Jobs that workers make, and those that are made here beside them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from vox.engine.engine import Engine
from vox.errors import (
    LoadFailed,
    SynthesisFailed,
    UnknownModel,
    WorkerLost,
)

from .fake_workers import ELSEWHERE, Anew, FakeWorkers, elsewhere, file_elsewhere, worker
from .rig import ONE, THREE, TWO, Rig, request

pytestmark = pytest.mark.usefixtures("workers")


def test_a_job_for_a_backend_that_only_workers_have(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    job = engine.submit(elsewhere(ONE, TWO))
    assert rig.until_ended(job)["state"] == "done"
    assert [each.text for each in workers.asked] == [ONE, TWO]
    assert {each.tier for each in workers.asked} == {0}
    assert engine.store.get(job.id).made_on == "gpu1"
    assert not rig.hosts.started


def test_only_a_model_that_the_backend_cannot_have_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownModel):
        engine.submit(elsewhere(model="nonsense"))
    assert engine.submit(elsewhere(model="1.7b"))


def test_a_sentence_that_fails_twice_is_left_out_as_at_home(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    for _ in range(2):
        workers.hosts.script(TWO, 0.05, SynthesisFailed("no"))
    job = engine.submit(elsewhere(ONE, TWO, THREE))
    assert rig.until_ended(job)["state"] == "done"
    found = engine.store.get(job.id)
    assert found.unsaid == 1 and any("(no (on the worker gpu1))" in note for note in found.notes)


def test_a_sentence_that_begins_anew_is_heard_once(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.hosts.script(TWO, 0.3, Anew())
    job = engine.submit(elsewhere(ONE, TWO))
    assert rig.until_ended(job)["state"] == "done"
    assert [each.text for each in workers.asked] == [ONE, TWO]
    audio_s = engine.store.get(job.id).audio_s
    assert audio_s == pytest.approx(0.1 + 0.25 + 0.1, abs=0.05)


@pytest.mark.parametrize("error", [WorkerLost("the worker gpu1 was lost"), LoadFailed("no GPU")])
def test_what_workers_cannot_do_is_made_here(
    rig: Rig, engine: Engine, workers: FakeWorkers, error: Exception
) -> None:
    rig.settings["placement"] = "remote"
    workers.hosts.script(TWO, 0.05, error)
    job = engine.submit(request(ONE, TWO, THREE))
    assert rig.until_ended(job)["state"] == "done"
    assert rig.hosts.texts == [TWO, THREE]
    (note,) = (note for note in engine.store.get(job.id).notes if note.startswith("made here: "))
    assert "gpu1" in note


def test_what_nobody_can_do_fails_with_the_name_of_the_worker(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.hosts.script(ONE, LoadFailed("no GPU"))
    ended = rig.until_ended(engine.submit(elsewhere()))
    assert ended["error_code"] == "load-failed"
    assert ended["error"].startswith("no GPU (on the worker gpu1)")


def test_notes_of_a_load_are_told(rig: Rig, engine: Engine, workers: FakeWorkers) -> None:
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    workers.hosts.loads.append(["it fell back to the CPU"])
    job = engine.submit(elsewhere())
    rig.until_ended(job)
    assert "it fell back to the CPU (on the worker gpu1)" in engine.store.get(job.id).notes
    steps = [e.data.get("step") for e in rig.events if e.name == "progress"]
    assert "loading the script on gpu1" in steps


def test_the_worker_that_loads_the_model_makes_the_utterance(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    job = engine.submit(elsewhere())
    assert rig.until_ended(job)["state"] == "done"
    assert workers.texts == [job.text], "a load of its own may go to another worker"


def test_a_load_by_another_worker_is_over_with_its_utterance(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    workers.loaded_for.add(TWO)
    gate = workers.hosts.gate()
    workers.hosts.script(THREE, gate)
    job = engine.submit(file_elsewhere(tmp_path / "x.wav", ONE, TWO, THREE))
    rig.until(lambda: engine.store.outlooks.of(engine.store.get(job.id)).made == 2)
    rig.until(lambda: engine.store.outlooks.of(engine.store.get(job.id)).phase == "making")

    def is_told() -> bool:
        steps = [each.data["step"] for each in rig.events if "step" in each.data]
        return None in steps[steps.index("loading the script on gpu1") :]

    rig.until(is_told)
    gate.open()


def test_a_job_that_is_cancelled_while_a_worker_loads_ends_the_load(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    gate = workers.hosts.gate()
    workers.hosts.loads.append([gate])
    job = engine.submit(elsewhere())
    gate.wait_reached()
    engine.cancel(job.id)
    workers.until(lambda: workers.cancelled)
    assert rig.until_ended(job)["state"] == "cancelled"


def test_what_is_cached_is_not_asked_for_ahead(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    """Nor are workers needed for a job of only such."""
    rig.settings["placement"] = "remote"
    rig.until_ended(engine.submit(request(TWO)))
    del workers.asked[:]
    job = engine.submit(request(ONE, TWO, THREE))
    rig.until_ended(job)
    assert sorted(map(str, workers.texts)) == [ONE, THREE]


# -- beside what is made here ------------------------------------------------------------------


def test_files_there_and_speech_here_do_not_wait_for_each_other(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    there, here = workers.hosts.gate(), rig.hosts.gate()
    workers.hosts.script(ONE, 0.1, there)
    rig.hosts.script(TWO, 0.1, here)
    workers.announce(worker("gpu1", [ELSEWHERE]))
    slow = engine.submit(file_elsewhere(tmp_path / "slow.wav", ONE))
    there.wait_reached()
    spoken = engine.submit(request(TWO))
    here.wait_reached()
    workers.announce(worker("gpu1", [ELSEWHERE], concurrency=2))
    quick = engine.submit(file_elsewhere(tmp_path / "quick.wav", THREE))
    assert rig.until_ended(quick)["state"] == "done"
    here.open()
    assert rig.until_ended(spoken)["state"] == "done"
    there.open()
    assert rig.until_ended(slow)["state"] == "done"


def test_as_many_files_at_once_as_workers_make(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    workers.announce(worker("a", [ELSEWHERE]), worker("b", [ELSEWHERE]))
    gates = [workers.hosts.gate() for _ in range(3)]
    texts = [f"Here is file {name}." for name in ("one", "two", "three")]
    jobs = []
    for text, gate in zip(texts, gates, strict=True):
        workers.hosts.script(text, 0.1, gate)
        jobs.append(engine.submit(file_elsewhere(tmp_path / f"{len(jobs)}.wav", text)))
    gates[0].wait_reached()
    gates[1].wait_reached()
    gates[1].open()
    rig.until_ended(jobs[1])
    gates[2].wait_reached()
    gates[0].open()
    gates[2].open()
    assert {rig.until_ended(job)["state"] for job in jobs} == {"done"}
    assert set(workers.texts) == set(texts)


def test_what_is_heard_keeps_its_order(rig: Rig, engine: Engine, workers: FakeWorkers) -> None:
    workers.announce(worker("a", [ELSEWHERE], concurrency=4))
    texts = [f"Here is job {name}." for name in ("one", "two", "three")]
    jobs = [
        engine.submit(request(text, backend=ELSEWHERE if at % 2 == 0 else "scripted"))
        for at, text in enumerate(texts)
    ]
    for job in jobs:
        assert rig.until_ended(job)["state"] == "done"
    heard = [e.job_id for e in rig.events if e.name == "state" and e.data["state"] == "speaking"]
    assert heard == [job.id for job in jobs]


def test_an_engine_that_stops_waits_for_no_load_beside_what_workers_make(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    there, here = workers.hosts.gate(), rig.hosts.gate()
    workers.hosts.script(ONE, there)
    workers.announce(worker("gpu1", [ELSEWHERE]))
    rig.hosts.loads.append([here])
    engine.submit(file_elsewhere(tmp_path / "x.wav", ONE))
    there.wait_reached()
    engine.submit(request(TWO))
    here.wait_reached()
    began = time.monotonic()
    rig.close(engine)
    assert time.monotonic() - began < 8
