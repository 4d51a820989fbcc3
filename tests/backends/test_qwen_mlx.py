"""qwen on MLX (on Linux `mlx[cpu]`), on tiny random checkpoints: what it says is noise."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.backends.conftest import Environment
from tests.backends.worlds import run
from vox.backends.base import Clone, Settings, Utterance
from vox.backends.qwen.mlx import QwenMlx
from vox.bootstrap import bootstrap_args
from vox.errors import BackendNotInstalled, UnknownVoice
from vox.hosts.handle import Handle

pytestmark = pytest.mark.heavy

FRAME = 16
"""Samples of a frame of the tiny checkpoints for MLX."""


@pytest.fixture(scope="module")
def settings(environment: Environment) -> Settings:
    return environment("qwen-mlx")[1]


@pytest.fixture(scope="module")
def host(environment: Environment) -> Iterator[Handle]:
    python, settings = environment("qwen-mlx")
    command = [python, *bootstrap_args("vox.hosts.host")]
    handle = Handle("qwen", command, "vox.backends.qwen.mlx:QwenMlx", settings)
    handle.load()
    yield handle
    handle.close()


def write_noise(path: Path) -> None:
    """A recording of one second."""
    noise = np.random.default_rng(0).normal(0, 3000, 24_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(noise.tobytes())


def first_sound(host: Handle, **how: Any) -> Any:
    """The first chunk; the rest is cancelled, for MLX is slow on a CPU."""
    chunks = host.synthesize(Utterance("A sentence that never comes to its end.", **how))
    samples, rate = next(iter(chunks))
    chunks.close()  # type: ignore[attr-defined]
    assert rate == 24_000
    return samples


def test_a_chunk_is_two_frames_and_speech_is_bounded_by_its_text(host: Handle) -> None:
    chunks = [samples for samples, _ in host.synthesize(Utterance("Hi.", voice="ryan"))]
    assert all(len(samples) == 2 * FRAME for samples in chunks[:-1])
    assert len(chunks) > 1
    assert sum(map(len, chunks)) <= 50 * FRAME


def test_a_cancelled_synthesis_leaves_the_host_warm(host: Handle) -> None:
    pid = host.pid
    for _ in range(3):
        assert len(first_sound(host)) == 2 * FRAME
    assert host.pid == pid


@pytest.mark.parametrize("transcript", [None, "what is said in it"])
def test_a_clone_speaks_through_base_weights(
    host: Handle, tmp_path: Path, transcript: str | None
) -> None:
    path = tmp_path / "recording.wav"
    write_noise(path)
    assert len(first_sound(host, clone=Clone("me", str(path), transcript))) > 0


def test_a_recording_with_a_transcript_ends_with_a_pause(
    environment: Environment, tmp_path: Path
) -> None:
    python, _ = environment("qwen-mlx")
    recording, answer = tmp_path / "recording.wav", tmp_path / "answer.json"
    write_noise(recording)
    run(python, "qwen_mlx_probe.py", str(recording), str(answer))
    found = json.loads(answer.read_text())
    assert found["with"] == {"shape": [36_000], "end": 0.0, "text": "what is said in it"}
    assert found["without"]["shape"] == [24_000] and found["without"]["end"] > 0.0


def test_a_style_without_a_voice_designs_one(host: Handle) -> None:
    assert len(first_sound(host, style="an old giant", lang="de")) > 0


def test_a_host_loads_the_weights_that_its_requests_need_and_no_others(
    environment: Environment,
) -> None:
    python, settings = environment("qwen-mlx")
    command = [python, *bootstrap_args("vox.hosts.host")]
    handle = Handle("qwen", command, "vox.backends.qwen.mlx:QwenMlx", settings)
    base = "mlx-community/Qwen3-TTS-12Hz-0.6B-Base-bf16"
    try:
        handle.load(Utterance("", clone=Clone("me", "/me.wav")))
        assert handle.model == base
        handle.load(Utterance("", style="an old giant"))
        assert handle.model == f"{base}, 1.7B-VoiceDesign"
    finally:
        handle.close()


def test_an_unknown_voice_and_a_lost_recording_are_refused(host: Handle, tmp_path: Path) -> None:
    with pytest.raises(UnknownVoice, match="Bob"):
        first_sound(host, voice="Bob")
    with pytest.raises(UnknownVoice, match="'me'"):
        first_sound(host, clone=Clone("me", str(tmp_path / "gone.wav")))
    assert len(first_sound(host)) > 0


def test_absent_weights_name_the_command_that_fetches_them(settings: Settings) -> None:
    absent = Settings(voices_dir="", env_dir=settings.env_dir, model="1.7B")
    assert "1.7B-CustomVoice" in (QwenMlx.missing(absent) or "")
    with pytest.raises(BackendNotInstalled, match="not installed") as refused:
        QwenMlx(absent).load(lambda _text, _fraction: None)
    assert refused.value.hint == "run: vox backends install qwen -m 1.7B-CustomVoice"


class _Ending:
    """A model that ends before its first frame, so often."""

    supported_speakers = ("Ryan",)

    def __init__(self, times: int) -> None:
        self.left = times

    def generate(self, **_options: Any) -> Iterator[SimpleNamespace]:
        self.left -= 1
        if self.left < 0:
            yield SimpleNamespace(token_count=2, audio=np.ones(2 * FRAME))


@pytest.mark.parametrize(("times", "samples"), [(0, 2 * FRAME), (2, 2 * FRAME), (9, 0)])
def test_a_model_that_ends_before_its_first_frame_is_asked_again(
    tmp_path: Path, times: int, samples: int
) -> None:
    adapter = QwenMlx(Settings(str(tmp_path), str(tmp_path)))
    audio = adapter._speak(_Ending(times), "CustomVoice", Utterance("Hi."), 50)
    assert sum(map(len, audio)) == samples
