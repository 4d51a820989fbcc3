"""A replay: from the kept audio, at another speed with the pitch as it was, or synthesized anew."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import soundfile

from vox.audio.spool import Segment
from vox.engine.engine import Engine
from vox.errors import BadOption, BadOutput, UnknownJob
from vox.jobs import Changes, Job

from .fakes import FakeHosts
from .rig import ONE, THREE, TWO, Rig, request

FASTER = Changes(speed=2.0)


def segments(engine: Engine, job: Job) -> list[Segment]:
    with contextlib.closing(engine.spools.open(job.id)) as spool:
        assert spool.is_complete
        return spool.segments


def audio_s(engine: Engine, job: Job) -> float:
    found = engine.store.get(job.id).audio_s
    assert found is not None
    return found


def test_at_another_speed_it_is_made_of_the_kept_audio(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = engine.submit(request(ONE, TWO))
    rig.until_ended(old)
    again = engine.replay(old.id, changes=FASTER)
    assert rig.until_ended(again)["speed"] == 2.0
    assert hosts.texts == [ONE, TWO]
    done = engine.store.get(again.id)
    assert (done.state, done.heard, done.utterances) == ("done", 2, 2)
    assert audio_s(engine, again) == pytest.approx(audio_s(engine, old) / 2, abs=0.03)
    assert [segment.index for segment in segments(engine, again)] == [0, 1]


def test_the_speed_of_the_old_job_counts(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    old = engine.submit(request(ONE, TWO, speed=2.0))
    rig.until_ended(old)
    again = engine.replay(old.id, changes=Changes(speed=1.0))
    rig.until_ended(again)
    assert audio_s(engine, again) == pytest.approx(audio_s(engine, old) * 2, abs=0.03)


def test_a_replay_of_a_replay_is_made_of_what_was_synthesized(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = engine.submit(request(ONE))
    rig.until_ended(old)
    fast = engine.replay(old.id, changes=FASTER)
    rig.until_ended(fast)
    as_fast, faster = engine.replay(fast.id), engine.replay(fast.id, changes=Changes(speed=4.0))
    for job in (as_fast, faster):
        rig.until_ended(job)
    assert [job.source_name for job in (fast, as_fast, faster)] == [old.id, fast.id, old.id]
    assert (as_fast.speed, audio_s(engine, as_fast)) == (2.0, audio_s(engine, fast))
    assert audio_s(engine, faster) == pytest.approx(audio_s(engine, old) / 4, abs=0.03)
    assert hosts.texts == [ONE]


def test_without_kept_audio_it_is_synthesized_at_that_speed(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = engine.submit(request(ONE))
    rig.until_ended(old)
    engine.spools.remove(old.id)
    rig.until_ended(engine.replay(old.id, changes=FASTER))
    assert [asked.speed for asked in hosts.asked] == [1.0, 2.0]


def test_what_a_dead_daemon_had_stretched_is_not_made_again(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine()
    engine.start()
    old = engine.submit(request(ONE, TWO, THREE))
    rig.until_ended(old)
    engine.player.pause()
    again = engine.replay(old.id, changes=FASTER)
    rig.until_prepared(again)
    whole = segments(engine, again)
    rig.close(engine)
    index = Path(rig.paths.spool_dir, f"{again.id}.idx")
    index.write_bytes(b"\n".join(index.read_bytes().split(b"\n")[:3]) + b"\n")
    engine = rig.make_engine()
    engine.start()
    engine.player.resume()
    assert rig.until_ended(again)["state"] == "done"
    assert segments(engine, again) == whole
    assert hosts.texts == [ONE, TWO, THREE]


def test_a_cancelled_replay_is_made_no_further(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    old = engine.submit(request(ONE, TWO))
    rig.until_ended(old)
    engine.player.pause()
    again = engine.replay(old.id, changes=FASTER)
    engine.cancel(again.id)
    rig.until_ended(again)
    engine.player.resume()
    rig.until_ended(engine.replay(old.id, changes=FASTER))
    assert engine.store.get(again.id).state == "cancelled"


@pytest.mark.parametrize("speed", [None, 2.0])
def test_it_is_written_into_a_file_and_not_heard(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path, speed: float | None
) -> None:
    old = engine.submit(request(ONE))
    rig.until_ended(old)
    path = tmp_path / "again.flac"
    job = engine.replay(old.id, changes=Changes(speed=speed, output=str(path), umask=0o077))
    rig.until_ended(job)
    assert rig.states(job) == ["queued", "preparing", "done"]
    expected_s = audio_s(engine, old) / (speed or 1.0)
    assert soundfile.info(path).duration == pytest.approx(expected_s, abs=0.03)
    assert path.stat().st_mode & 0o777 == 0o600
    assert hosts.texts == [ONE]


def test_last_is_what_was_heard_last(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    with pytest.raises(UnknownJob, match="nothing was heard yet"):
        engine.replay("last")
    heard = engine.submit(request(ONE))
    rig.until_ended(heard)
    rig.until_ended(engine.submit(request(TWO, output=str(tmp_path / "x.wav"))))
    gate = hosts.gate()
    hosts.script(THREE, gate)
    engine.submit(request(THREE))
    gate.wait_reached()
    again = engine.replay(" LAST ")
    assert (again.text, again.source_name) == (ONE, heard.id)
    gate.open()


@pytest.mark.parametrize(
    ("changes", "error"),
    [(Changes(speed=9.0), BadOption), (Changes(output="/nowhere/at/all.wav"), BadOutput)],
)
def test_what_it_cannot_be_is_refused(
    rig: Rig, hosts: FakeHosts, engine: Engine, changes: Changes, error: type[Exception]
) -> None:
    old = engine.submit(request(ONE))
    rig.until_ended(old)
    with pytest.raises(error):
        engine.replay(old.id, changes=changes)
    assert len(engine.store.history.jobs()) == 1
