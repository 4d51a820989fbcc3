"""The sound server is killed and stopped, and its sink is pulled out, at random instants."""

from __future__ import annotations

import signal
import time

import pytest

from tests.sound import SoundServer

from .audit import audit
from .chance import Chance, tries
from .home import DONE, Home, wait_until

AWAY_S = 3.0


def take_away(server: SoundServer, how: str) -> None:
    if how == "killed":
        server.kill()
    elif how == "stopped":
        server.process.send_signal(signal.SIGSTOP)
    else:
        server.remove_sink()


def bring_back(server: SoundServer, how: str) -> None:
    if how == "killed":
        server.start()
    elif how == "stopped":
        server.process.send_signal(signal.SIGCONT)
    else:
        server.add_sink()


@pytest.mark.parametrize("how", ["killed", "stopped", "pulled out"])
def test_what_nobody_waits_for_is_spoken_whatever_the_sound_server_does(
    vox: Home, chance: Chance, server: SoundServer, how: str
) -> None:
    for _ in range(tries(1, 10)):
        for _ in range(chance.randint(1, 3)):
            ask = chance.choice([vox.say, vox.post, vox.drop])
            ask(script=f"[say {chance.uniform(0.1, 1.0):.2f}s]")
        time.sleep(chance.pause_s(1.5))
        take_away(server, how)
        assert vox.say().ends == DONE  # accepted while there is no sound
        assert vox.say(file=True).is_accepted
        time.sleep(chance.pause_s(AWAY_S))
        if chance.random() < 0.5:
            vox.kill_daemons()
        bring_back(server, how)
    audit(vox)


def test_a_call_that_waits_outlasts_a_short_silence_and_fails_with_8_in_a_long_one(
    vox: Home, server: SoundServer
) -> None:
    vox.ok("config", "set", "device_wait_s", "4")
    vox.ok("daemon", "start")
    short = vox.start_call(script="[say 2s]")
    wait_until(vox.jobs, "the job is made")
    vox.until(vox.jobs()[0]["id"], "speaking")
    server.kill()
    server.start()
    assert short.end() == 0
    server.kill()
    began = time.monotonic()
    long = vox.start_call(script="[say 2s]")
    assert long.end() == 8
    assert 4.0 <= time.monotonic() - began < 30.0  # a busy machine takes its time
    assert "sound" in long.asked.error
    server.start()
    audit(vox)
