"""voxtream: what it says of itself, its weights and prompts, and the real package on tiny weights.

The tests marked heavy run the adapter in a host under voxtream's own environment (which one: see
conftest.py).
"""

from __future__ import annotations

import ctypes.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends.hub_server import COMMIT, HubServer, running
from tests.backends.worlds import run
from vox.backends.base import Chunk, Clone, Settings, Utterance
from vox.backends.voxtream import engine, prompt, weights
from vox.backends.voxtream.adapter import Voxtream
from vox.backends.voxtream.configs import GENERATOR
from vox.backends.voxtream.package import run_espeak
from vox.backends.voxtream.phonemes import Espeak
from vox.backends.voxtream.pins import PINS, SPEAKER_ENCODER_COMMIT
from vox.bootstrap import bootstrap_args
from vox.errors import BackendNotInstalled, LoadFailed, SynthesisFailed, UnknownModel, UnknownVoice
from vox.hosts.handle import Handle
from vox.hosts.launch import HOST_MODULE

CHECKOUT = Path(__file__).parents[2]
SENTENCE = "The build is finished and all the tests pass."
RATE = GENERATOR["mimi_sr"]


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def noise(duration_s: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.3, 0.3, int(duration_s * RATE))


def settings_in(folder: Path, **changes: str) -> Settings:
    return Settings(voices_dir=str(folder / "voices"), env_dir=str(folder / "voxtream"), **changes)


def with_the_library(settings: Settings) -> None:
    """An environment, as far as it can be seen from outside."""
    Path(settings.env_dir, "venv/lib/python3.11/site-packages/espeakng_loader").mkdir(parents=True)


# -- in vox's own process ------------------------------------------------------------------------


def test_longest_utterance_is_far_from_the_length_at_which_the_package_stops() -> None:
    slowest = min(Voxtream.info.speed or ()) * 4.0
    characters_per_syllable = 4
    longest_s = Voxtream.info.max_chars / characters_per_syllable / slowest
    assert longest_s < GENERATOR["max_audio_length_ms"] / 1000


def test_cpu_environment_on_linux_takes_the_build_without_cuda() -> None:
    has_index = any("whl/cpu" in line for line in Voxtream.requirements("cpu"))
    assert has_index == (sys.platform == "linux")
    assert not any("whl/cpu" in line for line in Voxtream.requirements("cuda"))


def test_without_weights_it_says_which_command_fetches_them(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with_the_library(settings)
    missing = Voxtream.missing(settings)
    assert missing == "its weights are not fetched; run: vox backends install voxtream"


def test_no_program_is_needed_where_the_environment_has_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = settings_in(tmp_path)
    missing = Voxtream.missing(settings)
    assert missing == "its environment has no espeak-ng; run: vox backends install voxtream"
    with_the_library(settings)
    assert "espeak" not in str(Voxtream.missing(settings))


def test_a_model_that_is_neither_a_repository_nor_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="no model called"):
        weights.model_of(settings_in(tmp_path, model="2.1"))


def test_where_torch_keeps_what_it_compiles_is_the_users_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    settings = settings_in(tmp_path)
    ours = f"{settings.env_dir}/compiled"
    assert engine.environment(settings)["TORCHINDUCTOR_CACHE_DIR"] == ours
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/elsewhere")
    assert engine.environment(settings)["TORCHINDUCTOR_CACHE_DIR"] == "/elsewhere"


def test_a_folder_s_model_needs_its_three_files_and_nothing_of_the_hub_s(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    settings = settings_in(tmp_path, model=str(folder))
    for name in weights.MODEL_FILES[:2]:
        (folder / name).write_text("{}")
    assert weights.missing(settings) == f"there is no model.safetensors in {folder}"
    with pytest.raises(BackendNotInstalled, match=r"no model\.safetensors in"):
        Voxtream.weights_mb(settings)  # before anything is installed
    (folder / "model.safetensors").write_bytes(b"")
    assert Voxtream.weights_mb(settings) == 0
    assert weights.file_of(settings, str(folder), "config.json") == f"{folder}/config.json"
    # What is not the model's own is still to be fetched.
    assert "vox backends install voxtream" in (weights.missing(settings) or "")


def test_a_cpu_compiles_nothing_and_says_so_only_if_it_was_told_to() -> None:
    assert engine.choose({}, "cpu") == engine.choose({"compile": False}, "cuda") == (False, None)
    is_compiled, note = engine.choose({"compile": True}, "cpu")
    assert (is_compiled, note) == (False, "voxtream is not compiled: it runs on the CPU")


def test_without_a_compiler_there_is_a_reason_not_to_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.missing_tool() == "there is no C compiler"
    monkeypatch.setenv("CC", "cc")
    assert engine.missing_tool() is None or "Python.h" in str(engine.missing_tool())


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_text_never_becomes_an_option_of_espeak(tmp_path: Path) -> None:
    written = tmp_path / "x.wav"
    lines = run_espeak("espeak-ng", ["-v", "en-us", "--ipa=1", f"-w{written}"])
    assert b"".join(lines).strip()
    assert not written.exists()


TEXTS = (
    "The build is finished and all the tests pass",
    "four forty normally before north horse hoarse",
    "Mr Smith's iPhone has a 3.5 inch display (sic) and it cost $5",
    "café naïve déjà vu, Привет, 中文 and 😀",
    "well-known state-of-the-art U.S.A. 1,234.5 3rd 10:30 &%+=$/@",
    "one\ntwo\tthree -w x.wav --voices <b>bold</b>",
)


def library_and_data() -> tuple[str, str]:
    """The library of this system, which is of one version with its program, and their data."""
    library, program = ctypes.util.find_library("espeak-ng"), shutil.which("espeak-ng")
    if library is None or program is None:
        pytest.skip("espeak-ng is not installed")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return library, told.stdout.split("Data at: ")[1].strip()


def test_the_library_s_data_may_lie_deep_in_folders(tmp_path: Path) -> None:
    library, data_dir = library_and_data()
    deep = tmp_path / ("x" * 200)
    deep.mkdir()
    (deep / "espeak-ng-data").symlink_to(data_dir)
    assert Espeak(library, str(deep / "espeak-ng-data")).clauses("hello", "_") == ["h_ə_l_ˈoʊ"]


def test_the_library_says_what_the_program_prints() -> None:
    espeak = Espeak(*library_and_data())
    for text in TEXTS:
        printed = b"".join(run_espeak("espeak-ng", ["-v", "en-us", "--ipa=1", text])).decode()
        assert [each.strip() for each in espeak.clauses(text, "_")] == [
            each.strip() for each in printed.splitlines()
        ]
    assert espeak.clauses("[[h@l'oU]]", "_") != espeak.clauses("hello", "_")


# -- prompts -------------------------------------------------------------------------------------


def test_default_prompt_is_speech_of_the_right_length_and_made_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    Voxtream.prepare(settings)
    path = Path(prompt.default_path(settings))
    with wave.open(str(path)) as spoken:
        duration_s = spoken.getnframes() / spoken.getframerate()
        samples = np.frombuffer(spoken.readframes(spoken.getnframes()), "<i2") / 32768
    assert 3 < duration_s <= 10
    assert np.abs(samples).max() > 0.1
    made = path.stat()
    Voxtream.prepare(settings)
    assert path.stat().st_ino == made.st_ino
    assert os.listdir(path.parent) == [path.name]


def test_long_recording_is_cut_where_it_is_quiet(tmp_path: Path) -> None:
    samples = noise(12)
    samples[int(8.9 * RATE) : int(9.1 * RATE)] = 0
    path = prompt.cut(write_wav(tmp_path / "long.wav", samples), str(tmp_path))
    with wave.open(str(path)) as cut:
        assert 8.9 < cut.getnframes() / RATE < 9.1


def test_short_recording_is_refused_with_its_length(tmp_path: Path) -> None:
    with pytest.raises(SynthesisFailed, match=r"0\.5 s"):
        prompt.cut(write_wav(tmp_path / "short.wav", noise(0.5)), str(tmp_path))


def test_recording_that_is_no_audio_is_an_unknown_voice(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("no audio")
    with pytest.raises(UnknownVoice, match=r"x\.wav"):
        prompt.cut(tmp_path / "x.wav", str(tmp_path))


# -- fetching ------------------------------------------------------------------------------------


MIMI = GENERATOR["mimi_repo"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    models = {
        weights.DEFAULT_MODEL: {name: f"voxtream {name}".encode() for name in weights.MODEL_FILES},
        MIMI: {GENERATOR["mimi_name"]: b"the codec's weights", "else.bin": b"for others"},
    }
    with running(models, monkeypatch) as server:
        yield server


def fetch(settings: Settings) -> None:
    """Without what comes from elsewhere than the hub, and with files that are not the pinned."""
    weights.fetch(settings, lambda _text, _fraction: None, pins={}, encoder=())


def test_fetch_brings_what_is_absent_and_nothing_twice(tmp_path: Path, hub: HubServer) -> None:
    settings = settings_in(tmp_path)
    assert weights.absent(settings, encoder=())
    fetch(settings)
    assert not weights.absent(settings, encoder=())
    assert any(path.endswith(f"/resolve/{COMMIT}/model.safetensors") for path in hub.asked)
    assert not any("else.bin" in path for path in hub.asked)
    hub.asked.clear()
    fetch(settings)
    assert hub.asked == []


def test_beside_a_folder_s_model_only_the_codec_is_fetched(tmp_path: Path, hub: HubServer) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    settings = settings_in(tmp_path, model=str(folder))
    fetch(settings)
    assert not weights.absent(settings, encoder=())
    assert not any(weights.DEFAULT_MODEL in path for path in hub.asked)


def test_interrupted_fetch_goes_on_with_the_commit_that_it_began(
    tmp_path: Path, hub: HubServer
) -> None:
    settings = settings_in(tmp_path)
    fetch(settings)
    model = weights.repository_dir(settings, weights.DEFAULT_MODEL)
    os.unlink(os.path.join(model, "snapshots", COMMIT, "model.safetensors"))
    hub.asked.clear()
    fetch(settings)
    assert [path.rsplit("/", 2)[1:] for path in hub.asked] == [[COMMIT, "model.safetensors"]]


def test_pinned_files_that_are_others_are_refused(tmp_path: Path, hub: HubServer) -> None:
    with pytest.raises(LoadFailed, match=r"tokenizer-.* was damaged in transfer"):
        Voxtream.fetch(settings_in(tmp_path), lambda _text, _fraction: None)
    asked = [path for path in hub.asked if MIMI in path]
    assert asked == [f"/{MIMI}/resolve/{PINS[MIMI].revision}/{GENERATOR['mimi_name']}"]


def test_a_changed_file_is_not_loaded(tmp_path: Path, hub: HubServer) -> None:
    settings = settings_in(tmp_path)
    fetch(settings)
    weights.check(settings)
    model = Path(weights.repository_dir(settings, weights.DEFAULT_MODEL), "snapshots", COMMIT)
    (model / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(LoadFailed, match="is not what was fetched"):
        weights.check(settings)


def test_the_speaker_encoder_is_code_of_one_commit_and_checked() -> None:
    files = weights.speaker_encoder()
    assert all(re.fullmatch("[0-9a-f]{64}", artefact.sha256 or "") for artefact in files)
    folder = f"torch/hub/{GENERATOR['spk_enc_repo'].replace('/', '_').replace(':', '_')}/"
    code = [artefact for artefact in files if artefact.path.startswith(folder)]
    assert f"{folder}hubconf.py" in [artefact.path for artefact in code]
    assert all(f"/{SPEAKER_ENCODER_COMMIT}/" in artefact.url for artefact in code)


def test_fetch_without_a_network_fails_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(LoadFailed, match="no connection to 127"):
        Voxtream.fetch(settings_in(tmp_path), lambda _text, _fraction: None)


# -- the package itself, in its own environment --------------------------------------------------


@pytest.fixture(scope="module")
def world(environment: Callable[[str], tuple[str, Settings]]) -> Settings:
    return environment("voxtream")[1]


def start(settings: Settings) -> Handle:
    python = os.path.join(settings.env_dir, "venv", "bin", "python")
    command = [python, *bootstrap_args(HOST_MODULE)]
    return Handle("voxtream", command, "vox.backends.voxtream.adapter:Voxtream", settings)


@pytest.fixture(scope="module")
def host(world: Settings) -> Iterator[Handle]:
    handle = start(world)
    handle.load()
    yield handle
    handle.close()


def speak(
    host: Handle, text: str, *, speed: float = 1.0, clone: Clone | None = None
) -> list[Chunk]:
    return list(host.synthesize(Utterance(text, speed=speed, clone=clone)))


@pytest.mark.heavy
class TestRealPackage:
    def test_load_says_what_runs_where(self, host: Handle) -> None:
        assert (host.device, host.dtype) == ("cpu", "float32")
        assert host.model == weights.DEFAULT_MODEL

    def test_chunks_are_frames_of_80_ms(self, host: Handle) -> None:
        chunks = speak(host, SENTENCE)
        assert {(c.sample_rate, c.samples.shape) for c in chunks} == {(RATE, (RATE * 80 // 1000,))}
        samples = np.concatenate([chunk.samples for chunk in chunks])
        assert samples.dtype == np.float32
        assert 0.01 < np.abs(samples).max() <= 1

    def test_first_frame_comes_long_before_the_last(self, host: Handle) -> None:
        began = time.monotonic()
        stream = host.synthesize(Utterance(SENTENCE, speed=0.5))
        next(stream)
        first_s = time.monotonic() - began
        rest = sum(1 for _ in stream)
        assert rest > 10
        assert first_s < (time.monotonic() - began) / 2

    def test_warm_call_loads_nothing(self, host: Handle) -> None:
        began = time.monotonic()
        next(stream := host.synthesize(Utterance(SENTENCE)))
        first_s = time.monotonic() - began
        stream.close()  # type: ignore[attr-defined]
        assert host.load_s is not None
        assert first_s < host.load_s / 4

    def test_cancelled_stream_ends_at_once_and_the_next_is_whole(self, host: Handle) -> None:
        pid = host.pid
        began = time.monotonic()
        frames = len(speak(host, SENTENCE, speed=0.5))
        whole_s = time.monotonic() - began
        stream = host.synthesize(Utterance(SENTENCE, speed=0.5))
        next(stream)
        cancelled = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - cancelled < whole_s / 4
        assert (host.state, host.pid) == ("idle", pid)
        assert len(speak(host, SENTENCE, speed=0.5)) > frames / 2

    def test_speed_changes_how_long_it_speaks(self, host: Handle) -> None:
        slow, fast = (len(speak(host, SENTENCE, speed=speed)) for speed in (0.5, 1.5))
        assert slow > fast

    def test_text_behind_leading_punctuation_is_spoken(self, host: Handle) -> None:
        plain = len(speak(host, SENTENCE))
        assert len(speak(host, f"— … “{SENTENCE}”")) > plain / 2

    def test_nothing_audible_makes_no_sound(self, host: Handle) -> None:
        assert speak(host, "… — !") == []

    def test_clone_of_12_s_is_spoken_with(self, host: Handle, tmp_path: Path) -> None:
        path = write_wav(tmp_path / "long.wav", noise(12))
        assert speak(host, SENTENCE, clone=Clone("long", str(path)))

    def test_clone_that_is_too_short_fails_and_the_host_lives_on(
        self, host: Handle, tmp_path: Path
    ) -> None:
        path = write_wav(tmp_path / "short.wav", noise(0.4))
        with pytest.raises(SynthesisFailed, match=r"short\.wav lasts only 0\.4 s"):
            speak(host, SENTENCE, clone=Clone("short", str(path)))
        assert speak(host, SENTENCE)


@pytest.fixture(scope="module")
def probe(world: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `voxtream_probe` finds: the model in a folder, and not among the weights."""
    folder = tmp_path_factory.mktemp("probe")
    model_dir, backend_dir = folder / "model", folder / "voxtream"
    fetched = Path(weights.file_of(world, weights.DEFAULT_MODEL, ""))
    shutil.copytree(fetched, model_dir)
    shutil.copytree(
        world.env_dir, backend_dir, ignore=shutil.ignore_patterns("venv", "models--herimor*")
    )
    python = os.path.join(world.env_dir, "venv", "bin", "python")
    run(python, "voxtream_probe.py", str(backend_dir), str(model_dir), str(folder / "answer"))
    found: dict[str, Any] = json.loads((folder / "answer").read_text())
    return {**found, "model_dir": str(model_dir)}


@pytest.mark.heavy
class TestInside:
    def test_a_folder_s_model_is_loaded_without_a_network(self, probe: dict[str, Any]) -> None:
        assert probe["model"] == probe["model_dir"]
        assert probe["connections"] == []

    def test_speed_1_leaves_the_pace_to_the_model(self, probe: dict[str, Any]) -> None:
        assert (probe["uncontrolled"], probe["four_differ"]) == (True, True)

    def test_another_speed_multiplies_four_syllables(self, probe: dict[str, Any]) -> None:
        assert probe["three_syllables_per_s"]

    def test_the_library_s_phonemes_are_those_of_the_program(self, probe: dict[str, Any]) -> None:
        if None in probe["phonemes"]:
            pytest.skip("needs the library, and the program to compare it with")
        for library, program in probe["phonemes"]:
            # Since 1.52 espeak-ng says "four" with the vowel of "for".
            assert library.replace("oː", "ɔː") == program.replace("oː", "ɔː")

    def test_a_model_that_does_not_compile_runs_as_graphs(self, probe: dict[str, Any]) -> None:
        found = probe["failed_compilation"]
        if found is None:
            pytest.skip("this torch is a build for GPUs")
        assert (found["engine"], found["same_sound"]) == ("graphs", True)
        assert "could not be compiled" in found["note"]
        assert "no compiler here" in found["note"]
        assert "config set backends.voxtream.compile false" in found["note"]
        assert "\n" not in found["note"]


@pytest.mark.heavy
class TestRefusedLoads:
    def test_device_that_is_not_there(self, world: Settings) -> None:
        handle = start(Settings(world.voices_dir, world.env_dir, device="cuda:99"))
        with pytest.raises(LoadFailed, match="cuda:99"):
            handle.load()
