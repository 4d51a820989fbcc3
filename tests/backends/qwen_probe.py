"""Measures what only the inside of qwen-native shows; `qwen_opening_probe` runs it.

How far streamed audio is from the package's own decoding of the same codes, what is
drawn after a cancelled generation, and how many frames a cancelled one still made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel

from vox.backends.qwen.decoder import BlockDecoder
from vox.backends.qwen.streaming import ENGINES, Engine, Speaker

FRAMES = 100
"""More than the 72 of the decoder's attention window."""


def generation(model: Any, frames: int, seed: int) -> Any:
    def generate() -> object:
        torch.manual_seed(seed)
        return model.generate_custom_voice(
            "Some words.", "ryan", language="English", max_new_tokens=frames + 1
        )

    return generate


def whole(model: Any, codes: Any) -> Any:
    """The package's own decoding of all frames at once."""
    with torch.no_grad():
        # Not the tokenizer's decode(): beyond 300 frames that is an approximation itself.
        decoder = model.model.speech_tokenizer.model.decoder
        return decoder(codes.T.unsqueeze(0))[0, 0].numpy()


class Watched(Speaker):
    """Keeps the codes that it decodes."""

    def __init__(self, model: Any, engine: Engine, blocks: tuple[int, int] = (4, 16)) -> None:
        super().__init__(model.model, engine, blocks)
        self.seen: list[Any] = []

    def _frames(self, generate: Any) -> Any:
        for codes in super()._frames(generate):
            self.seen.append(codes.clone())
            yield codes


def distance_from_whole(model: Any, engine: Engine, blocks: tuple[int, int]) -> dict[str, Any]:
    speaker = Watched(model, engine, blocks)
    streamed = list(speaker.stream(generation(model, FRAMES, 1)))
    joined, right = np.concatenate(streamed), whole(model, torch.stack(speaker.seen))
    return {
        "frames": len(speaker.seen),
        "samples": len(joined),
        "level": float(right.std()),
        "error": float(np.abs(joined - right).max()),
        "blocks": [len(block) // 1920 for block in streamed if len(block)],
    }


def error_behind_a_recording(model: Any) -> float:
    recording = torch.randint(0, 64, (90, 4))
    speaker = Watched(model, "loop")
    after = speaker.state_after(recording)
    for _ in range(2):  # the state must serve more than once
        speaker.seen.clear()
        audio = np.concatenate(list(speaker.stream(generation(model, 20, 2), after)))
    right = whole(model, torch.cat([recording, torch.stack(speaker.seen)]))
    return float(np.abs(audio - right[90 * 1920 :]).max())


def bytes_of_state(model: Any, frames: int) -> dict[str, int]:
    """What a state keeps alive, and what its numbers take."""
    decoder = BlockDecoder(model.model.speech_tokenizer)
    decoder.begin()
    decoder.decode(torch.randint(0, 64, (frames, 4)))
    state = decoder.state()
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in state}
    return {
        "held": sum(storage.nbytes() for storage in storages.values()),
        "needed": sum(tensor.numel() * tensor.element_size() for tensor in state),
    }


def frames_after_cancel(model: Any, engine: Engine) -> dict[str, int]:
    calls = []
    hook = model.model.talker.codec_head.register_forward_hook(lambda *_: calls.append(1))
    audio = Speaker(model.model, engine, (4, 16)).stream(generation(model, FRAMES, 3))
    for _ in range(6):
        next(audio)
    at_cancel = len(calls)
    audio.close()
    hook.remove()
    return {"at_cancel": at_cancel, "at_end": len(calls)}


def same_after_cancel(model: Any, engine: Engine) -> bool:
    speaker = Speaker(model.model, engine, (4, 16))

    def run() -> Any:
        return np.concatenate(list(speaker.stream(generation(model, 12, 4))))

    before = run()
    broken_off = speaker.stream(generation(model, FRAMES, 3))
    for _ in range(6):
        next(broken_off)
    broken_off.close()
    return bool(np.array_equal(before, run()))


def left_behind(model: Any) -> int:
    """Hooks and methods that are still changed."""
    tokenizer = model.model.speech_tokenizer
    modules = [*model.model.talker.modules(), *tokenizer.model.decoder.modules()]
    changed = sum("forward" in vars(module) or "generate" in vars(module) for module in modules)
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules)
    return hooks + changed + ("decode" in vars(tokenizer))


def measured(checkpoint: str) -> dict[str, Any]:
    """The answer for a checkpoint of the kind CustomVoice."""
    model = Qwen3TTSModel.from_pretrained(checkpoint, device_map="cpu", dtype=torch.float32)
    engines = [engine for engine in ENGINES if engine != "graphs"]
    return {
        "streamed": {
            f"{engine} {first} to {longest}": distance_from_whole(model, engine, (first, longest))
            for engine in engines
            for first, longest in ((1, 8), (4, 4), (3, 12))
        },
        "error_behind_a_recording": error_behind_a_recording(model),
        "bytes_of_state": bytes_of_state(model, 25),
        "cancel": {engine: frames_after_cancel(model, engine) for engine in engines},
        "same_after_cancel": {engine: same_after_cancel(model, engine) for engine in engines},
        "left_behind": left_behind(model),
    }
