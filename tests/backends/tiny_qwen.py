"""Makes tiny Qwen3-TTS checkpoints with random weights, for tests without a download.

    python tiny_qwen.py OUT_DIR [--for-mlx]

runs in the environment of `qwen-native` and writes OUT_DIR/custom_voice, OUT_DIR/base and
OUT_DIR/voice_design: folders that the package's own code (or mlx-audio's) loads. Only the sizes
are small; the class layout, the file layout and the token protocol are the package's own. What
they say is noise, and they hardly ever come to an end.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from qwen_tts.core.models import (
    Qwen3TTSConfig,
    Qwen3TTSForConditionalGeneration,
    Qwen3TTSProcessor,
)
from qwen_tts.core.tokenizer_12hz.configuration_qwen3_tts_tokenizer_v2 import (
    Qwen3TTSTokenizerV2Config,
)
from qwen_tts.core.tokenizer_12hz.modeling_qwen3_tts_tokenizer_v2 import Qwen3TTSTokenizerV2Model
from torch import nn
from transformers import EncodecFeatureExtractor, Qwen2TokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import bytes_to_unicode

GROUPS = 4
"""Codes a frame; the published models have 16."""
CODEBOOK = 64
"""Values of a code, a power of 2; the published models have 2,048."""

SPEAKERS = ["vivian", "serena", "uncle_fu", "dylan", "eric", "ryan", "aiden", "ono_anna", "sohee"]
LANGUAGES = [
    "chinese",
    "english",
    "german",
    "italian",
    "portuguese",
    "spanish",
    "japanese",
    "korean",
    "french",
    "russian",
    "beijing_dialect",
    "sichuan_dialect",
]
DIALECT_OF = {"dylan": "beijing_dialect", "eric": "sichuan_dialect"}
SPECIALS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<tts_pad>",
    "<tts_text_bos>",
    "<tts_text_eod>",
]

# The codec's vocabulary is codes, then control ids, languages, speakers. `generate` suppresses
# the last 1,024 ids but the end's, so there must be as many behind the codes.
CONTROL = {
    "codec_pad_id": CODEBOOK + 100,
    "codec_bos_id": CODEBOOK + 101,
    "codec_eos_token_id": CODEBOOK + 102,
    "codec_think_id": CODEBOOK + 106,
    "codec_nothink_id": CODEBOOK + 107,
    "codec_think_bos_id": CODEBOOK + 108,
    "codec_think_eos_id": CODEBOOK + 109,
}
GENERATION = {
    "do_sample": True,
    "top_k": 50,
    "top_p": 1.0,
    "temperature": 0.9,
    "repetition_penalty": 1.05,
    "subtalker_dosample": True,
    "subtalker_top_k": 50,
    "subtalker_top_p": 1.0,
    "subtalker_temperature": 0.9,
    "max_new_tokens": 256,
}


@dataclass(frozen=True)
class Shape:
    """Sizes of layers."""

    hidden: int = 64
    heads: int = 2
    decoder_dim: int = 32
    upsample_rates: tuple[int, ...] = (8, 5, 4, 3)
    """A frame has four times their product of samples: 1,920, as in the published models."""
    speaker_dim: int = 16


# mlx-audio tells PyTorch's layout of a 1x1 convolution by its having over 64 input channels, and
# takes the size of an attention head for 64. On a CPU MLX convolves so slowly (a second for 1,920
# samples) that a frame has 16 samples here.
FOR_MLX = Shape(hidden=256, heads=4, decoder_dim=160, upsample_rates=(4,), speaker_dim=128)


def make_text_tokenizer(folder: Path) -> Any:
    """Byte-level BPE: 256 bytes, and the merges that make 'assistant' and 'user' one token each.

    `generate` cuts the prompt by position, so '<|im_start|>assistant\\n' must be three tokens.
    """
    vocab = {char: index for index, char in enumerate(bytes_to_unicode().values())}
    merges = []
    for word in ("assistant", "user"):
        left = word[0]
        for char in word[1:]:
            merges.append(f"{left} {char}\n")
            left += char
            vocab.setdefault(left, len(vocab))
    folder.mkdir(parents=True, exist_ok=True)
    vocab_path, merges_path = folder / "vocab.json", folder / "merges.txt"
    vocab_path.write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    merges_path.write_text("#version: 0.2\n" + "".join(merges), encoding="utf-8")
    tokenizer = Qwen2TokenizerFast(
        vocab_file=str(vocab_path),
        merges_file=str(merges_path),
        unk_token=None,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=32768,
    )
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIALS})
    return tokenizer


def enliven(module: nn.Module) -> None:
    """Weights scaled by fan-in, so that a tiny random net neither dies out nor explodes."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d)):
            nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)
        elif isinstance(layer, nn.ConvTranspose1d):
            taps = max(1, layer.kernel_size[0] // layer.stride[0])
            nn.init.normal_(layer.weight, std=(layer.in_channels // layer.groups * taps) ** -0.5)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, std=1.0)


def speech_tokenizer_config(shape: Shape) -> Qwen3TTSTokenizerV2Config:
    hidden = shape.hidden
    return Qwen3TTSTokenizerV2Config(
        encoder_config={
            "hidden_size": hidden,
            "num_filters": 4,
            "codebook_size": CODEBOOK,
            "codebook_dim": hidden // 2,
            "vector_quantization_hidden_dimension": hidden // 2,
            "num_quantizers": GROUPS + 1,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "intermediate_size": 2 * hidden,
            "upsample_groups": hidden,
            "frame_rate": 12.5,
        },
        decoder_config={
            "codebook_size": CODEBOOK,
            "codebook_dim": hidden,
            "hidden_size": hidden,
            "latent_dim": hidden,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.heads,
            "intermediate_size": 2 * hidden,
            "num_hidden_layers": 2,
            "num_quantizers": GROUPS,
            "decoder_dim": shape.decoder_dim,
            "upsample_rates": shape.upsample_rates,
        },
        encoder_valid_num_quantizers=GROUPS,
    )


@torch.no_grad()
def make_speech_tokenizer(folder: Path, shape: Shape) -> None:
    model = Qwen3TTSTokenizerV2Model(speech_tokenizer_config(shape)).eval()
    enliven(model)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith(("embedding_sum", "embed_sum")):
            nn.init.normal_(tensor, std=1.0)  # code books start as zeros
        elif name.endswith("layer_scale.scale"):
            tensor.fill_(0.1)
    # No offset, and a level well inside the clamp at 1.
    last = model.decoder.decoder[-1].conv
    seen: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _module, _args, output: seen.append(output))
    model.decoder(torch.randint(0, CODEBOOK, (1, GROUPS, 40)))
    hook.remove()
    scale = 0.1 / seen[0].std()
    last.weight.mul_(scale)
    last.bias.copy_((last.bias - seen[0].mean()) * scale)
    model.save_pretrained(folder)
    extractor = EncodecFeatureExtractor(feature_size=1, sampling_rate=24000, padding_value=0.0)
    extractor.save_pretrained(folder)


def talker_config(kind: str, hidden: int, text_vocabulary: int) -> dict[str, Any]:
    speakers = SPEAKERS if kind == "custom_voice" else []
    shape = {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "num_code_groups": GROUPS,
    }
    return {
        **shape,
        "vocab_size": CODEBOOK + 1024,
        "num_hidden_layers": 2,
        "text_hidden_size": hidden,
        "text_vocab_size": text_vocabulary,
        "rope_scaling": {"rope_type": "default", "mrope_section": [4, 2, 2], "interleaved": True},
        "spk_id": {name: CODEBOOK + 800 + index for index, name in enumerate(speakers)},
        "spk_is_dialect": {name: DIALECT_OF.get(name, False) for name in speakers},
        "codec_language_id": {name: CODEBOOK + 2 + index for index, name in enumerate(LANGUAGES)},
        "code_predictor_config": {**shape, "vocab_size": CODEBOOK, "num_hidden_layers": 1},
        **CONTROL,
    }


@torch.no_grad()
def make_model(kind: str, folder: Path, shape: Shape) -> None:
    tokenizer = make_text_tokenizer(folder)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    speaker_encoder = {
        "mel_dim": 128,
        "enc_dim": shape.hidden,
        "enc_channels": [shape.speaker_dim] * 4 + [3 * shape.speaker_dim],
        "enc_attention_channels": shape.speaker_dim,
        "enc_se_channels": shape.speaker_dim,
        "enc_res2net_scale": 8,
        "sample_rate": 24000,
    }
    config = Qwen3TTSConfig(
        talker_config=talker_config(kind, shape.hidden, len(tokenizer)),
        speaker_encoder_config=speaker_encoder,
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size="1b7",
        tts_model_type=kind,
        im_start_token_id=ids["<|im_start|>"],
        im_end_token_id=ids["<|im_end|>"],
        tts_pad_token_id=ids["<tts_pad>"],
        tts_bos_token_id=ids["<tts_text_bos>"],
        tts_eos_token_id=ids["<tts_text_eod>"],
    )
    model = Qwen3TTSForConditionalGeneration(config).eval()
    enliven(model)
    # Sharp attention and heads, so that text, speaker, language and recording change the codes.
    for name, weights in model.talker.named_parameters():
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            weights.fill_(2.5)
        elif name.endswith("o_proj.weight"):
            weights.mul_(3)
        elif "codec_head" in name or "lm_head" in name:
            weights.mul_(2)
    model.talker.codec_head.weight[CONTROL["codec_eos_token_id"]].zero_()
    model.save_pretrained(folder)
    # The class takes none of the further keys that transformers writes.
    config_path = folder / "config.json"
    written = {**json.loads(config_path.read_text()), "speaker_encoder_config": speaker_encoder}
    config_path.write_text(json.dumps(written, indent=2, sort_keys=True))
    Qwen3TTSProcessor(tokenizer=tokenizer).save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(GENERATION))
    make_speech_tokenizer(folder / "speech_tokenizer", shape)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--for-mlx", action="store_true")
    args = parser.parse_args()
    for kind in ("custom_voice", "base", "voice_design"):
        torch.manual_seed(0)
        make_model(kind, args.out / kind, FOR_MLX if args.for_mlx else Shape())


if __name__ == "__main__":
    main()
