"""A source is paused or muted: others are heard meanwhile, and nothing of it is lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vox.engine.engine import Engine
from vox.jobs import CONNECTION, Job
from vox.queue.pauses import flag_of
from vox.queue.tasks import LOOK_PAST
from vox.source_notes import muted_note, paused_note

from .fakes import FakeHosts
from .rig import ONE, THREE, TWO, Rig, request

LONG_S = 1.0


def is_heard(rig: Rig, job: Job, count: int) -> None:
    rig.until(lambda: any(e.job_id == job.id and e.data.get("heard", 0) >= count
                          for e in rig.events))  # fmt: skip


def test_a_paused_source_is_silent_while_others_are_heard_and_goes_on_from_its_sentence(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for text in (ONE, TWO, THREE):
        hosts.script(text, LONG_S)
    job = engine.submit(request(ONE, TWO, THREE, source="a"))
    is_heard(rig, job, 1)
    engine.sources.pause("a")
    rig.until(lambda: engine.player.current is None)
    rig.until(lambda: engine.store.get(job.id).state == "queued")
    other = engine.submit(request("It is another.", source="b"))
    assert rig.until_ended(other)["state"] == "done"
    held = engine.store.get(job.id)
    assert (held.state, held.heard) == ("queued", 1)
    engine.sources.resume("a")
    ended = rig.until_ended(job)
    assert (ended["state"], ended["heard"]) == ("done", 3)
    assert hosts.texts.count(ONE) == 1
    assert rig.states(job) == ["queued", "preparing", "speaking", "queued", "preparing", "speaking",
                               "done"]  # fmt: skip


def test_what_comes_from_a_paused_source_says_so_and_is_spoken_after_it(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    engine.sources.pause("my app")
    job = engine.submit(request(ONE, source="my app"))
    assert job.notes == [paused_note("my app")]
    assert paused_note("my app").endswith("vox resume --source 'my app'")
    rig.until_ended(engine.submit(request(TWO, source="My app")))
    assert hosts.texts == [TWO] and not engine.is_idle
    last = engine.submit(request(THREE, source="b", priority="low", output=str(tmp_path / "x.wav")))
    shown = {each["id"]: each for each in engine.store.shown([engine.store.get(job.id), last])}
    assert (shown[job.id]["position"], shown[job.id]["starts_in_s"]) == (2, None)
    assert shown[job.id]["phase"] == "waiting" and shown[last.id]["position"] == 1
    engine.sources.resume("my app")
    assert rig.until_ended(job)["state"] == "done"


def test_many_jobs_of_a_paused_source_hide_no_other(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    engine.pause()  # what comes first is in the line, the rest waits in the queue
    count = LOOK_PAST + 50
    jobs = engine.submitter.submit_many([request(ONE, source="a") for _ in range(count)])
    rig.until(lambda: engine.store.get(jobs[20].id).state == "preparing")
    engine.sources.pause("a")
    engine.resume()
    other = engine.submit(request(TWO, source="b"))
    assert rig.until_ended(other)["state"] == "done"
    assert {job.state for job in engine.store.live()} == {"queued"}
    assert len(engine.store.live()) == count
    assert engine.tasks.pending() == []
    engine.cancel_all("a")
    assert engine.is_idle


def test_a_paused_source_gives_the_worker_free_in_the_middle_of_an_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(TWO, gate, LONG_S)
    job = engine.submit(request(ONE, TWO, source="a"))
    gate.wait_reached()
    engine.sources.pause("a")
    assert rig.until_ended(engine.submit(request(THREE, source="b")))["state"] == "done"
    engine.sources.resume("a")
    assert rig.until_ended(job)["state"] == "done"
    assert (hosts.texts.count(ONE), hosts.texts.count(TWO)) == (1, 2)


def test_files_of_a_paused_source_are_written(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    engine.sources.pause("a")
    job = engine.submit(request(ONE, source="a", output=str(tmp_path / "x.wav")))
    assert rig.until_ended(job)["state"] == "done"


def test_a_paused_source_s_job_can_be_cancelled_and_expires(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    engine.sources.pause("a")
    first, last = (engine.submit(request(text, source="a")) for text in (ONE, TWO))
    expiring = engine.submit(request(THREE, source="a", expires_s=0.1))
    other = engine.submit(request("[gate]", source="b"))
    assert engine.cancel(first.id).state == "cancelled"
    assert rig.until_ended(expiring)["state"] == "expired"
    rig.until_ended(other)
    assert [job.id for job in engine.cancel_all("a")] == [last.id]


def test_a_pause_of_a_source_outlasts_the_engine(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine()
    engine.start()
    hosts.script(ONE, LONG_S)
    job = engine.submit(request(ONE, source="a"))
    rig.until_state(job, "speaking")
    engine.sources.pause("a")
    rig.until(lambda: engine.store.get(job.id).state == "queued")
    rig.close(engine)
    rig.events.clear()
    engine = rig.make_engine()
    engine.start()
    assert engine.sources.paused == ["a"]
    rig.until_ended(engine.submit(request(TWO, source="b")))
    assert engine.store.get(job.id).state == "queued"
    engine.sources.resume("a")
    assert rig.until_ended(job)["state"] == "done"


def test_what_another_process_writes_of_a_pause_is_heeded(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, 30.0)
    job = engine.submit(request(ONE, source="a"))
    rig.until_state(job, "speaking")
    elsewhere = rig.store()
    elsewhere.set_flag(flag_of("a"), True)
    rig.until(lambda: {"id": job.id, "paused": True} in [e.data for e in rig.events])
    rig.until(lambda: engine.store.get(job.id).state == "queued")
    elsewhere.set_flag(flag_of("a"), False)
    elsewhere.close()
    rig.until(lambda: rig.states(job).count("speaking") == 2)


# -- muted sources -------------------------------------------------------------------------------


def test_a_muted_source_s_job_is_done_at_once_and_heard_when_it_is_replayed(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    rig.sources["a"] = {"muted": True}
    engine.pause()
    job = engine.submit(request(ONE, source="a", expires_s=5.0))
    assert (job.state, job.exit_code, job.notes) == ("done", 0, [muted_note("a")])
    assert job.finished_at is not None and job.first_audio_at is None
    assert engine.store.get(job.id) == job and hosts.asked == []
    engine.resume()
    again = engine.replay(job.id)
    assert rig.until_ended(again)["wait_s"] is not None
    written = engine.submit(request(TWO, source="a", output=str(tmp_path / "x.wav")))
    rig.until_ended(written)
    assert hosts.texts == [ONE, TWO]


def test_of_a_muted_private_job_no_text_is_kept(rig: Rig, engine: Engine) -> None:
    rig.sources["a"] = {"muted": True}
    job = engine.submit(request("The secret.", source="a", private=True, id="abcdef"))
    assert (job.state, job.text, job.notes) == ("done", "", [muted_note("a")])
    assert engine.submit(request("The secret.", source="a", private=True, id="abcdef")) == job
    engine.store.check_file()
    for path in Path(rig.paths.db_path).parent.glob("vox.db*"):
        assert b"The secret" not in path.read_bytes()


def test_muting_ends_what_is_said_and_what_waits(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, 30.0)
    said = engine.submit(request(ONE, source="a", caller=CONNECTION))
    rig.until_state(said, "speaking")
    waiting = engine.submit(request(TWO, source="a"))
    other = engine.submit(request(THREE, source="b"))
    rig.sources["a"] = {"muted": True}
    engine.sources.look()
    for job in (said, waiting):
        ended = rig.until_ended(job)
        assert (ended["state"], ended["exit_code"]) == ("done", 0)
        assert ended["notes"] == [muted_note("a")]
    assert rig.until_ended(other)["state"] == "done"


def test_a_text_that_is_still_written_is_muted_once_all_of_it_is_there(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.sources["a"] = {"muted": True}
    job = engine.submit(request(ONE, source="a", is_open=True))
    assert job.state == "queued"
    engine.append_text(job.id, len(ONE), f" {TWO}")
    rig.until_ended(engine.submit(request(THREE, source="b")))
    engine.end_text(job.id)
    ended = rig.until_ended(job)
    assert (ended["state"], ended["text"]) == ("done", f"{ONE} {TWO}")
    assert muted_note("a") in ended["notes"] and hosts.texts == [THREE]


def test_muting_in_the_middle_of_a_text_that_is_written_keeps_the_rest_of_it(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    job = engine.submit(request(f"{ONE} ", source="a", is_open=True))
    rig.until_state(job, "speaking")
    rig.sources["a"] = {"muted": True}
    engine.sources.look()
    rig.until(lambda: engine.store.get(job.id).state == "queued")
    engine.append_text(job.id, len(ONE) + 1, TWO)
    engine.end_text(job.id)
    assert rig.until_ended(job)["text"] == f"{ONE} {TWO}"
    assert TWO not in hosts.texts


@pytest.mark.parametrize("is_muted", [True, False])
def test_muting_is_written_into_the_settings(rig: Rig, engine: Engine, is_muted: bool) -> None:
    path = Path(rig.paths.config_path)
    engine.sources.mute("my app", True)
    engine.sources.mute("my app", is_muted)
    assert ('[sources."my app"]\nmuted = true' in path.read_text()) == is_muted


@pytest.mark.parametrize("seed", range(3))
def test_whenever_a_source_is_paused_and_resumed_all_of_it_is_heard_in_the_end(
    rig: Rig, hosts: FakeHosts, engine: Engine, seed: int
) -> None:
    chance = random.Random(seed)
    jobs = [engine.submit(request(ONE, TWO, source=chance.choice("ab"))) for _ in range(8)]

    def is_at_rest() -> bool:
        return all(engine.sources.is_held(job) for job in engine.store.live())

    for _ in range(40):
        chance.choice((engine.sources.pause, engine.sources.resume))(chance.choice("ab"))
        seen = len(rig.events)
        if chance.random() < 0.7:
            rig.until(lambda seen=seen: len(rig.events) > seen or is_at_rest())
    for source in "ab":
        engine.sources.resume(source)
    for job in jobs:
        ended = rig.until_ended(job)
        assert (ended["state"], ended["heard"], ended["attempts"]) == ("done", 2, 0)
