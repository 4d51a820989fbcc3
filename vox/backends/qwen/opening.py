"""Opens a checkpoint with the package `qwen_tts`, as its `from_pretrained` does but for two things.

The codec (the speech tokenizer) computes in float32 whatever the talker does, and text is split
into tokens as for a checkpoint on the hub. Written against qwen-tts 0.1.1 and transformers 4.57.3
(pinned); runs in the host alone.
"""

from __future__ import annotations

import json
import os
from typing import Any


def open_model(folder: str, device: str, dtype: str, attention: str) -> Any:
    """The `Qwen3TTSModel` of the checkpoint in `folder`; `dtype` is that of all but the codec."""
    import torch
    from qwen_tts import Qwen3TTSModel, Qwen3TTSTokenizer
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration
    from transformers import AutoConfig, PreTrainedModel

    AutoConfig.register("qwen3_tts", Qwen3TTSConfig)
    config = AutoConfig.from_pretrained(folder)
    if not isinstance(config, Qwen3TTSConfig):
        raise TypeError(f"{folder} holds a model of another kind")
    # Not the class's own method, which would open the codec too, with the same dtype.
    open_talker = PreTrainedModel.from_pretrained.__func__
    model = open_talker(
        Qwen3TTSForConditionalGeneration,
        folder,
        config=config,
        device_map=device,
        dtype=getattr(torch, dtype),
        attn_implementation=attention,
    )
    # In bfloat16 its sound has an error of -22 dB (float16: -31 dB), and a fifth of the finer codes
    # of a recording are others: measured at full size with random weights, on a CPU. It costs
    # 341 MB more. The speaker encoder stays with the talker: its error is 0.24 %, and to hand
    # its result to the talker costs 0.17 % alone.
    codec = Qwen3TTSTokenizer.from_pretrained(
        os.path.join(folder, "speech_tokenizer"), device_map=device, dtype=torch.float32
    )
    model.load_speech_tokenizer(codec)
    with open(os.path.join(folder, "generation_config.json"), encoding="utf-8") as file:
        model.load_generate_config(json.load(file))
    return Qwen3TTSModel(model, text_processor(folder), model.generate_config)


def text_processor(folder: str) -> Any:
    """The processor that splits text into tokens for the checkpoint in `folder`.

    The package asks for `fix_mistral_regex=True`. That means nothing for its models on the hub,
    which are no Mistral. But in a local folder transformers takes any tokenizer of more than
    100,000 words for one, unless the config was written by transformers 4.57.2 or older, and then
    it splits otherwise than the models were trained: "iPhone" into "i" and "Phone".
    """
    from qwen_tts.core.models import Qwen3TTSProcessor

    return Qwen3TTSProcessor.from_pretrained(folder, fix_mistral_regex=False)
