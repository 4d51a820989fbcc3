"""How fast voices speak and models work, as measured on this machine, in a small JSON file.

Each figure is a running mean in which old measurements fade. A damaged or unwritable file is not an
error: it only costs a prediction. Knows no tables and no audio.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
import time
from typing import NamedTuple, Protocol

from .. import files
from ..errors import VoxError
from ..hosts.pool import model_key
from ..voices.catalog import Catalog

FADE_CHARS = 4_000.0
"""After about so many more characters, what was measured before counts half."""
FADE_LOADS = 4.0
CHAR_S = 0.075
"""Seconds of audio for each speakable character, at the usual speed, before any is measured: about
that of English."""
WORK = 0.2
"""Seconds of synthesis for each second of audio, before any is measured."""
ENCODING = 0.004
"""Seconds of writing a file for each second of its audio, before any is measured."""
FIRST_S = 0.3
LOAD_S = 3.0
SAVE_EVERY_S = 10.0
MOST = 500
"""So many voices are remembered: those that spoke last."""


class Voice(NamedTuple):
    """Whose figures they are: a model's voice, in one language."""

    model: str
    """The key of the model, as the pool has it."""
    voice: str
    lang: str


class Spoken(Protocol):
    """Of a job, who speaks it."""

    @property
    def backend(self) -> str: ...
    @property
    def model(self) -> str | None: ...
    @property
    def voice(self) -> str | None: ...
    @property
    def lang(self) -> str | None: ...


class Pace(NamedTuple):
    """What is expected of a voice."""

    char_s: float = CHAR_S
    """Seconds of audio for each speakable character."""
    work: float = WORK
    """Seconds of synthesis for each second of audio."""
    first_s: float = FIRST_S
    """Seconds from the beginning of an utterance's synthesis to its first sound."""
    load_s: float = LOAD_S
    """Seconds that the model takes to load."""


def voice_of(catalog: Catalog, job: Spoken) -> Voice:
    """Under which the figures of the job are kept."""
    try:
        settings = catalog.host_settings(job.backend, job.model)
        model = model_key(catalog.host_of(job.backend), settings)
    except VoxError:  # the backend is gone, or the settings are broken
        model = job.backend
    return Voice(model, job.voice or "", job.lang or "")


def speakable_chars(text: str) -> int:
    """How many characters of the text are letters or digits: those that take time to say."""
    return sum(map(str.isalnum, text))


class Rates:
    """Any thread may use it. Nothing raises."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._sums: dict[str, dict[str, float]] = {}
        self._is_changed = False
        self._saved_at = -math.inf
        with (
            contextlib.suppress(OSError, ValueError, RecursionError),
            open(path, encoding="utf-8") as file,
        ):
            known = json.load(file)
            for key, sums in known.items() if isinstance(known, dict) else ():
                with contextlib.suppress(TypeError, ValueError, AttributeError):
                    self._sums[key] = {name: _good(value) for name, value in sums.items()}

    # -- measurements ------------------------------------------------------------------------

    def note_said(self, voice: Voice, speed: float, chars: int, audio_s: float) -> None:
        """So many speakable characters were said in so much audio, at that speed."""
        if chars and audio_s > 0:
            for key in (_key(voice), voice.model):
                self._add(key, "chars", FADE_CHARS, chars=chars, audio_s=audio_s * speed)

    def note_work(self, model: str, work_s: float, audio_s: float, first_s: float) -> None:
        """An utterance was synthesized in so many seconds; its first sound came after `first_s`."""
        if audio_s > 0:
            more = {"work_s": work_s, "made_s": audio_s, "first_s": first_s, "firsts": 1.0}
            self._add(model, "made_s", FADE_CHARS * CHAR_S, **more)

    def note_load(self, model: str, load_s: float) -> None:
        """The model was loaded in so many seconds."""
        self._add(model, "loads", FADE_LOADS, loads=1.0, load_s=load_s)

    def note_encoding(self, path: str, work_s: float, audio_s: float) -> None:
        """So much audio was written into a file of that name in so many seconds."""
        if audio_s > 0:
            more = {"written_s": audio_s, "encoding_s": work_s}
            self._add(_kind(path), "written_s", FADE_CHARS * CHAR_S, **more)

    def _add(self, key: str, weight: str, fade: float, **more: float) -> None:
        with self._lock:
            sums = self._sums.pop(key, {})
            kept = 0.5 ** (more[weight] / fade)
            for name, value in more.items():
                sums[name] = kept * sums.get(name, 0.0) + value
            self._sums[key] = sums  # now the newest
            while len(self._sums) > MOST:
                del self._sums[next(iter(self._sums))]
            self._is_changed = True

    def save(self, every_s: float = 0.0) -> None:
        """Write down what was measured, unless it is not so long since the last time."""
        with self._lock:
            now = time.monotonic()
            if not self._is_changed or now < self._saved_at + every_s:
                return
            self._is_changed, self._saved_at = False, now
            text = json.dumps(self._sums, indent=1)
        with contextlib.suppress(Exception):
            files.write(self._path, text)

    # -- what is expected --------------------------------------------------------------------

    def of(self, voice: Voice, speed: float = 1.0) -> Pace:
        """What is expected of the voice at that speed."""
        with self._lock:
            model = self._sums.get(voice.model, {})
            said = self._sums.get(_key(voice), model)
        return Pace(
            _ratio(said, "audio_s", "chars", CHAR_S) / speed,
            _ratio(model, "work_s", "made_s", WORK),
            _ratio(model, "first_s", "firsts", FIRST_S),
            _ratio(model, "load_s", "loads", LOAD_S),
        )

    def slowness(self, model: str) -> float | None:
        """Seconds of synthesis for each second of audio, as measured; None: not yet."""
        with self._lock:
            sums = self._sums.get(model, {})
        return sums["work_s"] / sums["made_s"] if sums.get("made_s") else None

    def encoding(self, path: str | None) -> float:
        """Seconds that it takes to write a second of audio into a file of that name."""
        with self._lock:
            sums = self._sums.get(_kind(path), {}) if path else {}
        return _ratio(sums, "encoding_s", "written_s", ENCODING if path else 0.0)


def _kind(path: str) -> str:
    return f"file{os.path.splitext(path)[1].lower()}"


def _key(voice: Voice) -> str:
    return "|".join(voice)


def _good(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]  # of a file: raises what is suppressed there
    if not math.isfinite(number) or number < 0:
        raise ValueError(number)
    return number


def _ratio(sums: dict[str, float], what: str, of: str, otherwise: float) -> float:
    return sums.get(what, 0.0) / sums[of] if sums.get(of) else otherwise
