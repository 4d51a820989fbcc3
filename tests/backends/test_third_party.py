"""A third party's backend can do what a built-in one can (see tests/plugins/beep)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.running import Vox
from tests.sound import Recorder, Recording

PLUGIN = Path(__file__).parent.parent / "plugins" / "beep"
PITCH_HZ = 1000.0


@pytest.fixture
def beeping(vox: Vox) -> Vox:
    """The command line, with the backend `beep` installed beside vox."""
    vox.environ["PYTHONPATH"] += f"{os.pathsep}{PLUGIN}"
    return vox


def pitch_hz(heard: Recording) -> float:
    strength = np.abs(np.fft.rfft(heard.samples))
    return float(np.argmax(strength) * heard.sample_rate / len(heard.samples))


def test_a_light_backend_speaks_without_a_daemon(beeping: Vox, recorder: Recorder) -> None:
    spoken = beeping("-b", "beep", "--json", "one two three four five")
    assert (spoken.code, spoken.err) == (0, ""), beeping.log()
    assert (spoken.json()["state"], spoken.json()["backend"]) == ("done", "beep")
    recorder.wait_for_silence()
    assert pitch_hz(recorder.stop()) == pytest.approx(PITCH_HZ, rel=0.02)
    assert beeping.pid is None
    assert not Path(beeping.paths.socket_path).exists()


def test_a_light_backend_that_is_configured_starts_no_daemon(beeping: Vox, sound: object) -> None:
    beeping.ok("config", "set", "backend", "beep")
    assert beeping("one two").code == 0
    assert beeping.pid is None
    assert beeping.jobs()[-1]["backend"] == "beep"
