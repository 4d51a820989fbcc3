"""A text of a megabyte: the first sound as early as that of one line, and memory stays flat."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from vox.engine.engine import Engine
from vox.jobs import Job
from vox.queue.store import Store

from .fakes import FakeHosts
from .rig import Rig, request

MB = 1_000_000
UTTERANCE_BYTES = 5_000
"""More than an utterance may leave behind in memory: its segment, and the events that are kept."""


def long_text(chars: int) -> str:
    text = " ".join(
        f"This is the sentence of the number {number}." for number in range(chars // 30)
    )
    return text[:chars]


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_of_a_long_text_the_first_utterance_is_said_before_the_rest_is_split(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script("number 0.", gate)
    job = engine.submit(request(long_text(MB)))
    gate.wait_reached()
    assert engine.store.get(job.id).utterances is None  # it is known once all are made
    engine.cancel(job.id)


def test_of_a_text_of_some_pages_the_number_of_utterances_is_known_after_the_first(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    first, second = hosts.gate(), hosts.gate()
    hosts.script("number 0.", first, 0.1)
    hosts.script("number 1.", second, 0.1)
    job = engine.submit(request(long_text(10_000), sink="stream"))
    first.wait_reached()
    assert engine.store.get(job.id).utterances is None
    first.open()
    second.wait_reached()
    known = engine.store.get(job.id).utterances
    second.open()
    assert known is not None and known == rig.until_ended(job)["heard"]


class NotingStore(Store):
    """Knows whether the number of utterances is written patiently."""

    is_patient: bool | None = None

    def note(self, job_id: str, event: str = "progress", /, **columns: Any) -> Job | None:
        if "utterances" in columns:
            self.is_patient = self._db._is_patient
        return super().note(job_id, event, **columns)


def test_the_pieces_of_a_long_text_wait_for_a_database_that_another_program_keeps_locked(
    rig: Rig, hosts: FakeHosts
) -> None:
    store = NotingStore(rig.paths.db_path, rig.bus)
    engine = rig.make_engine(store=store)
    engine.start()
    job = engine.submit(request(long_text(30_000)))
    rig.until(lambda: store.is_patient is not None)
    engine.cancel(job.id)
    assert store.is_patient


def test_memory_does_not_grow_with_what_was_said_of_a_long_text(
    rig: Rig, hosts: FakeHosts, engine: Engine, traced: None
) -> None:
    gates = [hosts.gate() for _ in range(2)]
    hosts.script("number 100.", gates[0], 0.1)
    hosts.script("number 400.", gates[1], 0.1)
    job = engine.submit(request(long_text(MB // 5), sink="stream"))
    sizes = []
    for gate in gates:
        gate.wait_reached()
        if not sizes:  # what is ahead is cut into sentences meanwhile, and they are counted
            rig.until(lambda: any(event.data.get("utterances") for event in rig.events))
        rig.events.clear()
        hosts.asked.clear()
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
        gate.open()
    engine.cancel(job.id)
    assert sizes[1] - sizes[0] < 300 * UTTERANCE_BYTES


def test_a_long_text_needs_memory_for_a_few_copies_of_itself(
    rig: Rig, hosts: FakeHosts, engine: Engine, traced: None
) -> None:
    peaks = []
    for chars in (10_000, MB):
        gate = hosts.gate()
        hosts.script("number 99.", gate)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        job = engine.submit(request(long_text(chars), sink="stream"))
        gate.wait_reached()
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        engine.cancel(job.id)
        gate.open()
        rig.until_ended(job)
    assert peaks[1] - peaks[0] < 10 * MB
