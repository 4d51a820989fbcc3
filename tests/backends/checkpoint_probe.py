"""Measures the checkpoints that `bench.checkpoints` makes; runs in qwen-native's environment.

    PYTHONPATH=<checkout> INTERPRETER checkpoint_probe.py ANSWER_PATH

The models are built without memory behind them, so it takes seconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration
from qwen_tts.core.tokenizer_12hz.modeling_qwen3_tts_tokenizer_v2 import Qwen3TTSTokenizerV2Model

from bench.checkpoints import qwen_shape
from tests.backends.tiny_qwen import make_text_tokenizer, speech_tokenizer_config, talker_config


def numbers(module: Any) -> int:
    return sum(tensor.numel() for tensor in [*module.parameters(), *module.buffers()])


def main() -> None:
    answer: dict[str, Any] = {"talker_mb": {}}
    for size in ("0.6B", "1.7B"):
        shape = qwen_shape(size)
        config = Qwen3TTSConfig(
            talker_config=talker_config("custom_voice", shape, 0),
            speaker_encoder_config=shape.speaker_encoder,
            tts_model_type="custom_voice",
            tts_model_size=shape.name,
        )
        with torch.device("meta"):
            model = Qwen3TTSForConditionalGeneration(config)
        answer["talker_mb"][size] = 2 * numbers(model.talker) / 1e6
    with torch.device("meta"):
        codec = Qwen3TTSTokenizerV2Model(speech_tokenizer_config(shape))
    answer["codec_mb"] = 4 * numbers(codec) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_text_tokenizer(Path(folder), shape)
    names = ("<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
    answer["specials"] = tokenizer.convert_tokens_to_ids(list(names))
    answer["prompt"] = tokenizer.tokenize("<|im_start|>assistant\n the user")
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
