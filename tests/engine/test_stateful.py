"""The queue against a model of it: any verbs in any order, and each job ends as it should.

The engine, its table, its player and its files are real; the models are fakes. The model knows what
was asked for, and what may have become of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.faults.chance import tries
from tests.sound import SoundServer
from vox.engine.engine import Engine
from vox.errors import BadInput, JobNotLive, NothingSpoken
from vox.jobs import ENDED, GOING_ON, LIVE, PRIORITIES, Changes, Job

from .fakes import SPEECH_S
from .rig import Rig, request

FOLLOWS = {
    "queued": {"preparing", "cancelled", "expired", "failed"},
    "preparing": {"speaking", "queued", "done", "cancelled", "expired", "failed"},
    "speaking": {"done", "preparing", "queued", "cancelled", "failed"},
    **{state: {state} for state in ENDED},  # told by whoever ended it, and by whoever finds that
}
"""The states that may follow a state."""

PRIORITY_NAMES = tuple(PRIORITIES)
SOURCES = ("one", "two")


@dataclass
class Asked:
    """A job that was asked for."""

    job: Job
    sentences: int
    may_be_cancelled: bool = False
    """Somebody may have cancelled it: by its id, by its key, or because its turn was skipped."""
    after_pause: int | None = None
    """Number of the pause in which it was asked for."""
    after_source_pause: int | None = None
    """Number of the pause of its source in which it was asked for."""
    states: list[str] = field(default_factory=list)


class Queue:
    """Drives an engine on a home of its own. Each verb takes a number, which says how."""

    def __init__(self) -> None:
        self.home = tempfile.mkdtemp(prefix="vox-", dir="/tmp")
        os.environ["VOX_HOME"] = self.home
        self.rig = Rig()
        self.rig.settings.update(lookahead_s=1_000.0, pause_s=0.0, lead_in_s=0.0)
        self.asked: dict[str, Asked] = {}
        self.seen = 0
        self.is_paused = False
        self.pauses = 0
        self.paused_sources: set[str] = set()
        self.source_pauses = dict.fromkeys(SOURCES, 0)
        self.engine = self.start()

    def start(self) -> Engine:
        engine = self.rig.make_engine()
        engine.start()
        return engine

    # -- what users do -----------------------------------------------------------------------

    def speak(self, number: int) -> None:
        self.ask(number, priority=PRIORITY_NAMES[number % 3])

    def interrupt(self, number: int) -> None:
        self.ask(number, interrupt=True)

    def write(self, number: int) -> None:
        output = os.path.join(self.home, f"{len(self.asked)}.wav")
        self.ask(number, priority=PRIORITY_NAMES[number % 3], output=output)

    def replace(self, number: int) -> None:
        for asked in self.asked.values():
            if asked.job.replace_key:
                asked.may_be_cancelled = True
        self.ask(number, replace="key")

    def speak_private(self, number: int) -> None:
        self.ask(number, private=True)

    def ask(self, number: int, **wishes: Any) -> None:
        wishes["source"] = SOURCES[number % 2]
        count = 1 + number // 3 % 3
        words = [f"Sentence {n} of job {len(self.asked)}." for n in range(count)]
        self.note(self.engine.submit(request(*words, **wishes)), count)

    def note(self, job: Job, sentences: int) -> None:
        pause = self.pauses if self.is_paused else None
        held = self.source_pauses[job.source] if job.source in self.paused_sources else None
        self.asked[job.id] = Asked(job, sentences, after_pause=pause, after_source_pause=held)

    def cancel(self, number: int) -> None:
        asked = self.one_of_them(number)
        asked.may_be_cancelled = True
        try:
            assert self.engine.cancel(asked.job.id).state == "cancelled"
        except JobNotLive:
            assert self.engine.store.get(asked.job.id).state in ENDED

    def skip(self, _number: int) -> None:
        skipped = self.engine.skip()
        if skipped is not None:
            self.asked[skipped.id].may_be_cancelled = True

    def stop(self, _number: int) -> None:
        for job in self.engine.cancel_all():
            self.asked[job.id].may_be_cancelled = True
        assert not self.engine.store.live()

    def pause(self, _number: int) -> None:
        self.engine.pause()
        if not self.is_paused:
            self.pauses += 1
        self.is_paused = True

    def resume(self, _number: int = 0) -> None:
        self.until_prepared()
        self.engine.resume()
        self.is_paused = False

    def pause_source(self, number: int) -> None:
        source = SOURCES[number % 2]
        self.engine.sources.pause(source)
        if source not in self.paused_sources:
            self.source_pauses[source] += 1
        self.paused_sources.add(source)

    def resume_source(self, number: int) -> None:
        source = SOURCES[number % 2]
        self.engine.sources.resume(source)
        self.paused_sources.discard(source)

    def replay(self, number: int) -> None:
        self.speak_again(number, Changes(speed=(None, 0.5, 2.0)[number % 3]))

    def go_on(self, number: int) -> None:
        self.speak_again(number, GOING_ON)

    def speak_again(self, number: int, changes: Changes) -> None:
        asked = self.one_of_them(number)
        with contextlib.suppress(JobNotLive, BadInput):  # it has not ended, or is private
            job = self.engine.replay(asked.job.id, changes=changes)
            self.note(job, asked.sentences)

    def back_or_next(self, number: int) -> None:
        with contextlib.suppress(NothingSpoken):
            self.engine.move((-2, -1, 1, 2)[number % 4])

    def restart(self, _number: int) -> None:
        self.rig.close(self.engine)
        self.engine = self.start()

    def wait(self, _number: int) -> None:
        if not self.is_paused and not self.paused_sources:
            self.until_ended()

    # -- what is true at all times -----------------------------------------------------------

    def states_follow_each_other(self) -> None:
        events, self.seen = self.rig.events[self.seen :], len(self.rig.events)
        for event in events:
            if event.name != "state" or event.job_id not in self.asked:
                continue
            states, state = self.asked[event.job_id].states, event.data["state"]
            states.append(state)
            assert len(states) < 2 or state in FOLLOWS[states[-2]], " ".join(states)

    def nothing_fails_and_only_what_was_cancelled_is(self) -> None:
        for job in self.jobs():
            assert job.state not in ("failed", "expired"), job.error
            assert job.state != "cancelled" or self.asked[job.id].may_be_cancelled, job.error

    def what_came_in_a_pause_is_not_heard_in_it(self) -> None:
        for job in self.jobs():
            asked, source = self.asked[job.id], job.source
            came_in_pause = self.is_paused and asked.after_pause == self.pauses
            came_held = (
                source in self.paused_sources
                and asked.after_source_pause == self.source_pauses[source]
            )
            if job.sink == "play" and (came_in_pause or came_held):
                assert job.first_audio_at is None
                assert job.state != "speaking"

    def places_count_from_one(self) -> None:
        shown = self.engine.store.shown_queue()
        places = [job["position"] for job in shown]
        assert places == list(range(1, len(places) + 1))

    def check(self) -> None:
        self.states_follow_each_other()
        self.nothing_fails_and_only_what_was_cancelled_is()
        self.what_came_in_a_pause_is_not_heard_in_it()
        self.places_count_from_one()

    # -- the end -----------------------------------------------------------------------------

    def end(self) -> None:
        for number, _ in enumerate(SOURCES):
            self.resume_source(number)
        self.resume()
        self.until_ended()
        self.check()
        self.all_was_said_in_order()

    def close(self) -> None:
        self.rig.close_all()
        shutil.rmtree(self.home, ignore_errors=True)

    def all_was_said_in_order(self) -> None:
        in_pauses: dict[int, list[Job]] = {}
        for job in self.jobs():
            asked = self.asked[job.id]
            if job.private:
                assert not job.text
            if job.state == "cancelled":
                continue
            assert job.state == "done"
            assert job.heard == job.utterances == asked.sentences
            if job.output:
                info = soundfile.info(job.output)
                assert info.duration == pytest.approx(asked.sentences * SPEECH_S, abs=0.05)
            elif asked.after_pause is not None and not self.source_pauses[job.source]:
                in_pauses.setdefault(asked.after_pause, []).append(job)
        for jobs in in_pauses.values():
            in_order = sorted(jobs, key=lambda job: job.order)
            assert in_order == sorted(jobs, key=lambda job: job.first_audio_at or 0.0)

    # -- helpers -----------------------------------------------------------------------------

    def one_of_them(self, number: int) -> Asked:
        if not self.asked:
            self.speak(number)
        return list(self.asked.values())[number % len(self.asked)]

    def jobs(self) -> Iterator[Job]:
        for job_id in self.asked:
            job = self.engine.store.find(job_id)
            assert job is not None
            yield job

    def until_prepared(self) -> None:
        """Until no job waits to be made: then the order in which they are heard is known."""
        is_held = self.engine.sources.is_held
        queued = self.engine.store.queued
        self.rig.until(lambda: all(is_held(self.engine.store.get(job.id)) for job in queued()))
        self.rig.until(lambda: not self.engine.worker.running_ids)

    def until_ended(self) -> None:
        self.rig.until(lambda: not any(job.state in LIVE for job in self.jobs()))


VERBS = (
    Queue.speak, Queue.speak, Queue.interrupt, Queue.write, Queue.replace, Queue.replay,
    Queue.cancel, Queue.skip, Queue.stop, Queue.pause, Queue.resume, Queue.back_or_next,
    Queue.restart, Queue.wait, Queue.speak_private, Queue.pause_source, Queue.resume_source,
    Queue.go_on,
)  # fmt: skip
STEPS = st.tuples(st.sampled_from(VERBS), st.integers(0, 99))


@pytest.mark.timeout(300)
@settings(
    max_examples=tries(20, 60),
    phases=[Phase.generate],  # threads have a pace of their own: a shorter case may not fail
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(STEPS, min_size=10, max_size=30))
def test_any_verbs_in_any_order(
    home: Path, scripted: None, sound: SoundServer, steps: list[tuple[Any, int]]
) -> None:
    queue = Queue()
    try:
        for verb, number in steps:
            verb(queue, number)
            queue.check()
        queue.end()
    finally:
        queue.close()
        os.environ["VOX_HOME"] = str(home)
