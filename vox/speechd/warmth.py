"""What is done while nobody speaks, so that the next message is heard at once.

The daemon is up and a model loaded while the module lives, the list of voices is fresh, and the
letters are made: a screen reader says them all day, and keeps none of its words.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import NamedTuple

from ..client.jobs import NoDaemon
from ..client.remote import Remote
from ..errors import VoxError
from ..jobs import Request
from ..paths import Paths
from .settings import local_language
from .speaker import GIVE_UP_S, SOURCE, Speaker, Wishes, log
from .voices import Voices
from .wording import Wording

EVERY_S = 120.0
STAYS_S = 300.0
"""How long the model stays loaded after that; so long also the daemon outlives the module."""
LOAD_TIMEOUT_S = 600.0
QUIET_S = 3.0
"""Nothing is made until there has been no message for so long: the next one would wait for it."""
QUIET_LOOK_S = 0.5


class Habit(NamedTuple):
    """How characters are spoken now."""

    wishes: Wishes
    lang: str


class Warmth:
    """A thread that sees to it now and then, and when it is told to look."""

    def __init__(self, paths: Paths, speaker: Speaker, voices: Voices) -> None:
        self._remote = Remote(paths)
        self._speaker = speaker
        self._voices = voices
        self._path = os.path.join(paths.cache_dir, f"speechd-{os.getpid()}.wav")
        self._look = threading.Event()
        self._last_at = float("-inf")
        self._habit: Habit | None = None
        self._has_letters: list[Habit] = []
        threading.Thread(target=self._work, name="warmth", daemon=True).start()

    def look(self) -> None:
        """Look soon. Returns at once."""
        self._look.set()

    def touch(self) -> None:
        """There is a message."""
        self._last_at = time.monotonic()

    def note(self, habit: Habit) -> None:
        """A character was said like this, so more will be. Returns at once."""
        if habit != self._habit:
            self._habit = habit
            self._look.set()

    def _work(self) -> None:
        while True:
            self._look.clear()
            try:
                self._wait_for_quiet()
                self._warm()
                if self._habit is not None and self._habit not in self._has_letters:
                    self._make_letters(self._habit)
            except NoDaemon:
                pass  # it has left just now
            except VoxError as exc:
                log(f"nothing is kept warm: {exc.line}")
            except Exception as exc:
                log(f"nothing is kept warm: {exc!r}")
            self._look.wait(EVERY_S)

    def _wait_for_quiet(self) -> None:
        while time.monotonic() - self._last_at < QUIET_S:
            time.sleep(QUIET_LOOK_S)

    def _warm(self) -> None:
        if not self._remote.is_up():
            self._speaker.start_daemon(time.monotonic() + GIVE_UP_S)
        self._voices.learn(self._remote.call("GET", "/voices", timeout_s=GIVE_UP_S))
        usual = self._voices.usual(local_language())
        if wanted := self._speaker.spoken_with or (usual and usual.wish):
            body = {**wanted, "keep_alive": STAYS_S}
            self._remote.call("POST", "/warm", body, timeout_s=LOAD_TIMEOUT_S)

    def _make_letters(self, habit: Habit) -> None:
        """Have the cache of utterances hold them, until messages are spoken otherwise.

        Not when they are said: which letters somebody types is not to be seen there.
        """
        try:
            for name in Wording(habit.lang).common():
                self._wait_for_quiet()
                if habit != self._habit:
                    return
                job = self._remote.submit(self._request(name, habit), timeout_s=GIVE_UP_S)
                self._remote.follow(job["id"], timeout_s=LOAD_TIMEOUT_S)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        self._has_letters.append(habit)

    def _request(self, text: str, habit: Habit) -> Request:
        return Request(
            text=text,
            output=self._path,
            priority="low",
            unkept=True,
            private=False,
            format="plain",
            source=SOURCE,
            via="speechd",
            **habit.wishes,
        )
