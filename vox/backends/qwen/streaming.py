"""Streaming and cancelling for the package `qwen_tts`, which can do neither.

Its `generate_*` methods return all audio at the end. `stream` runs one in a thread, takes each
frame's codes from a hook on the talker, decodes them block by block and hands the audio over
while generation goes on. Written against qwen-tts 0.1.1 (pinned); runs in the host alone and
knows nothing of checkpoints, voices or errors of vox.
"""

from __future__ import annotations

import contextlib
import copy
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..base import Samples

FIRST_BLOCK = 4
"""Frames (80 ms each) of the first chunk; each further one has twice as many, up to a bound."""


class _Cancelled(Exception):
    """Raised inside the talker to end a generation; the next one is not affected by it."""


class _AllFramesOut(Exception):
    """Raised where the package begins to decode the whole anew, which we have done by then."""


@dataclass(slots=True)
class DecoderState:
    """What the decoder's layers remember of the audio so far."""

    tails: dict[int, Any] = field(default_factory=dict)
    """By the layer's `id`: the end of its input."""
    cache: Any = None
    """The transformer's keys and values."""


class BlockDecoder:
    """The 12 Hz speech tokenizer's decoder, fed block by block, sample for sample the same.

    Everything in it is causal: convolutions, and a transformer with a sliding window. So hooks
    give each layer the end of what it saw before, and drop again what that yields. Decoding with
    some frames of left context instead costs that context again with every block (72 frames: 12 s
    a block for the full-size decoder on two cores) and is not exact, for the windows of eight
    layers reach further.
    """

    def __init__(self, speech_tokenizer: Any, after: DecoderState | None = None) -> None:
        """`after`: the state behind the audio that this one follows on; it stays as it is."""
        self.state = copy.deepcopy(after) if after else DecoderState()
        self._decoder = speech_tokenizer.model.decoder
        self._device = speech_tokenizer.device
        self._known: dict[int, int] = {}
        self._decoding = False

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """While this lasts the decoder goes on where its last block ended."""
        from transformers.cache_utils import DynamicCache

        decoder = self._decoder
        if self.state.cache is None:
            self.state.cache = DynamicCache(config=decoder.pre_transformer.config)
        with contextlib.ExitStack() as hooks:
            for module in decoder.modules():
                memory, rate = _memory_of(module)
                if memory:
                    hooks.callback(module.register_forward_pre_hook(self._before(memory)).remove)
                    hooks.callback(module.register_forward_hook(self._after(rate)).remove)
            hook = decoder.pre_transformer.register_forward_pre_hook(
                self._with_cache, with_kwargs=True
            )
            hooks.callback(hook.remove)
            hooks.callback(decoder.register_forward_pre_hook(self._only_blocks).remove)
            yield

    def decode(self, codes: Any) -> Samples:
        """The audio of the next frames; `codes`: a tensor (frames, code groups)."""
        import torch

        self._decoding = True
        try:
            with torch.inference_mode():
                wav = self._decoder(codes.to(self._device).T.unsqueeze(0))
        finally:
            self._decoding = False
        samples: Samples = wav[0, 0].to(torch.float32).cpu().numpy()
        return samples

    def _only_blocks(self, _module: Any, _args: Any) -> None:
        if not self._decoding:
            raise _AllFramesOut

    def _with_cache(self, _module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
        return args, {**kwargs, "past_key_values": self.state.cache, "use_cache": True}

    def _before(self, memory: int) -> Callable[[Any, Any], Any]:
        import torch

        def hook(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
            new, tail = args[0], self.state.tails.get(id(module))
            whole = new if tail is None else torch.cat((tail, new), dim=-1)
            self._known[id(module)] = 0 if tail is None else tail.shape[-1]
            self.state.tails[id(module)] = whole[..., -memory:]
            return (whole,)

        return hook

    def _after(self, rate: int) -> Callable[[Any, Any, Any], Any]:
        return lambda module, _args, output: output[..., self._known[id(module)] * rate :]


def _memory_of(module: Any) -> tuple[int, int]:
    """How many input steps back a layer looks, and how many steps it puts out for one."""
    import torch

    conv = getattr(module, "conv", None)
    if isinstance(conv, torch.nn.ConvTranspose1d):
        stride = conv.stride[0]
        return -(-conv.kernel_size[0] // stride) - 1, stride
    if isinstance(conv, torch.nn.Conv1d):
        return module.padding, 1
    return 0, 1


class _Generation:
    """One run of a `generate_*` method; all but `cancelled` and `out` belongs to its thread."""

    def __init__(self, model: Any, after: DecoderState | None, longest_block: int) -> None:
        self.cancelled = threading.Event()
        self.out: queue.SimpleQueue[Samples | BaseException | None] = queue.SimpleQueue()
        """Audio (none of it after a frame that completes no block), then None or what failed."""
        self._talker = model.talker
        self._decoder = BlockDecoder(model.speech_tokenizer, after)
        self._block = FIRST_BLOCK
        self._longest_block = longest_block
        self._frames: list[Any] = []

    def run(self, generate: Callable[[], object]) -> None:
        try:
            self._run(generate)
        except _Cancelled:
            self.out.put(None)
        except BaseException as exc:
            self.out.put(exc)
        else:
            self.out.put(None)

    def _run(self, generate: Callable[[], object]) -> None:
        with self._decoder.attached(), contextlib.ExitStack() as hooks:
            hooks.callback(self._talker.register_forward_pre_hook(self._before_frame).remove)
            hooks.callback(self._talker.register_forward_hook(self._after_frame).remove)
            with contextlib.suppress(_AllFramesOut):
                generate()
            if self._frames:
                self._put_block()

    def _before_frame(self, _module: Any, _args: Any) -> None:
        if self.cancelled.is_set():
            raise _Cancelled

    def _after_frame(self, _module: Any, _args: Any, output: Any) -> None:
        import numpy as np

        codes = output.hidden_states[1]
        if codes is None:  # the prompt was read, no frame made yet
            return
        self._frames.append(codes)
        if len(self._frames) >= self._block:
            self._put_block()
            self._block = min(2 * self._block, self._longest_block)
        else:
            self.out.put(np.empty(0, dtype=np.float32))

    def _put_block(self) -> None:
        import torch

        self.out.put(self._decoder.decode(torch.cat(self._frames)))
        self._frames.clear()


def state_after(model: Any, codes: Any) -> DecoderState:
    """The decoder's state behind the audio of `codes` (frames, code groups)."""
    decoder = BlockDecoder(model.speech_tokenizer)
    with decoder.attached():
        decoder.decode(codes)
    return decoder.state


def stream(
    model: Any,
    generate: Callable[[], object],
    *,
    after: DecoderState | None = None,
    longest_block: int = 16,
) -> Generator[Samples, None, None]:
    """Yield the audio of `generate()` while it runs, float32 mono in [-1, 1].

    `model` is the `Qwen3TTSForConditionalGeneration` that it generates with; `after` is the state
    behind what the audio follows on, a clone's recording (see `state_after`). An empty array
    comes after each frame that completes no block, so that the caller can close the generator
    there: that returns when generation has ended, a frame later at the most. Raises what
    `generate` raises.
    """
    generation = _Generation(model, after, longest_block)
    thread = threading.Thread(target=generation.run, args=(generate,), name="qwen", daemon=True)
    thread.start()
    try:
        while (item := generation.out.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        generation.cancelled.set()
        thread.join()
