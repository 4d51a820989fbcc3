"""The transformer layers of the talker and of its code predictor, over memory of fixed size.

They compute what the package's layers do, with their weights, in a third of the operations: the
matrices that read the same input are joined, and positions are rotated by tables. Written against
qwen-tts 0.1.1 (pinned); runs in the host alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import int8


@dataclass(frozen=True, slots=True)
class _Layer:
    module: Any
    qkv: Callable[[Any], Any]
    """The joined projections to queries, keys and values."""
    gate_up: Callable[[Any], Any]


class Layers:
    """A `Qwen3TTSTalkerModel` or `Qwen3TTSTalkerCodePredictorModel`, for one sequence."""

    def __init__(self, model: Any) -> None:
        attention = model.layers[0].self_attn
        config = model.config
        if config.sliding_window is not None:
            raise ValueError("layers with a sliding window are not supported")
        self._model = model
        self._head_size = attention.head_dim
        self._key_heads = config.num_key_value_heads
        self._heads = config.num_attention_heads
        self._scale = attention.scaling
        self._layers = [
            _Layer(
                layer,
                _joined(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj),
                _joined(layer.mlp.gate_proj, layer.mlp.up_proj),
            )
            for layer in model.layers
        ]
        weight = model.norm.weight
        self.dtype, self.device = weight.dtype, weight.device
        self.memory: list[tuple[Any, Any]] = []
        """Each layer's keys and values, (1, heads, capacity, head size)."""
        self._cos: Any = None
        self._sin: Any = None

    def reserve(self, capacity: int) -> None:
        """Allocate memory for sequences of this length; what is there is lost."""
        import torch

        shape = (1, self._key_heads, capacity, self._head_size)
        like = {"dtype": self.dtype, "device": self.device}
        self.memory = []
        self.memory = [
            (torch.zeros(shape, **like), torch.zeros(shape, **like)) for _ in self._layers
        ]
        self._cos, self._sin = self._rotations(torch.arange(capacity, device=self.device))

    def _rotations(self, positions: Any) -> tuple[Any, Any]:
        """Cosines, and sines whose first half is negated: see `_rotated`. (positions, 1, size)"""
        import torch

        positions = positions[None]
        if "mrope_section" in (self._model.config.rope_scaling or {}):
            # One position for time, height and width each: with text they are the same.
            positions = positions.expand(3, 1, -1)
        like = torch.empty(0, dtype=self.dtype, device=self.device)
        cos, sin = self._model.rotary_emb(like, positions)
        cos, sin = (table.reshape(-1, *table.shape[-2:])[0] for table in (cos, sin))
        half = self._head_size // 2
        sin = torch.cat((-sin[:, :half], sin[:, half:]), dim=-1)
        return cos.unsqueeze(1).contiguous(), sin.unsqueeze(1).contiguous()

    def __call__(self, hidden: Any, positions: Any, length: int, mask: Any) -> Any:
        """The output for the next inputs, after the last norm; both (inputs, hidden size).

        `positions`: theirs, int64, where their keys and values are kept. They look at the first
        `length` positions, but for those where `mask` (its last dimension is `length`) is
        -infinity.
        """
        import torch
        from torch.nn import functional

        count, heads, key_heads, size = len(hidden), self._heads, self._key_heads, self._head_size
        group = heads // key_heads
        cos, sin = self._cos.index_select(0, positions), self._sin.index_select(0, positions)
        for layer, (keys, values) in zip(self._layers, self.memory, strict=True):
            module, attention = layer.module, layer.module.self_attn
            mixed = layer.qkv(_normed(hidden, module.input_layernorm))
            mixed = mixed.view(count, heads + 2 * key_heads, size)
            turned = torch.cat(
                (
                    _normed(mixed[:, :heads], attention.q_norm),
                    _normed(mixed[:, heads:-key_heads], attention.k_norm),
                ),
                dim=1,
            )
            turned = turned * cos + turned.roll(size // 2, -1) * sin
            keys.index_copy_(2, positions, turned[:, heads:].transpose(0, 1)[None])
            values.index_copy_(2, positions, mixed[:, -key_heads:].transpose(0, 1)[None])
            # The queries that share a head of keys stand in for further inputs of that head.
            queries = turned[:, :heads].view(count, key_heads, group, size)
            queries = queries.permute(1, 2, 0, 3).reshape(1, key_heads, group * count, size)
            seen = functional.scaled_dot_product_attention(
                queries,
                keys[:, :, :length],
                values[:, :, :length],
                attn_mask=mask,
                scale=self._scale,
            )
            seen = seen.view(key_heads, group, count, size).permute(2, 0, 1, 3)
            hidden = hidden + attention.o_proj(seen.reshape(count, heads * size))
            normed = _normed(hidden, module.post_attention_layernorm)
            gate, up = layer.gate_up(normed).chunk(2, dim=-1)
            hidden = hidden + module.mlp.down_proj(module.mlp.act_fn(gate) * up)
        return _normed(hidden, self._model.norm)


def _normed(hidden: Any, norm: Any) -> Any:
    from torch.nn import functional

    return functional.rms_norm(hidden, (hidden.shape[-1],), norm.weight, eps=norm.variance_epsilon)


def _joined(*linears: Any) -> Callable[[Any], Any]:
    """One linear module in place of several; their weights become views of its."""
    import torch
    from torch.nn import functional

    with torch.inference_mode(False), torch.no_grad():
        weight = torch.cat([linear.weight for linear in linears])
        sizes = [linear.out_features for linear in linears]
        for linear, part in zip(linears, weight.split(sizes), strict=True):
            linear.weight.data = part
        biases = [linear.bias for linear in linears]
        bias = None if biases[0] is None else torch.cat(biases)
        if weight.dtype == torch.int8:
            return int8.product(weight, torch.cat([linear.scale for linear in linears]), bias)
        return functools.partial(functional.linear, weight=weight, bias=bias)
