"""The engine's life: what it takes up, finishes and gives back; and what it is asked for."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.sound import Recorder, segments_of_sound
from vox.engine.consumer_lock import consumer_lock, lock_queue
from vox.engine.engine import Engine
from vox.errors import BadOption, JobNotLive, NoAudioKept, StorageLocked, UnknownJob
from vox.jobs import INTERRUPT, PAUSED, Job
from vox.queue.recovery import MAX_ATTEMPTS
from vox.queue.store import PAUSE, Store

from .fakes import LIMIT_S, SPEECH_S, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def states_after(rig: Rig, *jobs: Job) -> list[str]:
    """What the table says, once the engine is closed."""
    with contextlib.closing(rig.store()) as store:
        return [store.get(job.id).state for job in jobs]


# -- begin ---------------------------------------------------------------------------------------


def test_what_was_queued_before_the_start_is_spoken_in_order(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine()
    jobs = [engine.submit(request(sentence)) for sentence in (ONE, TWO)]
    assert rig.states() == ["queued", "queued"]
    engine.start()
    for job in jobs:
        rig.until_ended(job)
    assert hosts.texts == [ONE, TWO]


def test_a_job_that_a_daemon_died_on_goes_on_at_the_utterance_it_was_at(
    rig: Rig, hosts: FakeHosts
) -> None:
    engine = rig.make_engine()
    (job,) = engine.store.add([Job(id="", text=f"{ONE} {TWO} {THREE}", backend="scripted")])
    with contextlib.closing(engine.spools.open(job.id)) as spool:
        for index in range(2):
            spool.begin_utterance(index)
            spool.append(np.zeros(2400, np.float32), 24_000)
            spool.end_utterance()
    engine.store.change(job.id, ("queued",), "speaking")
    engine.store.note(job.id, heard=1)
    engine.start()
    rig.until_ended(job)
    assert hosts.texts == [THREE]
    done = engine.store.get(job.id)
    assert (done.state, done.heard, done.attempts) == ("done", 3, 1)


def test_the_silences_before_speech_are_those_of_the_settings_at_that_time(
    rig: Rig, hosts: FakeHosts, engine: Engine, recorder: Recorder
) -> None:
    rig.settings |= {"lead_in_s": 0.8, "pause_s": 0.0}
    begun_at = time.monotonic()
    jobs = [engine.submit(request(ONE)), engine.submit(request(TWO))]
    rig.until_state(jobs[0], "speaking")
    rig.settings["pause_s"] = 0.9
    rig.until_ended(jobs[1])
    (first, _), (second, _) = segments_of_sound(recorder.stop().after(begun_at), 0.3)
    assert first > 0.75 and second - first > SPEECH_S + 0.85


def test_what_was_half_done_of_a_repair_is_removed(rig: Rig) -> None:
    engine = rig.make_engine()
    half = [Path(rig.paths.db_path + ending) for ending in (".salvage", ".salvage-wal", ".rebuilt")]
    for path in half:
        path.write_text("texts")
    engine.start()
    assert not any(path.exists() for path in half)


def test_streams_of_a_dead_daemon_are_cancelled_and_later_ones_served(
    rig: Rig, hosts: FakeHosts
) -> None:
    first = rig.make_engine()
    dead = first.submit(request(ONE, sink="stream"))
    engine = rig.make_engine()
    later = engine.submit(request(TWO, sink="stream"))
    engine.start()
    assert rig.until_ended(later)["state"] == "done"
    assert engine.store.get(dead.id).state == "cancelled"


def test_an_engine_without_an_api_leaves_streams_to_the_daemon(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine(serves_streams=False)
    stream = engine.submit(request(ONE, sink="stream"))
    after = engine.submit(request(TWO))
    engine.start()
    rig.until_ended(after)
    assert (engine.store.get(stream.id).state, hosts.texts) == ("queued", [TWO])


def test_one_engine_at_a_time_holds_the_consumer_lock(rig: Rig) -> None:
    first = lock_queue(rig.paths, listens_at="/run/vox.sock")
    assert first is not None
    assert Path(rig.paths.consumer_lock_path).read_text() == "/run/vox.sock"
    with consumer_lock(rig.paths, blocking=False) as second:
        assert not second
    os.close(first)
    with consumer_lock(rig.paths, blocking=False) as third:
        assert third


# -- end -----------------------------------------------------------------------------------------


def test_closing_puts_what_is_synthesized_back_as_no_failed_attempt(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(TWO, SPEECH_S, gate)
    job, behind = engine.submit(request(ONE, TWO)), engine.submit(request(THREE))
    gate.wait_reached()
    rig.close(engine)
    assert states_after(rig, job, behind) == ["queued", "queued"]
    with contextlib.closing(rig.store()) as store:
        assert store.get(job.id).attempts == 0
    assert not any(host.is_alive for host in hosts.started)


def test_the_next_engine_goes_on_where_a_closed_one_was(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(TWO, SPEECH_S, gate)
    job = engine.submit(request(ONE, TWO, THREE))
    gate.wait_reached()
    rig.close(engine)
    following = rig.make_engine()
    following.start()
    rig.until_ended(job)
    assert hosts.texts == [ONE, TWO, TWO, THREE]
    assert following.store.get(job.id).heard == 3


def test_closing_puts_what_waits_for_the_ear_back(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    engine.pause()
    jobs = [engine.submit(request(sentence)) for sentence in (ONE, TWO)]
    for job in jobs:
        rig.until_prepared(job)
    rig.close(engine)
    assert states_after(rig, *jobs) == ["queued", "queued"]


def test_closing_does_not_wait_for_a_model_that_loads(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    job = engine.submit(request())
    gate.wait_reached()
    began = time.monotonic()
    rig.close(engine)
    assert time.monotonic() - began < 8.0  # a worker that does not stop is waited for for 10 s
    assert states_after(rig, job) == ["queued"]
    assert not hosts.started[0].is_alive


def test_leaving_again_and_again_does_not_fail_a_job(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine()
    job = engine.submit(request(ONE))
    for _ in range(MAX_ATTEMPTS + 1):
        gate = hosts.gate()
        hosts.script(ONE, gate)
        engine.start()
        gate.wait_reached()
        rig.close(engine)
        engine = rig.make_engine()
    assert states_after(rig, job) == ["queued"]


def test_what_is_to_be_heard_is_not_prepared_beside_a_job_that_is_tried_alone(
    rig: Rig, tmp_path: Path
) -> None:
    engine = rig.make_engine()
    engine.pause()
    alone, behind = (engine.submit(request(text)) for text in (ONE, TWO))
    engine.store.note(alone.id, attempts=MAX_ATTEMPTS)
    engine.start()
    rig.until_prepared(alone)
    file = engine.submit(request(THREE, output=str(tmp_path / "three.wav")))
    assert rig.until_ended(file)["state"] == "done"
    assert engine.store.get(behind.id).state == "queued"
    engine.resume()
    assert rig.until_ended(behind)["state"] == "done"
    assert engine.store.get(alone.id).state == "done"


def test_what_a_killed_daemon_had_half_written_is_removed_by_the_next(rig: Rig) -> None:
    paths = rig.paths
    engine = rig.make_engine()
    parts = [
        Path(folder, ".vox-0123456789abcdef.part")
        for folder in (paths.cache_dir, paths.utterances_dir, paths.config_dir)
    ]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    engine.start()
    # Another process may be changing the settings just now.
    assert [part.exists() for part in parts] == [False, False, True]


def test_a_task_that_comes_after_the_end_is_ignored(rig: Rig, engine: Engine) -> None:
    engine.pause()
    job = engine.submit(request())
    rig.close(engine)
    engine.worker.run(job.id)
    assert states_after(rig, job) == ["queued"]


def test_finishing_hears_the_current_job_to_its_end_and_begins_no_other(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, 0.4)
    job, behind = engine.submit(request(ONE)), engine.submit(request(TWO))
    rig.until_state(job, "speaking")
    engine.finish()
    rig.close(engine)
    assert states_after(rig, job, behind) == ["done", "queued"]


def test_finishing_waits_for_a_file_that_is_being_made(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, SPEECH_S, gate)
    job = engine.submit(request(ONE, output=str(tmp_path / "x.wav")))
    gate.wait_reached()
    finishing = in_thread(engine.finish)
    engine.player._thread.join(LIMIT_S)  # then it waits for the file alone
    assert finishing.is_alive()
    gate.open()
    finishing.join(LIMIT_S)
    assert not finishing.is_alive()
    assert engine.store.get(job.id).state == "done" and (tmp_path / "x.wav").exists()


def test_finishing_now_cuts_off_what_is_said(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    hosts.script(ONE, 60.0)
    job = engine.submit(request(ONE))
    rig.until_state(job, "speaking")
    finishing = in_thread(engine.finish)
    engine.finish_now()
    finishing.join(LIMIT_S)
    assert not finishing.is_alive()
    rig.close(engine)
    assert states_after(rig, job) == ["queued"]


def test_what_has_ended_is_not_known_for_ever(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    gate = hosts.gate()
    hosts.script(TWO, gate)
    ended, hangs = engine.submit(request(ONE)), engine.submit(request(TWO))
    rig.until_ended(ended)
    gate.wait_reached()
    engine.worker.forget_ended(engine.store.live_ids)
    assert engine.worker.begun_ids == {hangs.id}
    rig.close(engine)
    assert states_after(rig, ended, hangs) == ["done", "queued"]


def test_an_engine_that_was_never_started_leaves_the_queue_alone(rig: Rig) -> None:
    engine = rig.make_engine()
    job = engine.submit(request())
    engine.finish()
    rig.close(engine)
    assert states_after(rig, job) == ["queued"]


# -- what it is asked ----------------------------------------------------------------------------


def test_skip_ends_what_is_said_and_nothing_else(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    assert engine.skip() is None
    hosts.script(ONE, 60.0)
    job, after = engine.submit(request(ONE)), engine.submit(request(TWO))
    rig.until_state(job, "speaking")
    skipped = engine.skip()
    assert skipped is not None and (skipped.id, skipped.error) == (job.id, "skipped")
    assert rig.until_ended(after)["state"] == "done"


def test_what_interrupts_is_heard_first_and_the_other_job_goes_on_as_itself(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, 0.3)
    hosts.script(TWO, 1.0)
    job = engine.submit(request(ONE, TWO, expires_s=60.0))
    rig.until(lambda: engine.store.get(job.id).heard == 1)
    urgent = engine.submit(request(THREE, interrupt=True))
    assert (urgent.priority, urgent.to_dict()["priority"]) == (INTERRUPT, "interrupt")
    rig.until_ended(urgent)
    assert rig.until_ended(job)["state"] == "done"
    assert rig.states(job) == [
        "queued", "preparing", "speaking", "preparing", "speaking", "done",
    ]  # fmt: skip
    assert rig.states()[-1] == "done" and engine.store.get(job.id).heard == 2


def test_skip_during_an_interruption_skips_what_interrupts(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, 60.0)
    hosts.script(TWO, 60.0)
    job = engine.submit(request(ONE))
    rig.until_state(job, "speaking")
    urgent = engine.submit(request(TWO, interrupt=True))
    rig.until_state(urgent, "speaking")
    skipped = engine.skip()
    assert skipped is not None and skipped.id == urgent.id
    rig.until(lambda: engine.player.current == job.id)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"priority": "low"}, "interrupt and priority exclude each other; choose one"),
        ({"output": "/tmp/x.wav"}, "interrupt is for what is heard, not for a file"),
    ],
)
def test_what_an_interruption_excludes_is_refused(
    rig: Rig, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(BadOption) as caught:
        rig.make_engine().submit(request(ONE, interrupt=True, **fields))
    assert caught.value.line == message


def test_cancelling_all_leaves_nothing_live(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    hosts.script(ONE, 60.0)
    jobs = [engine.submit(request(sentence)) for sentence in (ONE, TWO, THREE)]
    rig.until_state(jobs[0], "speaking")
    assert [job.id for job in engine.cancel_all()] == [job.id for job in jobs]
    assert engine.is_idle
    with pytest.raises(JobNotLive):
        engine.cancel(jobs[0].id)


def test_a_job_under_the_same_key_replaces_the_one_that_is_said(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, 60.0)
    old = engine.submit(request(ONE, replace="status"))
    rig.until_state(old, "speaking")
    new = engine.submit(request(TWO, replace="status"))
    assert rig.until_ended(new)["state"] == "done"
    assert "replaced" in (engine.store.get(old.id).error or "")


def test_what_comes_while_paused_carries_a_note_and_is_spoken_later(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    engine.pause()
    job = engine.submit(request())
    assert job.notes == [PAUSED]
    rig.until_prepared(job)
    engine.resume()
    ended = rig.until_ended(job)
    assert (ended["state"], ended["notes"]) == ("done", [])  # nothing is paused any more


def test_what_another_process_queued_is_found_when_the_engine_is_told_to_look(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    with contextlib.closing(rig.store()) as elsewhere:
        (job,) = elsewhere.add([Job(id="", text=ONE, backend="scripted")])
    engine.check_queue()
    rig.until_ended(job)
    assert hosts.texts == [ONE]


def test_only_what_has_ended_can_be_replayed(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    engine.pause()
    with pytest.raises(JobNotLive, match="is still"):
        engine.replay(engine.submit(request()).id)
    with pytest.raises(UnknownJob):
        engine.replay("zzzzzz")


def test_the_audio_of_a_job_is_written_to_a_file_of_its_own(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    job = engine.submit(request())
    rig.until_ended(job)
    path = engine.export_audio(job.id)
    duration_s = engine.store.get(job.id).audio_s
    assert soundfile.info(path).duration == pytest.approx(duration_s, abs=0.01)
    engine.spools.remove(job.id)
    with pytest.raises(NoAudioKept):
        engine.export_audio(job.id)


def test_clearing_forgets_ended_jobs_and_their_audio(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    ended = engine.submit(request(ONE))
    rig.until_ended(ended)
    engine.pause()
    live = engine.submit(request(TWO))
    rig.until_prepared(live)
    assert engine.clear() == [ended.id]
    assert not engine.spools.has(ended.id) and engine.spools.has(live.id)
    assert [job.id for job in engine.store.history.jobs()] == [live.id]


class LockedStore(Store):
    """Another program keeps it locked when the first flag is set."""

    is_locked = True

    def set_flag(self, flag: str, is_set: bool) -> None:
        if self.is_locked:
            self.is_locked = False
            raise StorageLocked("it is locked")
        super().set_flag(flag, is_set)
        self.publish("progress", Job(id="", text="", backend=""))


def test_a_pause_that_could_not_be_written_is_written_later(rig: Rig, hosts: FakeHosts) -> None:
    store = LockedStore(rig.paths.db_path, rig.bus)
    engine = rig.make_engine(store=store)
    engine.start()
    engine.pause()
    assert engine.player.is_paused and not store.is_set(PAUSE)
    rig.until(lambda: store.is_set(PAUSE))


# -- housekeeping --------------------------------------------------------------------------------


def test_what_expires_while_it_waits_for_the_ear_is_not_heard(rig: Rig, hosts: FakeHosts) -> None:
    now = [1_000_000.0]
    engine = rig.make_engine(clock=lambda: now[0], steady=lambda: now[0])
    engine.start()
    engine.pause()
    job = engine.submit(request(expires_s=60))
    rig.until_prepared(job)
    now[0] += 61
    assert rig.until_ended(job)["state"] == "expired"
    assert engine.player.waiting == []


def test_an_idle_model_is_unloaded_unless_it_is_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.settings.update(idle_timeout=0, keep=["scripted"])
    (job,) = engine.store.add([Job(id="", text=ONE, backend="hibari")])
    engine.tasks.send([(job.id, 0)])
    kept = engine.submit(request(TWO))
    for each in (job, kept):
        rig.until_ended(each)
    with hosts.changed:
        assert hosts.changed.wait_for(lambda: not hosts.started[0].is_alive, LIMIT_S)
    assert [(host.name, host.is_alive) for host in hosts.started] == [
        ("hibari", False), ("scripted", True),
    ]  # fmt: skip


def test_health_is_that_of_its_threads(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine()
    assert engine.is_healthy
    engine.start()
    assert engine.is_healthy
    engine.player.stop(now=True)
    assert not engine.is_healthy
