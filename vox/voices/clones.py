"""The store of clones: reference audio from which a voice is made (`vox clone`).

Owns `voices/NAME/`: `reference.wav` (24 kHz, mono, 1 to 30 s) and `voice.toml`. Knows nothing of
what a backend does with a clone.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ..backends import registry
from ..backends.base import Clone
from ..errors import BadInput, BadOption, NoAudioOutput, UnknownVoice
from ..files import cannot_write, make_dir
from ..languages import normalize
from . import recordings, transcripts

if TYPE_CHECKING:
    from ..backends.base import Samples

SAMPLE_RATE = 24_000
SHORTEST_S, LONGEST_S = 1.0, 30.0
_AUDIO, _FACTS = "reference.wav", "voice.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# What is quieter than this at either end is silence: -40 dB relative to the loudest sample.
_SILENCE = 0.01
_MARGIN_S = 0.1
_QUIETEST_PEAK = 0.003


class Clones:
    """The clones in one folder. `taken` returns the names of backends' voices."""

    def __init__(self, voices_dir: str, taken: Callable[[], Collection[str]] = frozenset) -> None:
        self.voices_dir = voices_dir
        self._taken = taken

    def list(self) -> list[Clone]:
        """All clones by name; a damaged one is left out."""
        try:
            names = sorted(os.listdir(self.voices_dir), key=str.casefold)
        except OSError:
            return []
        found = (self.find(name) for name in names)
        return [clone for clone in found if clone is not None]

    def find(self, name: str) -> Clone | None:
        """The clone of that name, or None."""
        if not _NAME.fullmatch(name):
            return None
        folder = os.path.join(self.voices_dir, name)
        audio_path = os.path.join(folder, _AUDIO)
        try:
            with open(os.path.join(folder, _FACTS), "rb") as file:
                facts = tomllib.loads(file.read().decode("utf-8-sig"))
        except (OSError, ValueError):
            return None
        if not os.path.isfile(audio_path):
            return None
        return Clone(name, audio_path, facts.get("transcript"), facts.get("lang"))

    def get(self, name: str) -> Clone:
        """Raises UnknownVoice."""
        clone = self.find(name)
        if clone is None:
            raise UnknownVoice(f"no clone is called {name!r}", "see: vox clone list")
        return clone

    def check_name(self, name: str) -> None:
        """Raises BadOption if no clone may have this name."""
        if not _NAME.fullmatch(name):
            raise BadOption(
                f"{name!r} is not a valid name for a clone",
                "use letters, digits, - and _, at most 64",
                field="name",
            )
        folded = name.casefold()
        if folded in (other.casefold() for other in registry.names()):
            raise BadOption(f"{name!r} is a backend's name", "choose another", field="name")
        if folded in (other.casefold() for other in self._taken()):
            raise BadOption(
                f"a backend has a voice called {name!r}", "choose another", field="name"
            )
        if os.path.exists(os.path.join(self.voices_dir, name)):
            hint = f"choose another, or first run: vox clone remove {name}"
            raise BadOption(f"there is a clone called {name!r}", hint, field="name")

    def add(
        self, name: str, audio_path: str, transcript: str | None = None, lang: str | None = None
    ) -> Clone:
        """Make a clone from a sound file.

        Raises BadOption, BadInput, UnknownLanguage, StorageError.
        """
        self.check_name(name)
        lang = normalize(lang) if lang else None
        # Silence at the ends may be long; the rest of a film is not needed.
        read = recordings.read(audio_path, 4 * LONGEST_S)
        samples = _prepared(*read, source=os.path.basename(audio_path))
        return self._keep(name, samples, transcript, lang)

    def add_samples(
        self,
        name: str,
        samples: Samples,
        sample_rate: int,
        transcript: str | None = None,
        lang: str | None = None,
    ) -> Clone:
        """Make a clone from samples (see `record`). Raises as `add`."""
        self.check_name(name)
        lang = normalize(lang) if lang else None
        prepared = _prepared(samples, sample_rate, source="the recording")
        return self._keep(name, prepared, transcript, lang)

    def _keep(self, name: str, samples: Samples, transcript: str | None, lang: str | None) -> Clone:
        import soundfile
        import tomlkit

        transcript = _line(transcript)
        if transcript:
            transcripts.check(transcript, len(samples) / SAMPLE_RATE)
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        facts = {"name": name, "transcript": transcript, "lang": lang, "created": now}
        make_dir(self.voices_dir)
        folder = os.path.join(self.voices_dir, name)
        half_made = tempfile.mkdtemp(prefix=".", dir=self.voices_dir)
        try:
            soundfile.write(os.path.join(half_made, _AUDIO), samples, SAMPLE_RATE, subtype="PCM_16")
            with open(os.path.join(half_made, _FACTS), "w", encoding="utf-8") as file:
                file.write(tomlkit.dumps({k: v for k, v in facts.items() if v is not None}))
            os.rename(half_made, folder)
        except (OSError, soundfile.LibsndfileError) as exc:
            cause = exc if isinstance(exc, OSError) else OSError(str(exc))
            raise cannot_write(folder, cause) from exc
        finally:
            shutil.rmtree(half_made, ignore_errors=True)
        return self.get(name)

    def doubt(self, clone: Clone) -> str | None:
        """A note if the transcript is hardly what is said in the recording."""
        import soundfile

        if clone.transcript is None:
            return None
        return transcripts.doubt(clone.transcript, soundfile.info(clone.audio_path).duration)

    def remove(self, name: str) -> None:
        """Raises UnknownVoice, StorageError."""
        folder = os.path.dirname(self.get(name).audio_path)
        try:
            shutil.rmtree(folder)
        except OSError as exc:
            raise cannot_write(folder, exc) from exc


def record(seconds: float) -> tuple[Samples, int]:
    """Record from the default microphone: mono samples and their rate in Hz.

    Raises BadOption, NoAudioOutput if recording is not possible.
    """
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise BadOption(
            f"a clone cannot be made from {seconds:g} s",
            f"record {SHORTEST_S:g} to {LONGEST_S:g} s",
            field="seconds",
        )
    try:
        import sounddevice

        frames = round(seconds * SAMPLE_RATE)
        recorded = sounddevice.rec(frames, SAMPLE_RATE, channels=1, dtype="float32", blocking=True)
    except OSError as exc:
        raise NoAudioOutput("the PortAudio library is not found", "see: vox doctor") from exc
    except sounddevice.PortAudioError as exc:
        raise NoAudioOutput(
            f"cannot record: {exc}", "check the microphone, or use a file: vox clone add"
        ) from exc
    return recorded[:, 0], SAMPLE_RATE


def _line(text: str | None) -> str | None:
    """A transcript as one line of printable characters, or None if nothing is left."""
    if text is None:
        return None
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or None


def _prepared(samples: Samples, sample_rate: int, source: str) -> Samples:
    """Mono at 24 kHz without silence at the ends. Raises BadInput: silent, too short, too long."""
    import numpy as np

    from ..audio.pcm import frames_in, mono, resampled

    single = mono(samples)
    peak = float(np.abs(single).max(initial=0.0))
    if peak < _QUIETEST_PEAK:
        raise BadInput(f"nothing can be heard in {source}", "check the microphone or the file")
    loud = np.flatnonzero(np.abs(single) > peak * _SILENCE)
    margin = frames_in(_MARGIN_S, sample_rate)
    single = single[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
    length_s = len(single) / sample_rate
    if not SHORTEST_S <= length_s <= LONGEST_S:
        which = "short" if length_s < SHORTEST_S else "long"
        raise BadInput(
            f"{source} is too {which} for a clone: {length_s:.1f} s of speech",
            f"{SHORTEST_S:g} to {LONGEST_S:g} s are needed, 5 to 15 are best",
        )
    result = resampled(single, sample_rate, SAMPLE_RATE)
    return np.clip(result, -1.0, 1.0)
