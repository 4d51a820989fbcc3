"""Makes full-size checkpoints with random weights: they show speed and memory, not sound.

    PYTHON -m bench.checkpoints qwen FOLDER [--size 0.6B] [--kind CustomVoice] [--dtype bfloat16]
    PYTHON -m bench.checkpoints voxtream FOLDER

PYTHON is that of the backend's own environment (`backends/qwen-native/venv/bin/python` in vox's
data folder, which `vox doctor` names), started in a clone of vox. FOLDER becomes what
`-m FOLDER` takes: 2.5 GB for the 0.6B with its speech tokenizer. For voxtream it becomes the
backend's own folder, 2.1 GB. Layers, vocabulary and files are those of the published models; the
weights are random, and the text's vocabulary is made up. Such a model hardly ever comes to an
end by itself, so an utterance takes the most frames that its length allows.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.backends.tiny_qwen import Shape

KINDS = {"CustomVoice": "custom_voice", "Base": "base", "VoiceDesign": "voice_design"}
QWEN_SIZES = {"0.6B": "0b6", "1.7B": "1b7"}

# As in the published configurations; `qwen_shape` says in what the sizes differ.
_TALKER = {
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "text_hidden_size": 2048,
    "text_vocab_size": 151_936,
    "position_id_per_seconds": 13,
    "rope_theta": 1_000_000,
    "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "interleaved": True},
}
_PREDICTOR = {
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 5,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rope_theta": 1_000_000,
}
_CODEC_ENCODER = {"num_quantizers": 32, "upsample_groups": 512, "use_causal_conv": True}
_CODEC_DECODER = {
    "codebook_dim": 512,
    "vector_quantization_hidden_dimension": 512,
    "num_semantic_quantizers": 1,
    "latent_dim": 1024,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "head_dim": 64,
    "decoder_dim": 1536,
}


def qwen_shape(size: str) -> Shape:
    """The sizes of a published Qwen3-TTS. Needs torch and qwen_tts, as `make_qwen` does."""
    from tests.backends.tiny_qwen import Shape

    hidden = {"0.6B": 1024, "1.7B": 2048}[size]
    return Shape(
        talker={**_TALKER, "hidden_size": hidden, "intermediate_size": 3 * hidden},
        predictor=_PREDICTOR,
        speaker_encoder={"enc_dim": hidden},
        codec_encoder=_CODEC_ENCODER,
        codec_decoder=_CODEC_DECODER,
        groups=16,
        codebook=2048,
        name=QWEN_SIZES[size],
        text_tokens=151_643,
        reserved_tokens=25,
    )


def make_qwen(folder: Path, size: str, kind: str, dtype: str) -> None:
    """Write a checkpoint of Qwen3-TTS into the folder."""
    import torch

    from tests.backends.tiny_qwen import make_model

    torch.manual_seed(0)
    make_model(KINDS[kind], folder, qwen_shape(size), getattr(torch, dtype))


def make_voxtream(folder: Path) -> None:
    """Write `weights/` of a backend's folder, as `vox backends install voxtream` fills it."""
    from tests.backends.tiny_voxtream import FULL_SIZE, fill

    fill(str(folder), FULL_SIZE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.checkpoints", description=__doc__)
    parser.add_argument("family", choices=("qwen", "voxtream"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=QWEN_SIZES, default="0.6B")
    parser.add_argument("--kind", choices=KINDS, default="CustomVoice")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    options = parser.parse_args()
    if not importlib.util.find_spec("torch"):
        parser.error(f"{sys.executable} has no torch; use the Python of the backend's environment")
    if options.family == "voxtream":
        make_voxtream(options.folder)
        return
    make_qwen(options.folder, options.size, options.kind, options.dtype)


if __name__ == "__main__":
    main()
