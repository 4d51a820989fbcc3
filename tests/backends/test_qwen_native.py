"""qwen-native in its own environment, on tiny random checkpoints: what it says is noise."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.backends.conftest import Environment
from tests.backends.worlds import QWEN, run
from vox.backends.base import Clone, Settings, Utterance
from vox.bootstrap import bootstrap_args
from vox.errors import BackendNotInstalled, LoadFailed, UnknownVoice
from vox.hosts.handle import Handle

pytestmark = pytest.mark.heavy

PUBLISHED = QWEN["qwen-native"]
FRAME = 1920


@pytest.fixture(scope="module")
def python(environment: Environment) -> str:
    return environment("qwen-native")[0]


@pytest.fixture(scope="module")
def settings(environment: Environment) -> Settings:
    """With all three kinds of weights, as an installation lays them down."""
    return environment("qwen-native")[1]


def started(python: str, settings: Settings) -> Handle:
    command = [python, *bootstrap_args("vox.hosts.host")]
    return Handle("qwen-native", command, "vox.backends.qwen.native:QwenNative", settings)


@pytest.fixture(scope="module")
def host(python: str, settings: Settings) -> Iterator[Handle]:
    handle = started(python, settings)
    handle.load()
    yield handle
    handle.close()


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "recording.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    soundfile.write(path, noise, 24_000)
    return str(path)


@pytest.fixture(scope="module")
def opened(
    python: str, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    answer = tmp_path_factory.mktemp("opened") / "answer.json"
    weights = [
        os.path.join(settings.env_dir, "weights", PUBLISHED[kind])
        for kind in ("base", "custom_voice")
    ]
    run(python, "qwen_opening_probe.py", *weights, str(answer))
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


@pytest.fixture(scope="module")
def probe(opened: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = opened["inside"]
    return found


def test_text_is_split_into_tokens_as_the_models_were_trained(opened: dict[str, Any]) -> None:
    tokens = opened["tokens"]
    assert tokens["ours"] == tokens["qwen2"]
    # Else nothing is tested: the package takes the local folder's tokenizer for a Mistral's.
    assert tokens["package"][0] != tokens["qwen2"][0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_codec_computes_in_float32_beside_a_talker_of_half_precision(
    opened: dict[str, Any], dtype: str
) -> None:
    found = opened[dtype]
    assert (found["talker"], found["codec"]) == (f"torch.{dtype}", ["torch.float32"])
    assert found["error"] < 1e-4
    assert found["same_codes_of_a_recording"] == 1.0


def test_a_recording_with_a_transcript_ends_with_a_pause_that_the_sound_follows_on(
    opened: dict[str, Any],
) -> None:
    found = opened["recording"]
    assert 2.5 <= found["seconds"] < 2.66  # of two seconds, in whole frames of 80 ms
    assert found["error"] < 1e-4
    assert found["by_its_voice_alone"]


def speak(host: Handle, text: str = "Hi.", **how: Any) -> Any:
    chunks = list(host.synthesize(Utterance(text, **how)))
    assert {rate for _, rate in chunks} == {24_000}
    return np.concatenate([samples for samples, _ in chunks])


ENGINES = ("loop", "hooks")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("blocks", ["1 to 8", "4 to 4", "3 to 12"])
def test_streamed_sound_is_that_of_the_whole(
    probe: dict[str, Any], engine: str, blocks: str
) -> None:
    found = probe["streamed"][f"{engine} {blocks}"]
    assert found["frames"] * FRAME == found["samples"]
    assert found["level"] > 0.01
    assert found["error"] < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
def test_blocks_grow_to_a_bound_and_the_last_is_what_remains(
    probe: dict[str, Any], engine: str
) -> None:
    streamed = probe["streamed"]
    assert streamed[f"{engine} 1 to 8"]["blocks"] == [1, 2, 4] + 11 * [8] + [5]
    assert streamed[f"{engine} 4 to 4"]["blocks"] == 25 * [4]


def test_sound_follows_on_a_recording_as_if_decoded_with_it(probe: dict[str, Any]) -> None:
    assert probe["error_behind_a_recording"] < 1e-4


def test_what_is_kept_of_a_recording_is_what_it_needs(probe: dict[str, Any]) -> None:
    state = probe["bytes_of_state"]
    assert state["held"] == state["needed"] < 100_000


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cancel_takes_effect_within_a_frame(probe: dict[str, Any], engine: str) -> None:
    cancel = probe["cancel"][engine]
    assert cancel["at_end"] - cancel["at_cancel"] <= 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cancel_leaves_the_next_synthesis_as_it_would_have_been(
    probe: dict[str, Any], engine: str
) -> None:
    assert probe["same_after_cancel"][engine]


def test_the_package_is_left_as_it_was(probe: dict[str, Any]) -> None:
    assert probe["left_behind"] == 0


def test_every_named_speaker_speaks(host: Handle) -> None:
    for voice in ("Ryan", "vivian", "Uncle Fu"):
        assert np.abs(speak(host, voice=voice)).max() <= 1.0


def test_sound_comes_before_the_utterance_is_through(host: Handle) -> None:
    chunks = host.synthesize(Utterance("A sentence that never comes to its end."))
    first = next(iter(chunks))
    assert len(first.samples) == 4 * FRAME
    assert sum(1 for _ in chunks) > 1


def test_speech_without_an_end_is_bounded_by_its_text(host: Handle) -> None:
    # Random weights hardly ever end; 50 frames is what the shortest text may take.
    lengths = [len(speak(host, "Hi.")) for _ in range(3)]
    assert max(lengths) <= 50 * FRAME
    assert len(speak(host, "这" * 40)) <= 320 * FRAME


def test_a_cancelled_synthesis_leaves_the_host_warm(host: Handle) -> None:
    pid = host.pid
    chunks = host.synthesize(Utterance("A sentence that is broken off. " * 10))
    next(iter(chunks))
    chunks.close()  # type: ignore[attr-defined]
    assert len(speak(host)) > 0
    assert host.pid == pid


@pytest.mark.parametrize("transcript", [None, "what is said in it"])
def test_a_clone_speaks_through_base_weights(
    host: Handle, recording: str, transcript: str | None
) -> None:
    clone = Clone("me", recording, transcript)
    for _ in range(2):
        assert len(speak(host, clone=clone)) > 0


def test_a_style_without_a_voice_designs_one(host: Handle) -> None:
    assert len(speak(host, style="an old giant", lang="de")) > 0


def test_a_host_loads_the_weights_that_its_requests_need_and_no_others(
    python: str, settings: Settings
) -> None:
    handle, steps = started(python, settings), list[str]()
    cloned = Utterance("", clone=Clone("me", "/me.wav"))
    models = []
    try:
        for wish in (Utterance("", style="an old giant"), cloned, cloned, None, None):
            handle.load(wish, lambda text, _fraction: steps.append(text))
            models.append(handle.model)
    finally:
        handle.close()
    names = ["1.7B-VoiceDesign", "0.6B-Base", "0.6B-CustomVoice"]
    assert steps == [f"loading Qwen3-TTS-12Hz-{name}" for name in names]
    loaded = [f"Qwen/Qwen3-TTS-12Hz-{', '.join(names[:count])}" for count in (1, 2, 3)]
    assert models == [loaded[0], loaded[1], loaded[1], loaded[2], loaded[2]]


def test_an_unknown_voice_is_refused_with_those_there_are(host: Handle) -> None:
    with pytest.raises(UnknownVoice, match="Bob") as refused:
        speak(host, voice="Bob")
    assert "Ono_Anna" in refused.value.hint
    assert len(speak(host)) > 0


@pytest.mark.parametrize("content", [None, b"no sound"])
def test_a_clone_without_a_usable_recording_is_refused(
    host: Handle, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "gone.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnknownVoice, match="'me'"):
        speak(host, clone=Clone("me", str(path)))


def test_a_host_says_which_engine_it_uses(host: Handle) -> None:
    assert host.engine == "loop"  # and "hooks" below


def test_what_our_loop_cannot_do_is_left_to_the_package_and_the_caller_told(
    python: str, settings: Settings, tmp_path: Path
) -> None:
    other = tmp_path / "windowed"
    published = os.path.join(settings.env_dir, "weights", PUBLISHED["custom_voice"])
    shutil.copytree(published, other)
    config = json.loads((other / "config.json").read_text())
    config["talker_config"] |= {"use_sliding_window": True, "sliding_window": 64}
    (other / "config.json").write_text(json.dumps(config))
    handle = started(python, dataclasses.replace(settings, model=str(other)))
    try:
        handle.load()
        assert handle.engine == "hooks"
        assert "loop failed" in handle.take_notes()[0]
        assert len(speak(handle)) > 0
    finally:
        handle.close()


def failed_load(python: str, settings: Settings) -> Callable[[], None]:
    return started(python, settings).load


def test_absent_weights_name_the_command_that_fetches_them(python: str, settings: Settings) -> None:
    with pytest.raises(BackendNotInstalled) as refused:
        failed_load(python, dataclasses.replace(settings, model="1.7B"))()
    assert "vox backends install qwen-native -m 1.7B-CustomVoice" in refused.value.hint


@pytest.mark.parametrize("engine", ["loop", "hooks"])
def test_weights_of_eight_bits_speak(python: str, settings: Settings, engine: str) -> None:
    options = {"dtype": "int8", "engine": engine}
    handle = started(python, dataclasses.replace(settings, options=options))
    handle.load()
    try:
        assert (handle.device, handle.dtype, handle.engine) == ("cpu", "int8", engine)
        assert len(speak(handle)) > FRAME
    finally:
        handle.close()


def test_damaged_weights_and_impossible_settings_fail_in_one_line(
    python: str, settings: Settings, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    (damaged / "speech_tokenizer").mkdir(parents=True)
    for folder in (damaged, damaged / "speech_tokenizer"):
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"damaged")
    for wish in (
        dataclasses.replace(settings, model=str(damaged)),
        dataclasses.replace(settings, device="cuda:9"),
        dataclasses.replace(settings, options={"dtype": "int3"}),
        dataclasses.replace(settings, options={"engine": "graphs"}),
    ):
        with pytest.raises(LoadFailed) as failed:
            failed_load(python, wish)()
        assert "\n" not in failed.value.line
