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
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.sound import SoundServer
from vox.engine.engine import Engine
from vox.errors import JobNotLive, NothingSpoken
from vox.jobs import ENDED, LIVE, Job

from .fakes import SPEECH_S
from .rig import Rig, request

FOLLOWS = {
    "queued": {"preparing", "cancelled", "expired", "failed"},
    "preparing": {"speaking", "queued", "done", "cancelled", "expired", "failed"},
    "speaking": {"done", "preparing", "queued", "cancelled", "failed"},
    **{state: set() for state in ENDED},
}
"""The states that may follow a state."""

priorities = st.sampled_from(["low", "normal", "high"])
lengths = st.integers(1, 3)


@dataclass
class Asked:
    """A job that was asked for."""

    job: Job
    sentences: int
    may_be_cancelled: bool = False
    """Somebody may have cancelled it: by its id, by its key, or because its turn was skipped."""
    after_pause: int | None = None
    """Number of the pause in which it was asked for."""
    states: list[str] = field(default_factory=list)


class Queue(RuleBasedStateMachine):
    """Drives an engine on a home of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.mkdtemp(prefix="vox-", dir="/tmp")
        os.environ["VOX_HOME"] = self.home
        self.rig = Rig()
        self.rig.settings.update(lookahead_s=1_000.0, pause_s=0.0, lead_in_s=0.0)
        self.asked: dict[str, Asked] = {}
        self.seen = 0
        self.is_paused = False
        self.pauses = 0

    @initialize()
    def begin(self) -> None:
        self.engine = self.start()

    def start(self) -> Engine:
        engine = self.rig.make_engine()
        engine.start()
        return engine

    # -- what users do -----------------------------------------------------------------------

    @rule(sentences=lengths, priority=priorities)
    def speak(self, sentences: int, priority: str) -> None:
        self.ask(sentences, priority=priority)

    @rule(sentences=lengths)
    def interrupt(self, sentences: int) -> None:
        self.ask(sentences, interrupt=True)

    @rule(sentences=lengths, priority=priorities)
    def write(self, sentences: int, priority: str) -> None:
        output = os.path.join(self.home, f"{len(self.asked)}.wav")
        self.ask(sentences, priority=priority, output=output)

    @rule(sentences=lengths)
    def replace(self, sentences: int) -> None:
        for asked in self.asked.values():
            if asked.job.replace_key:
                asked.may_be_cancelled = True
        self.ask(sentences, replace="key")

    def ask(self, sentences: int, **wishes: Any) -> None:
        words = [f"Sentence {n} of job {len(self.asked)}." for n in range(sentences)]
        self.note(self.engine.submit(request(*words, **wishes)), sentences)

    def note(self, job: Job, sentences: int) -> None:
        pause = self.pauses if self.is_paused else None
        self.asked[job.id] = Asked(job, sentences, after_pause=pause)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        asked = self.any_of(data)
        asked.may_be_cancelled = True
        try:
            assert self.engine.cancel(asked.job.id).state == "cancelled"
        except JobNotLive:
            assert self.engine.store.get(asked.job.id).state in ENDED

    @rule()
    def skip(self) -> None:
        skipped = self.engine.skip()
        if skipped is not None:
            self.asked[skipped.id].may_be_cancelled = True

    @rule()
    def stop(self) -> None:
        for job in self.engine.cancel_all():
            self.asked[job.id].may_be_cancelled = True
        assert not self.engine.store.live()

    @rule()
    def pause(self) -> None:
        self.engine.pause()
        if not self.is_paused:
            self.pauses += 1
        self.is_paused = True

    @rule()
    def resume(self) -> None:
        self.until_prepared()
        self.engine.resume()
        self.is_paused = False

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        asked = self.any_of(data)
        try:
            job = self.engine.replay(asked.job.id)
        except JobNotLive:
            return
        self.note(job, asked.sentences)

    @rule(sentences=st.integers(-2, 2).filter(bool))
    def back_or_next(self, sentences: int) -> None:
        with contextlib.suppress(NothingSpoken):
            self.engine.move(sentences)

    @rule()
    def restart(self) -> None:
        self.rig.close(self.engine)
        self.engine = self.start()

    @precondition(lambda self: not self.is_paused)
    @rule()
    def wait(self) -> None:
        self.until_ended()

    # -- what is true at all times -----------------------------------------------------------

    @invariant()
    def states_follow_each_other(self) -> None:
        events, self.seen = self.rig.events[self.seen :], len(self.rig.events)
        for event in events:
            if event.name != "state" or event.job_id not in self.asked:
                continue
            states, state = self.asked[event.job_id].states, event.data["state"]
            assert not states or state in FOLLOWS[states[-1]], (event.job_id, states, state)
            states.append(state)

    @invariant()
    def nothing_fails_and_only_what_was_cancelled_is(self) -> None:
        for job in self.jobs():
            assert job.state not in ("failed", "expired"), job.error
            assert job.state != "cancelled" or self.asked[job.id].may_be_cancelled, job.error

    @invariant()
    def what_came_in_a_pause_is_not_heard_in_it(self) -> None:
        if not self.is_paused:
            return
        for job in self.jobs():
            if job.sink == "play" and self.asked[job.id].after_pause == self.pauses:
                assert job.first_audio_at is None
                assert job.state != "speaking"

    def places_count_from_one(self) -> None:
        store = self.engine.store
        places = [job["position"] for job in store.shown(store.live())]
        assert places == list(range(1, len(places) + 1))

    # -- the end -----------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if self.asked:
                self.resume()
                self.until_ended()
                self.states_follow_each_other()
                self.nothing_fails_and_only_what_was_cancelled_is()
                self.all_was_said_in_order()
        finally:
            self.rig.close_all()
            shutil.rmtree(self.home, ignore_errors=True)

    def all_was_said_in_order(self) -> None:
        in_pauses: dict[int, list[Job]] = {}
        for job in self.jobs():
            asked = self.asked[job.id]
            if job.state == "cancelled":
                continue
            assert job.state == "done"
            assert job.heard == job.utterances == asked.sentences
            if job.output:
                info = soundfile.info(job.output)
                assert info.duration == pytest.approx(asked.sentences * SPEECH_S, abs=0.05)
            elif asked.after_pause is not None:
                in_pauses.setdefault(asked.after_pause, []).append(job)
        for jobs in in_pauses.values():
            in_order = sorted(jobs, key=lambda job: job.order)
            assert in_order == sorted(jobs, key=lambda job: job.first_audio_at or 0.0)

    # -- helpers -----------------------------------------------------------------------------

    def any_of(self, data: st.DataObject) -> Asked:
        return data.draw(st.sampled_from(list(self.asked.values())), label="job")

    def jobs(self) -> Iterator[Job]:
        for job_id in self.asked:
            job = self.engine.store.find(job_id)
            assert job is not None
            yield job

    def until_prepared(self) -> None:
        """Until no job waits to be made: then the order in which they are heard is known."""
        self.rig.until(lambda: not self.engine.store.queued())
        self.rig.until(lambda: not self.engine.worker.running_ids)

    def until_ended(self) -> None:
        self.rig.until(lambda: not any(job.state in LIVE for job in self.jobs()))


@pytest.mark.timeout(300)
def test_any_verbs_in_any_order(
    home: Path, scripted: None, sound: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOX_HOME", str(home))
    run_state_machine_as_test(
        Queue,
        settings=settings(
            phases=[Phase.generate],  # threads have their own pace: a shorter case may not fail
            max_examples=20,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
