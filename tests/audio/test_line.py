"""The line of jobs to be heard: a job may come again before its cut off playback is dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vox.audio.line import Line
from vox.audio.playback import Playback
from vox.audio.spool import SpoolDir

RATE = 24_000


@pytest.fixture
def spools(tmp_path: Path) -> SpoolDir:
    return SpoolDir(str(tmp_path), 10**9)


def playback(spools: SpoolDir, seconds: float) -> Playback:
    spool = spools.open("abc")
    spool.begin_utterance(0)
    spool.append(np.zeros(round(seconds * RATE), np.float32), RATE)
    spool.end_utterance()
    return Playback(job_id="abc", spool=spool, order=(0, 1))


def test_a_job_that_comes_again_is_heard_although_its_cut_off_playback_is_still_there(
    spools: SpoolDir,
) -> None:
    line = Line(lambda: None)
    first = playback(spools, 1.0)
    line.add(first)
    assert line.choose(may_begin=True) is first
    first.is_sounding = True
    assert line.cancel("abc")

    again = playback(spools, 0.5)
    line.add(again)
    assert line.waiting == ["abc"]
    assert line.cut_off() == [first]
    line.drop(first)
    assert line.choose(may_begin=True) is again
    assert line.cancel("abc")
    assert not line.cancel("abc")


def test_what_is_cut_off_is_not_still_to_be_heard(spools: SpoolDir) -> None:
    line = Line(lambda: None)
    line.add(first := playback(spools, 1.0))
    line.choose(may_begin=True)
    assert line.remaining_s("abc") == 1.0
    line.cancel("abc")
    assert line.remaining_s() == 0.0
    line.drop(first)
