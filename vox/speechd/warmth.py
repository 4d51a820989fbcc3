"""Keeps the daemon up and a model loaded while the module lives, and the list of voices fresh."""

from __future__ import annotations

import threading
import time

from ..client.jobs import NoDaemon
from ..client.remote import Remote
from ..errors import VoxError
from ..paths import Paths
from .settings import local_language
from .speaker import GIVE_UP_S, Speaker, log
from .voices import Voices

EVERY_S = 120.0
STAYS_S = 300.0
"""How long the model stays loaded after that; so long also the daemon outlives the module."""
LOAD_TIMEOUT_S = 600.0


class Warmth:
    """A thread that asks now and then, and when it is told to look."""

    def __init__(self, paths: Paths, speaker: Speaker, voices: Voices) -> None:
        self._remote = Remote(paths)
        self._speaker = speaker
        self._voices = voices
        self._look = threading.Event()
        threading.Thread(target=self._work, name="warmth", daemon=True).start()

    def look(self) -> None:
        """Ask now. Returns at once."""
        self._look.set()

    def _work(self) -> None:
        while True:
            self._look.clear()
            try:
                self._ask()
            except NoDaemon:
                pass  # it has left just now
            except VoxError as exc:
                log(f"nothing is kept warm: {exc.line}")
            except Exception as exc:
                log(f"nothing is kept warm: {exc!r}")
            self._look.wait(EVERY_S)

    def _ask(self) -> None:
        if not self._remote.is_up():
            self._speaker.start_daemon(time.monotonic() + GIVE_UP_S)
        self._voices.learn(self._remote.call("GET", "/voices", timeout_s=GIVE_UP_S))
        usual = self._voices.usual(local_language())
        if wanted := self._speaker.spoken_with or (usual and usual.wish):
            body = {**wanted, "keep_alive": STAYS_S}
            self._remote.call("POST", "/warm", body, timeout_s=LOAD_TIMEOUT_S)
