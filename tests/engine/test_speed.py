"""A speed beyond the backend's own: it speaks as fast as it can, and the rest is stretched."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.test_time_stretch import pitch
from vox.engine.engine import Engine
from vox.jobs import Job

from .fakes import RATE, FakeHosts
from .rig import ONE, TWO, Rig, request

LONG_S = 2.0


def heard(engine: Engine, job: Job) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The audio in the job's spool."""
    with contextlib.closing(engine.spools.open(job.id)) as spool:
        return spool.read(0, spool.frames)


@pytest.mark.parametrize(("speed", "asked"), [(4.0, 2.0), (0.25, 0.5), (2.0, 2.0)])
def test_what_is_missing_to_it_is_stretched_at_the_same_pitch(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path, speed: float, asked: float
) -> None:
    hosts.script(ONE, LONG_S)
    path = tmp_path / "out.wav"
    job = engine.submit(request(ONE, backend="hibari", speed=speed, output=str(path)))
    assert rig.until_ended(job)["state"] == "done"
    assert [utterance.speed for utterance in hosts.asked] == [asked]
    assert (job.speed, job.notes) == (speed, [])
    samples, rate = soundfile.read(path, dtype="float32")
    assert len(samples) / rate == pytest.approx(LONG_S * asked / speed, abs=0.1)
    assert pitch(samples, rate) == pytest.approx(440, abs=3)


def test_what_is_heard_is_stretched_too_and_each_utterance_by_itself(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, LONG_S / 2, LONG_S / 2)
    hosts.script(TWO, LONG_S)
    job = engine.submit(request(ONE, TWO, backend="hibari", speed=4.0, volume=0.0))
    assert rig.until_ended(job)["state"] == "done"
    with contextlib.closing(engine.spools.open(job.id)) as spool:
        lengths = [(each.end_frame - each.start_frame) / RATE for each in spool.segments]
    assert lengths == pytest.approx([LONG_S / 2] * 2, abs=0.1)


def test_a_new_rate_beyond_it_needs_no_synthesis(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    hosts.script(ONE, LONG_S)
    lengths = []
    for speed in (2.0, 3.0, 4.0):
        path = tmp_path / f"{speed}.wav"
        rig.until_ended(
            engine.submit(request(ONE, backend="hibari", speed=speed, output=str(path)))
        )
        lengths.append(soundfile.info(path).duration)
    assert hosts.texts == [ONE]
    assert lengths == pytest.approx([LONG_S, LONG_S / 1.5, LONG_S / 2], abs=0.1)


def test_at_a_speed_of_its_own_nothing_is_changed(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE, LONG_S)
    hosts.script(TWO, LONG_S)
    jobs = [engine.submit(request(text, volume=0.0, speed=2.0)) for text in (ONE, TWO)]
    for job in jobs:
        rig.until_ended(job)
    first, second = (heard(engine, job) for job in jobs)
    assert np.array_equal(first, second) and len(first) / RATE == pytest.approx(LONG_S, abs=0.1)
