"""Models that are loaded ahead of their use and unloaded when told to, in turn with the jobs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

from vox.engine.engine import Engine
from vox.engine.warming import Warming
from vox.errors import DaemonLeaving, JobCancelled, LoadFailed, UnknownBackend, UnknownVoice

from .fakes import LIMIT_S, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request


class Call:
    """A warming that runs in a thread."""

    def __init__(self, warming: Warming) -> None:
        self.warming = warming
        self.told: list[str] = []
        self.has_told = threading.Event()
        self._end: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def _tell(self, text: str, _fraction: float | None) -> None:
        self.told.append(text)
        self.has_told.set()

    def _run(self) -> None:
        try:
            self._end.put(self.warming.run(self._tell))
        except Exception as exc:
            self._end.put(exc)

    def until_told(self) -> None:
        assert self.has_told.wait(LIMIT_S)

    def result(self) -> dict[str, Any]:
        end = self._end.get(timeout=LIMIT_S)
        if isinstance(end, Exception):
            raise end
        found: dict[str, Any] = end
        return found


Warm = Callable[..., Call]


@pytest.fixture
def warm(engine: Engine) -> Warm:
    def warm(
        model: str | None = None, voice: str | None = None, keep_alive_s: float | None = None
    ) -> Call:
        return Call(engine.models.warming("scripted", model, voice, keep_alive_s))

    return warm


def alive(hosts: FakeHosts) -> list[str | None]:
    """The models that are loaded."""
    return [host.settings.model for host in hosts.started if host.is_alive]


# -- warm ----------------------------------------------------------------------------------------


def test_a_warm_model_speaks_the_next_job(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    call = warm(voice="two", keep_alive_s=3600)
    loaded = call.result()
    assert (loaded["backend"], loaded["keep_alive_s"]) == ("scripted", 3600)
    assert call.told == ["loading scripted", "loading the script"]
    rig.until_ended(engine.submit(request()))
    (host,) = hosts.started
    assert host.jobs == 1
    assert [wish.voice for wish in host.wishes if wish] == ["two", None]


def test_what_is_warm_is_not_loaded_again_and_stays_as_long_as_was_asked_last(
    hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    warm(keep_alive_s=-1).result()
    assert warm().result()["keep_alive_s"] == -1
    assert warm(keep_alive_s=60).result()["keep_alive_s"] == 60
    assert len(hosts.started) == 1


@pytest.mark.parametrize(
    ("wanted", "error"),
    [(("nobody", None, None), UnknownBackend), (("scripted", None, "nobody"), UnknownVoice)],
)
def test_what_is_not_there_is_refused_at_once(
    engine: Engine, wanted: tuple[str, str | None, str | None], error: type[Exception]
) -> None:
    with pytest.raises(error):
        engine.models.warming(*wanted, None)


def test_a_model_that_does_not_load_says_why(hosts: FakeHosts, warm: Warm) -> None:
    hosts.loads.append([LoadFailed("no weights")])
    with pytest.raises(LoadFailed, match="no weights"):
        warm().result()
    assert warm().result()["backend"] == "scripted"


def test_a_model_is_warmed_after_the_preparation_of_the_current_job(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, gate)
    job = engine.submit(request(ONE, TWO))
    gate.wait_reached()
    call = warm("other")
    call.until_told()
    assert call.told == ["waiting for the end of a job's preparation"]
    assert alive(hosts) == [None]
    gate.open()
    call.result()
    assert hosts.texts == [ONE, TWO]
    assert alive(hosts) == [None, "other"]
    rig.until_ended(job)


def test_who_waits_for_a_model_gets_it_once_enough_of_a_long_text_is_prepared(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    rig.settings["lookahead_s"] = 1
    for sentence in (ONE, TWO, THREE):
        hosts.script(sentence, 30.0)
    job = engine.submit(request(ONE, TWO, THREE))
    rig.until_state(job, "speaking")
    assert hosts.texts == [ONE]
    warm("other").result()
    assert hosts.texts == [ONE]
    assert engine.store.get(job.id).is_live


def test_a_job_waits_while_a_model_is_loaded_and_may_be_cancelled_meanwhile(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    call = warm("slow")
    gate.wait_reached()
    first, second = engine.submit(request(ONE)), engine.submit(request(TWO, model="other"))
    rig.until(lambda: any(e.data.get("step") == "waiting for another model" for e in rig.events))
    engine.cancel(first.id)
    assert alive(hosts) == ["slow"]
    gate.open()
    call.result()
    rig.until_ended(second)
    assert hosts.texts == [TWO]
    assert alive(hosts) == ["slow", "other"]


# -- cancel --------------------------------------------------------------------------------------


def test_a_load_that_nobody_waits_for_any_more_is_ended(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    call = warm("slow")
    gate.wait_reached()
    assert engine.models.is_warming
    call.warming.cancel()
    with pytest.raises(JobCancelled):
        call.result()
    assert alive(hosts) == []
    rig.until_ended(engine.submit(request()))


def test_a_load_that_a_job_waits_for_goes_on(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    call = warm()
    gate.wait_reached()
    job = engine.submit(request())
    call.warming.cancel()
    gate.open()
    assert call.result()["backend"] == "scripted"
    rig.until_ended(job)
    assert len(hosts.started) == 1


def test_who_waits_for_a_turn_gives_up(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, gate)
    job = engine.submit(request())
    gate.wait_reached()
    call = warm("other")
    call.until_told()
    call.warming.cancel()
    with pytest.raises(JobCancelled):
        call.result()
    assert not engine.models.is_warming
    gate.open()
    rig.until_ended(job)
    assert alive(hosts) == [None]


def test_closing_the_engine_ends_a_load_and_those_that_wait(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    calls = [warm("slow")]
    gate.wait_reached()
    calls.append(warm("other"))
    calls[1].until_told()
    rig.close(engine)
    for call in calls:
        with pytest.raises(DaemonLeaving):
            call.result()
    assert alive(hosts) == []
    assert len(hosts.started) == 1


# -- unload --------------------------------------------------------------------------------------


def test_models_are_unloaded_and_a_busy_one_after_its_job(
    rig: Rig, hosts: FakeHosts, engine: Engine, warm: Warm
) -> None:
    warm("idle").result()
    gate = hosts.gate()
    hosts.script(ONE, gate)
    job = engine.submit(request(keep_alive=-1))
    gate.wait_reached()
    unloaded, busy = engine.models.unload("scripted")
    assert ([each["backend"] for each in unloaded], busy) == (["scripted"], ["scripted"])
    assert alive(hosts) == [None]
    gate.open()
    rig.until_ended(job)
    engine.models.unload_due()
    assert alive(hosts) == []
    assert engine.models.unload() == ([], [])
    with pytest.raises(UnknownBackend):
        engine.models.unload("nobody")


def test_a_model_that_is_to_go_while_it_is_loaded_goes_whatever_its_job_said(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    job = engine.submit(request(keep_alive=-1))
    gate.wait_reached()
    assert engine.models.unload() == ([], ["scripted"])
    gate.open()
    rig.until_ended(job)
    engine.models.unload_due()
    assert alive(hosts) == []


# -- keep_alive of jobs --------------------------------------------------------------------------


def test_a_model_that_is_not_to_stay_is_gone_before_its_job_is_done(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Any
) -> None:
    loaded: list[Any] = []

    def note(event: Any) -> None:
        if event.data.get("state") == "done":
            loaded.append(alive(hosts))

    rig.bus.subscribe(note)
    output = str(tmp_path / "x.wav")
    rig.until_ended(engine.submit(request(keep_alive=0, output=output)))
    assert loaded == [[]]


def test_a_model_stays_as_long_as_its_last_job_said(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for keep_alive, stays_s in ((3600, 3600), (None, 3600), (-1, -1)):
        rig.until_ended(engine.submit(request(keep_alive=keep_alive)))
        engine.models.unload_due()
        assert [each["keep_alive_s"] for each in engine.pool.describe()] == [stays_s]
    rig.until_ended(engine.submit(request(keep_alive=0)))
    assert (engine.pool.kept_for_s, alive(hosts)) == (0, [])


def test_a_job_that_needs_no_model_says_how_long_it_stays_all_the_same(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.until_ended(engine.submit(request(ONE)))
    rig.until_ended(engine.submit(request(ONE, keep_alive=-1)))
    assert hosts.texts == [ONE]
    assert [each["keep_alive_s"] for each in engine.pool.describe()] == [-1]
    rig.until_ended(engine.submit(request(ONE, keep_alive=0)))
    assert alive(hosts) == []


def test_a_model_that_a_queued_job_needs_is_not_unloaded_in_between(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, gate)
    jobs = [engine.submit(request(ONE, keep_alive=0))]
    gate.wait_reached()
    jobs += [engine.submit(request(TWO)), engine.submit(request(THREE, model="other"))]
    gate.open()
    for job in jobs:
        rig.until_ended(job)
    engine.models.unload_due()
    assert [host.jobs for host in hosts.started] == [2, 1]
    assert alive(hosts) == ["other"]


def test_two_models_have_times_of_their_own(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    rig.until_ended(engine.submit(request(ONE, model="a", keep_alive=-1)))
    rig.until_ended(engine.submit(request(TWO, model="b", keep_alive=0)))
    assert alive(hosts) == ["a"]
