"""Weights of eight bits for the CPU: a frame costs what reading the weights from memory costs.

Each row of a matrix is kept as whole numbers from -127 to 127 and one factor. What is multiplied
with it stays bfloat16, and the products are summed in float32. The heads that choose codes, the
embeddings and the codec stay as they are. Knows torch alone, no model; runs in the host.

Why not an engine in C: with weights of the same size (Q8_0) `realtimetts-qwen-native-cpu` 0.4.2
(qwentts.cpp on GGML) takes 360 to 389 ms for a frame of the 0.6B where this takes 339 and float32
683 (one machine, two idle cores, random weights, not the same run). In CPU time on a loaded
machine it needed a sixth less than this. It is quicker with the codes and slower with the codec.
It would take another format of the weights, from a repository that is not the models' own, and
glibc 2.35; `qwentts-cpp-python` 0.5.0 takes glibc 2.38 and CUDA 12.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def shrink(layers: Any) -> None:
    """Let every linear module in it compute with weights of eight bits, in place.

    `layers`: a module in bfloat16 on the CPU.
    """
    import torch

    with torch.inference_mode(False), torch.no_grad():
        for module in layers.modules():
            if isinstance(module, torch.nn.Linear):
                weight = module.weight.float()
                scale = weight.abs().amax(dim=1).clamp_(min=1e-12).div_(127)
                # Rounded to the factor that is kept, not to the one before its rounding.
                scale = scale.to(torch.bfloat16)
                whole = (weight / scale[:, None].float()).round_().clamp_(-127, 127)
                whole = whole.to(torch.int8)
                module.weight = torch.nn.Parameter(whole, requires_grad=False)
                module.scale = scale
                module.forward = functools.partial(_forward, module)


def _forward(module: Any, inputs: Any) -> Any:
    # The weight may be elsewhere by now: see `layers`.
    return _multiply(inputs, weight=module.weight, scale=module.scale, bias=module.bias)


def product(weight: Any, scale: Any, bias: Any) -> Callable[[Any], Any]:
    """What a linear module computes with such a weight.

    `weight`: (outputs, inputs) int8; `scale`, `bias`: (outputs,) bfloat16, `bias` may be None.
    """
    return functools.partial(_multiply, weight=weight, scale=scale, bias=bias)


def _multiply(inputs: Any, *, weight: Any, scale: Any, bias: Any) -> Any:
    import torch

    # What torch's own compiler makes of such weights.
    rows = inputs.reshape(-1, inputs.shape[-1])
    result = torch._weight_int8pack_mm(rows, weight, scale)
    result = result.view(*inputs.shape[:-1], len(weight))
    return result if bias is None else result + bias
