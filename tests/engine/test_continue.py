"""A text that was cut off goes on from the sentence at which the ear stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from vox.engine.engine import Engine
from vox.errors import JobNotLive, UnknownJob
from vox.jobs import GOING_ON, LAST, Job

from .fakes import FakeHosts
from .rig import ONE, THREE, TWO, Rig, request


def cut_off(rig: Rig, engine: Engine, *sentences: str) -> Job:
    """A job that was cancelled in the middle of its second sentence."""
    rig.hosts.script(ONE, 0.2)
    rig.hosts.script(TWO, 60.0)
    gate = rig.hosts.gate()
    rig.hosts.script(THREE, gate)
    job = engine.submit(request(*sentences))
    rig.until(lambda: engine.store.get(job.id).heard == 1)
    gate.wait_reached()
    engine.cancel(job.id)
    rig.until(lambda: engine.player.next is None and not engine.worker.running_ids)
    return engine.store.get(job.id)


def test_it_begins_with_that_sentence_and_what_was_made_is_not_made_again(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = cut_off(rig, engine, ONE, TWO, THREE)
    begun = len(hosts.texts)
    new = engine.replay(LAST, changes=GOING_ON)
    assert (new.source_name, new.text, new.heard) == (old.id, old.text, 1)
    rig.until_state(new, "speaking")
    engine.move(1)  # the second is long
    assert rig.until_ended(new)["state"] == "done"
    assert ONE not in hosts.texts[begun:] and THREE in hosts.texts[begun:]
    heard = [e.data["heard"] for e in rig.events if e.job_id == new.id and "heard" in e.data]
    assert heard[-1] == 3 and min(heard) == 1
    assert engine.spools.has(new.id), "with the beginning, so it can be replayed whole"
    with pytest.raises(UnknownJob, match="no text was cut off"):
        engine.replay(LAST, changes=GOING_ON)


def test_without_the_audio_only_the_rest_is_made(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = cut_off(rig, engine, ONE, TWO, THREE)
    engine.spools.remove(old.id)
    engine.utterances.clear()
    begun = len(hosts.texts)
    new = engine.replay(old.id, changes=GOING_ON)
    assert rig.until_ended(new)["state"] == "done"
    assert hosts.texts[begun:] == [TWO, THREE]
    rig.until(lambda: not list(Path(rig.paths.spool_dir).glob(f"{new.id}.*")))
    again = engine.replay(new.id)
    rig.until_ended(again)
    assert engine.store.get(again.id).heard == 3 and ONE in hosts.texts[begun:]


def test_one_whose_audio_was_complete_shares_it(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    hosts.script(ONE, 60.0)
    old = engine.submit(request(ONE, TWO))
    rig.until_state(old, "speaking")
    rig.until_prepared(old)
    engine.skip()
    new = engine.replay(old.id, changes=GOING_ON)
    rig.until_state(new, "speaking")
    engine.move(1)
    assert rig.until_ended(new)["state"] == "done"
    assert hosts.texts == [ONE, TWO] and engine.spools.has(old.id)


def test_a_failed_text_goes_on(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    hosts.script(ONE, 0.2)
    hosts.script(TWO, ZeroDivisionError("on purpose"))
    old = engine.submit(request(ONE, TWO))
    assert rig.until_ended(old)["state"] == "failed"
    new = engine.replay(old.id, changes=GOING_ON)
    assert rig.until_ended(new)["state"] == "done"
    assert hosts.texts == [ONE, TWO, TWO]


def test_what_cannot_go_on_says_what_to_do_instead(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    done = engine.submit(request(ONE))
    rig.until_ended(done)
    written = engine.submit(request(TWO, output=str(tmp_path / "x.wav")))
    rig.until_ended(written)
    hosts.script(THREE, 60.0)
    live = engine.submit(request(THREE))
    rig.until_state(live, "speaking")
    for job, line in (
        (done, f"job {done.id} was heard to its end; to hear it again: vox replay {done.id}"),
        (written, f"job {written.id} was not spoken; to hear it: vox replay {written.id}"),
        (live, f"job {live.id} is still speaking; wait for it: vox wait {live.id}"),
    ):
        with pytest.raises(JobNotLive) as caught:
            engine.replay(job.id, changes=GOING_ON)
        assert caught.value.line == line
