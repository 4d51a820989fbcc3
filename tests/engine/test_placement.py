"""Where jobs are made, and what follows for models, voices and forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.voices.conftest import fetching, needs_no_mlx
from vox.engine.engine import Engine
from vox.engine.placement import Place
from vox.engine.rates import Pace
from vox.errors import (
    BackendNotInstalled,
    BadConfig,
    JobCancelled,
    WorkersAway,
)
from vox.hosts.pool import model_key

from .fake_workers import ELSEWHERE, GPU, FakeWorkers, elsewhere, worker
from .fakes import LIMIT_S
from .rig import ONE, TWO, Rig, request
from .test_cached import clone

pytestmark = pytest.mark.usefixtures("workers")


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
    workers.announce(worker("gpu1", speed=1e5))
    assert place(engine) == "remote"
    workers.announce(worker("gpu1", is_warm=False, speed=1e5))
    assert place(engine) == "local"


def test_a_light_backend_stays_here(rig: Rig, engine: Engine, workers: FakeWorkers) -> None:
    workers.announce(worker("gpu1", ["say"]))
    assert place(engine, "say") == "local"
    rig.settings["placement"] = "remote"
    assert place(engine, "say") == "remote"


@needs_no_mlx
def test_a_clone_whose_weights_are_missing_here_is_made_by_workers(
    rig: Rig,
    engine: Engine,
    workers: FakeWorkers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def place_of_clone() -> Place | None:
        return engine.placement.where("qwen", None, "me").place

    fetch = fetching(engine.catalog, tmp_path, monkeypatch)
    fetch("0.6B-CustomVoice")
    clone(rig, "me", b"a voice")
    workers.announce(worker("gpu1", ["qwen"], is_warm=False))
    assert (place(engine, "qwen"), place_of_clone()) == ("local", "remote")
    job = engine.submit(elsewhere(voice="me"))
    assert rig.until_ended(job)["made_on"] == "gpu1"
    assert {each.clone is not None for each in workers.asked} == {True}
    workers.announce()
    assert (place(engine, "qwen"), place_of_clone()) == ("local", None)
    waiting = engine.submit(elsewhere(TWO, voice="me"))
    rig.until(lambda: engine.workers_wait.what(waiting.id))
    fetch("0.6B-Base")
    assert place_of_clone() == "local"
    rig.settings["placement"] = "local"
    assert place_of_clone() == "local"


def test_workers_are_looked_at_while_a_job_is_taken_in(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    engine.fleet.tick()
    engine.submit(elsewhere())
    assert workers.expected == 1
    rig.settings["placement"] = "local"
    engine.submit(request())
    assert workers.expected == 1


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


def test_voices_of_what_workers_serve_are_there(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    def installed(backend: str | None = None) -> bool:
        found = engine.catalog.voices(backend, clones=False)
        return any(voice.installed for voice in found if voice.backend == ELSEWHERE)

    assert installed() and installed(ELSEWHERE)
    workers.announce()
    assert not installed() and not installed(ELSEWHERE)
    workers.announce(GPU)
    rig.settings["placement"] = "local"
    assert not installed(ELSEWHERE)


def test_how_fast_workers_are_is_foreseen(engine: Engine, workers: FakeWorkers) -> None:
    here = Pace(load_s=7.0, work=0.5)
    workers.announce(worker("gpu1", [ELSEWHERE], speed=20.0))
    assert engine.placement.pace(ELSEWHERE, None, None, here) == here._replace(
        load_s=0.0, work=0.05
    )
    workers.announce(worker("gpu1", [ELSEWHERE], is_warm=False))
    assert engine.placement.pace(ELSEWHERE, None, None, here) == here
    assert engine.placement.pace("scripted", None, None, here) == here


def test_workers_do_not_change_what_is_known_of_this_machine(
    rig: Rig, engine: Engine, workers: FakeWorkers
) -> None:
    rig.settings["placement"] = "remote"
    rig.until_ended(engine.submit(request(ONE, TWO)))
    key = model_key("scripted", engine.catalog.host_settings("scripted"))
    assert engine.rates.slowness(key) is None
