"""What becomes of jobs while there is no sound device: who waits, how long, and who is told."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sound import SoundServer
from vox.engine.engine import Engine
from vox.jobs import NO_DEVICE, PAUSED, Job

from .fakes import LIMIT_S, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request

CALLER = "4711 1000000"


@pytest.fixture
def silent(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that is led to no sound server."""
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    rig.settings["device_wait_s"] = 0.3
    engine = rig.make_engine()
    engine.start()
    return engine


def awaited(engine: Engine, *sentences: str, **fields: object) -> Job:
    """A job that a process waits for."""
    job = engine.submit(request(*sentences, **fields))
    assert engine.store.note(job.id, caller=CALLER)
    return job


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_nobody_waits_for_is_spoken_once_there_is_a_device(
    rig: Rig, hosts: FakeHosts, silent: Engine, sound: SoundServer
) -> None:
    job = silent.submit(request(ONE))
    until(lambda: silent.store.get(job.id).notes == [NO_DEVICE])
    until(lambda: silent.player.absence)
    late = silent.submit(request(TWO))
    assert (late.notes, silent.obstacles()) == ([NO_DEVICE], [NO_DEVICE])
    time.sleep(2 * rig.settings["device_wait_s"])
    assert {each.state for each in silent.store.live()} <= {"queued", "preparing"}
    silent.player.offer_environment(sound.environ)
    assert rig.until_ended(job)["state"] == rig.until_ended(late)["state"] == "done"
    assert hosts.texts == [ONE, TWO]
    assert silent.obstacles() == []


def test_what_somebody_waits_for_fails_after_a_while_wherever_it_is(
    rig: Rig, hosts: FakeHosts, silent: Engine
) -> None:
    rig.settings["lookahead_s"] = 0
    waiting = silent.submit(request(ONE))
    until(lambda: silent.player.absence)
    first, second = awaited(silent, TWO), awaited(silent, THREE)
    for job in (first, second):
        failed = rig.until_ended(job)
        assert (failed["state"], failed["exit_code"]) == ("failed", 8)
        assert "no sound device" in failed["error"]
    assert silent.store.get(waiting.id).is_live
    assert THREE not in hosts.texts  # nothing is made ahead of what cannot be heard
    shown = [e.data["waiting_for"] for e in rig.events if "waiting_for" in e.data]
    assert shown == ["a sound device"] * 3


def test_the_setting_fails_what_nobody_waits_for(rig: Rig, silent: Engine) -> None:
    rig.settings["no_device"] = "fail"
    job = silent.submit(request(ONE))
    assert rig.until_ended(job)["error_code"] == "no-audio-output"


def test_files_are_written_while_others_wait_for_a_device(
    rig: Rig, silent: Engine, tmp_path: Path
) -> None:
    rig.settings["lookahead_s"] = 0
    waiting = [silent.submit(request(sentence)) for sentence in (ONE, TWO)]
    until(lambda: silent.player.absence)
    written = silent.submit(request(THREE, output=str(tmp_path / "x.wav")))
    stream = silent.submit(request(THREE, sink="stream"))
    assert rig.until_ended(written)["state"] == rig.until_ended(stream)["state"] == "done"
    assert all(silent.store.get(job.id).is_live for job in waiting)


def test_what_waits_for_a_device_can_be_skipped_cancelled_and_expires(
    rig: Rig, silent: Engine
) -> None:
    jobs = [silent.submit(request(sentence)) for sentence in (ONE, TWO)]
    brief = silent.submit(request(THREE, expires_s=0.5))
    until(lambda: silent.player.absence)
    skipped = silent.skip()
    assert skipped is not None and skipped.id == jobs[0].id
    silent.cancel(jobs[1].id)
    assert rig.until_ended(brief)["state"] == "expired"
    until(lambda: silent.player.absence is None)
    assert silent.is_idle and silent.skip() is None


def test_what_was_cut_off_by_the_loss_of_the_device_expires_as_well(
    rig: Rig, silent: Engine
) -> None:
    job = silent.submit(request(ONE, expires_s=0.5))
    until(lambda: silent.player.absence)
    silent.store.change(job.id, ("preparing",), "speaking")
    silent.player._line.chosen.is_sounding = True  # type: ignore[union-attr]
    assert rig.until_ended(job)["state"] == "expired"


def test_a_stop_does_not_wait_for_a_device_and_gives_the_jobs_back(
    rig: Rig, silent: Engine
) -> None:
    jobs = [silent.submit(request(sentence)) for sentence in (ONE, TWO)]
    until(lambda: silent.player.absence)
    began = time.monotonic()
    silent.finish()
    rig.close(silent)
    assert time.monotonic() - began < 3.0
    with contextlib.closing(rig.store()) as store:
        assert [store.get(job.id).state for job in jobs] == ["queued", "queued"]


@pytest.mark.parametrize("at", ["load", "synthesis"])
def test_a_job_that_hangs_before_its_first_sound_is_skipped(
    rig: Rig, hosts: FakeHosts, engine: Engine, at: str
) -> None:
    gate = hosts.gate()
    if at == "load":
        hosts.loads = [[gate]]
    else:
        hosts.script(ONE, gate)
    stuck, after = engine.submit(request(ONE)), engine.submit(request(TWO))
    gate.wait_reached()
    skipped = engine.skip()
    assert skipped is not None and (skipped.id, skipped.error) == (stuck.id, "skipped")
    if at == "load":
        gate.open()  # the model is loaded for the next one all the same
    assert rig.until_ended(after)["state"] == "done"


def test_a_pause_outlasts_the_engine_until_somebody_resumes(rig: Rig, hosts: FakeHosts) -> None:
    first = rig.make_engine()
    first.start()
    first.pause()
    rig.close(first)
    engine = rig.make_engine()
    engine.start()
    job = engine.submit(request())
    assert (engine.player.is_paused, job.notes) == (True, [PAUSED])
    with contextlib.closing(rig.store()) as elsewhere:
        elsewhere.set_flag("paused", False)
        assert rig.until_ended(job)["state"] == "done"
        elsewhere.set_flag("paused", True)
        until(lambda: engine.player.is_paused)
        engine.resume()
        assert not elsewhere.is_set("paused")
