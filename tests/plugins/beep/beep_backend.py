"""A third party's backend that is light: every word is a tenth of a second of a tone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from vox.backends.base import Backend, Chunk, Info, Loaded, Progress, Settings, Utterance, Voice
from vox.text.kinds import KINDS

SAMPLE_RATE = 24_000
PITCH_HZ = 1000.0
WORD_S = 0.1


class Beep(Backend):
    info: ClassVar[Info] = Info(
        name="beep",
        summary="beeps",
        package="",
        light=True,
        languages=("en",),
        reads=KINDS,  # it beeps once for each word as it was written
        license="Apache-2.0",
    )

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        return [Voice("beeper", "beep", "en-US", is_default=True)]

    def load(self, progress: Progress) -> Loaded:
        return Loaded(device="cpu")

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        count = round(len(utterance.text.split()) * WORD_S * SAMPLE_RATE)
        wave = 0.5 * np.sin(2 * np.pi * PITCH_HZ * np.arange(count) / SAMPLE_RATE)
        yield Chunk(wave.astype(np.float32), SAMPLE_RATE)
