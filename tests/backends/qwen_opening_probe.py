"""Measures how `qwen.opening` opens checkpoints; runs in the environment of qwen-native.

    PYTHONPATH=<checkout> INTERPRETER qwen_opening_probe.py BASE CUSTOM_VOICE ANSWER_PATH

BASE and CUSTOM_VOICE are checkpoints in an installation's folder. The answer: into which tokens
text is split, what the codec of a talker in half precision does, what is kept of a clone's
recording, and what `qwen_probe` measures: in one process, for most of one is the package's import.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from qwen_tts import Qwen3TTSTokenizer
from qwen_tts.core.models import Qwen3TTSProcessor
from transformers import Qwen2TokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import bytes_to_unicode

from tests.backends.qwen_probe import Watched, measured, whole
from vox.backends.base import Clone, Settings, Utterance
from vox.backends.qwen.native import QwenNative
from vox.backends.qwen.opening import open_model, text_processor
from vox.backends.qwen.streaming import Engine

WORDS = ("iPhone", "McDonald", "GitHub's", "eBay/PayPal", "don't STOP2024")
FILLED_TO = 100_500
"""Entries of the vocabulary: transformers suspects those of more than 100,000."""


def tokenizer_files(folder: Path) -> tuple[str, str]:
    """A vocabulary that holds each of the words whole, and the merges that lead there."""
    vocab = {char: index for index, char in enumerate(bytes_to_unicode().values())}
    merges = []
    for word in WORDS:
        for end in range(1, len(word)):
            if " " not in word[: end + 1] and word[: end + 1] not in vocab:
                merges.append(f"{word[:end]} {word[end]}\n")
                vocab[word[: end + 1]] = len(vocab)
    for number in range(len(vocab), FILLED_TO):
        vocab[f"<filler {number}>"] = number
    vocab_path, merges_path = folder / "vocab.json", folder / "merges.txt"
    vocab_path.write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    merges_path.write_text("#version: 0.2\n" + "".join(merges), encoding="utf-8")
    return str(vocab_path), str(merges_path)


def tokens_of_words() -> dict[str, list[list[int]]]:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = Qwen2TokenizerFast(*tokenizer_files(Path(folder)))
        Qwen3TTSProcessor(tokenizer=tokenizer).save_pretrained(folder)
        config = {"model_type": "qwen3_tts", "transformers_version": "4.57.3"}
        Path(folder, "config.json").write_text(json.dumps(config))
        package = Qwen3TTSProcessor.from_pretrained(folder, fix_mistral_regex=True)
        ours = text_processor(folder)
    return {
        "qwen2": [tokenizer(word)["input_ids"] for word in WORDS],
        "ours": [ours(text=word)["input_ids"][0] for word in WORDS],
        "package": [package(text=word)["input_ids"][0] for word in WORDS],
    }


def codec_beside(checkpoint: str, dtype: str, engine: Engine) -> dict[str, Any]:
    model = open_model(checkpoint, "cpu", dtype, "sdpa")
    codec = model.model.speech_tokenizer.model
    noise = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    prompt = model.create_voice_clone_prompt((noise, 24_000), "some words")
    speaker = Watched(model, engine)
    streamed = np.concatenate(list(speaker.stream(generation_of_clone(model, prompt))))
    exact = Qwen3TTSTokenizer.from_pretrained(os.path.join(checkpoint, "speech_tokenizer"))
    model.model.speech_tokenizer = exact
    right = whole(model, torch.stack(speaker.seen))
    same = exact.encode([noise], sr=24_000).audio_codes[0] == prompt[0].ref_code
    return {
        "talker": str(model.model.talker.dtype),
        "codec": sorted({str(tensor.dtype) for tensor in codec.parameters()}),
        "error": float(np.abs(streamed - right).max()),
        "same_codes_of_a_recording": float(same.float().mean()),
    }


def recording_of_two_seconds(env_dir: str) -> dict[str, Any]:
    """What the adapter keeps of a clone, and whether its sound follows on all of that."""
    backend = QwenNative(Settings("", env_dir, device="cpu"))
    backend.wish = Utterance("", clone=Clone("me", "/me.wav"))
    backend.load(lambda _text, _fraction: None)
    model = backend._models["Base"].package
    speaker = Watched(model, "loop")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "me.wav")
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 48_000), 24_000)
        prompt, after = backend._prompt(model, speaker, Clone("me", path, "some words"))
        alone, none = backend._prompt(model, speaker, Clone("me", path))
    spoken = list(speaker.stream(generation_of_clone(model, prompt), after))
    recorded = prompt[0].ref_code
    right = whole(model, torch.cat([recorded, torch.stack(speaker.seen)]))
    sound = np.concatenate(spoken)
    return {
        "seconds": len(recorded) * 0.08,
        "error": float(np.abs(sound - right[len(recorded) * 1920 :]).max()),
        "by_its_voice_alone": alone[0].ref_code is None and none is None,
    }


def generation_of_clone(model: Any, prompt: Any) -> Any:
    def generate() -> object:
        torch.manual_seed(0)
        return model.generate_voice_clone("Hi.", voice_clone_prompt=prompt, max_new_tokens=21)

    return generate


def main() -> None:
    checkpoint, custom_voice, answer_path = sys.argv[1:]
    answer = {
        "inside": measured(custom_voice),
        "tokens": tokens_of_words(),
        "bfloat16": codec_beside(checkpoint, "bfloat16", "loop"),
        "float16": codec_beside(checkpoint, "float16", "hooks"),
        "recording": recording_of_two_seconds(str(Path(checkpoint).parent.parent)),
    }
    with open(answer_path, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
