"""The loop that makes a frame of codes at a time, in memory of fixed size: `FrameLoop`.

The package's own loop is transformers' `generate`, with another one inside for every frame. Most
of its time goes into Python and into launching kernels. Here a frame is two steps (`graphs.Step`)
on tensors that stay where they are, so CUDA can replay them as graphs; the same code runs
uncaptured on any device. Its codes are those of the package's loop.

Why not a package: `faster-qwen3-tts` 0.3.2 and `qwen3-tts-streaming` 0.1.2 (the same code)
capture the package's own forward (6,500 operations for a frame of the 0.6B, against 2,300 here),
attend to all of their memory in every frame, wait for the device several times in a frame, and
need CUDA to run at all, so that their codes cannot be compared where there is none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any

from .graphs import Step
from .layers import Layers
from .prompt import Draw, Prompt, Sampling

SHORTEST = 256
"""The talker looks at this many positions of its memory, or twice, four times ... as many."""
USUAL = 1024
"""For so many positions, prompt and frames, memory is there after loading."""


class FrameLoop:
    """Speaks with a `Qwen3TTSForConditionalGeneration`, one utterance at a time."""

    def __init__(self, model: Any, sampling: Sampling, device: str | None = None) -> None:
        """`device`: a CUDA device whose graphs are captured; None: nothing is captured."""
        import torch

        talker = model.talker
        self._talker = talker
        self._device = device
        self._pool = None if device is None else torch.cuda.graph_pool_handle()
        self.sampling = sampling
        self._layers = Layers(talker.model)
        self._predictor = Layers(talker.code_predictor.model)
        self._groups = talker.config.num_code_groups
        self._choose_first = _chooser(sampling.first)
        self._choose_other = _chooser(sampling.others)
        self._talk: dict[int, Step] = {}
        """By how many positions they look at."""
        self._capacity = 0
        with torch.inference_mode():
            self._allocate(talker.config.hidden_size, talker.config.vocab_size)
            self._predict = self._step(self._compute_codes)
            self._reserve(USUAL)

    def _allocate(self, hidden_size: int, codes: int) -> None:
        import torch

        like = {"dtype": self._layers.dtype, "device": self._layers.device}
        on = {"device": self._layers.device}
        # What the steps read and write.
        self._first = torch.zeros((1, 1), dtype=torch.int64, **on)
        """The next frame's first code."""
        self._codes = torch.zeros(self._groups, dtype=torch.int64, **on)
        self._hidden = torch.zeros((1, hidden_size), **like)
        """The talker's output for the last position."""
        self._frame = torch.zeros((1, hidden_size), **like)
        """The sum of the frame's embedded codes."""
        self._text = torch.zeros((1, hidden_size), **like)
        self._position = torch.zeros(1, dtype=torch.int64, **on)
        self._used = torch.zeros((1, codes), dtype=torch.bool, **on)
        self._forbidden = torch.zeros((1, codes), dtype=torch.bool, **on)
        # Constants.
        self._places = torch.arange(self._groups + 1, **on)
        self._suppressed = torch.zeros((1, codes), dtype=torch.bool, **on)
        suppressed = torch.tensor(self.sampling.suppressed, dtype=torch.int64, **on)
        self._suppressed.index_fill_(1, suppressed, value=True)
        group = self._talker.code_predictor.config
        rows = group.num_attention_heads // group.num_key_value_heads
        causal = torch.tensor([[0.0, -float("inf")], [0.0, 0.0]], **like)
        self._causal = causal.repeat(rows, 1)
        self._predictor.reserve(self._groups + 1)

    def _step(self, compute: Callable[[], None]) -> Step:
        step = Step(compute)
        if self._device is not None:
            step.capture(self._device, self._pool)
        return step

    def _reserve(self, positions: int) -> None:
        """Have memory, and steps, for so many positions. What is in the memory is lost."""
        import torch

        if positions <= self._capacity:
            return
        capacity, self._capacity = _enough(positions), 0  # until all of it is there
        self._talk.clear()
        self._layers.reserve(capacity)
        self._all_places = torch.arange(capacity, device=self._layers.device)
        length = SHORTEST
        while length <= capacity:
            self._position.zero_()
            self._talk[length] = self._step(functools.partial(self._compute_next, length))
            length *= 2
        self._capacity = capacity

    # -- the steps ---------------------------------------------------------------------------

    def _compute_codes(self) -> None:
        """From a frame's first code: all its codes, and the sum of their embeddings."""
        import torch

        predictor = self._talker.code_predictor
        embedded = self._talker.model.codec_embedding(self._first[0])
        codes, embeddings = [self._first[0]], [embedded]
        inputs, mask = torch.cat((self._hidden, embedded)), self._causal
        length = 2
        for head, embedding in zip(predictor.lm_head, predictor.model.codec_embedding, strict=True):
            output = self._predictor(
                predictor.small_to_mtp_projection(inputs),
                self._places[length - len(inputs) : length],
                length,
                mask,
            )
            code = self._choose_other(head(output[-1:]).float())[0]
            inputs, mask = embedding(code), None
            codes.append(code)
            embeddings.append(inputs)
            length += 1
        self._codes.copy_(torch.cat(codes))
        self._frame.copy_(torch.cat(embeddings).sum(0, keepdim=True))

    def _compute_next(self, length: int) -> None:
        """From a frame and its text: the next frame's first code."""
        mask = self._hidden.new_zeros(length).masked_fill_(
            self._all_places[:length] > self._position, -float("inf")
        )
        output = self._layers(
            self._frame + self._text, self._position, length, mask[None, None, None]
        )
        self._hidden.copy_(output)
        self._choose(self._talker.codec_head(output))
        self._position.add_(1)

    def _choose(self, scores: Any) -> None:
        """Choose the next first code; `scores`: (1, codes)."""
        import torch

        scores, penalty = scores.float(), self.sampling.repetition_penalty
        if penalty != 1.0:
            penalized = torch.where(scores < 0, scores * penalty, scores / penalty)
            scores = torch.where(self._used, penalized, scores)
        self._first.copy_(self._choose_first(scores.masked_fill(self._forbidden, -float("inf"))))
        self._used.scatter_(1, self._first, value=True)

    # -- an utterance ------------------------------------------------------------------------

    def frames(self, prompt: Prompt) -> Generator[Any, None, None]:
        """Yield each frame's codes, (code groups,) int64 on the device, valid until the next.

        Waits for the device once in a frame. Closing the generator ends the utterance.
        """
        import torch

        # Not as a decorator, and not around the whole: between frames the caller's mode holds.
        made, position = 0, 0
        while made < prompt.most_frames:
            with torch.inference_mode():
                if made == 0:
                    position = self._read(prompt)
                if made == self.sampling.least_codes - 1:
                    self._forbidden.copy_(self._suppressed)
                if self._first.item() == self.sampling.end:
                    return
                self._predict()
                has_text = made < prompt.text.shape[1]
                self._text.copy_(prompt.text[:, made] if has_text else prompt.padding[:, 0])
                self._talk[_enough(position + 1)]()
            yield self._codes
            made += 1
            position += 1

    def _read(self, prompt: Prompt) -> int:
        """Let the talker read the prompt and choose the first code; the length of the prompt."""
        from transformers.cache_utils import DynamicCache

        length: int = prompt.embeds.shape[1]
        self._reserve(length + prompt.most_frames)
        cache = DynamicCache()
        output = self._talker(
            inputs_embeds=prompt.embeds,
            attention_mask=prompt.mask,
            past_key_values=cache,
            use_cache=True,
        )
        for (keys, values), read in zip(self._layers.memory, cache.layers, strict=True):
            keys[:, :, :length].copy_(read.keys)
            values[:, :, :length].copy_(read.values)
        self._position.fill_(length)
        self._hidden.copy_(output.past_hidden[:, -1])
        self._used.zero_()
        self._forbidden.copy_(self._suppressed)
        if self.sampling.least_codes > 0:
            self._forbidden[0, self.sampling.end] = True
        self._choose(output.logits[:, -1])
        return length


def _enough(positions: int) -> int:
    """The smallest length of memory, `SHORTEST` times a power of two, that holds so many."""
    length = SHORTEST
    while length < positions:
        length *= 2
    return length


def _chooser(draw: Draw) -> Callable[[Any], Any]:
    """Chooses a code by its scores: (1, codes) float32 -> (1, 1) int64."""
    import torch

    warpers = draw.warpers()

    def choose(scores: Any) -> Any:
        if not draw.do_sample:
            return scores.argmax(-1, keepdim=True)
        chances = warpers(None, scores).softmax(-1)
        # What torch.multinomial does for one sample, without its checks, which wait for a value.
        return (chances / torch.empty_like(chances).exponential_()).argmax(-1, keepdim=True)

    return choose
