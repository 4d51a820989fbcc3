"""qwen: Qwen3-TTS by what suits the machine: MLX on Apple silicon, elsewhere as `qwen-native`."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from ..base import Backend, Info
from ..registry import on_apple_silicon
from .mlx import QwenMlx
from .native import QwenNative


class QwenElsewhere(QwenNative):
    """`qwen-native` under the name `qwen`."""

    info: ClassVar[Info] = dataclasses.replace(
        QwenNative.info,
        name="qwen",
        shares_environment_of="qwen-native",
        same_voices_as="qwen-native",
    )


Qwen: type[Backend] = QwenMlx if on_apple_silicon() else QwenElsewhere
