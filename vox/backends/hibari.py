"""hibari: the embedded default, a tiny English neural voice (PyPI `hibari-tts`, Apache-2.0).

The voice `heart` comes with the package. `vox backends install hibari` fetches the others into
hibari's own cache; nothing is fetched while speaking. The model's range of speeds is 0.5 to 2.0.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import LoadFailed, SynthesisFailed, UnknownVoice
from .base import (
    Backend,
    Chunk,
    Gender,
    Info,
    Loaded,
    Progress,
    Settings,
    Utterance,
    Voice,
    install_hint,
)
from .kit.download import download

if TYPE_CHECKING:
    from hibari import Hibari as Model

_VOICES: dict[str, tuple[str, Gender]] = {
    "heart": ("en-US", "female"),
    "kore": ("en-US", "female"),
    "fenrir": ("en-US", "male"),
    "emma": ("en-GB", "female"),
    "fable": ("en-GB", "male"),
}
_BUILT_IN_VOICE = "heart"


def _cache_dir() -> str:
    """hibari's own cache on Unix, as in `hibari.voices`, which is slow to import."""
    explicit = os.environ.get("HIBARI_HOME")
    if explicit:
        return explicit
    if sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "hibari")


class Hibari(Backend):
    info: ClassVar[Info] = Info(
        name="hibari",
        summary="tiny neural English voice, embedded, the default",
        package="hibari",
        languages=("en",),
        streaming="sentence",
        speed=(0.5, 2.0),
        gender=True,
        max_chars=350,
        devices=("cpu",),
        license="Apache-2.0",
        asked_by_default="first",
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._models: dict[str, Model] = {}

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        fetched = _cache_dir()
        return [
            Voice(
                name=name,
                backend="hibari",
                lang=lang,
                gender=gender,
                installed=name == _BUILT_IN_VOICE or _is_fetched(fetched, name),
                is_default=name == _BUILT_IN_VOICE,
            )
            for name, (lang, gender) in _VOICES.items()
        ]

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        """Fetch the voices in `options["voices"]`, or all if it is empty."""
        from hibari.voices import BASE_URL, VOICES, cache_dir

        wanted = [str(name) for name in settings.options.get("voices", ())] or list(_VOICES)
        for name in wanted:
            if name not in VOICES:
                raise UnknownVoice(f"hibari has no voice called {name!r}")
            voice = VOICES[name]
            if not voice.get("bundled"):
                path = os.path.join(cache_dir(), voice["file"])
                download(BASE_URL + voice["file"], path, progress, voice["sha256"])

    def load(self, progress: Progress) -> Loaded:
        progress("loading hibari", None)
        try:
            model = self._model(_BUILT_IN_VOICE)
            # The first call builds the lexicon and the pronunciation rules: 0.7 s.
            model("Warm up, the year 2024.", seed=0)
        except Exception as exc:
            raise LoadFailed(f"hibari could not be loaded: {exc}") from exc
        return Loaded(device="cpu", dtype="int8", model=_BUILT_IN_VOICE)

    def _model(self, voice: str) -> Model:
        if voice not in self._models:
            import hibari
            from hibari.voices import voice_path

            try:
                path = voice_path(voice, download_missing=False)
            except FileNotFoundError as exc:
                raise UnknownVoice(
                    f"the voice {voice} of hibari is not fetched yet",
                    install_hint("hibari", voice),
                ) from exc
            self._models[voice] = hibari.Hibari(voice=voice, model=path)
        return self._models[voice]

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        voice = utterance.voice or _BUILT_IN_VOICE
        if voice not in _VOICES:
            raise UnknownVoice(f"hibari has no voice called {voice!r}")
        speed = self.info.nearest_speed(utterance.speed)
        try:
            model = self._model(voice)
            stream: Iterator[Any] = model.stream(utterance.text, speed=speed)
            for samples in stream:
                yield Chunk(samples, model.sample_rate)
        except UnknownVoice:
            raise
        except Exception as exc:
            raise SynthesisFailed(f"hibari: {exc}") from exc


def _is_fetched(cache_dir: str, voice: str) -> bool:
    try:
        return any(voice in entry and entry.endswith(".onnx") for entry in os.listdir(cache_dir))
    except OSError:
        return False
