"""Daemon, host, callers and writers into the inbox are killed at random instants."""

from __future__ import annotations

import time

from tests.sound import Recorder

from .audit import audit
from .chance import Chance, tries
from .home import Home


def test_a_daemon_killed_at_random_instants_loses_and_doubles_nothing(
    vox: Home, chance: Chance, recorder: Recorder
) -> None:
    for _ in range(tries(3, 12)):
        for _ in range(chance.randint(1, 3)):
            ask = chance.choice([vox.say, vox.post, vox.drop])
            ask(script=f"[say {chance.uniform(0.05, 0.4):.2f}s]")
        time.sleep(chance.pause_s(1.5))
        vox.kill_daemons()
    audit(vox, recorder)
