"""Shared by both Qwen3-TTS adapters: which checkpoint speaks an utterance, and when it is loaded.

An instance stands for one choice of `-m`. `load` loads the checkpoint that speaks the first
request: that one, or another kind of its size (Base for a clone, VoiceDesign for a style without a
voice). What a later request needs is loaded beside it; if memory does not hold both, it replaces
the first.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import gc
import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import BackendNotInstalled, LoadFailed, OutOfMemory, SynthesisFailed, VoxError
from ..base import Backend, Chunk, Loaded, Progress, Settings, Utterance, Voice
from ..kit.huggingface import fetch_model
from ..kit.manifest import Manifest
from ..kit.torch_tools import translate_oom
from ..kit.weights import weights_dir
from .family import (
    NEEDED,
    SAMPLE_RATE,
    SPEAKERS,
    Checkpoint,
    Kind,
    chosen,
    kind_for,
    max_frames,
    standard,
    voices,
)
from .pins import PINS

if TYPE_CHECKING:
    from ..base import Samples

# Of repositories that vox has no pin for, as the published models.
_SMALL_MB, _LARGE_MB = 2500, 4540
WARM_UP_TEXT = "Hello."
WARM_UP_FRAMES = 4


class QwenBase(Backend):
    """Qwen3-TTS on torch or MLX."""

    repo_pattern: ClassVar[str]
    """A published checkpoint's repository, with {size} and {kind}."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._models: dict[Kind, Any] = {}
        self._checkpoints: dict[Kind, Checkpoint] = {}
        """What `_models` were loaded from."""

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        try:
            own_speakers = chosen(settings, cls.repo_pattern).speakers
        except BackendNotInstalled:
            own_speakers = ()
        return voices(cls.info.name, own_speakers)

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        try:
            cls._check(chosen(settings, cls.repo_pattern), settings)
        except BackendNotInstalled as exc:
            return exc.line
        return None

    @classmethod
    def accepts(cls, settings: Settings, wish: Utterance) -> list[str]:
        checkpoint = cls._checkpoint_for(settings, wish)
        cls._check(checkpoint, settings)
        if not wish.style or checkpoint.follows_style:
            return []
        other = (
            "-m 1.7B, or -m VoiceDesign" if checkpoint.kind == "CustomVoice" else "another voice"
        )
        return [f"{_short_name(checkpoint)} ignores --style; use {other}"]

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        """Fetch the chosen model, and those that `options["voices"]` names."""
        for model in (settings.model, *_further(settings)):
            wanted = dataclasses.replace(settings, model=model)
            checkpoint = chosen(wanted, cls.repo_pattern)
            if checkpoint.repo is None:
                cls._check(checkpoint, wanted)
            elif not checkpoint.is_there:
                manifest = Manifest(weights_dir(settings))
                folder = os.path.basename(checkpoint.folder)
                pin = PINS.get(checkpoint.repo)
                fetch_model(checkpoint.repo, manifest, folder, progress, pin, NEEDED)

    @classmethod
    def weights_mb(cls, settings: Settings) -> int:
        manifest = Manifest(weights_dir(settings))
        needed: dict[str, int] = {}
        others = 0
        for model in (settings.model, *_further(settings)):
            wanted = dataclasses.replace(settings, model=model)
            checkpoint = chosen(wanted, cls.repo_pattern)
            if checkpoint.is_there:
                continue
            if checkpoint.repo is None:
                cls._check(checkpoint, wanted)
            elif checkpoint.repo in PINS:
                needed.update(PINS[checkpoint.repo].missing_bytes(manifest))
            else:
                others += _LARGE_MB if "1.7B" in checkpoint.repo else _SMALL_MB
        return round(sum(needed.values()) / 1e6) + others

    @classmethod
    def _check(cls, checkpoint: Checkpoint, settings: Settings) -> None:
        if checkpoint.is_there:
            return
        if checkpoint.repo is None:
            if not os.path.isdir(checkpoint.folder):
                raise BackendNotInstalled(f"there is no folder {checkpoint.folder}")
            raise BackendNotInstalled(
                f"there is no whole Qwen3-TTS model in {checkpoint.folder}",
                f"it lacks {', '.join(checkpoint.lacks)}",
            )
        usual = settings.model is None and checkpoint == chosen(settings, cls.repo_pattern)
        which = "" if usual else f" -m {_short_name(checkpoint)}"
        raise BackendNotInstalled(
            f"the weights of {checkpoint.name} are not installed",
            f"run: vox backends install {cls.info.name}{which}",
        )

    # -- in the host -------------------------------------------------------------------------

    @abc.abstractmethod
    def _prepare(self) -> None:
        """Import the package and choose the device, before the first model is loaded."""

    @abc.abstractmethod
    def _open(self, checkpoint: Checkpoint) -> Any:
        """The checkpoint's model, loaded. Raises LoadFailed, OutOfMemory."""

    @abc.abstractmethod
    def _warm_up(self, model: Any, kind: Kind, progress: Progress) -> None:
        """Synthesize a little, so that the first utterance is as quick as the others."""

    @abc.abstractmethod
    def _speak(
        self, model: Any, kind: Kind, utterance: Utterance, frames: int
    ) -> Generator[Samples, None, None]:
        """Yield audio of at most so many frames; see `Backend.synthesize` for how it ends early."""

    @abc.abstractmethod
    def _forget_models(self) -> None:
        """Free the memory of models that are no longer referenced."""

    @abc.abstractmethod
    def _loaded(self, model: str) -> Loaded:
        """What a loaded host reports; `model`: what all its checkpoints are called."""

    def load(self, progress: Progress) -> Loaded:
        checkpoint = self._checkpoint_for(self.settings, self.wish)
        self._check(checkpoint, self.settings)
        # Nothing is fetched while speaking. Without this each load asks the hub for updates.
        os.environ["HF_HUB_OFFLINE"] = "1"
        progress(_loading(checkpoint), None)
        self._prepare()
        return self._load_model(checkpoint, progress)

    def load_more(self, wish: Utterance | None, progress: Progress) -> Loaded | None:
        checkpoint = self._checkpoint_for(self.settings, wish)
        if checkpoint.kind in self._models:
            return None
        progress(_loading(checkpoint), None)
        return self._load_model(checkpoint, progress)

    def _load_model(self, checkpoint: Checkpoint, progress: Progress) -> Loaded:
        self._check(checkpoint, self.settings)
        Manifest(weights_dir(self.settings)).check_folder(checkpoint.folder)
        try:
            model = self._opened(checkpoint, progress)
        except OutOfMemory:
            if not self._models:
                raise
            model = None
        if model is None:  # and the exception, which holds what was loaded so far, is gone
            self._models.clear()
            self._checkpoints.clear()
            gc.collect()
            self._forget_models()
            model = self._opened(checkpoint, progress)
        self._models[checkpoint.kind] = model
        self._checkpoints[checkpoint.kind] = checkpoint
        first, *further = self._checkpoints.values()
        return self._loaded(", ".join((first.name, *map(_short_name, further))))

    def _opened(self, checkpoint: Checkpoint, progress: Progress) -> Any:
        """The checkpoint's model, loaded and warmed up. Raises LoadFailed, OutOfMemory."""
        try:
            model = self._open(checkpoint)
            self._warm_up(model, checkpoint.kind, progress)
        except VoxError:
            raise
        except Exception as exc:
            failure = LoadFailed(f"{checkpoint.name} cannot be loaded: {first_line(exc)}")
            raise translate_oom(exc) or failure from exc
        return model

    @classmethod
    def _checkpoint_for(cls, settings: Settings, utterance: Utterance | None) -> Checkpoint:
        """The weights that speak the utterance: the chosen ones, or another kind of their size."""
        own = chosen(settings, cls.repo_pattern)
        if utterance is None:
            return own
        design = standard(settings, "VoiceDesign", own.size, cls.repo_pattern)
        kind = kind_for(utterance, own.kind, design.is_there)
        return own if kind == own.kind else standard(settings, kind, own.size, cls.repo_pattern)

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        checkpoint = self._checkpoint_for(self.settings, utterance)
        kind, frames = checkpoint.kind, max_frames(utterance.text)
        try:
            if kind not in self._models:  # nobody announced it (see `load_more`)
                self._load_model(checkpoint, lambda _text, _fraction: None)
            model = self._models[kind]
            with contextlib.closing(self._speak(model, kind, utterance, frames)) as audio:
                for samples in audio:
                    yield Chunk(samples, SAMPLE_RATE)
        except (GeneratorExit, VoxError):
            raise
        except Exception as exc:
            failure = SynthesisFailed(f"{self.info.name}: {type(exc).__name__}: {exc}")
            raise translate_oom(exc) or failure from exc


def _loading(checkpoint: Checkpoint) -> str:
    return f"loading {os.path.basename(checkpoint.name)}"


def first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]


def _further(settings: Settings) -> list[str]:
    """The models among what `options["voices"]` names to be fetched too."""
    named = [str(name) for name in settings.options.get("voices", ())]
    speakers = {name.lower() for name in SPEAKERS}
    return [name for name in named if name.lower() not in speakers]


def _short_name(checkpoint: Checkpoint) -> str:
    """What `-m` calls this checkpoint: "1.7B-Base" if it is a published one."""
    named = f"{checkpoint.size}-{checkpoint.kind}"
    return named if named in (checkpoint.repo or "") else checkpoint.name
