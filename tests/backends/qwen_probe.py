"""Measures what only the inside of qwen-native shows; runs in its environment.

    PYTHONPATH=<checkout> INTERPRETER qwen_probe.py CHECKPOINT ANSWER_PATH

The answer: how far streamed audio is from the package's own decoding of the same codes, what is
drawn after a cancelled generation, and how many frames a cancelled one still made.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel

from vox.backends.qwen.streaming import state_after, stream

FRAMES = 100
"""More than the 72 of the decoder's attention window."""


def generation(model: Any, frames: int, seed: int) -> Any:
    def generate() -> object:
        torch.manual_seed(seed)
        return model.generate_custom_voice(
            "Some words.", "ryan", language="English", max_new_tokens=frames + 1
        )

    return generate


def record_codes(model: Any) -> tuple[list[Any], Any]:
    codes: list[Any] = []

    def keep(_module: Any, _args: Any, output: Any) -> None:
        if output.hidden_states[1] is not None:
            codes.append(output.hidden_states[1])

    return codes, model.model.talker.register_forward_hook(keep)


def distance_from_whole(model: Any, longest_block: int) -> dict[str, Any]:
    codes, hook = record_codes(model)
    streamed = list(stream(model.model, generation(model, FRAMES, 1), longest_block=longest_block))
    hook.remove()
    with torch.no_grad():
        # Not the tokenizer's decode(): beyond 300 frames that is an approximation itself.
        decoder = model.model.speech_tokenizer.model.decoder
        whole = decoder(torch.cat(codes).T.unsqueeze(0))[0, 0].numpy()
    joined = np.concatenate(streamed)
    return {
        "frames": len(codes),
        "samples": len(joined),
        "level": float(whole.std()),
        "error": float(np.abs(joined - whole).max()),
        "blocks": [len(block) // 1920 for block in streamed if len(block)],
    }


def error_behind_a_recording(model: Any) -> float:
    recording = torch.randint(0, 64, (30, 4))
    codes, hook = record_codes(model)
    after = state_after(model.model, recording)
    for _ in range(2):  # the state must serve more than once
        codes.clear()
        audio = np.concatenate(list(stream(model.model, generation(model, 20, 2), after=after)))
    hook.remove()
    with torch.no_grad():
        decoder = model.model.speech_tokenizer.model.decoder
        whole = decoder(torch.cat([recording, *codes]).T.unsqueeze(0))[0, 0].numpy()
    return float(np.abs(audio - whole[30 * 1920 :]).max())


def frames_after_cancel(model: Any) -> dict[str, int]:
    codes, hook = record_codes(model)
    audio = stream(model.model, generation(model, FRAMES, 3))
    for _ in range(6):
        next(audio)
    at_cancel = len(codes)
    audio.close()  # type: ignore[attr-defined]
    hook.remove()
    return {"at_cancel": at_cancel, "at_end": len(codes)}


def same_after_cancel(model: Any) -> bool:
    def run() -> Any:
        return np.concatenate(list(stream(model.model, generation(model, 12, 4))))

    before = run()
    frames_after_cancel(model)
    return bool(np.array_equal(before, run()))


def main() -> None:
    model = Qwen3TTSModel.from_pretrained(sys.argv[1], device_map="cpu", dtype=torch.float32)
    answer = {
        "by_fours": distance_from_whole(model, 4),
        "growing": distance_from_whole(model, 16),
        "error_behind_a_recording": error_behind_a_recording(model),
        "cancel": frames_after_cancel(model),
        "same_after_cancel": same_after_cancel(model),
        "hooks_left": sum(
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in (*model.model.talker.modules(), *decoder_modules(model))
        ),
    }
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(answer, file)


def decoder_modules(model: Any) -> Any:
    return model.model.speech_tokenizer.model.decoder.modules()


if __name__ == "__main__":
    main()
