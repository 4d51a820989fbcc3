"""Signals to a command that waits: none is lost, wherever it comes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.running import CHECKOUT

IN_A_CALLBACK = """
import signal, sys, time, weakref
from vox.quick.interrupts import Heeded, Terminated

class Thing:
    pass

try:
    with Heeded():
        thing = Thing()
        dropped = weakref.ref(thing, lambda _: signal.raise_signal(int(sys.argv[1])))
        del thing
        time.sleep(60)
except (Terminated, KeyboardInterrupt) as exc:
    print(type(exc).__name__)
"""


@pytest.mark.parametrize(
    ("signum", "raised"), [(1, "Terminated"), (15, "Terminated"), (2, "KeyboardInterrupt")]
)
def test_a_signal_that_comes_in_a_callback_is_heeded(signum: int, raised: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CALLBACK, str(signum)],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"{raised}\n", "")
