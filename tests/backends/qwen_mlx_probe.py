"""What `qwen.mlx` makes of a clone's recording; runs in the environment of qwen-mlx.

    PYTHONPATH=<checkout> INTERPRETER qwen_mlx_probe.py RECORDING ANSWER_PATH

The answer: its length in samples, with a transcript and without, and how loud its end is.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from vox.backends.base import Clone, Utterance
from vox.backends.qwen.mlx import _voice_arguments


def main() -> None:
    recording, answer_path = sys.argv[1:]
    answer = {}
    for name, transcript in (("with", "what is said in it"), ("without", None)):
        utterance = Utterance("Hi.", clone=Clone("me", recording, transcript))
        given = _voice_arguments(None, "Base", utterance)
        samples = np.array(given["ref_audio"])
        answer[name] = {
            "shape": samples.shape,
            "end": float(np.abs(samples[-12_000:]).max()),
            "text": given["ref_text"],
        }
    with open(answer_path, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
