"""Where jobs are made, and those that only workers could make while there are none.

The workers are in this process (see `fake_workers`), all else is real.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vox.callers import me
from vox.engine.engine import Engine
from vox.engine.placement import Place
from vox.engine.rates import Pace
from vox.engine.workers_wait import MOST_TRIED
from vox.errors import (
    BackendNotInstalled,
    BadConfig,
    JobCancelled,
    LoadFailed,
    SynthesisFailed,
    UnknownModel,
    WorkerLost,
    WorkersAway,
)
from vox.hosts.pool import model_key
from vox.jobs import Job, Request
from vox.queue.tasks import LOOK_PAST

from .fake_workers import Anew, FakeWorkers, worker
from .fakes import LIMIT_S
from .rig import ONE, THREE, TWO, Rig, request

ELSEWHERE = "qwen"
"""A backend that is not installed here."""
GPU = worker("gpu1", ["scripted", ELSEWHERE])


@pytest.fixture
def workers() -> FakeWorkers:
    made = FakeWorkers()
    made.announce(GPU)
    return made


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.settings["workers"] = "redis://gpu.example"
    return rig


@pytest.fixture
def engine(rig: Rig, workers: FakeWorkers) -> Engine:
    made = rig.make_engine(connect=workers.connect)
    made.start()
    return made


def elsewhere(*sentences: str, **fields: Any) -> Request:
    return request(*sentences, **{"backend": ELSEWHERE, **fields})


def file(path: Path, *sentences: str, **fields: Any) -> Request:
    return elsewhere(*sentences, sink="file", output=str(path), **fields)


def until_waiting(rig: Rig, job: Job) -> None:
    """Wait until it is known that there are no workers for the job, and it is in the queue."""

    (engine,) = rig.engines
    rig.until(lambda: engine.workers_wait.what(job.id) is not None)
    rig.until(lambda: rig.states(job)[-1] == "queued")


# -- where ------------------------------------------------------------------------------------


def place(engine: Engine, backend: str = "scripted") -> Place | None:
    return engine.placement.where(backend, None).place


def test_without_the_setting_all_is_made_here(rig: Rig, engine: Engine) -> None:
    rig.settings["workers"] = None
    assert place(engine) == place(engine, ELSEWHERE) == "local"
    with pytest.raises(BackendNotInstalled):
        engine.submit(elsewhere())


@pytest.mark.parametrize(
    ("setting", "here", "there"), [("local", "local", "local"), ("remote", "remote", "remote")]
)
def test_the_setting_says_where(
    rig: Rig, engine: Engine, setting: str, here: str, there: str
) -> None:
    rig.settings["placement"] = setting
    assert (place(engine), place(engine, ELSEWHERE)) == (here, there)


def test_what_is_warm_goes_first_then_what_is_free_then_what_is_faster(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce(worker("gpu1"))
    assert place(engine) == "remote"  # warm there alone
    engine.submit(request(backend="scripted"))
    rig.until(lambda: "done" in rig.states())
    rig.settings["placement"] = "local"
    job = engine.submit(request("Said here.", backend="scripted"))
    rig.until_ended(job)
    rig.settings["placement"] = "auto"
    assert place(engine) == "local"  # warm here and there, and there it is not known how fast
    with engine.pool.turns.take(lambda: None, lambda: (0,), "another"):
        assert place(engine) == "remote"  # busy here
        workers.announce(worker("gpu1", busy=1))
        assert place(engine) == "local"  # busy here and there
    workers.announce(worker("gpu1", speed=1e9))
    assert place(engine) == "remote"
    workers.announce(worker("gpu1", is_warm=False, speed=1e9))
    assert place(engine) == "local"


def test_a_light_backend_stays_here(rig: Rig, engine: Engine, workers: FakeWorkers) -> None:
    workers.announce(worker("gpu1", ["say"]))
    assert place(engine, "say") == "local"
    rig.settings["placement"] = "remote"
    assert place(engine, "say") == "remote"


def test_workers_that_are_away_leave_it_to_this_machine(
    engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce(GPU, away=WorkersAway("the server is away"))
    assert (place(engine), place(engine, ELSEWHERE)) == ("local", None)
    verdict = engine.placement.where(ELSEWHERE, None)
    assert verdict.reason is not None and verdict.reason.message == "the server is away"


def test_an_engine_in_a_callers_process_leaves_it_to_the_daemon(rig: Rig) -> None:
    rig.settings["placement"] = "remote"
    engine = rig.make_engine(connect=None)
    assert (place(engine), place(engine, ELSEWHERE)) == ("local", None)


def test_no_worker_for_that_model(rig: Rig, engine: Engine, workers: FakeWorkers) -> None:
    rig.backends = {ELSEWHERE: {"model": "1.7b"}}
    assert place(engine, ELSEWHERE) is None  # they serve their usual one alone
    workers.announce(worker("gpu1", [f"{ELSEWHERE}/1.7B"]))
    assert place(engine, ELSEWHERE) == "remote"


def test_a_backend_that_is_gone_does_not_hold_the_queue_up(engine: Engine) -> None:
    assert engine.placement.place_of("gone", None) == "local"
    assert engine.lookahead.may_take([]) == []


def test_without_the_package_it_is_made_here(rig: Rig) -> None:
    def connect(*_: object) -> FakeWorkers:
        raise BadConfig("the package redis is not installed", "install it")

    engine = rig.make_engine(connect=connect)
    engine.start()
    job = engine.submit(request())
    assert rig.until_ended(job)["state"] == "done"
    trouble = engine.fleet.trouble()
    assert trouble is not None and trouble.hint == "install it"


def test_other_settings_are_another_session(rig: Rig, workers: FakeWorkers) -> None:
    made: list[FakeWorkers] = []

    def connect(*args: Any) -> FakeWorkers:
        made.append(FakeWorkers())
        return made[-1].connect(*args)

    engine = rig.make_engine(connect=connect)
    for url, count in (("redis://one", 1), ("redis://one", 1), ("redis://two", 2)):
        rig.settings["workers"] = url
        assert place(engine) == "remote" and len(made) == count
    assert made[0].is_closed.wait(LIMIT_S) and not made[1].is_closed.is_set()
    rig.settings["workers"] = None
    assert engine.fleet.session is None and made[1].is_closed.wait(LIMIT_S)


# -- what is made there -------------------------------------------------------------------------


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


def test_a_load_by_another_worker_is_over_with_its_utterance(
    rig: Rig, engine: Engine, workers: FakeWorkers, tmp_path: Path
) -> None:
    workers.loaded_for.add(TWO)
    gate = workers.hosts.gate()
    workers.hosts.script(THREE, gate)
    job = engine.submit(file(tmp_path / "x.wav", ONE, TWO, THREE))
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
    slow = engine.submit(file(tmp_path / "slow.wav", ONE))
    there.wait_reached()
    spoken = engine.submit(request(TWO))
    here.wait_reached()
    workers.announce(worker("gpu1", [ELSEWHERE], concurrency=2))
    quick = engine.submit(file(tmp_path / "quick.wav", THREE))
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
        jobs.append(engine.submit(file(tmp_path / f"{len(jobs)}.wav", text)))
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


# -- those that wait ----------------------------------------------------------------------------


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
    job = engine.submit(file(tmp_path / "x.wav", ONE))
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
    again = rig.make_engine(connect=workers.connect)
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
    job = engine.submit(file(tmp_path / "x.wav", ONE, TWO, THREE))
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


# -- models that are loaded ahead ----------------------------------------------------------------


def test_a_model_that_only_workers_have_is_warmed_there(
    engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    steps: list[str] = []
    warming = engine.models.warming(ELSEWHERE, None, None, None)
    loaded = warming.run(lambda text, _fraction: steps.append(text))
    assert steps == [f"loading {ELSEWHERE} on a worker", "loading the script on gpu1"]
    assert (loaded["backend"], loaded["device"], loaded["keep_alive_s"]) == (
        ELSEWHERE, "workers", None,
    )  # fmt: skip
    assert workers.texts == [None] and not engine.models.is_warming


def test_the_warming_of_a_worker_can_be_given_up(engine: Engine, workers: FakeWorkers) -> None:
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    workers.hosts.loads.append([workers.hosts.gate()])
    warming = engine.models.warming(ELSEWHERE, None, None, None)
    with pytest.raises(JobCancelled):
        warming.run(lambda _text, fraction: warming.cancel() if fraction else None)
    assert len(workers.cancelled) == 1


def test_without_workers_nothing_is_warmed_and_they_are_named(
    engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    with pytest.raises(WorkersAway, match=f"no worker serves {ELSEWHERE}"):
        engine.models.warming(ELSEWHERE, None, None, None)


def test_what_is_to_stay_warm_is_warmed_once_there_are_workers(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    rig.settings["keep"] = (ELSEWHERE,)
    workers.announce()
    for _ in range(3):
        engine.kept.look()
    assert engine.kept.errors == {}
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    engine.kept.look()
    rig.until(lambda: engine.kept.look() or workers.texts == [None])


def test_jobs_that_wait_do_not_keep_other_models_from_being_warmed(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    workers.announce()
    until_waiting(rig, engine.submit(elsewhere()))
    rig.settings["keep"] = ("scripted",)
    rig.until(lambda: engine.kept.look() or rig.hosts.started)


def test_voices_of_what_workers_serve_are_there(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    def installed(backend: str | None = None) -> bool:
        found = engine.catalog.voices(backend, clones=False)
        return any(voice.installed for voice in found if voice.backend == ELSEWHERE)

    assert installed() and installed(ELSEWHERE)
    workers.announce()
    assert not installed() and installed(ELSEWHERE)
    rig.settings["placement"] = "local"
    assert not installed(ELSEWHERE)


def test_how_fast_workers_are_is_foreseen(engine: Engine, workers: FakeWorkers) -> None:
    here = Pace(load_s=7.0, work=0.5)
    workers.announce(worker("gpu1", [ELSEWHERE], speed=20.0))
    assert engine.placement.pace(ELSEWHERE, None, here) == here._replace(load_s=0.0, work=0.05)
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    assert engine.placement.pace(ELSEWHERE, None, here) == here
    assert engine.placement.pace("scripted", None, here) == here


def test_workers_do_not_change_what_is_known_of_this_machine(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    rig.settings["placement"] = "remote"
    rig.until_ended(engine.submit(request(ONE, TWO)))
    key = model_key("scripted", engine.catalog.host_settings("scripted"))
    assert engine.rates.slowness(key) is None
