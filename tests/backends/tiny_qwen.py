"""Makes Qwen3-TTS checkpoints with random weights: tiny ones, for tests without a download.

    python tiny_qwen.py OUT_DIR [--for-mlx]

runs in the environment of `qwen-native` and writes OUT_DIR/custom_voice, OUT_DIR/base and
OUT_DIR/voice_design: folders that the package's own code (or mlx-audio's) loads. Only the sizes
are small; the class layout, the file layout and the token protocol are the package's own. What
they say is noise, and they hardly ever come to an end. `bench.checkpoints` makes those of the
published sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import string
from collections.abc import Mapping
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
CHAT_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SPEECH_SPECIALS = ["<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"]

# The codec's vocabulary is codes, then control ids, languages, speakers: so far behind the codes.
# `generate` suppresses the last 1,024 ids but the end's, so there must be as many behind the codes.
CONTROL = {
    "codec_pad_id": 100,
    "codec_bos_id": 101,
    "codec_eos_token_id": 102,
    "codec_think_id": 106,
    "codec_nothink_id": 107,
    "codec_think_bos_id": 108,
    "codec_think_eos_id": 109,
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
    """Sizes, by the names that the package's configurations give them."""

    talker: Mapping[str, Any]
    predictor: Mapping[str, Any]
    speaker_encoder: Mapping[str, Any]
    codec_encoder: Mapping[str, Any]
    codec_decoder: Mapping[str, Any]
    groups: int
    """Codes a frame."""
    codebook: int
    """Values of a code, a power of 2."""
    name: str = "1b7"
    """What the configuration calls the size. The package ignores a style if it is "0b6"."""
    text_tokens: int = 0
    """Entries of the text's vocabulary without the special ones; 0: as few as it takes."""
    reserved_tokens: int = 0
    """Special tokens without a use, between those of the chat and those of speech."""


def tiny(
    hidden: int = 64,
    heads: int = 2,
    decoder_dim: int = 32,
    upsample_rates: tuple[int, ...] = (8, 5, 4, 3),
    speaker_dim: int = 16,
) -> Shape:
    """A frame has four times the product of `upsample_rates` of samples: usually 1,920."""
    transformer = {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
    }
    rotary = {"rope_type": "default", "mrope_section": [4, 2, 2], "interleaved": True}
    return Shape(
        groups=4,
        codebook=64,
        talker={
            **transformer,
            "num_hidden_layers": 2,
            "text_hidden_size": hidden,
            "rope_scaling": rotary,
        },
        predictor={**transformer, "num_hidden_layers": 1},
        speaker_encoder={
            "enc_dim": hidden,
            "enc_channels": [speaker_dim] * 4 + [3 * speaker_dim],
            "enc_attention_channels": speaker_dim,
            "enc_se_channels": speaker_dim,
        },
        codec_encoder={
            "hidden_size": hidden,
            "num_filters": 4,
            "codebook_dim": hidden // 2,
            "vector_quantization_hidden_dimension": hidden // 2,
            "num_quantizers": 5,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "intermediate_size": 2 * hidden,
            "upsample_groups": hidden,
        },
        codec_decoder={
            "codebook_dim": hidden,
            "hidden_size": hidden,
            "latent_dim": hidden,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "intermediate_size": 2 * hidden,
            "num_hidden_layers": 2,
            "decoder_dim": decoder_dim,
            "upsample_rates": upsample_rates,
        },
    )


TINY = tiny()
# mlx-audio tells PyTorch's layout of a 1x1 convolution by its having over 64 input channels, and
# takes the size of an attention head for 64. On a CPU MLX convolves so slowly (a second for 1,920
# samples) that a frame has 16 samples here.
FOR_MLX = tiny(hidden=256, heads=4, decoder_dim=160, upsample_rates=(4,), speaker_dim=128)


def make_text_tokenizer(folder: Path, shape: Shape) -> Any:
    """Byte-level BPE: 256 bytes, and the merges that make 'assistant' and 'user' one token each.

    `generate` cuts the prompt by position, so '<|im_start|>assistant\\n' must be three tokens.
    A vocabulary of a given size is filled up with pairs, triples and so on of letters.
    """
    vocab = {char: index for index, char in enumerate(bytes_to_unicode().values())}
    merges = []

    def merge(left: str, right: str) -> None:
        if left + right not in vocab:
            vocab[left + right] = len(vocab)
            merges.append(f"{left} {right}\n")

    for word in ("assistant", "user"):
        for end in range(1, len(word)):
            merge(word[:end], word[end])
    space = bytes_to_unicode()[ord(" ")]
    starts = [space, *string.ascii_lowercase]
    while len(vocab) < shape.text_tokens:
        longer = [start + char for start in starts for char in string.ascii_lowercase]
        for token in longer[: shape.text_tokens - len(vocab)]:
            merge(token[:-1], token[-1])
        starts = longer
    folder.mkdir(parents=True, exist_ok=True)
    vocab_path, merges_path = folder / "vocab.json", folder / "merges.txt"
    vocab_path.write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    merges_path.write_text("#version: 0.2\n" + "".join(merges), encoding="utf-8")
    tokenizer = Qwen2TokenizerFast(
        vocab_file=str(vocab_path),
        merges_file=str(merges_path),
        unk_token=None,
        bos_token=None,
        pad_token="<|endoftext|>",
        model_max_length=32768,
    )
    reserved = [f"<|reserved_{index}|>" for index in range(shape.reserved_tokens)]
    specials = [*CHAT_SPECIALS, *reserved, *SPEECH_SPECIALS]
    tokenizer.add_special_tokens({"additional_special_tokens": specials})
    tokenizer.eos_token = "<|im_end|>"  # named now, so that it is the third special token
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
    codes = {"codebook_size": shape.codebook}
    return Qwen3TTSTokenizerV2Config(
        encoder_config={**codes, "frame_rate": 12.5, **shape.codec_encoder},
        decoder_config={**codes, "num_quantizers": shape.groups, **shape.codec_decoder},
        encoder_valid_num_quantizers=shape.groups,
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
    model.decoder(torch.randint(0, shape.codebook, (1, shape.groups, 40)))
    hook.remove()
    scale = 0.1 / seen[0].std()
    last.weight.mul_(scale)
    last.bias.copy_((last.bias - seen[0].mean()) * scale)
    model.save_pretrained(folder)
    extractor = EncodecFeatureExtractor(feature_size=1, sampling_rate=24000, padding_value=0.0)
    extractor.save_pretrained(folder)


def talker_config(kind: str, shape: Shape, text_vocabulary: int) -> dict[str, Any]:
    speakers = SPEAKERS if kind == "custom_voice" else []
    groups = {"num_code_groups": shape.groups}
    control = shape.codebook
    return {
        **groups,
        "vocab_size": shape.codebook + 1024,
        "text_vocab_size": text_vocabulary,
        "spk_id": {name: control + 800 + index for index, name in enumerate(speakers)},
        "spk_is_dialect": {name: DIALECT_OF.get(name, False) for name in speakers},
        "codec_language_id": {name: control + 2 + index for index, name in enumerate(LANGUAGES)},
        "code_predictor_config": {**groups, "vocab_size": shape.codebook, **shape.predictor},
        **{name: control + offset for name, offset in CONTROL.items()},
        **shape.talker,
    }


@torch.no_grad()
def make_model(kind: str, folder: Path, shape: Shape, dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint; its speech tokenizer is float32 whatever `dtype` is, as published."""
    tokenizer = make_text_tokenizer(folder, shape)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens}
    speaker_encoder = {
        "mel_dim": 128,
        "enc_res2net_scale": 8,
        "sample_rate": 24000,
        **shape.speaker_encoder,
    }
    config = Qwen3TTSConfig(
        talker_config=talker_config(kind, shape, len(tokenizer)),
        speaker_encoder_config=speaker_encoder,
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size=shape.name,
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
        elif "lm_head" in name:
            weights.mul_(2)
        elif "codec_head" in name:
            weights.mul_(6)
    # No speech ends by chance, which tests would be at the mercy of: each is cut off at its limit.
    model.talker.codec_head.weight[config.talker_config.codec_eos_token_id].zero_()
    model.to(dtype).save_pretrained(folder)
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
        make_model(kind, args.out / kind, FOR_MLX if args.for_mlx else TINY)


if __name__ == "__main__":
    main()
