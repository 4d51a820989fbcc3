"""The 12 Hz speech tokenizer's decoder, fed block by block, sample for sample the same.

Everything in it is causal: convolutions, and a transformer with a sliding window. So each layer is
given the end of what it saw before: tensors of a fixed size that are written in place, so that on
CUDA a block can be a captured graph. Decoding with some frames of left context instead costs that
context again with every block and is not exact, for the windows of eight layers reach further.

Written against qwen-tts 0.1.1 (pinned); runs in the host alone.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .graphs import Step

if TYPE_CHECKING:
    from ..base import Samples

BLOCKS = (1, 2, 4, 8)
"""Frames (80 ms each) of the blocks that are captured."""

DecoderState = list[Any]
"""What the decoder's layers remember: a tensor each, some 5 MB together at full size."""


class BlockDecoder:
    """One recording's audio at a time, each block following on the one before."""

    def __init__(self, speech_tokenizer: Any, device: str | None = None) -> None:
        """`device`: a CUDA device whose graphs are captured; None: nothing is captured."""
        import torch

        self._decoder = speech_tokenizer.model.decoder
        self._device, self._dtype = speech_tokenizer.device, self._decoder.dtype
        with torch.inference_mode():
            self._tails = {
                module: torch.zeros((1, module.conv.in_channels, memory), **self._like)
                for module in self._decoder.modules()
                if (memory := _memory_of(module))
            }
            self._window = _Window(self._decoder.pre_transformer, self._like)
        self._steps: dict[int, _Block] = {}
        if device is not None:
            pool = torch.cuda.graph_pool_handle()
            for frames in BLOCKS:
                self._steps[frames] = block = _Block(self, frames)
                block.step.capture(device, pool)

    @property
    def _like(self) -> dict[str, Any]:
        return {"dtype": self._dtype, "device": self._device}

    def begin(self, after: DecoderState | None = None) -> None:
        """Begin a recording; `after`: the state behind the audio that it follows on."""
        import torch

        with torch.inference_mode():
            for index, tensor in enumerate(self._state()):
                if after is None:
                    tensor.zero_()
                else:
                    tensor.copy_(after[index])

    def state(self) -> DecoderState:
        """A copy of what the layers remember now."""
        return [tensor.clone() for tensor in self._state()]

    def _state(self) -> DecoderState:
        return [*self._tails.values(), *self._window.tensors()]

    def decode(self, codes: Any) -> Samples:
        """The audio of the next frames; `codes`: a tensor (frames, code groups)."""
        import numpy as np
        import torch

        parts = []
        with torch.inference_mode():
            for size in _sizes(len(codes)):
                part, codes = codes[:size], codes[size:]
                block = self._steps.get(size)
                if block is None:
                    audio = self._compute(part.to(self._device))
                else:
                    block.codes.copy_(part)
                    block.step()
                    audio = block.audio
                parts.append(audio.to("cpu", torch.float32, copy=True).numpy())
        samples: Samples = np.concatenate(parts)
        return samples

    def _compute(self, codes: Any) -> Any:
        with self._remembering(len(codes)):
            return self._decoder(codes.T.unsqueeze(0))[0, 0]

    @contextlib.contextmanager
    def _remembering(self, frames: int) -> Iterator[None]:
        """While this lasts the package's decoder goes on where its last block ended."""
        transformer = self._decoder.pre_transformer
        changed = [*self._tails, transformer]
        try:
            for module in self._tails:
                module.forward = functools.partial(self._convolve, module)
            transformer.forward = self._window.transform(transformer.forward, frames)
            yield
        finally:
            for module in changed:
                vars(module).pop("forward", None)

    def _convolve(self, module: Any, new: Any) -> Any:
        import torch

        tail = self._tails[module]
        memory, length = tail.shape[-1], new.shape[-1]
        whole = torch.cat((tail, new), dim=-1)
        tail.copy_(whole[..., -memory:])
        output = module.conv(whole)
        if isinstance(module.conv, torch.nn.ConvTranspose1d):
            stride = module.conv.stride[0]
            output = output[..., memory * stride : (memory + length) * stride]
        return output.contiguous()


class _Window:
    """The keys and values that the decoder's transformer still sees, in place of a cache."""

    def __init__(self, transformer: Any, like: dict[str, Any]) -> None:
        import torch

        config = transformer.config
        self._memory = config.sliding_window - 1
        head_size = transformer.layers[0].self_attn.head_dim
        shape = (1, config.num_key_value_heads, self._memory, head_size)
        self._layers = [
            (torch.zeros(shape, **like), torch.zeros(shape, **like)) for _ in transformer.layers
        ]
        self._position = torch.zeros(1, dtype=torch.int64, device=like["device"])
        """Of the next frame."""

    def tensors(self) -> DecoderState:
        return [self._position, *(tensor for pair in self._layers for tensor in pair)]

    def transform(self, forward: Callable[..., Any], frames: int) -> Callable[..., Any]:
        """The transformer's `forward` for so many frames behind the last ones."""
        import torch

        def transformed(inputs_embeds: Any) -> Any:
            steps = torch.arange(self._memory + frames, device=inputs_embeds.device)
            positions = self._position + steps[:frames]
            seen = self._position - self._memory + steps
            hidden = (seen < 0) | (seen > positions[:, None])
            hidden |= seen < positions[:, None] - self._memory
            mask = inputs_embeds.new_zeros(hidden.shape).masked_fill_(hidden, -float("inf"))
            output = forward(
                inputs_embeds=inputs_embeds,
                attention_mask={"sliding_attention": mask[None, None], "full_attention": None},
                past_key_values=self,
                use_cache=True,
                cache_position=positions,
            )
            self._position.add_(frames)
            return output

        return transformed

    def update(self, keys: Any, values: Any, layer: int, _how: Any) -> tuple[Any, Any]:
        """What a layer attends to: what it remembers, then the new; called by the package."""
        import torch

        whole = []
        for memory, new in zip(self._layers[layer], (keys, values), strict=True):
            whole.append(torch.cat((memory, new), dim=2))
            memory.copy_(whole[-1][:, :, -self._memory :])
        return whole[0], whole[1]


class _Block:
    """A step that decodes so many frames from `codes` to `audio`."""

    def __init__(self, decoder: BlockDecoder, frames: int) -> None:
        import torch

        config, device = decoder._decoder.config, decoder._device
        samples = frames * int(decoder._decoder.total_upsample)
        self.codes = torch.zeros((frames, config.num_quantizers), dtype=torch.int64, device=device)
        self.audio = torch.zeros(samples, **decoder._like)
        self.step = Step(lambda: self.audio.copy_(decoder._compute(self.codes)))


def _sizes(frames: int) -> Iterator[int]:
    """Blocks that add up to so many frames, none longer than the longest captured one."""
    for size in reversed(BLOCKS):
        while frames >= size:
            yield size
            frames -= size


def _memory_of(module: Any) -> int:
    """How many input steps back a convolution of the package looks; 0 for other modules."""
    import torch

    conv = getattr(module, "conv", None)
    if isinstance(conv, torch.nn.ConvTranspose1d):
        return int(-(-conv.kernel_size[0] // conv.stride[0]) - 1)
    return module.padding if isinstance(conv, torch.nn.Conv1d) else 0
