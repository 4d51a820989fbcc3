"""`vox backends test`: what it measures, what it reports, and when it fails."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.running import SCRIPTED_PLUGIN, Vox, install_environment

FACTS = {
    "vox", "backend", "system", "cpu", "python", "gpu", "gpu_at_install", "built_for",
    "backend_python", "packages", "torch_cuda", "model",
}  # fmt: skip
MEASURED = {
    "runs_on", "device", "dtype", "engine", "load_s", "notes", "cold_first_sound_s",
    "warm_first_sound_s", "times_real_time", "memory_mb", "vram_mb",
}  # fmt: skip


def env_dir(vox: Vox) -> Path:
    return Path(vox.paths.backends_dir) / "scripted"


@pytest.mark.slow
def test_a_report_tells_the_load_from_the_speech(vox: Vox) -> None:
    done = vox("backends", "test", "scripted", "-m", "load-slow:0.5", "--json")
    facts = done.json()
    assert (done.code, set(facts)) == (0, FACTS | MEASURED)
    assert (facts["runs_on"], facts["engine"]) == ("cpu none tones", "tones")
    assert facts["load_s"] >= 0.5
    assert facts["cold_first_sound_s"] >= facts["load_s"] > facts["warm_first_sound_s"]
    assert facts["times_real_time"] > 1
    assert facts["memory_mb"] > 1
    # Both sentences were synthesized, by one load of the model.
    assert len((vox.home / "loads").read_text().splitlines()) == 1
    # Though it is warm now, it is loaded again to be measured.
    text = vox.ok("backends", "test", "scripted", "-m", "load-slow:0.5", "--report")
    assert len((vox.home / "loads").read_text().splitlines()) == 2
    lines = {line[:14].rstrip(): line[14:] for line in text.splitlines()}
    assert (lines["backend"], lines["result"]) == ("scripted", "works")
    assert " x real time" in lines["speed"]
    assert re.fullmatch(r"\d\.\d\d s with the load, \d\.\d\d s warm", lines["first sound"])


@pytest.mark.slow
def test_a_report_is_whole_where_nothing_stays_loaded(vox: Vox) -> None:
    vox.ok("config", "set", "daemon", "false")
    done = vox("backends", "test", "scripted", "--json")
    assert (done.code, set(done.json())) == (0, FACTS | MEASURED)
    assert " on cpu none tones" in vox.ok("backends", "test", "scripted")


@pytest.mark.slow
def test_a_report_of_what_does_not_work_says_what_is_known_and_why(vox: Vox) -> None:
    failed = vox("backends", "test", "scripted", "-m", "load-fail", "--report")
    assert failed.code != 0
    assert "result        failed: the script does not load" in failed.out
    assert "runs on" not in failed.out and "system" in failed.out
    absent = vox("backends", "test", "voxtream", "--json")
    assert (absent.code, set(absent.json())) == (4, FACTS | {"error"})
    assert "vox backends install voxtream" in absent.json()["error"]
    assert vox("backends", "test", "no-such", "--report").code == 4


@pytest.mark.parametrize("gone", ["/home/alice/models/mine", "/data/alice/mine"])
def test_a_report_holds_nothing_private(vox: Vox, gone: str) -> None:
    environ = {"HOME": "/home/alice", "USER": "alice", "LOGNAME": "alice"}
    secret = f"load-note:hf_AbCdEfGhIjKl of {gone}"
    done = vox("backends", "test", "scripted", "-m", secret, "--json", env=environ)
    assert done.code == 0, done
    facts = done.json()
    assert facts["notes"] == [facts["model"].removeprefix("load-note:")]
    assert facts["notes"][0].startswith("hf_... of ")
    assert "alice" not in done.out and "AbCdEf" not in done.out
    assert os.uname().nodename not in done.out or len(os.uname().nodename) < 4


def test_a_report_names_no_folder_in_which_a_model_lies(vox: Vox) -> None:
    done = vox("backends", "test", "scripted", "-m", "/srv/secret/ckpt", "--json")
    assert done.json()["model"] == ".../ckpt"
    assert "secret" not in done.out


@pytest.mark.slow
def test_a_model_on_the_cpu_of_a_machine_with_a_gpu_fails_the_test(vox: Vox) -> None:
    gpu = {"gpu": "NVIDIA X", "driver": "580.65", "cuda": "13.0"}
    install_environment(env_dir(vox), SCRIPTED_PLUGIN, accelerator="cpu", **gpu)
    failed = vox("backends", "test", "scripted")
    assert (failed.code, failed.out, failed.err.count("\n")) == (1, "", 1)
    assert "it runs on the CPU, although it was installed for NVIDIA X" in failed.err
    assert "vox backends install scripted" in failed.err
    reported = vox("backends", "test", "scripted", "--report")
    assert reported.code == 1
    assert "at install    NVIDIA X, driver 580.65, CUDA 13.0\n" in reported.out
    assert "failed: it runs on the CPU" in reported.out
    vox.ok("config", "set", "backends.scripted.device", "cpu")
    works = vox.ok("backends", "test", "scripted")
    assert re.match(r"scripted works: .* after [\d.]+ s on cpu none tones, [\d.]+ s of them", works)
