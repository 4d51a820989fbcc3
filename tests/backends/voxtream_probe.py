"""Measures what only the inside of voxtream shows; runs in its environment.

    PYTHONPATH=<checkout> INTERPRETER voxtream_probe.py BACKEND_DIR MODEL_DIR ANSWER_PATH

The answer: how the model of a folder is loaded, which hosts the process connected to, whether the
adapter's speech is that of the package's own call, and what comes of a model that does not compile.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

CONNECTIONS: list[str] = []


def note_connection(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo"):
        CONNECTIONS.append(f"{event} {args[-1] if event == 'socket.connect' else args[0]}")


sys.addaudithook(note_connection)
# CUDA graphs call what they would capture: there is no CUDA here.
os.environ["NO_CUDA_GRAPH"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # as in a host

import numpy as np  # noqa: E402 - behind the hook
import torch  # noqa: E402

from vox.backends.base import Settings, Utterance  # noqa: E402
from vox.backends.voxtream import engine, phonemes, prompt  # noqa: E402
from vox.backends.voxtream.adapter import Voxtream  # noqa: E402

TEXT = "Hello there."
PUNCTUATED = ("Before four: the north, (or so) he said!", "“Really?” - “No…”", "Yes")


def spoken(adapter: Voxtream, speed: float = 1.0) -> Any:
    torch.manual_seed(1)
    chunks = adapter.synthesize(Utterance(TEXT, speed=speed))
    return np.concatenate([samples for samples, _ in chunks])


def by_the_package(adapter: Voxtream, **how: Any) -> Any:
    torch.manual_seed(1)
    path = Path(prompt.default_path(adapter.settings))
    stream = adapter._generator.generate_stream(prompt_audio_path=path, text=TEXT, **how)
    return np.clip(np.concatenate([samples for samples, _ in stream]), -1, 1)


def both_phonemizers(text: str) -> list[str] | None:
    """What the library and what the package's own way, the program, make of a text."""
    from voxtream.utils.text.phonemizer import ESpeak

    if not (importlib.util.find_spec(phonemes.PACKAGE) and shutil.which("espeak-ng")):
        return None
    return [phonemizer().phonemize(text) for phonemizer in (phonemes.Phonemizer, ESpeak)]


def refuse(_graph: Any, _inputs: Any) -> Any:
    raise RuntimeError("no compiler here\nsecond line")


def after_a_failed_compilation(adapter: Voxtream) -> dict[str, Any] | None:
    """As the package compiles, with a compiler that fails; None in a build of torch for GPUs.

    Such a build, without a GPU, does not even say whether a graph is being captured.
    """
    if torch.version.cuda:
        return None
    model, before = adapter._generator.model, spoken(adapter)
    for compiled, method in engine.COMPILED.items():
        setattr(model, compiled, torch.compile(getattr(model, method), backend=refuse))
    name, note = engine.warm_up(adapter._generator, "cuda", True, adapter._speak_a_bit)
    # Dynamo, once it is imported, rounds differently.
    same = bool(np.allclose(before, spoken(adapter), atol=1e-4))
    return {"engine": name, "note": note, "same_sound": same}


def main() -> None:
    _, backend_dir, model_dir, answer_path = sys.argv
    adapter = Voxtream(Settings("", backend_dir, model=model_dir, device="cpu"))
    loaded = adapter.load(lambda _text, _fraction: None)
    free = spoken(adapter)
    answer = {
        "model": loaded.model,
        "engine": loaded.engine,
        "uncontrolled": bool(np.array_equal(free, by_the_package(adapter))),
        "three_syllables_per_s": bool(
            np.array_equal(
                spoken(adapter, 0.75),
                by_the_package(adapter, speaking_rate=itertools.repeat(3.0)),
            )
        ),
        "four_differ": not np.array_equal(
            free, by_the_package(adapter, speaking_rate=itertools.repeat(4.0))
        ),
        "failed_compilation": after_a_failed_compilation(adapter),
        "phonemes": [both_phonemizers(text) for text in PUNCTUATED],
        "connections": CONNECTIONS,
    }
    Path(answer_path).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
