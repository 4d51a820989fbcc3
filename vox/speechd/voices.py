"""The voices that the server is told of, and which of them a message is spoken with.

The list of the daemon is kept in a file, so that the server has an answer at once.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from typing import Any, NamedTuple

from ..errors import VoxError
from ..files import write
from ..languages import closeness
from ..paths import Paths
from .settings import VoiceType

FILE = "speechd-voices.json"
"""In the cache's folder."""
NO_VOICE = "vox"
"""The name under which vox's own choice of a voice is listed while no voice is known."""


class Voice(NamedTuple):
    """A voice that is installed."""

    name: str
    backend: str
    lang: str | None
    gender: str | None
    is_default: bool

    @property
    def wish(self) -> dict[str, str]:
        """The fields of a request that is spoken with it."""
        return {"voice": self.name, "backend": self.backend}


class Voices:
    """The voices known now. Any thread may ask."""

    def __init__(self, path: str) -> None:
        """`path`: the file that keeps them."""
        self._path = path
        self._voices: tuple[Voice, ...] = ()
        self._names: dict[str, Voice] = {}
        try:
            with open(path, encoding="utf-8") as file:
                self._take(json.load(file))
        except (OSError, ValueError, TypeError, KeyError):
            pass  # the first start, or damaged: it is written again

    @classmethod
    def of(cls, paths: Paths) -> Voices:
        return cls(os.path.join(paths.cache_dir, FILE))

    def learn(self, listed: list[dict[str, Any]]) -> None:
        """Take the answer of `GET /voices`, and keep it."""
        kept = [
            {name: each.get(name) for name in Voice._fields} for each in listed if each["installed"]
        ]
        self._take(kept)
        with contextlib.suppress(OSError, VoxError):  # it is asked for again at the next start
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            write(self._path, json.dumps(kept))

    def _take(self, listed: list[dict[str, Any]]) -> None:
        voices = tuple(Voice(*(each[name] for name in Voice._fields)) for each in listed)
        count = Counter(voice.name for voice in voices)
        self._names = {
            voice.name if count[voice.name] == 1 else f"{voice.backend}/{voice.name}": voice
            for voice in voices
        }
        self._voices = voices

    def lines(self) -> list[str]:
        """Name, language and variant of each voice, with tabs between them."""
        seen: Counter[tuple[str | None, str | None]] = Counter()
        found = []
        for name, voice in self._names.items():
            seen[voice.lang, voice.gender] += 1
            number = seen[voice.lang, voice.gender]
            variant = f"{voice.gender}{number}" if voice.gender else "none"
            found.append(f"{name}\t{voice.lang or 'none'}\t{variant}")
        return found or [f"{NO_VOICE}\tnone\tnone"]

    def named(self, name: str) -> Voice | None:
        """The voice of that name, whose case does not count."""
        if (found := self._names.get(name)) is not None:
            return found
        lower = name.lower()
        return next((v for known, v in self._names.items() if known.lower() == lower), None)

    def usual(self, language: str) -> Voice | None:
        """The voice that probably speaks the language if nobody chooses one."""
        usual = (voice for voice in self._voices if voice.is_default and voice.lang)
        return next((voice for voice in usual if closeness(voice.lang or "", language)), None)

    def of_type(self, wanted: VoiceType, language: str) -> Voice | None:
        """The first, second ... voice of the gender, of those nearest to the language."""
        fit = [voice for voice in self._voices if voice.gender == wanted.gender and voice.lang]
        near = {voice: closeness(voice.lang or "", language) for voice in fit}
        best = max(near.values(), default=0)
        found = [voice for voice in fit if near[voice] == best]
        return found[(wanted.number - 1) % len(found)] if best else None
