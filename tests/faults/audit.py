"""The one audit at the end of each case: what was promised was done, once, and nothing is left."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sound import Recorder, Recording, read_audio
from tests.tones import Tone, read_timed_tones, read_tones
from vox.files import is_locked
from vox.jobs import ENDED, LIVE

from .home import ANY_END, Asked, Home, wait_until

LEFTOVERS = (".part", ".writing", ".new", ".tmp")
PITCHES = 64
LAG_S = 2.0
"""So long after its end a busy daemon may not have written down yet that something was heard."""
BUFFER_S = 0.5
"""So long a sound may be in buffers."""


def audit(home: Home, recorder: Recorder | None = None, timeout_s: float = 60.0) -> None:
    """Drain the home, stop its daemon and check it against its books.

    `recorder`: has recorded the case from its beginning. Raises AssertionError with all that is
    wrong.
    """
    home.is_audited = True
    home.drain(timeout_s)
    wrong = _health(home)
    recording = recorder.stop() if recorder else None
    home.leave()
    rows = _rows(home)
    wrong += [line for asked in home.books.asked for line in _outcome(home, asked, rows)]
    wrong += _database(home) + _leftovers(home, rows)
    if recording is not None:
        wrong += _heard(home, rows, recording)
    assert not wrong, "the audit found:\n  " + "\n  ".join(wrong)


@dataclass(frozen=True)
class Row:
    id: str
    seq: int
    state: str
    text: str
    source_name: str | None
    sink: str
    attempts: int
    error: str | None


def _health(home: Home) -> list[str]:
    """What `/health` says is true."""
    wrong = []
    with contextlib.suppress(AssertionError):
        # One that was started while another one came up sees that and leaves.
        wait_until(lambda: len(home.daemons()) == 1, "there is one daemon", 10.0)
    health = home.health()
    # One that found a daemon up, because `daemon start` was called, may still be ending.
    with contextlib.suppress(AssertionError):
        wait_until(lambda: len(home.daemons()) == 1, "one daemon is left", 5.0)
    holders = [process.pid for process in home.daemons()]
    if health["status"] != "ok":
        wrong.append(f"/health says {health['status']} though everything has ended: {health}")
    if holders != [health["pid"]]:
        wrong.append(f"/health is of PID {health['pid']}, the daemons are {holders}")
    if any(health["queue"][state] for state in LIVE):
        wrong.append(f"/health counts live jobs, and none is: {health['queue']}")
    hosts = {process.pid for process in home.hosts()}
    claimed = {model["pid"] for model in health["loaded_models"] if model.get("pid")}
    if claimed - hosts:
        wrong.append(f"/health lists hosts that do not run: {claimed - hosts}")
    return wrong


def _rows(home: Home) -> list[Row]:
    with contextlib.closing(sqlite3.connect(home.paths.db_path)) as conn:
        names = ", ".join(Row.__dataclass_fields__)
        return [Row(*values) for values in conn.execute(f"select {names} from job order by seq")]


def _database(home: Home) -> list[str]:
    with contextlib.closing(sqlite3.connect(home.paths.db_path)) as conn:
        (said,) = conn.execute("pragma integrity_check").fetchone()
        (tasks,) = conn.execute("select count(*) from task").fetchone()
    wrong = [] if said == "ok" else [f"the database: {said}"]
    return wrong + ([f"{tasks} tasks wait though no job does"] if tasks else [])


def _outcome(home: Home, asked: Asked, rows: Sequence[Row]) -> list[str]:
    """What was asked ended once, as it may end, and its files are in one place."""
    wrong = []
    mine = [row for row in rows if _is_of(row, asked)]
    name = f"{asked.tag} ({asked.id or asked.file_name or 'no id'})"
    if len(mine) > 1:
        wrong.append(f"{name} became {len(mine)} jobs: {mine}")
    is_refused_file = asked.file_name is not None and asked.ends == ANY_END
    if asked.is_accepted and not mine and not is_refused_file:
        wrong.append(f"{name} was accepted, and there is no job")
    for row in mine:
        if asked.id and row.id != asked.id:
            wrong.append(f"{name} is the job {row.id}")
        if row.state not in ENDED:
            wrong.append(f"{name} never ended: {row}")
        elif row.state not in asked.ends:
            wrong.append(f"{name} may end {sorted(asked.ends)}, and did: {row}")
        elif row.state == "failed" and not row.error:
            wrong.append(f"{name} failed without a reason")
    state = mine[0].state if mine else None
    if asked.output is not None:
        wrong += _output(name, asked, state)
    if asked.file_name is not None:
        wrong += _inbox_file(home, name, asked, state)
    return wrong


def _is_of(row: Row, asked: Asked) -> bool:
    by_name = asked.file_name is not None and row.source_name == asked.file_name
    return asked.tag in row.text or row.id == asked.id or by_name


def _output(name: str, asked: Asked, state: str | None) -> list[str]:
    assert asked.output is not None
    if not asked.output.exists():
        return [f"{name} is done, and there is no {asked.output.name}"] if state == "done" else []
    try:
        audio = read_audio(asked.output)
    except Exception as exc:
        return [f"{asked.output.name} of a job that is {state} cannot be read: {exc}"]
    if asked.number is None:
        return []
    heard = set(read_tones(audio.samples, audio.sample_rate))
    return [] if heard == {asked.number} else [f"{asked.output.name} says {heard}, not {name}"]


def _inbox_file(home: Home, name: str, asked: Asked, state: str | None) -> list[str]:
    found = [
        path
        for folder, _, files in os.walk(home.inbox)
        for path in (Path(folder, file) for file in files)
        if asked.tag in path.name and not path.name.endswith(".error.txt")
    ]
    places = [str(path.relative_to(home.inbox)) for path in found]
    if len(places) != 1:
        return [f"{name} lies in {len(places)} places: {places}"]
    folder = "done" if state == "done" else "failed"
    if not places[0].startswith(f"{folder}/"):
        return [f"{name} is {state}, and its file is {places[0]}"]
    if folder == "failed" and not Path(f"{found[0]}.error.txt").exists():
        return [f"{places[0]} has no note that says why"]
    data = found[0].read_bytes()
    is_whole = asked.text.encode() in data if asked.data is None else asked.data == data
    return [] if is_whole else [f"{places[0]} has not what was dropped"]


def _leftovers(home: Home, rows: Sequence[Row]) -> list[str]:
    """Sockets, locks and files that nobody needs any more."""
    paths = home.paths
    wrong = [
        f"{path} is left"
        for path in (paths.socket_path, paths.pid_path)
        if os.path.lexists(path) and os.path.basename(path) not in home.damages
    ]
    wrong += [
        f"{path} is locked"
        for path in (paths.lock_path, paths.consumer_lock_path)
        if is_locked(path)
    ]
    ids = {row.id for row in rows}
    for folder, _, files in os.walk(home.home):
        for file in files:
            path = os.path.join(folder, file)
            if file in home.damages:
                continue
            if file.endswith(LEFTOVERS):
                wrong.append(f"{path} is left")
            elif folder == paths.spool_dir and file.partition(".")[0] not in ids:
                wrong.append(f"{path} is of no job")
    return wrong


def _heard(home: Home, rows: Sequence[Row], recording: Recording) -> list[str]:
    """What was done was heard, in the queue's order; what nobody asked for was not."""
    if len(home.books.asked) > PITCHES:
        return ["a recorded case asks at most 64 times"]
    number_of = {
        row.id: asked.number
        for asked in home.books.asked
        for row in rows
        if _is_of(row, asked) and row.sink == "play" and asked.number is not None
    }
    tones = _tones(recording)
    heard = [tone.number for tone in tones]
    wrong = [
        f"{number} was heard, and nobody asked for it in {heard}"
        for number in sorted(set(heard) - set(number_of.values()))
    ]
    done = [number_of[row.id] for row in rows if row.state == "done" and row.id in number_of]
    missing = [number for number in done if number not in heard]
    if missing:
        return [*wrong, f"{missing} are done and were not heard: {heard}"]
    # One on which a daemon died is begun again, and may have been put behind others.
    calm = [number_of[row.id] for row in rows if row.state == "done" and row.id in number_of
            and not row.attempts]  # fmt: skip
    firsts = sorted(calm, key=heard.index)
    if firsts != calm:
        wrong.append(f"in the queue {calm}, heard {firsts} (all: {heard})")
    deaths = [(a - recording.started_at, b - recording.started_at) for a, b in home.deaths]
    again = [
        number for number in calm if is_twice([t for t in tones if t.number == number], deaths)
    ]
    return wrong + ([f"{again} were heard twice: {tones}, deaths {deaths}"] if again else [])


def _tones(recording: Recording) -> list[Tone]:
    """What was heard, in order; silences within one job do not count."""
    tones: list[Tone] = []
    for tone in read_timed_tones(recording.samples, recording.sample_rate):
        if tones and tones[-1].number == tone.number:
            tones[-1] = tones[-1]._replace(end_s=tone.end_s)
        else:
            tones.append(tone)
    return tones


def is_twice(times: Sequence[Tone], deaths: Sequence[tuple[float, float]]) -> bool:
    """Whether one was heard again although no daemon died while it was heard.

    One that has just begun as its daemon dies begins again, behind the one before it if the end of
    that was not written down yet.
    """

    def is_excused(first: Tone, second: Tone) -> bool:
        return any(
            first.start_s - BUFFER_S <= end and begin <= min(first.end_s + LAG_S, second.start_s)
            for begin, end in deaths
        )

    return not all(itertools.starmap(is_excused, itertools.pairwise(times)))


def describe(home: Home) -> dict[str, Any]:
    """What a failing case leaves for whoever looks: for its report."""
    with contextlib.suppress(Exception):
        return {"jobs": [row.__dict__ for row in _rows(home)][-20:], "log": home.log()}
    return {"log": home.log()}
