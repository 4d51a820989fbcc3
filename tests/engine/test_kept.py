"""The models of `keep` are warm soon after the start, and hold up no job."""

from __future__ import annotations

import pytest

from vox.engine.engine import Engine
from vox.errors import LoadFailed

from .fakes import FakeHosts
from .rig import ONE, TWO, Rig, request


@pytest.fixture
def warming(rig: Rig, hosts: FakeHosts) -> Engine:
    """An engine that is to keep the scripted backend warm, not started yet."""
    rig.settings["keep"] = ("scripted",)
    engine = rig.make_engine()
    engine.warms_kept = True
    return engine


def test_a_model_that_is_to_stay_is_loaded_without_a_job(
    rig: Rig, hosts: FakeHosts, warming: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    warming.start()
    gate.wait_reached()
    gate.open()
    rig.until_ended(warming.submit(request(ONE)))
    assert [host.jobs for host in hosts.started] == [1]
    assert warming.kept.errors == {}


def test_it_is_not_loaded_for_a_daemon_that_does_not_stay(
    rig: Rig, hosts: FakeHosts, warming: Engine
) -> None:
    warming.warms_kept = False
    warming.start()
    warming.housekeeping.tick()
    assert hosts.started == []


def test_its_load_gives_way_to_a_job_for_another_model_and_is_tried_again(
    rig: Rig, hosts: FakeHosts, warming: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    warming.start()
    gate.wait_reached()
    rig.until_ended(warming.submit(request(ONE, model="other")))
    assert [host.settings.model for host in hosts.started[:2]] == [None, "other"]
    assert not hosts.started[0].is_alive
    rig.until_ended(warming.submit(request(TWO, model="other")))
    with hosts.changed:
        gate.open()
    while not any(host.settings.model is None for host in hosts.started[1:]):
        warming.kept.look()
    assert warming.kept.errors == {}


def test_a_job_for_the_same_model_waits_for_the_load(
    rig: Rig, hosts: FakeHosts, warming: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    warming.start()
    gate.wait_reached()
    job = warming.submit(request(ONE))
    rig.until_state(job, "preparing")
    gate.open()
    assert rig.until_ended(job)["state"] == "done"
    assert len(hosts.started) == 1


def test_why_one_is_not_loaded_is_told_until_it_is_not_wanted_any_more(
    rig: Rig, hosts: FakeHosts, warming: Engine
) -> None:
    rig.settings["keep"] = ("scripted", "nosuch")
    hosts.loads.append([LoadFailed("no weights")])
    warming.start()
    while len(warming.kept.errors) < 2:
        warming.kept.look()
    assert "no weights" in warming.kept.errors["scripted"]
    assert "nosuch" in warming.kept.errors["nosuch"]
    rig.settings["keep"] = ("nosuch",)
    warming.kept.look()
    assert list(warming.kept.errors) == ["nosuch"]
    assert len(hosts.started) == 1
