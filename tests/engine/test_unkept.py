"""Jobs that are not kept: their rows go when they end, and whoever follows them is told the end."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from vox.engine.engine import Engine
from vox.errors import JobNotLive, UnknownJob
from vox.jobs import PAUSED, Job, Request
from vox.queue.unkept import LATE_S
from vox.source_notes import paused_note

from .fakes import CRASH, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request


def unkept(*sentences: str, **fields: object) -> Request:
    return request(*sentences, **{"unkept": True, **fields})


def rows(rig: Rig) -> list[str]:
    """The texts of all rows of the job table."""
    with sqlite3.connect(rig.paths.db_path) as conn:
        return [text for (text,) in conn.execute("select text from job order by seq")]


def spooled(rig: Rig) -> list[str]:
    return os.listdir(rig.paths.spool_dir)


def test_its_row_goes_when_it_was_heard_and_its_end_is_told(rig: Rig, engine: Engine) -> None:
    job = engine.submit(unkept(ONE, style="calm", id="abcdef"))
    assert (job.private, rows(rig)) == (True, [ONE])
    ended = rig.until_ended(job)
    assert (ended["state"], ended["heard"], ended["text"]) == ("done", 1, "")
    assert rows(rig) == []
    known = engine.store.get("abcdef")
    assert (known.state, known.text, known.style) == ("done", "", None)
    assert engine.submit(unkept(ONE, style="calm", id="abcdef")) == known
    with pytest.raises(JobNotLive):
        engine.cancel("abcdef")
    with pytest.raises(UnknownJob):
        rig.store().get("abcdef")
    rig.until(lambda: not spooled(rig))
    assert engine.store.history.stats()["all"]["jobs"] == 0


def test_one_that_is_cancelled_or_fails_goes_too(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(ONE, gate)
    job = engine.submit(unkept(ONE))
    gate.wait_reached()
    assert engine.cancel(job.id).state == "cancelled"
    hosts.script(TWO, CRASH)
    hosts.script(TWO, CRASH)
    failed = engine.submit(unkept(TWO))
    assert rig.until_ended(failed)["state"] == "failed"
    assert rows(rig) == []


def test_one_of_a_muted_source_leaves_nothing(rig: Rig, engine: Engine) -> None:
    rig.sources["reader"] = {"muted": True}
    job = engine.submit(unkept(ONE, source="reader"))
    assert (job.state, job.text, rows(rig)) == ("done", "", [])
    assert engine.store.get(job.id).state == "done"


def test_the_history_never_shows_it_nor_is_it_the_last(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    kept = engine.submit(request(ONE))
    rig.until_ended(kept)
    gate = hosts.gate()
    hosts.script(TWO, gate)
    live = engine.submit(unkept(TWO))
    gate.wait_reached()
    assert engine.store.get("last").id == engine.store.get("@1").id == kept.id
    assert [job.id for job in engine.store.history.jobs()] == [kept.id]
    assert [job.id for job in engine.store.live()] == [live.id]
    assert engine.replay("last").source_name == kept.id
    gate.open()


def test_one_that_a_daemon_had_begun_or_that_waited_long_is_not_spoken_late(
    rig: Rig, hosts: FakeHosts
) -> None:
    store = rig.store()

    def add(text: str, **fields: object) -> Job:
        made = Job(id="", text=text, backend="scripted", unkept=True, **fields)  # type: ignore[arg-type]
        return store.add([made])[0]

    begun = add(ONE, state="preparing", started_at=store._clock())
    add(ONE, created_at=store._clock() - LATE_S - 1)
    fresh = add(TWO)
    engine = rig.make_engine()
    engine.start()
    assert rig.until_ended(begun)["state"] == "cancelled"
    assert rig.until_ended(fresh)["state"] == "done"
    assert (hosts.texts, rows(rig)) == ([TWO], [])


def test_one_that_is_at_work_when_the_engine_closes_is_dropped(rig: Rig, hosts: FakeHosts) -> None:
    engine = rig.make_engine()
    engine.start()
    gate = hosts.gate()
    hosts.script(ONE, gate)
    job = engine.submit(unkept(ONE))
    gate.wait_reached()
    rig.close(engine)
    assert rig.until_ended(job)["state"] == "cancelled"
    assert rows(rig) == []


def test_one_that_interrupts_is_heard_while_speech_is_paused_unless_its_source_is(
    rig: Rig, engine: Engine
) -> None:
    engine.pause()
    waiting = [engine.submit(request(ONE)), engine.submit(unkept(TWO))]
    heard = engine.submit(unkept(THREE, interrupt=True, source="reader"))
    assert (heard.notes, waiting[1].notes) == ([], [PAUSED])
    assert rig.until_ended(heard)["state"] == "done"
    engine.sources.pause("reader")
    held = engine.submit(unkept(THREE, interrupt=True, source="reader"))
    assert held.notes == [paused_note("reader")]
    engine.resume()
    assert [rig.until_ended(job)["state"] for job in waiting] == ["done", "done"]
    assert engine.store.get(held.id).state == "queued"
    engine.sources.resume("reader")
    assert rig.until_ended(held)["state"] == "done"


def test_it_reads_the_utterance_cache_and_leaves_no_trace_there(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.until_ended(engine.submit(request(ONE)))
    (file,) = Path(rig.paths.utterances_dir).iterdir()
    os.utime(file, (1, 1))
    rig.until_ended(engine.submit(unkept(ONE, TWO)))
    assert hosts.texts == [ONE, TWO]
    assert list(Path(rig.paths.utterances_dir).iterdir()) == [file]
    assert file.stat().st_mtime == 1


def test_the_cache_keeps_what_is_explicitly_not_private(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for _ in range(2):
        rig.until_ended(engine.submit(unkept(ONE, private=False)))
    assert (hosts.texts, rows(rig)) == ([ONE], [])
