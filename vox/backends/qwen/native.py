"""qwen-native: Qwen3-TTS by its own package `qwen-tts` on torch (CUDA, Apple's MPS, CPU).

Owns how the package is installed, loaded and called. It streams and can be cancelled, which the
package cannot: see `streaming`. The package has no speed setting.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import importlib.util
import logging
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...checks import Key, one_of
from ...errors import LoadFailed, UnknownVoice
from ..base import Accelerator, Clone, CudaBuild, Info, Loaded, Progress, Settings, Utterance
from ..kit.torch_tools import cpu_index, pick_device, run_a_kernel, translate_oom, vram_mb
from .base import WARM_UP_FRAMES, WARM_UP_TEXT, QwenBase, first_line
from .decoder import DecoderState
from .family import (
    DEFAULT_STYLE,
    FRAME_S,
    LANGUAGES,
    MODELS,
    REFERENCE_PAUSE_S,
    SAMPLE_RATE,
    Checkpoint,
    Kind,
    language_name,
    speaker_for,
)
from .int8 import shrink
from .opening import open_model
from .streaming import ENGINES, Engine, Speaker

if TYPE_CHECKING:
    from ..base import Samples

# The last torch whose wheels on PyPI are built with CUDA 12.
_CUDA_12 = ("torch==2.10.0", "torchaudio==2.10.0", "qwen-tts==0.1.1")
_DTYPES = ("float32", "bfloat16", "float16", "int8")
_ATTENTIONS = ("sdpa", "eager", "flash_attention_2")
_CLONES_KEPT = 16

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Opened:
    """A loaded checkpoint."""

    package: Any
    """The package's `Qwen3TTSModel`."""
    speaker: Speaker | None = None
    """From its warm-up on."""


class QwenNative(QwenBase):
    info: ClassVar[Info] = Info(
        name="qwen-native",
        summary="Qwen3-TTS on torch: ten languages, nine voices, clones, described voices",
        package="qwen_tts",
        languages=tuple(LANGUAGES),
        streaming="frame",
        clone=True,
        style=True,
        gender=True,
        max_chars=400,
        devices=("cpu", "cuda", "mps"),
        models=MODELS,
        # torchaudio's own libraries want an older torch, but nothing here needs them: see
        # `after_install`.
        requirements=("torch==2.13.0", "torchaudio==2.11.0", "qwen-tts==0.1.1"),
        # torch 2.13 is built with CUDA 13.0, 2.10 with 12.8: the matrix in PyTorch's RELEASE.md.
        cuda_builds=(CudaBuild("cuda", (13, 0), (7, 5)), CudaBuild("cuda12", (12, 0), (7, 0))),
        license="Apache-2.0",
        options={
            "dtype": Key(None, one_of(*_DTYPES), f"{', '.join(_DTYPES)} (default: as the device)"),
            "attention": Key(
                None, one_of(*_ATTENTIONS), f"{', '.join(_ATTENTIONS)} (default: as the device)"
            ),
            "engine": Key(None, one_of(*ENGINES), f"{', '.join(ENGINES)} (default: as the device)"),
        },
    )
    repo_pattern = "Qwen/Qwen3-TTS-12Hz-{size}-{kind}"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._device = "cpu"
        self._dtype = "float32"
        self._attention = "sdpa"
        self._engine: Engine = "hooks"
        self._notes: tuple[str, ...] = ()
        self._prompts: dict[tuple[str, int, str | None], tuple[Any, DecoderState | None]] = {}

    @classmethod
    def requirements(cls, accelerator: Accelerator) -> tuple[str, ...]:
        if accelerator == "cuda12":
            return _CUDA_12
        return (*cpu_index(accelerator), *cls.info.requirements)

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        """As measured: CUDA's libraries come along, those of CUDA 12 are larger."""
        return {"cuda": 5800, "cuda12": 7700}.get(accelerator, 1700)

    @classmethod
    def after_install(cls, site_packages: str) -> None:
        # They are built for another torch and fail to load, and then so does qwen_tts. Without
        # them torchaudio falls back to Python, by design; the 12 Hz models use none of it.
        for library in glob.glob(os.path.join(glob.escape(site_packages), "torchaudio/lib/*.so")):
            os.unlink(library)

    @classmethod
    def check_environment(cls, accelerator: Accelerator) -> None:
        run_a_kernel(accelerator)

    # -- in the host -------------------------------------------------------------------------

    def _prepare(self) -> None:
        try:
            self._device = pick_device(self.settings.device, self.info)
            # What cannot be fails before the package is imported, which takes seconds.
            self._dtype, self._attention = _precision(self._device, self.settings.options)
            self._engine = _engine(self._device, self.settings.options)
            import qwen_tts  # noqa: F401 - prints on stdout and registers its model classes
        except ImportError as exc:
            raise LoadFailed(
                f"the package qwen-tts cannot be imported: {exc}",
                f"run: vox backends install {self.info.name}",
            ) from exc

    def _open(self, checkpoint: Checkpoint) -> Any:
        computed = "bfloat16" if self._dtype == "int8" else self._dtype
        model = open_model(checkpoint.folder, self._device, computed, self._attention)
        if model.model.tokenizer_type != "qwen3_tts_tokenizer_12hz":
            raise LoadFailed(f"{checkpoint.name} is not a 12 Hz model", "choose another with -m")
        if self._dtype == "int8":
            talker = model.model.talker
            for layers in (talker.model.layers, talker.code_predictor.model.layers):
                shrink(layers)
        return _Opened(model)

    def _warm_up(self, model: _Opened, kind: Kind, progress: Progress) -> None:
        """Also captures CUDA graphs. What our loop cannot do is left to the package's."""
        generate = self._a_little(model.package, kind)
        while True:
            engine = self._engine
            if engine == "graphs":
                progress("capturing CUDA graphs", None)
            try:
                model.speaker = Speaker(model.package.model, engine, _blocks(engine, self._device))
                for _ in model.speaker.stream(generate):
                    pass
            except Exception as exc:
                if engine == "hooks" or translate_oom(exc):
                    raise
                log.warning("engine %s failed", engine, exc_info=True)
                model.speaker = None
                note = f"{self.info.name} runs slower: {engine} failed ({first_line(exc)})"
                self._engine, self._notes = "hooks", (note,)
            else:
                return

    def _a_little(self, model: Any, kind: Kind) -> Callable[[], object]:
        generate: Callable[..., object]
        if kind == "Base":
            # Base has no voice but a recording's. At 24 kHz, as vox keeps clones: another lets
            # librosa compile its resampling: 16 s and more, once in each environment.
            import numpy as np

            noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
            prompt = model.create_voice_clone_prompt((noise, SAMPLE_RATE), x_vector_only_mode=True)
            generate = functools.partial(
                model.generate_voice_clone, WARM_UP_TEXT, voice_clone_prompt=prompt
            )
        else:
            generate = self._generate(model, kind, Utterance(WARM_UP_TEXT, lang="en"))
        return functools.partial(generate, max_new_tokens=WARM_UP_FRAMES)

    def _speak(
        self, model: _Opened, kind: Kind, utterance: Utterance, frames: int
    ) -> Generator[Samples, None, None]:
        package, speaker, after = model.package, model.speaker, None
        assert speaker is not None
        generate: Callable[..., object]
        if utterance.clone:
            prompt, after = self._prompt(package, speaker, utterance.clone)
            generate = functools.partial(
                package.generate_voice_clone,
                utterance.text,
                language_name(utterance.lang),
                voice_clone_prompt=prompt,
            )
        else:
            generate = self._generate(package, kind, utterance)
        # The last sampled token makes no frame.
        run = functools.partial(generate, max_new_tokens=frames + 1)
        made = 0
        with contextlib.closing(speaker.stream(run, after)) as audio:
            for samples in audio:
                made += len(samples)
                yield samples
        if made >= round(frames * FRAME_S * SAMPLE_RATE):
            self.cut_off = True
            log.warning("cut off after %d frames: no end in %r", frames, utterance.text[:60])

    def _generate(self, model: Any, kind: Kind, utterance: Utterance) -> Callable[..., object]:
        language = language_name(utterance.lang)
        if kind == "VoiceDesign":
            style = utterance.style or DEFAULT_STYLE
            return functools.partial(
                model.generate_voice_design, utterance.text, style, language=language
            )
        speaker = speaker_for(utterance, model.get_supported_speakers())
        return functools.partial(
            model.generate_custom_voice,
            utterance.text,
            speaker,
            language=language,
            instruct=utterance.style,
        )

    def _prompt(
        self, model: Any, speaker: Speaker, clone: Clone
    ) -> tuple[Any, DecoderState | None]:
        """What the model computes from a clone's recording, once for each."""
        try:
            key = (clone.audio_path, os.stat(clone.audio_path).st_mtime_ns, clone.transcript)
            if key not in self._prompts:
                prompt = _make_prompt(model, clone)
                codes = prompt[0].ref_code
                after = None if codes is None else speaker.state_after(codes)
                while len(self._prompts) >= _CLONES_KEPT:
                    self._prompts.pop(next(iter(self._prompts)))
                self._prompts[key] = prompt, after
        except OSError as exc:
            raise UnknownVoice(
                f"the recording of the clone {clone.name!r} cannot be read: {exc.strerror or exc}",
                "see: vox clone list",
            ) from exc
        return self._prompts[key]

    def _forget_models(self) -> None:
        import torch

        self._prompts.clear()
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif self._device == "mps":
            torch.mps.empty_cache()

    def _loaded(self, model: str) -> Loaded:
        return Loaded(self._device, self._dtype, model, engine=self._engine, notes=self._notes)

    def vram_mb(self) -> float | None:
        return vram_mb(self._device) if self._models else None


def _precision(device: str, options: Any) -> tuple[str, str]:
    """dtype and attention for a device; the options override them. Raises LoadFailed."""
    dtype = str(options.get("dtype") or _usual_dtype(device))
    if dtype not in _DTYPES:
        raise LoadFailed(f"unknown dtype {dtype!r}", f"use one of: {', '.join(_DTYPES)}")
    if dtype == "int8" and device != "cpu":
        raise LoadFailed(
            f"dtype int8 is for the CPU, and the device is {device}", "choose another dtype"
        )
    # It computes in half precision alone, on GPUs of the same age.
    has_flash = dtype == "bfloat16" and importlib.util.find_spec("flash_attn") is not None
    usual = "flash_attention_2" if has_flash and device.startswith("cuda") else "sdpa"
    return dtype, str(options.get("attention", usual))


def _usual_dtype(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        with torch.cuda.device(device):
            # GPUs before Ampere only emulate it, slowly, and half precision overflows in sampling.
            has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "cpu":
        able = torch.cpu.get_capabilities()
        has_bf16 = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    else:
        has_bf16 = False  # on MPS half precision overflows in sampling
    return "bfloat16" if has_bf16 else "float32"


def _engine(device: str, options: Any) -> Engine:
    """The engine for a device, if the options name none. Raises LoadFailed."""
    usual = "graphs" if device.startswith("cuda") else "loop" if device == "cpu" else "hooks"
    engine: Engine = options.get("engine", usual)
    if engine == "graphs" and not device.startswith("cuda"):
        raise LoadFailed(
            f"the engine 'graphs' needs CUDA, and the device is {device}",
            "choose engine = loop or hooks",
        )
    return engine


def _blocks(engine: Engine, device: str) -> tuple[int, int]:
    """Frames of the first block and of the longest."""
    if engine == "graphs":
        return 1, 8
    # A CPU decodes so slowly that a longer block would hold up a cancel.
    return (4, 4) if device == "cpu" else (4, 8)


def _make_prompt(model: Any, clone: Clone) -> Any:
    import numpy as np
    import soundfile

    try:
        # As an array: the package takes a string for a URL or base64 if it looks like one.
        audio, rate = soundfile.read(clone.audio_path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as exc:
        raise UnknownVoice(
            f"the recording of the clone {clone.name!r} is no audio file: {first_line(exc)}",
            "see: vox clone list",
        ) from exc
    samples = audio.mean(axis=1)
    if clone.transcript:
        samples = np.pad(samples, (0, round(REFERENCE_PAUSE_S * rate)))
    return model.create_voice_clone_prompt(
        (samples, rate), clone.transcript, x_vector_only_mode=not clone.transcript
    )
