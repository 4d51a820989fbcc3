"""What the package makes of a request before its talker speaks: the prompt, and how to sample.

The package assembles the prompt (text, speaker, language, style, a clone's recording) and reads
the checkpoint's generation config; then it calls `talker.generate`. `read_prompt` stops it there.
Written against qwen-tts 0.1.1 (pinned); runs in the host alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Draw:
    """How one code is drawn from its scores, as transformers' `generate` does it."""

    do_sample: bool
    temperature: float
    top_k: int
    top_p: float

    def warpers(self) -> Any:
        """What changes the scores before a draw: a callable (token ids, scores) -> scores."""
        from transformers.generation import logits_process as processors

        found = processors.LogitsProcessorList()
        if self.do_sample:
            if self.temperature not in (None, 1.0):
                found.append(processors.TemperatureLogitsWarper(self.temperature))
            if self.top_k:
                found.append(processors.TopKLogitsWarper(self.top_k))
            if self.top_p is not None and self.top_p < 1.0:
                found.append(processors.TopPLogitsWarper(self.top_p))
        return found


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a checkpoint's generation config says. The same for all its utterances."""

    first: Draw
    """Of a frame's first code, which the talker predicts."""
    others: Draw
    """Of the codes that the code predictor adds."""
    repetition_penalty: float
    suppressed: tuple[int, ...]
    """First codes that are never drawn."""
    end: int
    """The first code that ends the speech instead of making a frame."""
    least_codes: int
    """So many first codes are drawn before the end may be."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that the talker needs to speak one utterance. Tensors are on the model's device."""

    embeds: Any
    """(1, prompt length, hidden size)"""
    mask: Any
    """(1, prompt length): ones."""
    text: Any
    """(1, any length, hidden size): added to one frame each, as the frames are made."""
    padding: Any
    """(1, 1, hidden size): added once there is no more text."""
    most_frames: int
    sampling: Sampling


class _Read(Exception):
    """Raised where the package's talker would begin."""


def read_prompt(model: Any, generate: Callable[[], object]) -> Prompt:
    """The prompt of `generate`, which calls one of the package's `generate_*` methods.

    `model` is the `Qwen3TTSForConditionalGeneration` that it generates with. Raises what
    `generate` raises.
    """
    given: dict[str, Any] = {}

    def take(**arguments: Any) -> None:
        given.update(arguments)
        raise _Read

    model.talker.generate = take
    try:
        with contextlib.suppress(_Read):
            generate()
    finally:
        del model.talker.generate
    return Prompt(
        embeds=given["inputs_embeds"],
        mask=given["attention_mask"],
        text=given["trailing_text_hidden"],
        padding=given["tts_pad_embed"],
        # The last code that is drawn makes no frame.
        most_frames=given["max_new_tokens"] - 1,
        sampling=Sampling(
            first=Draw(given["do_sample"], given["temperature"], given["top_k"], given["top_p"]),
            others=Draw(
                given["subtalker_dosample"],
                given["subtalker_temperature"],
                given["subtalker_top_k"],
                given["subtalker_top_p"],
            ),
            repetition_penalty=given["repetition_penalty"],
            suppressed=tuple(given["suppress_tokens"]),
            end=given["eos_token_id"],
            least_codes=given["min_new_tokens"],
        ),
    )
