"""Qwen3-TTS on MLX, by the package `mlx-audio`: what `qwen` is on Apple silicon.

The package streams by itself: its decoder keeps its state from block to block, and its generator
ends where it is closed. It runs on Linux too (`mlx[cpu]`), where it is tested.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import LoadFailed, UnknownVoice
from ..base import Accelerator, Clone, Info, Loaded, Progress, Utterance
from .base import WARM_UP_FRAMES, WARM_UP_TEXT, QwenBase
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

if TYPE_CHECKING:
    from ..base import Samples

_BLOCK_FRAMES = 2
"""Frames of a chunk: a job is cancelled between two chunks; each costs a run of the decoder."""
_TRIES = 3
"""So often a text is begun of which the model says nothing."""

log = logging.getLogger(__name__)


class QwenMlx(QwenBase):
    info: ClassVar[Info] = Info(
        name="qwen",
        summary="Qwen3-TTS on MLX: ten languages, nine voices, clones, described voices",
        package="mlx_audio",
        languages=tuple(LANGUAGES),
        streaming="frame",
        clone=True,
        style=True,
        gender=True,
        max_chars=400,
        devices=("cpu", "mps"),
        models=MODELS,
        requirements=("mlx-audio==0.6.2",),
        license="Apache-2.0",
        same_voices_as="qwen-native",
    )
    repo_pattern = "mlx-community/Qwen3-TTS-12Hz-{size}-{kind}-bf16"

    @classmethod
    def requirements(cls, accelerator: Accelerator) -> tuple[str, ...]:
        return (
            (*cls.info.requirements, "mlx[cpu]==0.32.4")
            if accelerator == "cpu"
            else cls.info.requirements
        )

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        """Measured on Linux."""
        return 532

    # -- in the host -------------------------------------------------------------------------

    def _prepare(self) -> None:
        try:
            import mlx.core as mx
            import mlx_audio.tts.utils  # noqa: F401 - the longest part of loading, as progress
        except ImportError as exc:
            raise LoadFailed(
                f"the package mlx-audio cannot be imported: {exc}",
                f"run: vox backends install {self.info.name}",
            ) from exc
        wish = self.settings.device
        if wish == "mps" and not mx.metal.is_available():
            raise LoadFailed("MLX finds no device 'mps' here", "choose device = auto or cpu")
        if wish == "cpu":
            mx.set_default_device(mx.cpu)

    def _open(self, checkpoint: Checkpoint) -> Any:
        from mlx_audio.tts.utils import load_model

        model = load_model(Path(checkpoint.folder))
        # The package only prints a warning when it could not load these.
        if getattr(model, "speech_tokenizer", None) is None or model.tokenizer is None:
            raise LoadFailed(f"{checkpoint.name} cannot be loaded: its tokenizers are damaged")
        return model

    def _warm_up(self, model: Any, kind: Kind, progress: Progress) -> None:
        # Base has no voice of its own to warm up with.
        if kind != "Base":
            utterance = Utterance(WARM_UP_TEXT, lang="en")
            with contextlib.closing(self._speak(model, kind, utterance, WARM_UP_FRAMES)) as audio:
                next(audio)

    def _speak(
        self, model: Any, kind: Kind, utterance: Utterance, frames: int
    ) -> Generator[Samples, None, None]:
        import numpy as np

        options = {
            "text": utterance.text,
            "lang_code": language_name(utterance.lang).lower(),
            "max_tokens": frames,
            "stream": True,
            # The package rounds down to whole frames.
            "streaming_interval": (_BLOCK_FRAMES + 0.5) * FRAME_S,
            **_voice_arguments(model, kind, utterance),
        }
        made = 0
        # The package lets the model end before its first frame, which is a matter of chance.
        for _ in range(_TRIES):
            with contextlib.closing(model.generate(**options)) as results:
                for result in results:
                    made += result.token_count
                    yield np.array(result.audio, dtype=np.float32)
            if made:
                break
        if made >= frames:
            self.cut_off = True
            log.warning("cut off after %d frames: no end in %r", frames, utterance.text[:60])

    def _forget_models(self) -> None:
        import mlx.core as mx

        mx.clear_cache()

    def _loaded(self, model: str) -> Loaded:
        first = next(iter(self._models.values()))
        dtype = str(first.talker.codec_head.weight.dtype).removeprefix("mlx.core.")
        return Loaded(_device(), dtype, model)

    def vram_mb(self) -> float | None:
        import mlx.core as mx

        if not self._models or _device() == "cpu":
            return None
        return float(mx.get_active_memory() + mx.get_cache_memory()) / 1e6


def _voice_arguments(model: Any, kind: Kind, utterance: Utterance) -> dict[str, Any]:
    """The arguments that choose the voice and the style."""
    if utterance.clone:
        # The package keeps the codes of recordings it knows.
        transcript = utterance.clone.transcript or None
        return {"ref_audio": _recording(utterance.clone), "ref_text": transcript}
    if kind == "VoiceDesign":
        return {"instruct": utterance.style or DEFAULT_STYLE}
    speakers = [name.lower() for name in model.supported_speakers]
    return {"voice": speaker_for(utterance, speakers), "instruct": utterance.style}


def _recording(clone: Clone) -> Any:
    """A clone's samples, an array of MLX at 24 kHz; with a transcript they end with a pause."""
    import mlx.core as mx
    from mlx_audio.utils import load_audio

    try:
        with open(clone.audio_path, "rb"):
            pass
    except OSError as exc:
        raise UnknownVoice(
            f"the recording of the clone {clone.name!r} cannot be read: {exc.strerror}",
            "see: vox clone list",
        ) from exc
    samples = load_audio(clone.audio_path, sample_rate=SAMPLE_RATE)
    pause = round(REFERENCE_PAUSE_S * SAMPLE_RATE) if clone.transcript else 0
    return mx.pad(samples, (0, pause))


def _device() -> str:
    import mlx.core as mx

    return "mps" if mx.default_device() == mx.gpu else "cpu"
