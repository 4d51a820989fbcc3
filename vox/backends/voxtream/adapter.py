"""voxtream: VoXtream2, zero-shot English speech that streams (PyPI `voxtream` on torch).

Its sound comes in frames of 80 ms while it is made. The voice is that of a prompt: a clone's
recording, or one that `prepare` has hibari speak once. At speed 1.0 the model speaks at the pace
that it chooses, as upstream does by default. Other speeds multiply 4 syllables per second, within
the 2 to 6 that upstream configures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import BackendNotInstalled, LoadFailed, SynthesisFailed, UnknownVoice, VoxError
from ..base import (
    Accelerator,
    Backend,
    Chunk,
    CudaBuild,
    Info,
    Loaded,
    Progress,
    Settings,
    Utterance,
    Voice,
    install_hint,
)
from ..kit import torch_tools
from ..kit.weights import package_dir
from . import engine, package, phonemes, prompt, weights
from .configs import GENERATOR, SPEAKING_RATE

if TYPE_CHECKING:
    from ..base import Samples

SAMPLE_RATE: int = GENERATOR["mimi_sr"]
SYLLABLES_PER_S = 4.0
_RATES = tuple(float(rate) for rate in SPEAKING_RATE)
_VOICE = "default"
# One frame less for the delay between the first code book and the others.
_MAX_FRAMES = (
    GENERATOR["max_audio_length_ms"] // GENERATOR["mimi_frame_ms"] - GENERATOR["audio_delay_frames"]
)
# Enough for all to be compiled, captured and replayed: the step after the prompt, then each one.
_WARM_UP_FRAMES = 4

# What the package's normalizer reads out. Anything else in front becomes punctuation, and with
# punctuation in front its phonemizer loses all the text.
_AUDIBLE = re.compile(r"[^\W_]|[&%+=$/@]")


class Voxtream(Backend):
    info: ClassVar[Info] = Info(
        name="voxtream",
        summary="VoXtream2: streams after 80 ms, clones a voice from 3 to 10 s",
        package="voxtream",
        languages=("en",),
        streaming="frame",
        clone=True,
        speed=(min(_RATES) / SYLLABLES_PER_S, max(_RATES) / SYLLABLES_PER_S),
        # Some 35 s at the slowest rate: far from the 60 s at which the package stops.
        max_chars=300,
        devices=("cpu", "cuda"),
        models=(weights.DEFAULT_MODEL,),
        requirements=(
            "voxtream==0.2.5",
            "torch==2.8.0",
            "torchaudio==2.8.0",
            "moshi==0.2.13",
            "espeakng-loader==0.2.4",
            "six==1.17.0",  # it imports six without declaring it
        ),
        # torch 2.8 on PyPI is built with CUDA 12.8: the matrix in PyTorch's RELEASE.md.
        cuda_builds=(CudaBuild("cuda", (12, 0), (7, 0)),),
        license="MIT; weights in part of CC BY-NC 4.0 data",
        options={engine.OPTION: engine.KEY},
    )

    _one_is_loaded: ClassVar[bool] = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._device = "cpu"
        self._generator: Any = None
        self._is_speaking = False

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        return [
            Voice(
                name=_VOICE,
                backend="voxtream",
                lang="en-US",
                gender="female",
                description="after hibari's heart",
                is_default=True,
            )
        ]

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        if package_dir(settings, phonemes.PACKAGE) is None and shutil.which("espeak-ng") is None:
            return f"its environment has no espeak-ng; {install_hint('voxtream')}"
        return weights.missing(settings)

    @classmethod
    def requirements(cls, accelerator: Accelerator) -> tuple[str, ...]:
        return (*torch_tools.cpu_index(accelerator), *cls.info.requirements)

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        """As measured, without weights; PyPI's torch for Linux carries CUDA's libraries."""
        return 2000 if accelerator == "cpu" or sys.platform == "darwin" else 8400

    @classmethod
    def weights_mb(cls, settings: Settings) -> int:
        for each in _models(settings):
            lacks = weights.lacking(each)
            if lacks:
                raise BackendNotInstalled(f"voxtream cannot speak with this model: {lacks}")
        return 0  # not known: no file of the model is pinned

    @classmethod
    def prepare(cls, settings: Settings) -> None:
        prompt.make_default(settings)

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        """Fetch the chosen model, and those that `options["voices"]` names."""
        for each in _models(settings):
            weights.fetch(each, progress)

    @classmethod
    def check_environment(cls, accelerator: Accelerator) -> None:
        torch_tools.run_a_kernel(accelerator)

    def load(self, progress: Progress) -> Loaded:
        model = weights.model_of(self.settings)
        missing = self.missing(self.settings)
        if missing:
            raise BackendNotInstalled(f"voxtream cannot speak yet: {missing}")
        if Voxtream._one_is_loaded:
            # The package's transformers are module-level objects that a generator takes over.
            raise LoadFailed("a process can hold one voxtream model only")
        weights.check(self.settings)
        os.environ.update(weights.environment(self.settings))
        os.environ.update(engine.environment(self.settings))
        if self.settings.device == "cpu":
            # The package uses CUDA wherever torch sees it.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        with _load_errors():
            return self._load(model, progress)

    def _load(self, model: str, progress: Progress) -> Loaded:
        progress("loading voxtream: its packages", 0.0)
        self._device = _device(self.settings.device)
        generator_class, config_class = package.load(self.settings)
        progress("loading voxtream: the model", 0.5)
        Voxtream._one_is_loaded = True
        config = config_class(**{**GENERATOR, "model_repo": model})
        compiled, note = engine.choose(self.settings.options, self._device)
        self._generator = generator_class(config, SPEAKING_RATE, compile=compiled)
        step = "compiling, minutes the first time" if compiled else "warming up"
        progress(f"loading voxtream: {step}", 0.9)
        name, failure = engine.warm_up(self._generator, self._device, compiled, self._speak_a_bit)
        return Loaded(
            device=self._device,
            dtype="float32" if self._device == "cpu" else "bfloat16",
            model=model,
            engine=name,
            notes=tuple(each for each in (note, failure) if each),
        )

    def _speak_a_bit(self) -> None:
        frames = self._frames(Utterance("The model is warm now."))
        with contextlib.closing(frames):
            for _frame in itertools.islice(frames, _WARM_UP_FRAMES):
                pass

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        if self._generator is None:
            raise SynthesisFailed("voxtream is not loaded")
        if self._is_speaking:
            raise SynthesisFailed("voxtream speaks one utterance at a time")
        if utterance.voice not in (None, _VOICE) and utterance.clone is None:
            raise UnknownVoice(f"voxtream has no voice called {utterance.voice!r}")
        self._is_speaking = True
        try:
            with contextlib.closing(self._frames(utterance)) as frames:
                count = 0
                for samples in frames:
                    count += 1
                    yield Chunk(samples, SAMPLE_RATE)
            if count >= _MAX_FRAMES:
                raise SynthesisFailed(
                    "the utterance is longer than the 60 s that voxtream can speak at once",
                    "write shorter sentences, or raise --speed",
                )
        except VoxError:
            raise
        except Exception as exc:
            raise torch_tools.translate_oom(exc) or SynthesisFailed(
                f"voxtream: {type(exc).__name__}: {exc}"
            ) from exc
        finally:
            self._is_speaking = False

    def _frames(self, utterance: Utterance) -> Generator[Samples]:
        """The utterance's frames, float32 of 1,920 samples each; none if nothing is audible."""
        import numpy as np

        audible = _AUDIBLE.search(utterance.text)
        if audible is None:
            return
        clone = utterance.clone
        path = Path(clone.audio_path if clone else prompt.default_path(self.settings))
        stream = self._generator.generate_stream(
            prompt_audio_path=path,
            text=utterance.text[audible.start() :],
            speaking_rate=_speaking_rate(utterance.speed),
        )
        with contextlib.closing(stream):
            for samples, _seconds in stream:
                yield np.clip(samples, -1.0, 1.0)

    def vram_mb(self) -> float | None:
        return torch_tools.vram_mb(self._device) if self._generator is not None else None


def _models(settings: Settings) -> list[Settings]:
    """The settings with the chosen model, and with those that are to be fetched too."""
    further = [str(name) for name in settings.options.get("voices", ()) if name != _VOICE]
    return [dataclasses.replace(settings, model=model) for model in (settings.model, *further)]


def _speaking_rate(speed: float) -> Iterator[float] | None:
    """What the package takes: syllables per second for each frame, or None for no control.

    Without control the guidance is `cfg_gamma` of GENERATOR, with it that of SPEAKING_RATE.
    """
    if speed == 1.0:
        return None
    return itertools.repeat(min(max(_RATES), max(min(_RATES), SYLLABLES_PER_S * speed)))


def _device(wish: str) -> str:
    """Where the package runs: it knows only `cuda` (the current device) and `cpu`."""
    device = torch_tools.pick_device(wish, Voxtream.info)
    if device.startswith("cuda:"):
        import torch

        torch.cuda.set_device(device)
    return device


@contextlib.contextmanager
def _load_errors() -> Iterator[None]:
    try:
        yield
    except VoxError:
        raise
    except ImportError as exc:
        raise BackendNotInstalled(
            f"voxtream's environment is incomplete: {exc}", install_hint("voxtream")
        ) from exc
    except Exception as exc:
        raise torch_tools.translate_oom(exc) or LoadFailed(
            f"voxtream could not be loaded: {type(exc).__name__}: {exc}"
        ) from exc
