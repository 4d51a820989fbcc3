"""Facts about the Qwen3-TTS models that both adapters need; no torch and no MLX.

Owns the names (speakers, languages, sizes, kinds), where weights lie, and how long a text may be.

A *kind* is what a checkpoint was trained for: CustomVoice has nine named speakers, Base speaks
with a clone's voice, VoiceDesign with one that `--style` describes.
"""

from __future__ import annotations

import glob
import json
import os
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import BackendNotInstalled, UnknownVoice
from ...languages import primary
from ..base import Gender, Settings, Utterance, Voice
from ..kit.weights import weights_dir

Kind = Literal["CustomVoice", "Base", "VoiceDesign"]

SAMPLE_RATE = 24_000
NEEDED = ("config.json", "speech_tokenizer/config.json")
"""Files without which a folder is no model."""
FRAME_S = 0.08
"""One frame of codes: 1,920 samples."""

REFERENCE_PAUSE_S = 0.5
"""Silence behind a clone's recording with a transcript. The model goes on where that ends; if it
ends with a word, the model may say the last words again."""

DEFAULT_SIZE = "0.6B"
MODELS = ("0.6B", "1.7B", "VoiceDesign", "0.6B-Base", "1.7B-Base")
DEFAULT_STYLE = "A clear, natural voice at a calm pace."
"""For VoiceDesign without --style: without a description its voice is arbitrary."""

LANGUAGES = {
    "zh": "Chinese",
    "en": "English",
    "ja": "Japanese",
    "ko": "Korean",
    "de": "German",
    "fr": "French",
    "ru": "Russian",
    "pt": "Portuguese",
    "es": "Spanish",
    "it": "Italian",
}

# Name: native language, gender, description, as the model card has them.
SPEAKERS: dict[str, tuple[str, Gender, str]] = {
    "Ryan": ("en", "male", "dynamic, rhythmic"),
    "Aiden": ("en", "male", "sunny, American"),
    "Vivian": ("zh", "female", "bright, young"),
    "Serena": ("zh", "female", "warm, gentle, young"),
    "Uncle_Fu": ("zh", "male", "seasoned, low, mellow"),
    "Dylan": ("zh", "male", "youthful, Beijing"),
    "Eric": ("zh", "male", "lively, slightly husky, Sichuan"),
    "Ono_Anna": ("ja", "female", "playful, light"),
    "Sohee": ("ko", "female", "warm, emotional"),
}
_DEFAULTS = {"zh": "Vivian", "en": "Ryan", "ja": "Ono_Anna", "ko": "Sohee"}
# Serena's even voice carries foreign languages best of the women's.
_DEFAULT_BY_GENDER: dict[Gender, str] = {"male": "Ryan", "female": "Serena"}

_NAMED = re.compile(r"(0\.6b|1\.7b)?-?(customvoice|base|voicedesign)?", re.IGNORECASE)
_KINDS: dict[str, Kind] = {
    "customvoice": "CustomVoice",
    "base": "Base",
    "voicedesign": "VoiceDesign",
}
_SIZES = {"0b6": "0.6B", "1b7": "1.7B"}

# Frames (80 ms each) of one character in the slowest speech: 5 letters a second, and 1.6 s for a
# character that is read as a word (Chinese characters, kana, Hangul, digits, signs). That is about
# three times as long as usual: a lower bound would cut off speech.
_FRAMES_PER_LETTER = 2.5
_FRAMES_PER_WIDE = 8.0
_FEWEST_FRAMES = 50
_MOST_FRAMES = 2047
"""The most that the models were trained on (163 s)."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One set of weights, installed or not."""

    kind: Kind
    size: str
    folder: str
    repo: str | None = None
    """Where it comes from; None: a folder of the user's own."""
    speakers: tuple[str, ...] = ()
    """Its own speakers, if it is installed and none of the published ones."""

    @property
    def name(self) -> str:
        return self.repo or self.folder

    @property
    def follows_style(self) -> bool:
        return self.kind == "VoiceDesign" or (self.kind == "CustomVoice" and self.size != "0.6B")

    @property
    def is_there(self) -> bool:
        return not self.lacks

    @property
    def lacks(self) -> list[str]:
        """What of its files is not there, by name.

        What is downloaded has its folder's name once it is whole (see `huggingface.fetch_model`),
        so only of a folder of the user's own all is looked for that a model cannot do without.
        """
        absent = [name for name in NEEDED if not os.path.isfile(os.path.join(self.folder, name))]
        if self.repo is None:
            for part in ("", "speech_tokenizer"):
                weights = os.path.join(glob.escape(self.folder), part, "*.safetensors")
                if not glob.glob(weights):
                    absent.append(os.path.join(part, "model.safetensors"))
        return absent


def chosen(settings: Settings, repo_pattern: str) -> Checkpoint:
    """The checkpoint that `settings.model` names: a size, a kind, both, a folder or a repository.

    Raises BackendNotInstalled for a name that means none of them.
    """
    wish = (settings.model or DEFAULT_SIZE).strip()
    named = _NAMED.fullmatch(wish)
    if named and wish:
        kind = _KINDS[(named[2] or "CustomVoice").lower()]
        return standard(settings, kind, (named[1] or DEFAULT_SIZE).upper(), repo_pattern)
    folder = os.path.abspath(os.path.expanduser(wish))
    if wish.startswith(("/", "~", ".")) or (os.sep in wish and os.path.isdir(folder)):
        return _described(folder, None)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", wish):
        return _described(_folder_of(settings, wish), wish)
    raise BackendNotInstalled(
        f"Qwen3-TTS has no model {wish!r}",
        f"use one of: {', '.join(MODELS)}, a folder, or a repository (org/name)",
    )


def standard(settings: Settings, kind: Kind, size: str, repo_pattern: str) -> Checkpoint:
    """The published checkpoint of a kind; VoiceDesign comes in one size."""
    size = "1.7B" if kind == "VoiceDesign" else size
    repo = repo_pattern.format(size=size, kind=kind)
    return Checkpoint(kind, size, _folder_of(settings, repo), repo)


def _folder_of(settings: Settings, repo: str) -> str:
    return os.path.join(weights_dir(settings), repo.replace("/", "--"))


def _described(folder: str, repo: str | None) -> Checkpoint:
    """The checkpoint that a folder's config describes; without a config its name does."""
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config: dict[str, Any] = json.load(file)
    except (OSError, ValueError):
        config = {}
    said = str(config.get("tts_model_type", "")).replace("_", "")
    by_name = next((key for key in _KINDS if key in folder.lower()), "customvoice")
    size = _SIZES.get(str(config.get("tts_model_size")), DEFAULT_SIZE)
    speakers = (config.get("talker_config") or {}).get("spk_id") or {}
    return Checkpoint(_KINDS.get(said, _KINDS[by_name]), size, folder, repo, tuple(speakers))


def kind_for(utterance: Utterance, chosen_kind: Kind, has_design: bool) -> Kind:
    """Which kind speaks the utterance; `has_design`: VoiceDesign is installed."""
    if utterance.clone:
        return "Base"
    if utterance.voice or utterance.gender:
        return "CustomVoice"
    if chosen_kind == "VoiceDesign" or (utterance.style and has_design):
        return "VoiceDesign"
    return "CustomVoice"


def voices(backend: str, own_speakers: Collection[str] = ()) -> list[Voice]:
    """The named speakers. Each speaks all ten languages, its own best."""
    published = [
        Voice(
            name=name,
            backend=backend,
            lang=lang,
            gender=gender,
            description=f"{description}; also speaks the other languages",
            is_default=_DEFAULTS[lang] == name,
        )
        for name, (lang, gender, description) in SPEAKERS.items()
    ]
    if not own_speakers:
        return published
    known = {voice.name.lower(): voice for voice in published}
    return [known.get(name.lower()) or Voice(name, backend) for name in own_speakers]


def speaker_for(utterance: Utterance, available: Collection[str]) -> str:
    """The speaker, as the model calls it, by voice, or by gender and language.

    `available`: the model's own (lower-case) names. Raises UnknownVoice.
    """
    if utterance.voice:
        wish = re.sub(r"[\s-]+", "_", utterance.voice.strip().lower())
        if wish not in available:
            usual = {name.lower(): name for name in SPEAKERS}
            there_are = ", ".join(usual.get(name, name) for name in available)
            raise UnknownVoice(
                f"Qwen3-TTS has no voice called {utterance.voice!r}", f"available: {there_are}"
            )
        return wish
    lang = primary(utterance.lang) if utterance.lang else ""
    found = _by_language_and_gender(lang, utterance.gender).lower()
    return found if found in available else min(available)


def _by_language_and_gender(lang: str, gender: str | None) -> str:
    default = _DEFAULTS.get(lang, "Ryan")
    if gender not in ("female", "male") or SPEAKERS[default][1] == gender:
        return default
    native = (
        name for name, (spoken, sex, _) in SPEAKERS.items() if (spoken, sex) == (lang, gender)
    )
    return next(native, _DEFAULT_BY_GENDER["female" if gender == "female" else "male"])


def language_name(tag: str | None) -> str:
    """The models' name of a BCP 47 language; `Auto`, which goes by the text, if there is none."""
    return LANGUAGES.get(primary(tag), "Auto") if tag else "Auto"


def max_frames(text: str) -> int:
    """A bound for the frames of a text: a model that misses its end must not babble for minutes."""
    frames = sum(_FRAMES_PER_WIDE if _is_wide(char) else _FRAMES_PER_LETTER for char in text)
    return min(_MOST_FRAMES, max(_FEWEST_FRAMES, round(frames)))


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF" or unicodedata.category(char)[0] in "NS"
