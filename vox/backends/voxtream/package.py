"""The package voxtream, imported faster, and with our own in place of some of its functions.

It then finds its files without asking Hugging Face's cache, computes a prompt once, and needs no
program espeak-ng. An environment that was made without the library still uses that program, which
then never takes text for an option.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import UnknownVoice
from ..base import Settings
from ..kit import torch_tools
from . import phonemes, prompt, weights

_PROMPTS_KEPT = 8


def load(settings: Settings) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The package's classes of a generator and of its configuration. Raises ImportError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The package builds its three transformers when it is imported, 780 M numbers, and then
        # loads all of them from the file (it checks that): this saves 10 s and 3 GB of memory.
        with torch_tools.no_initial_values():
            importlib.import_module("voxtream.utils.model")
        generator: Any = importlib.import_module("voxtream.generator")
        config: Any = importlib.import_module("voxtream.config")
    if importlib.util.find_spec(phonemes.PACKAGE):
        generator.ESpeak = phonemes.Phonemizer
    phonemizer: Any = importlib.import_module("voxtream.utils.text.phonemizer")
    phonemizer._espeak_exe = run_espeak
    setup: Any = importlib.import_module("voxtream.utils.generator.setup")
    setup.hf_hub_download = lambda repo, name, token=None: weights.file_of(settings, repo, name)
    generator.prepare_prompt = _Prompts(generator.prepare_prompt)
    return generator.SpeechGenerator, config.SpeechGeneratorConfig


def run_espeak(program: str, args: list[str], sync: bool = False) -> list[bytes]:
    """The lines that espeak-ng prints, as the package's own function gives them.

    But the text, always the last argument, is never taken for an option, and espeak-ng cannot
    read the host's commands from standard input.
    """
    *options, last = args
    if last not in ("--voices", "--version"):
        options.append("--")
    done = subprocess.run(
        [program, "-q", "-b", "1", *options, last],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout.splitlines(keepends=True)


class _Prompts:
    """Caches what the package computes from a prompt; it would do so for every utterance."""

    def __init__(self, prepare: Callable[..., Any]) -> None:
        self._prepare = prepare
        self._kept: dict[tuple[str, int, int], Any] = {}

    def __call__(self, prompt_audio_path: Path, **options: Any) -> Any:
        try:
            stat = prompt_audio_path.stat()
        except OSError as exc:
            raise UnknownVoice(
                f"the recording {prompt_audio_path.name} cannot be read: {exc.strerror}",
                "see: vox clone list",
            ) from exc
        key = (str(prompt_audio_path), stat.st_mtime_ns, stat.st_size)
        kept = self._kept.pop(key, None)
        if kept is None:
            with tempfile.TemporaryDirectory() as folder:
                path = prompt.cut(prompt_audio_path, folder)
                kept = self._prepare(prompt_audio_path=path, **options)
        self._kept[key] = kept
        while len(self._kept) > _PROMPTS_KEPT:
            del self._kept[next(iter(self._kept))]
        return kept
