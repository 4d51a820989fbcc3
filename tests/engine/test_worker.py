"""One job at a time: synthesized, retried, cancelled, and never further ahead than it should be."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from pathlib import Path

import pytest
import soundfile

from vox.engine.engine import Engine
from vox.errors import (
    BackendNotInstalled,
    HostTimeout,
    LoadFailed,
    OutOfMemory,
    SynthesisFailed,
)
from vox.jobs import Job

from .fakes import CRASH, RATE, SPEECH_S, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request


def stored(engine: Engine, job: Job) -> Job:
    return engine.store.get(job.id)


# -- the plain way -------------------------------------------------------------------------------


def test_a_job_is_synthesized_and_heard_utterance_by_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    job = engine.submit(request(ONE, TWO, voice="two", speed=1.5))
    rig.until_ended(job)
    assert rig.states(job) == ["queued", "preparing", "speaking", "done"]
    assert hosts.texts == [ONE, TWO]
    assert {(u.voice, u.speed) for u in hosts.asked} == {("two", 1.5)}
    done = stored(engine, job)
    assert (done.heard, done.utterances) == (2, 2)
    assert done.audio_s is not None and done.audio_s >= 2 * SPEECH_S


def test_a_warm_host_speaks_the_next_job_as_well(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for sentence in (ONE, TWO):
        rig.until_ended(engine.submit(request(sentence)))
    assert [host.jobs for host in hosts.started] == [2]


def test_loading_is_told_and_then_that_it_is_over(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    job = engine.submit(request())
    rig.until_ended(job)
    told = [event.data["step"] for event in rig.events if "step" in event.data]
    assert told == ["loading scripted", "loading the script", None]


def test_a_host_is_told_before_each_job_what_the_job_needs(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for voice in ("one", "two"):
        rig.until_ended(engine.submit(request(ONE, voice=voice, style="gladly")))
    (host,) = hosts.started
    assert host.wishes == [dataclasses.replace(asked, text="") for asked in hosts.asked]
    assert [wish.voice for wish in host.wishes if wish] == ["one", "two"]


def test_the_job_whose_weights_a_warm_host_lacks_is_told_of_their_loading(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    first, second = engine.submit(request(ONE)), engine.submit(request(TWO))
    for job in (first, second):
        rig.until_ended(job)
    hosts.further_loads.append(["it fell back"])
    third = engine.submit(request(THREE))
    assert rig.until_ended(third)["notes"] == ["it fell back"]
    told = [e.job_id for e in rig.events if e.data.get("step") == "loading the script"]
    assert told == [first.id, third.id]


def test_weights_that_a_warm_host_cannot_load_fail_that_job_alone(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.until_ended(engine.submit(request(ONE)))
    hosts.further_loads.append([LoadFailed("the weights are damaged", "install them")])
    failed = rig.until_ended(engine.submit(request(TWO)))
    assert (failed["state"], failed["error"]) == ("failed", "the weights are damaged; install them")
    assert rig.until_ended(engine.submit(request(THREE)))["state"] == "done"
    assert (len(hosts.started), hosts.texts) == (1, [ONE, THREE])


def test_what_a_load_gives_to_know_is_noted_with_its_first_job(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.loads.append(["it fell back"])
    notes = [rig.until_ended(engine.submit(request(text)))["notes"] for text in (ONE, TWO)]
    assert notes == [["it fell back"], []]


# -- cancel, in every phase ----------------------------------------------------------------------


def test_a_queued_job_that_is_cancelled_is_never_prepared(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, gate)
    first = engine.submit(request(ONE))
    gate.wait_reached()
    queued = engine.submit(request(TWO))
    engine.cancel(queued.id)
    gate.open()
    rig.until_ended(engine.submit(request(THREE)))
    assert rig.states(queued) == ["queued", "cancelled"]
    assert hosts.texts == [ONE, THREE]
    assert stored(engine, first).state == "failed"  # it had nothing to say


def test_a_cancelled_load_goes_on_for_whoever_asks_again(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    job = engine.submit(request(ONE))
    gate.wait_reached()
    engine.cancel(job.id)
    assert hosts.started[0].is_alive
    gate.open()
    rig.until_ended(engine.submit(request(TWO)))
    assert (len(hosts.started), hosts.texts) == (1, [TWO])
    assert rig.states(job) == ["queued", "preparing", "cancelled"]


def test_a_cancelled_load_is_ended_when_another_voice_is_wanted(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    job = engine.submit(request(ONE))
    gate.wait_reached()
    (other,) = engine.store.add([Job(id="", text=TWO, backend="hibari")])
    engine.tasks.send([(other.id, 0)])
    engine.cancel(job.id)
    rig.until_ended(other)
    assert [(host.name, host.is_alive) for host in hosts.started] == [
        ("scripted", False), ("hibari", True),
    ]  # fmt: skip
    assert (stored(engine, job).state, hosts.texts) == ("cancelled", [TWO])


def test_a_cancelled_load_is_ended_when_another_model_is_wanted_later(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    job = engine.submit(request(ONE, model="large"))
    gate.wait_reached()
    engine.cancel(job.id)
    other = engine.submit(request(TWO))
    assert rig.until_ended(other)["state"] == "done"
    assert [host.is_alive for host in hosts.started] == [False, True]
    assert (stored(engine, job).state, hosts.texts) == ("cancelled", [TWO])


def test_a_cancelled_load_of_further_weights_goes_on_unless_another_voice_is_wanted(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.until_ended(engine.submit(request(ONE)))
    first, second = hosts.gate(), hosts.gate()
    hosts.further_loads += [[first], [], [second]]
    job = engine.submit(request(TWO))
    first.wait_reached()
    engine.cancel(job.id)
    first.open()
    rig.until_ended(engine.submit(request(TWO)))
    assert [host.is_alive for host in hosts.started] == [True]
    job = engine.submit(request(THREE))
    second.wait_reached()
    (other,) = engine.store.add([Job(id="", text=THREE, backend="hibari")])
    engine.tasks.send([(other.id, 0)])
    engine.cancel(job.id)
    rig.until_ended(other)
    assert [(host.name, host.is_alive) for host in hosts.started] == [
        ("scripted", False), ("hibari", True),
    ]  # fmt: skip
    assert hosts.texts == [ONE, TWO, THREE]


def test_cancelling_during_synthesis_stops_the_host_which_stays_warm(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, SPEECH_S, gate, SPEECH_S)
    job = engine.submit(request(ONE, TWO))
    gate.wait_reached()
    engine.cancel(job.id)
    rig.until_ended(engine.submit(request(THREE)))
    assert hosts.texts == [ONE, THREE]
    assert [(host.cancels, host.is_alive) for host in hosts.started] == [(1, True)]
    assert stored(engine, job).state == "cancelled"


def test_cancelling_what_is_prepared_takes_it_out_of_the_line(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    engine.pause()
    job = engine.submit(request(ONE))
    rig.until_prepared(job)
    assert engine.player.waiting == [job.id]
    engine.cancel(job.id)
    assert engine.player.waiting == []
    engine.resume()
    rig.until_ended(engine.submit(request(TWO)))
    assert rig.states(job) == ["queued", "preparing", "cancelled"]


def test_cancelling_what_is_heard_lets_the_next_one_speak(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, 60.0)
    job, after = engine.submit(request(ONE)), engine.submit(request(TWO))
    rig.until_state(job, "speaking")
    engine.cancel(job.id)
    rig.until_ended(after)
    assert (stored(engine, job).state, stored(engine, after).state) == ("cancelled", "done")


def test_a_job_cancelled_by_another_process_is_dropped(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, SPEECH_S, gate)
    job = engine.submit(request(ONE))
    gate.wait_reached()
    with contextlib.closing(rig.store()) as elsewhere:
        elsewhere.cancel(job.id)
    rig.until_ended(engine.submit(request(TWO)))
    assert hosts.started[0].cancels == 1


# -- failures and retries ------------------------------------------------------------------------


def test_after_a_crash_it_goes_on_at_the_interrupted_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(TWO, SPEECH_S / 2, CRASH)
    job = engine.submit(request(ONE, TWO, THREE))
    rig.until_ended(job)
    assert hosts.texts == [ONE, TWO, TWO, THREE]
    assert len(hosts.started) == 2
    done = stored(engine, job)
    assert (done.state, done.heard) == ("done", 3)
    with contextlib.closing(engine.spools.open(job.id)) as spool:
        first, second, _ = spool.segments
    # The half utterance was dropped, and the pause before it was kept.
    assert second.start_frame - first.end_frame == 0.25 * RATE


@pytest.mark.parametrize(
    ("error", "code"), [(CRASH, "host-crashed"), (HostTimeout("it hung"), "host-timeout")]
)
def test_a_second_death_fails_the_job_and_the_next_one_is_spoken(
    rig: Rig, hosts: FakeHosts, engine: Engine, error: Exception, code: str
) -> None:
    for _ in range(2):
        hosts.script(ONE, error)
    job, after = engine.submit(request(ONE)), engine.submit(request(TWO))
    rig.until_ended(after)
    assert (stored(engine, job).state, stored(engine, job).error_code) == ("failed", code)
    assert stored(engine, after).state == "done"
    assert len(hosts.started) == 3


def test_a_synthesis_that_fails_is_tried_again_on_the_same_host(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, SynthesisFailed("no such phoneme"))
    assert rig.until_ended(engine.submit(request(ONE)))["state"] == "done"
    assert (len(hosts.started), hosts.texts) == (1, [ONE, ONE])


def test_out_of_memory_unloads_every_model_before_the_next_try(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    (other,) = engine.store.add([Job(id="", text=THREE, backend="hibari")])
    engine.tasks.send([(other.id, 0)])
    rig.until_ended(other)
    hosts.script(ONE, OutOfMemory("it does not fit"))
    assert rig.until_ended(engine.submit(request(ONE)))["state"] == "done"
    assert [(host.name, host.is_alive) for host in hosts.started] == [
        ("hibari", False), ("scripted", False), ("scripted", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "tries"), [(LoadFailed("broken"), 1), (HostTimeout("slow"), 1), (CRASH, 2)]
)
def test_a_model_that_does_not_load_is_not_tried_again_unless_its_host_crashed(
    rig: Rig, hosts: FakeHosts, engine: Engine, error: HostTimeout, tries: int
) -> None:
    hosts.loads += [[error]] * 2
    ended = rig.until_ended(engine.submit(request(ONE)))
    assert (ended["state"], ended["error_code"]) == ("failed", error.code)
    assert len(hosts.started) == tries


def test_a_backend_that_was_removed_fails_its_job_with_what_to_do(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.refusal = BackendNotInstalled("scripted is not installed", "install it")
    ended = rig.until_ended(engine.submit(request(ONE)))
    assert (ended["state"], ended["error"]) == ("failed", "scripted is not installed; install it")


def test_a_voice_that_says_nothing_is_a_failure(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    hosts.script(ONE)
    ended = rig.until_ended(engine.submit(request(ONE)))
    assert (ended["state"], ended["error_code"]) == ("failed", "cannot-read")


def test_an_error_that_nobody_foresaw_fails_the_job_and_not_the_worker(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, ZeroDivisionError("on purpose"))
    job, after = engine.submit(request(ONE)), engine.submit(request(TWO))
    rig.until_ended(after)
    failed = stored(engine, job)
    assert failed.error == "ZeroDivisionError: on purpose; see: vox daemon logs"
    assert stored(engine, after).state == "done" and engine.is_healthy


def test_what_a_failed_job_had_half_made_of_a_file_takes_no_room(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    hosts.script(ONE, 0.2)
    hosts.script(TWO, ZeroDivisionError("on purpose"))
    job = engine.submit(request(ONE, TWO, output=str(tmp_path / "x.wav")))
    rig.until_ended(job)
    after = engine.submit(request(THREE))
    rig.until_ended(after)
    assert stored(engine, job).state == "failed"
    assert not list(Path(rig.paths.spool_dir).glob(f"{job.id}.*")) and engine.spools.has(after.id)


def test_a_spool_that_cannot_be_written_fails_the_job(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    (job,) = engine.store.add([Job(id="abcdef", text=ONE, backend="scripted")])
    Path(rig.paths.spool_dir, "abcdef.pcm").mkdir()
    engine.tasks.send([(job.id, 0)])
    assert rig.until_ended(job)["error_code"] == "storage-error"
    assert hosts.texts == []


def test_on_a_full_disk_a_job_fails_at_once_and_that_is_written_when_there_is_room(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, gate, SPEECH_S)
    first, waiting = engine.submit(request(ONE)), engine.submit(request(TWO))
    gate.wait_reached()
    engine.store._db.writer.execute("pragma query_only = on")
    gate.open()
    for job in (first, waiting):
        assert rig.until_ended(job)["error_code"] == "storage-error"
        assert stored(engine, job).is_live
    engine.store._db.writer.execute("pragma query_only = off")
    rig.until(lambda: rig.states(waiting) == ["queued", "failed", "failed"])
    assert stored(engine, first).state == stored(engine, waiting).state == "failed"


# -- ahead of the ear ----------------------------------------------------------------------------


def test_no_more_is_prepared_than_the_ear_will_soon_need(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.settings["lookahead_s"] = 1.0
    second, third = hosts.gate(), hosts.gate()
    hosts.script(ONE, 0.6)
    hosts.script(TWO, 0.6, second)
    hosts.script(THREE, third, 0.1)
    engine.pause()
    job = engine.submit(request(ONE, TWO, THREE))
    second.wait_reached()
    second.open()
    engine.resume()
    third.wait_reached()
    assert engine.player.remaining_s() < 1.0 + 0.25  # the pause before the third
    third.open()
    assert rig.until_ended(job)["state"] == "done"


def test_what_is_not_for_the_ear_overtakes_what_waits_for_it(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    rig.settings["lookahead_s"] = SPEECH_S
    engine.pause()
    first = engine.submit(request(ONE))
    rig.until_prepared(first)
    waits = engine.submit(request(TWO))
    overtakes = engine.submit(request(THREE, output=str(tmp_path / "x.wav")))
    rig.until_ended(overtakes)
    assert hosts.texts == [ONE, THREE]
    assert stored(engine, waits).state == "queued"


def test_a_higher_priority_is_heard_first_though_it_came_last(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    engine.pause()
    low, high = engine.submit(request(ONE)), engine.submit(request(TWO, priority="high"))
    for job in (low, high):
        rig.until_prepared(job)
    engine.resume()
    for job in (low, high):
        rig.until_ended(job)
    states = [(e.job_id, e.data["state"]) for e in rig.events if e.name == "state"]
    spoken = [job_id for job_id, state in states if state == "speaking"]
    assert spoken == [high.id, low.id]


# -- files, streams, replays ---------------------------------------------------------------------


def test_a_file_is_written_and_nothing_is_heard(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    job = engine.submit(request(ONE, TWO, output=str(path)))
    rig.until_ended(job)
    assert rig.states(job) == ["queued", "preparing", "done"]
    done = stored(engine, job)
    assert done.heard == 2 and done.first_audio_at == done.finished_at
    assert soundfile.info(path).duration == pytest.approx(done.audio_s, abs=0.01)


def test_a_cancelled_file_is_not_written(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    gate = hosts.gate()
    hosts.script(TWO, SPEECH_S, gate)
    job = engine.submit(request(ONE, TWO, output=str(tmp_path / "x.wav")))
    gate.wait_reached()
    engine.cancel(job.id)
    rig.until_ended(engine.submit(request(THREE)))
    assert list(tmp_path.glob("*.wav*")) == []


def test_a_file_whose_job_another_process_cancels_is_not_written(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, SPEECH_S, gate)
    job = engine.submit(request(ONE, output=str(tmp_path / "x.wav")))
    gate.wait_reached()
    with contextlib.closing(rig.store()) as elsewhere:
        elsewhere.cancel(job.id)
    gate.open()
    rig.until_ended(engine.submit(request(THREE)))
    assert list(tmp_path.glob("*.wav*")) == []
    assert stored(engine, job).state == "cancelled"


def test_a_folder_that_went_away_fails_the_file(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    gate, folder = hosts.gate(), tmp_path / "out"
    folder.mkdir()
    hosts.script(ONE, SPEECH_S, gate)
    job = engine.submit(request(ONE, output=str(folder / "x.wav")))
    gate.wait_reached()
    shutil.rmtree(folder)
    gate.open()
    assert rig.until_ended(job)["error_code"] == "storage-error"


@pytest.mark.parametrize("via", ["inbox", "cli"])
def test_what_appears_in_the_inbox_s_done_is_not_replaced_and_what_a_user_names_is(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path, via: str
) -> None:
    gate, path = hosts.gate(), tmp_path / "x.wav"
    hosts.script(ONE, SPEECH_S, gate)
    job = engine.submit(request(ONE, output=str(path), via=via))
    gate.wait_reached()
    path.write_text("somebody's")
    gate.open()
    ended = rig.until_ended(job)
    if via == "inbox":
        assert "x.wav: a file of that name was made meanwhile" in ended["error"]
        assert path.read_text() == "somebody's"
    else:
        assert ended["state"] == "done" and soundfile.info(path).frames
    assert os.listdir(tmp_path) == ["x.wav"]


def test_a_file_that_a_killed_daemon_had_written_is_written_again(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    path.write_text("what it had written")
    (job,) = engine.store.add(
        [Job(id="", text=ONE, backend="scripted", via="inbox", sink="file", output=str(path),
             first_audio_at=1.0)]
    )  # fmt: skip
    engine.tasks.send([(job.id, 0)])
    assert rig.until_ended(job)["state"] == "done"
    assert soundfile.info(path).frames


def test_a_stream_can_be_read_while_it_is_made(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    gate = hosts.gate()
    hosts.script(ONE, SPEECH_S, gate, SPEECH_S)
    job = engine.submit(request(ONE, sink="stream"))
    gate.wait_reached()
    with contextlib.closing(engine.spools.open(job.id)) as spool:
        assert spool.frames > 0 and spool.is_growing
        gate.open()
        rig.until_ended(job)
        assert spool.is_complete
    done = stored(engine, job)
    assert done.first_audio_at is not None and done.finished_at is not None
    assert done.first_audio_at < done.finished_at


def test_a_replay_is_heard_from_the_audio_that_was_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = engine.submit(request(ONE, TWO))
    rig.until_ended(old)
    again = engine.replay(old.id)
    rig.until_ended(again)
    assert hosts.texts == [ONE, TWO]
    done = stored(engine, again)
    assert (done.state, done.heard, done.source_name) == ("done", 2, old.id)
    assert done.audio_s == stored(engine, old).audio_s


def test_a_replay_is_synthesized_anew_when_its_audio_is_gone(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = engine.submit(request(ONE))
    rig.until_ended(old)
    engine.spools.remove(old.id)
    engine.utterances.clear()
    assert rig.until_ended(engine.replay(old.id))["state"] == "done"
    assert hosts.texts == [ONE, ONE]


def test_a_job_whose_time_has_passed_is_not_begun(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine()
    (job,) = engine.store.add([Job(id="", text=ONE, backend="scripted", expires_at=1.0)])
    engine.start()
    assert rig.until_ended(job)["state"] == "expired"
    assert hosts.texts == []
