"""Callers end at random instants, and their speech with them: nobody else's, and nothing later.

What a caller left behind would be spoken for half a minute, and waited for in vain.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from .audit import audit
from .chance import Chance, tries
from .home import Call, Home

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
LONG = "[say 30s]"
LONG_WORDS = "One two three four five six seven eight nine ten. " * 12
CANCELLED = frozenset({"cancelled"})
DRAIN_S = 20.0


def cold(vox: Home) -> Call:
    """A call that has to start a daemon."""
    vox.kill_daemons()
    return vox.start_call(LONG)


def warm(vox: Home) -> Call:
    if not vox.client.is_up():
        vox.ok("daemon", "start")
    return vox.start_call(LONG)


def light(vox: Home) -> Call:
    """A call that speaks in its own process."""
    vox.kill_daemons()
    asked = vox.ask(LONG_WORDS)
    return Call(asked, vox.popen("-b", "say", asked.text))


@pytest.mark.parametrize("start", [cold, warm, light])
def test_speech_ends_with_its_caller_whenever_that_ends(
    vox: Home, chance: Chance, sound: object, start: Callable[[Home], Call]
) -> None:
    for _ in range(tries(3, 25)):
        call = start(vox)
        end(call, chance)
        if chance.random() < 0.6:
            vox.drain(DRAIN_S)
    audit(vox, timeout_s=DRAIN_S)


def test_those_who_still_wait_are_served_when_others_end(
    vox: Home, chance: Chance, sound: object
) -> None:
    for _ in range(tries(1, 15)):
        if chance.random() < 0.5:
            vox.kill_daemons()
        calls = [vox.start_call(LONG), vox.start_call(), vox.start_call(LONG)]
        chance.shuffle(calls)
        for call in calls:
            if LONG in call.asked.text:
                end(call, chance)
        for call in calls:
            if LONG not in call.asked.text:
                assert call.end(DRAIN_S) == 0, call.asked.error
    audit(vox, timeout_s=DRAIN_S)


def end(call: Call, chance: Chance) -> None:
    """Have the caller end after a while. Its job is cancelled, or there is none."""
    call.asked.ends = CANCELLED
    time.sleep(chance.pause_s(2.0))
    call.process.send_signal(chance.choice(SIGNALS))
    _, told = call.process.communicate(timeout=DRAIN_S)
    assert call.process.returncode != 0
    assert "Traceback" not in told or "/vox/" not in told  # Python itself may still be starting
