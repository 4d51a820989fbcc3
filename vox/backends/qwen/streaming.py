"""Streaming and cancelling for the package `qwen_tts`, which can do neither: `Speaker`.

Its `generate_*` methods return all audio at the end. A speaker takes each frame's codes as they
are made, decodes them block by block and hands the audio over while generation goes on. The codes
come from our own loop (`loop.FrameLoop`), or from the package's, run in a thread with hooks on its
talker. Written against qwen-tts 0.1.1 (pinned); runs in the host alone and knows nothing of
checkpoints, voices or errors of vox.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

from .decoder import BlockDecoder, DecoderState
from .loop import FrameLoop
from .prompt import read_prompt

if TYPE_CHECKING:
    from ..base import Samples

Engine = Literal["graphs", "loop", "hooks"]
"""`graphs`: our loop, captured on CUDA; `loop`: the same uncaptured; `hooks`: the package's."""

ENGINES: tuple[Engine, ...] = get_args(Engine)

Generate = Callable[[], object]
"""Calls one of the package's `generate_*` methods."""


class Speaker:
    """Says one utterance at a time with a `Qwen3TTSForConditionalGeneration`."""

    def __init__(self, model: Any, engine: Engine, blocks: tuple[int, int]) -> None:
        """`blocks`: frames of the first block, each next one twice as long, and of the longest.

        With `graphs` this captures the decoder; the first utterance captures the rest.
        """
        self.engine = engine
        self._model = model
        self._blocks = blocks
        self._device = str(model.device) if engine == "graphs" else None
        self._decoder = BlockDecoder(model.speech_tokenizer, self._device)
        self._loop: FrameLoop | None = None

    def state_after(self, codes: Any) -> DecoderState:
        """The decoder's state behind the audio of `codes`, a tensor (frames, code groups)."""
        self._decoder.begin()
        self._decoder.decode(codes)
        return self._decoder.state()

    def stream(
        self, generate: Generate, after: DecoderState | None = None
    ) -> Generator[Samples, None, None]:
        """Yield the audio of `generate()` while it is made, float32 mono in [-1, 1].

        `after` is the state behind what the audio follows on, a clone's recording. An empty array
        comes after each frame that completes no block, so that the caller can close the generator
        there: that returns a frame later at the most. Raises what `generate` raises.
        """
        import numpy as np
        import torch

        self._decoder.begin(after)
        sizes = growing(*self._blocks)
        size = next(sizes)
        pending: list[Any] = []
        with contextlib.closing(self._frames(generate)) as frames:
            for codes in frames:
                pending.append(codes.clone())
                if len(pending) < size:
                    yield np.empty(0, dtype=np.float32)
                    continue
                yield self._decoder.decode(torch.stack(pending))
                pending.clear()
                size = next(sizes)
        if pending:
            yield self._decoder.decode(torch.stack(pending))

    def _frames(self, generate: Generate) -> Generator[Any, None, None]:
        """Yield each frame's codes, (code groups,)."""
        if self.engine == "hooks":
            return _hooked_frames(self._model, generate)
        prompt = read_prompt(self._model, generate)
        if self._loop is None or self._loop.sampling != prompt.sampling:
            self._loop = None  # two do not fit
            self._loop = FrameLoop(self._model, prompt.sampling, self._device)
        return self._loop.frames(prompt)


def growing(first: int, longest: int) -> Iterator[int]:
    """The sizes of blocks: each twice the last one, up to a bound."""
    while True:
        yield first
        first = min(2 * first, longest)


class _Cancelled(Exception):
    """Raised inside the talker to end a generation; the next one is not affected by it."""


class _AllFramesOut(Exception):
    """Raised where the package begins to decode the whole, which we have done by then."""


class _Generation:
    """One run of a `generate_*` method in a thread, a frame at a time."""

    def __init__(self, model: Any) -> None:
        self.cancelled = threading.Event()
        self.out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        """Each frame's codes, then None or what failed."""
        self._model = model

    def run(self, generate: Generate) -> None:
        try:
            self._run(generate)
        except (_Cancelled, _AllFramesOut):
            self.out.put(None)
        except BaseException as exc:
            self.out.put(exc)
        else:
            self.out.put(None)

    def _run(self, generate: Generate) -> None:
        talker, tokenizer = self._model.talker, self._model.speech_tokenizer
        with contextlib.ExitStack() as hooks:
            hooks.callback(talker.register_forward_pre_hook(self._before_frame).remove)
            hooks.callback(talker.register_forward_hook(self._after_frame).remove)
            tokenizer.decode = self._instead_of_decode
            hooks.callback(vars(tokenizer).pop, "decode")
            generate()

    def _before_frame(self, _module: Any, _args: Any) -> None:
        if self.cancelled.is_set():
            raise _Cancelled

    def _after_frame(self, _module: Any, _args: Any, output: Any) -> None:
        codes = output.hidden_states[1]
        if codes is not None:  # None: the prompt was read, no frame made yet
            self.out.put(codes[0])

    def _instead_of_decode(self, *_args: Any, **_kwargs: Any) -> None:
        raise _AllFramesOut


def _hooked_frames(model: Any, generate: Generate) -> Generator[Any, None, None]:
    generation = _Generation(model)
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
