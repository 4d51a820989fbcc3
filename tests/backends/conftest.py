"""What the backends' tests share: where their environments are, and an ear.

A backend that vox's own environment lacks is tested in an environment of its own, if one is named:
`VOX_TEST_BACKENDS_DIR` is a folder that `vox backends install` filled, `VOX_TEST_ENV_<NAME>` one
interpreter, and `VOX_TEST_MODEL_<NAME>` a checkpoint to load instead of the usual one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vox.audio.pcm import resampled, to_pcm16
from vox.backends.base import Settings
from vox.backends.environments import interpreter_for

Hear = Callable[..., list[str]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "heavy: needs a backend's own environment")


def variable(kind: str, name: str) -> str | None:
    return os.environ.get(f"VOX_TEST_{kind}_{name.upper().replace('-', '_')}")


@pytest.fixture(scope="session")
def environment(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[str, Settings]]:
    """The interpreter and the settings to test a backend with; skips where there is none."""

    def find(name: str) -> tuple[str, Settings]:
        backends_dir = os.environ.get("VOX_TEST_BACKENDS_DIR")
        backends_dir = backends_dir or str(tmp_path_factory.mktemp("backends"))
        interpreter = variable("ENV", name) or interpreter_for(name, backends_dir)
        if interpreter is None:
            pytest.skip(f"no environment for {name}")
        settings = Settings(
            voices_dir=str(tmp_path_factory.mktemp("voices")),
            env_dir=os.path.join(backends_dir, name),
            model=variable("MODEL", name),
            device="cpu",
        )
        return interpreter, settings

    return find


@pytest.fixture(scope="session")
def hear(tmp_path_factory: pytest.TempPathFactory) -> Hear:
    """Take speech down as words; with `among`, choose which of these sentences was said."""
    from pocketsphinx import Decoder

    def listen(samples: Any, sample_rate: int, among: list[str] | None = None) -> list[str]:
        options: dict[str, Any] = {"loglevel": "FATAL"}
        if among:
            grammar = Path(tmp_path_factory.mktemp("grammar")) / "sentences.jsgf"
            sentences = " | ".join(among)
            grammar.write_text(f"#JSGF V1.0;\ngrammar s;\npublic <s> = {sentences} ;\n")
            options |= {"jsgf": str(grammar), "lm": None}
        silence = np.zeros(sample_rate // 3, np.float32)
        padded = np.concatenate([silence, samples, silence]).astype(np.float32)
        decoder = Decoder(**options)
        decoder.start_utt()
        decoder.process_raw(to_pcm16(resampled(padded, sample_rate, 16_000)), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr.split() if found else []

    return listen
