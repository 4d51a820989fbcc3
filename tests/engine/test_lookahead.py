"""How far ahead of the ear jobs are prepared; the player holds prepared jobs and makes no sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vox.audio.player import Playback, Player
from vox.audio.spool import SpoolDir
from vox.config import Config
from vox.engine.lookahead import MAX_IN_LINE, LookAhead
from vox.engine.running import Run, Running
from vox.jobs import INTERRUPT, PRIORITIES, Job
from vox.queue.broker import Broker
from vox.queue.store import Store

RATE = 24_000
LOOKAHEAD_S = 10.0
CONFIG = Config({"lookahead_s": LOOKAHEAD_S})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"))
    yield opened
    opened.close()


@pytest.fixture
def player() -> Iterator[Player]:
    made = Player(SimpleNamespace())  # never started: nothing is heard, and nobody is told
    yield made
    made.stop(now=True)


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture
def lookahead(store: Store, player: Player, running: Running) -> LookAhead:
    return LookAhead(store, player, lambda: CONFIG, running)


def add(store: Store, count: int = 1, **fields: object) -> list[str]:
    jobs = [Job(id="", text="hello", backend="x", **fields) for _ in range(count)]  # type: ignore[arg-type]
    return [job.id for job in store.add(jobs)]


Prepare = Callable[..., list[str]]


@pytest.fixture
def prepare(store: Store, player: Player, tmp_path: Path) -> Prepare:
    """Jobs whose audio, so many seconds of it, waits for its turn at the loudspeaker."""
    spools = SpoolDir(str(tmp_path / "spool"), 10**9)

    def prepare(count: int = 1, seconds: float = 0.01, **fields: object) -> list[str]:
        ids = add(store, count, **fields)
        for job_id in ids:
            spool = spools.open(job_id)
            spool.begin_utterance(0)
            spool.append(np.zeros(round(seconds * RATE), np.float32), RATE)
            spool.end_utterance()
            spool.finish()
            job = store.change(job_id, ("queued",), "preparing")
            assert job is not None
            player.add(Playback(job_id, spool, job.order, 1.0, 0))
            spool.close()
        return ids

    return prepare


def test_everything_may_be_prepared_while_little_is(
    store: Store, lookahead: LookAhead, prepare: Prepare
) -> None:
    prepare(seconds=LOOKAHEAD_S - 1)
    ids = [*add(store), *add(store, sink="file"), *add(store, sink="stream")]
    assert list(lookahead.may_take(ids)) == ids


@pytest.mark.parametrize(
    ("count", "seconds"), [(1, LOOKAHEAD_S), (2, LOOKAHEAD_S / 2), (MAX_IN_LINE, 0.01)]
)
def test_what_is_to_be_played_waits_once_enough_is_prepared(
    store: Store, lookahead: LookAhead, prepare: Prepare, count: int, seconds: float
) -> None:
    prepare(count - 1, seconds)
    waits = add(store)
    assert list(lookahead.may_take(waits)) == waits
    prepare(1, seconds)
    assert lookahead.may_take(add(store)) == []


def test_the_line_is_looked_at_once_for_a_hundred_jobs(
    store: Store, lookahead: LookAhead, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(MAX_IN_LINE)
    waiting, looks = Player.waiting.fget, list[Player]()
    assert waiting is not None

    def counted(player: Player) -> list[str]:
        looks.append(player)
        return waiting(player)

    monkeypatch.setattr(Player, "waiting", property(counted))
    assert lookahead.may_take(add(store, 100)) == []
    assert len(looks) == 1


def test_nothing_is_prepared_ahead_if_the_setting_is_0(
    store: Store, player: Player, running: Running, prepare: Prepare
) -> None:
    lookahead = LookAhead(store, player, lambda: Config({"lookahead_s": 0.0}), running)
    (job,) = prepare(seconds=0.0)
    assert lookahead.has_room(store.get(job))
    prepare()
    behind = add(store)
    assert lookahead.may_take(behind) == []
    assert lookahead.has_room(store.get(job))


def test_files_streams_and_higher_priorities_do_not_wait_for_the_ear(
    store: Store, lookahead: LookAhead, prepare: Prepare
) -> None:
    prepare(seconds=LOOKAHEAD_S)
    ids = {
        name: add(store, **fields)[0]
        for name, fields in {
            "file": {"sink": "file"},
            "stream": {"sink": "stream"},
            "high": {"priority": PRIORITIES["high"]},
            "normal": {},
            "low": {"priority": PRIORITIES["low"]},
        }.items()
    }
    assert lookahead.may_take(list(ids.values())) == [ids["file"], ids["stream"], ids["high"]]


def test_only_what_is_heard_before_a_job_keeps_it_waiting(
    store: Store, lookahead: LookAhead, prepare: Prepare
) -> None:
    prepare(seconds=LOOKAHEAD_S)
    prepare(seconds=LOOKAHEAD_S / 2, priority=PRIORITIES["high"])
    (high,) = add(store, priority=PRIORITIES["high"])
    assert list(lookahead.may_take([high])) == [high]
    prepare(seconds=LOOKAHEAD_S / 2, priority=PRIORITIES["high"])
    assert list(lookahead.may_take([high])) == [high]  # that one is younger
    assert lookahead.may_take(add(store, priority=PRIORITIES["high"])) == []


def test_what_interrupts_does_not_wait_for_what_it_interrupts(
    store: Store, player: Player, lookahead: LookAhead, prepare: Prepare
) -> None:
    prepare(MAX_IN_LINE, seconds=LOOKAHEAD_S)
    playback = player._choose()
    assert playback is not None
    playback.is_sounding = True
    (urgent,) = add(store, priority=INTERRUPT)
    assert list(lookahead.may_take([urgent, *add(store)])) == [urgent]
    assert lookahead.has_room(store.get(urgent))


def test_streams_are_left_to_those_who_serve_them(store: Store, player: Player) -> None:
    lookahead = LookAhead(store, player, lambda: CONFIG, Running(), serves_streams=False)
    play, stream = [*add(store), *add(store, sink="stream")]
    assert lookahead.may_take([play, stream]) == [play]


def test_a_job_that_is_tried_alone_begins_once_nothing_else_is_at_work(
    store: Store, player: Player, lookahead: LookAhead, prepare: Prepare
) -> None:
    before, alone, behind, file, stream = (
        add(store, **fields)[0] for fields in ({}, {}, {}, {"sink": "file"}, {"sink": "stream"})
    )
    lookahead.alone = {alone}
    ids = [before, alone, behind, file, stream]
    assert lookahead.may_take(ids) == [before, alone]
    assert lookahead.may_take(ids[1:]) == [alone]
    (heard,) = prepare()
    assert lookahead.may_take(ids) == [before, file, stream]
    player.cancel(heard)
    assert lookahead.may_take(ids[1:]) == [alone]


def test_nothing_is_prepared_beside_a_job_that_is_tried_alone_until_it_makes_progress(
    store: Store, lookahead: LookAhead, prepare: Prepare
) -> None:
    (alone,) = prepare()
    ids = [*add(store), *add(store, sink="file"), *add(store, sink="stream")]
    lookahead.alone = {alone}
    assert lookahead.may_take(ids) == []
    lookahead.alone.discard(alone)
    assert lookahead.may_take(ids) == ids


def test_while_nothing_can_be_heard_files_and_streams_wait_for_no_job_that_is_tried_alone(
    store: Store, player: Player, lookahead: LookAhead, prepare: Prepare
) -> None:
    player.pause()
    (alone,) = prepare()
    play, file, stream = [*add(store), *add(store, sink="file"), *add(store, sink="stream")]
    lookahead.alone = {alone, file}
    assert lookahead.may_take([play, file, stream]) == [file, stream]
    lookahead.alone = {file}
    assert lookahead.may_take([play, file, stream]) == [play, file, stream]
    lookahead.alone = {play}
    assert lookahead.may_take([play, file, stream]) == [file, stream]


def test_a_job_that_was_cleared_is_let_through_and_ignored(lookahead: LookAhead) -> None:
    assert lookahead.may_take(["gone22"]) == ["gone22"]


def test_a_look_at_a_long_queue_asks_the_database_a_few_times(
    store: Store, lookahead: LookAhead, prepare: Prepare
) -> None:
    prepare(MAX_IN_LINE + 1)
    broker = Broker(store.path)
    broker.send([(job_id, 0) for job_id in add(store, 100)])
    statements: list[str] = []
    connections = (store._db.reader, store._db.counter, store._db.writer, broker._storage.conn)
    for connection in connections:
        connection.set_trace_callback(statements.append)

    def gate(job_ids: list[str]) -> list[str]:
        assert len(job_ids) == 100
        broker.wake()  # so that the look does not wait for anything after it
        return list(lookahead.may_take(job_ids))

    broker._storage.gate = gate
    try:
        assert broker._storage.dequeue() is None
        assert len(statements) <= 3, statements[:10]
    finally:
        broker.close()


def test_a_job_waits_for_room_until_enough_of_what_is_before_it_is_gone(
    store: Store, player: Player, lookahead: LookAhead, prepare: Prepare
) -> None:
    ahead, mine = prepare(2, seconds=LOOKAHEAD_S * 0.6)
    prepare(seconds=LOOKAHEAD_S)
    job = store.get(mine)
    checks = 0

    def check_wanted() -> None:
        nonlocal checks
        checks += 1
        player.cancel(ahead)

    lookahead.wait_for_room(job, check_wanted)
    assert checks == 1


def test_a_job_waits_longer_for_room_while_others_are_made(
    store: Store, player: Player, lookahead: LookAhead, running: Running, prepare: Prepare
) -> None:
    first, second, mine = prepare(3, seconds=LOOKAHEAD_S * 0.4)
    file = Run(store.get(add(store, sink="file")[0]), lambda _job_id: False)
    running.begin(file)
    rounds: list[str] = []

    def check_wanted() -> None:
        rounds.append("check")
        player.cancel(first)  # now there is room, were it not for the file
        if len(rounds) == 2:
            running.rest(file)

    lookahead.wait_for_room(store.get(mine), check_wanted)
    assert len(rounds) == 2
    assert lookahead.has_room(store.get(mine))
    assert second in player.waiting


FIELDS: dict[str, dict[str, Any]] = {
    "interrupt": {"priority": INTERRUPT},
    "high": {"priority": PRIORITIES["high"]},
    "normal": {},
    "stream": {"sink": "stream"},
    "low": {"priority": PRIORITIES["low"]},
    "high file": {"sink": "file", "priority": PRIORITIES["high"]},
    "file": {"sink": "file"},
}


@pytest.mark.parametrize(
    ("at_work", "may"),
    [
        ("file", ["interrupt", "high", "normal", "stream", "low", "high file"]),
        ("high file", ["interrupt", "high", "normal", "stream", "low"]),
        ("low", ["interrupt", "high", "normal", "stream"]),
        ("normal", ["interrupt", "high"]),
        ("stream", ["interrupt", "high"]),
        ("heard", ["interrupt"]),
        ("interrupt", []),
        ("resting", ["interrupt", "high", "stream", "high file", "file"]),
        ("resting, heard", ["interrupt", "stream", "high file", "file"]),
    ],
)
def test_beside_a_job_at_work_begins_only_what_goes_before_it_or_while_it_rests(
    store: Store, lookahead: LookAhead, running: Running, at_work: str, may: list[str]
) -> None:
    is_heard = "heard" in at_work
    (job_id,) = add(store, **FIELDS.get(at_work, {}))
    run = Run(store.get(job_id), lambda _job_id: is_heard)
    running.begin(run)
    running.rest(run, "resting" in at_work)
    ids = {add(store, **fields)[0]: name for name, fields in FIELDS.items()}
    assert [ids[each] for each in lookahead.may_take(list(ids))] == may
    running.end(run)
    assert list(lookahead.may_take(list(ids))) == list(ids)


def test_nothing_begins_beside_a_file_that_is_tried_alone_nor_it_beside_another(
    store: Store, player: Player, lookahead: LookAhead, running: Running
) -> None:
    (alone,) = add(store, sink="file")
    other, play = [*add(store, sink="file", priority=10), *add(store)]
    lookahead.alone = {alone}
    player.pause()
    run = Run(store.get(alone), lambda _job_id: False)
    running.begin(run)
    assert lookahead.may_take([play, other]) == []
    running.end(run)
    run = Run(store.get(other), lambda _job_id: False)
    running.begin(run)
    assert list(lookahead.may_take([play, alone])) == [play]


def test_a_job_that_nobody_wants_any_more_does_not_wait_for_room(
    store: Store, lookahead: LookAhead, prepare: Prepare
) -> None:
    (job,) = (store.get(job_id) for job_id in prepare(seconds=LOOKAHEAD_S))

    class Unwanted(Exception):
        pass

    def check_wanted() -> None:
        raise Unwanted

    with pytest.raises(Unwanted):
        lookahead.wait_for_room(job, check_wanted)
