"""A player whose device is opened while a light job is still being made.

A device that was opened a moment before the first sound gives it 40 ms later than one that has
already been playing silence.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..audio import portaudio
from ..paths import Paths

if TYPE_CHECKING:
    from ..audio.player import Player


START_S = 2.0
"""How long a sound server may take. It is asked again by whoever plays."""


class SoundAhead:
    """Starts a player in a thread. Errors are left to whoever plays: they will occur again."""

    def __init__(self, paths: Paths, sample_rate: int | None) -> None:
        self._paths = paths
        self._sample_rate = sample_rate
        self._player: Player | None = None
        self._thread = threading.Thread(target=self._open, name="sound-ahead", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        try:
            portaudio.sounddevice()
            from ..audio.device import device_of
            from ..audio.pcm import USUAL_RATE
            from ..audio.player import Player
            from ..config import load

            player = Player(device=device_of(load(self._paths.config_path)["audio_device"]))
        except Exception:  # Ctrl-C in the main thread's half of an import breaks ours, too
            return
        player.start()
        player.open_ahead(self._sample_rate or USUAL_RATE)
        self._player = player

    def player(self) -> Player | None:
        """The player, which the caller stops; None if there is no sound, or not in time."""
        self._thread.join(START_S)
        return self._player

    def close(self) -> None:
        """Stop the player: no library must be left in the middle of its start."""
        player = self.player()
        if player is not None:
            player.stop(now=True)
