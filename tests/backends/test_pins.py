"""What vox fetches is named by a commit or a checksum, never by a branch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vox.backends import kokoro
from vox.backends.base import Settings
from vox.backends.kit.huggingface import Pin
from vox.backends.piper import voices as piper
from vox.backends.qwen import family, pins
from vox.backends.qwen.mlx import QwenMlx
from vox.backends.qwen.native import QwenNative
from vox.backends.voxtream import pins as voxtream

VOX = Path(kokoro.__file__).parents[1]
COMMIT = re.compile("[0-9a-f]{40}")
SHA256 = re.compile("[0-9a-f]{64}")


@pytest.mark.parametrize("adapter", [QwenMlx, QwenNative])
@pytest.mark.parametrize("model", family.MODELS)
def test_every_published_qwen_checkpoint_has_a_commit(
    adapter: type[QwenMlx | QwenNative], model: str
) -> None:
    checkpoint = family.chosen(Settings("voices", "env", model=model), adapter.repo_pattern)
    assert checkpoint.repo in pins.PINS


@pytest.mark.parametrize("pin", [*pins.PINS.values(), *voxtream.PINS.values()])
def test_pins_are_commits_and_checksums(pin: Pin) -> None:
    assert COMMIT.fullmatch(pin.revision)
    assert all(SHA256.fullmatch(sha256) for sha256 in pin.sha256.values())


def test_no_two_files_have_the_same_checksum() -> None:
    """Who adds a pin copies a line, and may forget half of it."""
    models = [pin.sha256["model.safetensors"] for pin in pins.PINS.values() if pin.sha256]
    voices = [known.model_sha256 for known in piper.KNOWN.values() if known.model_sha256]
    configs = [known.config_sha256 for known in piper.KNOWN.values() if known.config_sha256]
    code = [*voxtream.SPEAKER_ENCODER_CODE.values(), voxtream.SPEAKER_ENCODER_SHA256]
    found = [*models, *voices, *configs, *code, *kokoro._SHA256.values()]
    assert len(set(found)) == len(found)
    assert all(SHA256.fullmatch(sha256) for sha256 in found)
    assert len(voices) == len(configs)
    assert COMMIT.fullmatch(piper.REVISION)
    assert COMMIT.fullmatch(voxtream.SPEAKER_ENCODER_COMMIT)


def test_kokoro_knows_the_checksum_of_every_file_that_it_fetches() -> None:
    files = {*kokoro._MODELS.values(), kokoro._VOICES_FILE, kokoro._FALLBACK_VOICES_FILE}
    assert files == set(kokoro._SHA256)


def test_nothing_is_fetched_from_a_branch() -> None:
    branch = re.compile(r"resolve/(main|master)|:(main|master)\b|skip_validation|trust_repo")
    found = [path.name for path in VOX.rglob("*.py") if branch.search(path.read_text("utf-8"))]
    assert found == []
