"""Heavy backends under the real daemon: loaded once, warm, streaming, cancelled, killed, unloaded.

Their environments are those that `vox backends install` made, their weights tiny and random (see
`tests.backends.worlds`): what they say is noise. Each gets one daemon for its tests.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.backends.worlds import CHECKOUT, Worlds
from tests.running import Vox, seconds
from tests.sound import Recorder, Recording, SoundServer, read_audio, recognise, word_overlap
from vox.backends import registry

pytestmark = pytest.mark.heavy

LONG = "This sentence is so long that its sound is heard while it is still being made."
SENTENCES = "The morning is cold. The window is open. The house is quiet."
NOT_READY_S = 240.0
"""For what waits for a load: importing torch alone takes half a minute on a busy machine."""


SUBJECTS = ["qwen-native", "qwen-mlx", "voxtream"]


class Instance(Vox):
    """A home of its own that outlives a test, and what the tests ask of it."""

    def __init__(self, worlds: Worlds, *names: str) -> None:
        super().__init__(Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp")))
        self.environ["VOX_HOME"] = str(self.home)
        self.environ["OMP_NUM_THREADS"] = "1"
        # These tests are about hosts, and say the same to them again and again.
        self.environ["VOX_CACHE_MB"] = "0"
        plugins = str(CHECKOUT / "tests" / "plugins" / "qwen_mlx")
        self.environ["PYTHONPATH"] += os.pathsep + plugins
        for name in names:
            worlds.link(name, self.home / "backends")

    def host(self, backend: str) -> dict[str, Any]:
        """What the daemon says of the backend's one model."""
        (found,) = self.hosts(backend)
        return found

    def hosts(self, backend: str) -> list[dict[str, Any]]:
        models = self.client.call("GET", "/health")["loaded_models"]
        return [m for m in models if m["backend"] == registry.environment_of(backend)]

    def write(self, backend: str, text: str = "Hi.", *options: str) -> float:
        """Speak into a file; how long the call took."""
        began = time.monotonic()
        output = str(self.home / "out.wav")
        self.ok("-b", backend, "-o", output, *options, text, timeout_s=NOT_READY_S)
        return time.monotonic() - began

    def start(self, backend: str, text: str, *options: str) -> str:
        return self.ok("-b", backend, "--async", *options, text)

    def wait(self, *job_ids: str) -> None:
        self.ok("wait", *job_ids, timeout_s=NOT_READY_S)

    def spooled(self, job_id: str) -> int:
        """Bytes of sound that were made for the job so far."""
        files = Path(self.paths.spool_dir).glob(f"{job_id}*")
        return sum(path.stat().st_size for path in files)

    def memory_mb(self) -> float:
        """Resident, of the daemon and all that it started."""
        assert self.pid is not None
        daemon = psutil.Process(self.pid)
        return float(
            sum(process.memory_info().rss for process in (daemon, *daemon.children(recursive=True)))
            / 1e6
        )

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def until(is_true: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def vox(subject: str, worlds: Worlds, sound_server: SoundServer) -> Iterator[Instance]:
    instance = Instance(worlds, subject)
    yield instance
    instance.remove()


class TestEach:
    def test_a_warmed_model_speaks_at_once_and_gives_its_memory_back_when_told_to(
        self, vox: Instance, subject: str
    ) -> None:
        vox.ok("daemon", "stop", "--now")
        vox.ok("daemon", "warm", subject, "--keep-alive", "1h", timeout_s=NOT_READY_S)
        warmed, warm_mb = vox.host(subject), vox.memory_mb()
        assert (warmed["jobs"], warmed["keep_alive_s"]) == (0, 3600)
        vox.write(subject, "Good morning.")
        spoken = vox.host(subject)
        assert (spoken["pid"], spoken["jobs"]) == (warmed["pid"], 1)
        assert spoken["load_s"] == pytest.approx(warmed["load_s"], abs=0.1)
        assert vox.ok("daemon", "unload", subject).startswith(f"{warmed['backend']} unloaded")
        assert gone(warmed["pid"])
        assert warm_mb - vox.memory_mb() > 0.9 * warmed["memory_mb"]

    def test_warm_calls_load_nothing_and_take_a_fraction(self, vox: Instance, subject: str) -> None:
        vox("daemon", "unload", subject)  # there may be nothing to unload
        cold_s = vox.write(subject)
        loaded = vox.host(subject)
        warm_s = min(vox.write(subject) for _ in range(2))
        warm = vox.host(subject)
        # What a request wants loaded besides counts with the load, be it nothing.
        loaded_s = pytest.approx(loaded["load_s"], rel=0.01)
        assert (warm["pid"], warm["load_s"]) == (loaded["pid"], loaded_s)
        assert warm["jobs"] == loaded["jobs"] + 2
        assert warm_s < cold_s / 2
        assert warm_s < warm["load_s"]

    def test_it_is_heard_long_before_it_is_made(
        self, vox: Instance, subject: str, recorder: Recorder
    ) -> None:
        vox.write(subject)
        began = time.monotonic()
        job_id = vox.start(subject, " ".join([LONG] * 3))
        job = vox.until(job_id, "speaking", timeout_s=NOT_READY_S)
        made = vox.spooled(job_id)
        assert job["audio_s"] is None
        recorder.wait_for_sound(since=began)
        until(lambda: vox.spooled(job_id) > 2 * made)
        # It was but a piece of the first sentence.
        assert vox.job(job_id)["audio_s"] is None
        vox.ok("cancel", job_id)

    def test_a_cancel_in_mid_sentence_leaves_the_model_warm(
        self, vox: Instance, subject: str, recorder: Recorder
    ) -> None:
        vox.write(subject)
        before = vox.host(subject)
        job_id = vox.start(subject, LONG)
        vox.until(job_id, "speaking")
        assert vox.host(subject)["state"] == "busy"
        vox.ok("cancel", job_id)
        recorder.wait_for_silence()
        assert vox.job(job_id)["state"] == "cancelled"
        vox.ok("-b", subject, "Hi.")
        after = vox.host(subject)
        assert (after["pid"], after["jobs"]) == (before["pid"], before["jobs"] + 2)
        assert vox.jobs()[-1]["first_audio_at"]

    def test_a_killed_daemon_leaves_no_orphan_and_its_job_is_gone_on_with(
        self, vox: Instance, subject: str
    ) -> None:
        vox.write(subject)
        host_pid = vox.host(subject)["pid"]
        path = vox.home / "resumed.wav"
        job_id = vox.start(subject, SENTENCES, "-o", str(path))
        until(lambda: vox.until(job_id, "preparing")["heard"])
        vox.kill_daemon()
        made = vox.job(job_id)["heard"]
        until(lambda: gone(host_pid))
        vox.wait(job_id)
        job = vox.job(job_id)
        assert (job["state"], job["attempts"]) == ("done", 1)
        assert made < job["heard"] == job["utterances"]
        assert vox.host(subject)["pid"] != host_pid
        assert read_audio(path).duration_s == pytest.approx(job["audio_s"], abs=0.01)

    def test_an_idle_model_is_unloaded_and_its_memory_is_back(
        self, vox: Instance, subject: str
    ) -> None:
        vox.write(subject)
        host = vox.host(subject)
        daemon_pid, warm_mb = vox.pid, vox.memory_mb()
        # A daemon that stays; its models do not.
        vox.ok("config", "set", "inbox.stay", "true")
        vox.ok("config", "set", "idle_timeout", "1")
        until(lambda: gone(host["pid"]))
        assert vox.hosts(subject) == []
        assert vox.pid == daemon_pid
        assert warm_mb - vox.memory_mb() > 0.9 * host["memory_mb"]
        vox.ok("config", "unset", "idle_timeout")


# -- several backends in one daemon ----------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(worlds: Worlds, sound_server: SoundServer) -> Iterator[Instance]:
    """All that can be installed, in one home."""
    instance = Instance(worlds, "qwen-native", "voxtream", "piper", "kokoro")
    yield instance
    instance.remove()


def test_two_heavy_models_stay_warm_side_by_side(crowd: Instance) -> None:
    names = ["qwen-native", "voxtream"]
    for name in names:
        crowd.write(name)
    loaded = [crowd.host(name) for name in names]
    for name in names * 2:
        crowd.write(name)
    for before, after in zip(loaded, [crowd.host(name) for name in names], strict=True):
        assert after["pid"] == before["pid"]
        assert after["jobs"] == before["jobs"] + 2


def test_a_killed_hosts_job_is_done_by_another(crowd: Instance) -> None:
    crowd.write("qwen-native")
    before = crowd.host("qwen-native")
    path = crowd.home / "killed.wav"
    job_id = crowd.start("qwen-native", "The window of the kitchen is open.", "-o", str(path))
    until(lambda: crowd.host("qwen-native")["audio_s"] > before["audio_s"])
    assert crowd.host("qwen-native")["state"] == "busy"
    os.kill(before["pid"], signal.SIGKILL)
    crowd.wait(job_id)
    assert crowd.host("qwen-native")["pid"] != before["pid"]
    assert read_audio(path).duration_s == pytest.approx(crowd.job(job_id)["audio_s"], abs=0.01)


def test_qwen_is_the_same_warm_model_where_there_is_no_mlx(crowd: Instance) -> None:
    if registry.on_apple_silicon():
        pytest.skip("here qwen is a model of its own")
    crowd.write("qwen-native")
    before = crowd.host("qwen-native")
    crowd.write("qwen")
    assert crowd.jobs()[-1]["backend"] == "qwen"
    after = crowd.host("qwen")
    assert (after["pid"], after["jobs"]) == (before["pid"], before["jobs"] + 1)


def test_jobs_of_several_backends_are_heard_in_queue_order_and_one_at_a_time(
    crowd: Instance, recorder: Recorder
) -> None:
    words = "The first river is here."
    noisy = {"qwen-native", "voxtream"}
    order = ["hibari", "qwen-native", "say", "voxtream", "hibari", "voxtream", "say", "qwen-native"]
    ids = [crowd.start(name, words if name not in noisy else "Hi.") for name in order]
    crowd.wait(*ids)
    recording = recorder.stop()
    jobs = [crowd.job(job_id) for job_id in ids]
    spans = [(seconds(job["first_audio_at"]), seconds(job["finished_at"])) for job in jobs]
    assert all(end <= start + 0.05 for (_, end), (start, _) in itertools.pairwise(spans))
    # What tiny random weights say is noise: what is heard tells words from it.
    offset = time.time() - time.monotonic() + recording.started_at
    heard = [hiss(recording, start - offset, end - offset) for start, end in spans]
    words_hiss = [share for share, name in zip(heard, order, strict=True) if name not in noisy]
    noise_hiss = [share for share, name in zip(heard, order, strict=True) if name in noisy]
    assert max(words_hiss) < min(noise_hiss), list(zip(order, heard, strict=True))


def hiss(recording: Recording, start_s: float, end_s: float) -> float:
    """The share of the sound's power above 6 kHz, in the middle of what is heard in that time."""
    rate, margin_s = recording.sample_rate, (end_s - start_s) / 5
    first, last = int((start_s + margin_s) * rate), int((end_s - margin_s) * rate)
    power = np.abs(np.fft.rfft(recording.samples[first:last])) ** 2
    frequencies = np.fft.rfftfreq(last - first, 1 / rate)
    return float(power[frequencies > 6000].sum() / power[frequencies > 100].sum())


def test_a_clone_is_spoken_by_an_installed_backend_that_can(
    crowd: Instance, tmp_path: Path
) -> None:
    words = "The morning is cold, and the window of the kitchen is open."
    reference = tmp_path / "me.wav"
    crowd.ok("-b", "hibari", "-o", str(reference), words)
    crowd.ok("clone", "add", "me", str(reference), "--text", words)
    crowd.ok("daemon", "warm", "qwen", "-v", "me", timeout_s=NOT_READY_S)
    loaded_s = crowd.host("qwen")["load_s"]
    for options in ([], ["-b", "voxtream"]):
        crowd.ok(*options, "-v", "me", "-o", str(tmp_path / "x.wav"), "Hi.", timeout_s=NOT_READY_S)
        job = crowd.jobs()[-1]
        assert (job["state"], job["voice"]) == ("done", "me")
        assert job["backend"] == (options[1] if options else "qwen")
    assert crowd.host("qwen")["load_s"] == pytest.approx(loaded_s, abs=0.1)
    # It speaks from this recording and nothing else: without it there is no voice.
    (kept,) = json.loads(crowd.ok("clone", "list", "--json"))
    Path(kept["audio_path"]).write_bytes(b"no sound")
    result = crowd("-v", "me", "-o", str(tmp_path / "x.wav"), "Hi.")
    assert result.code != 0
    assert "me" in result.err
    crowd.ok("clone", "remove", "me")


@pytest.mark.parametrize("name", ["piper", "kokoro"])
def test_real_weights_are_heard_as_words(crowd: Instance, name: str, recorder: Recorder) -> None:
    sentence = "She sells one hundred and twenty three books. We are going to the market on Monday."
    crowd.ok("-b", name, "-l", "en", sentence, timeout_s=NOT_READY_S)
    heard = recognise(recorder.stop())
    assert word_overlap(sentence, heard) >= 0.5, heard


def test_installed_backends_are_listed_and_tested(crowd: Instance) -> None:
    crowd.write("qwen-native")
    listed = {entry["name"]: entry for entry in json.loads(crowd.ok("backends", "list", "--json"))}
    assert listed["qwen-native"]["ready"] and listed["qwen-native"]["own_environment"]
    assert listed["qwen-native"]["warm"][0]["device"] == "cpu"
    assert listed["voxtream"]["clone"] and listed["voxtream"]["streaming"] == "frame"
    assert "piper works" in crowd.ok("backends", "test", "piper", timeout_s=NOT_READY_S)


def test_a_kept_model_stays_when_the_others_go(crowd: Instance) -> None:
    crowd.ok("config", "set", "inbox.stay", "true")
    crowd.ok("config", "set", "keep", '["qwen-native"]')
    crowd.write("qwen-native")
    crowd.write("hibari")
    kept = crowd.host("qwen-native")["pid"]
    crowd.ok("config", "set", "idle_timeout", "1")
    until(lambda: not crowd.hosts("hibari") and not crowd.hosts("voxtream"))
    assert crowd.host("qwen-native")["pid"] == kept
    crowd.ok("config", "set", "keep", "[]")
    until(lambda: gone(kept))


# -- the utterance cache ---------------------------------------------------------------------------


@pytest.fixture
def caching(worlds: Worlds) -> Iterator[Instance]:
    instance = Instance(worlds, "qwen-native", "kokoro")
    instance.environ["VOX_CACHE_MB"] = "100"
    yield instance
    instance.remove()


def test_what_was_said_is_said_again_without_a_host_unless_it_was_cut_off(
    caching: Instance,
) -> None:
    kept, noted = Path(caching.paths.utterances_dir), Path(caching.paths.memory_path)
    caching.write("kokoro")
    noted.unlink()  # where a host that is released leaves what it needed
    caching.write("kokoro")
    assert len(list(kept.iterdir())) == 1 and not noted.exists()
    # Random weights find an end seldom, and by chance.
    for text in ("One.", "Two.", "Three."):
        caching.write("qwen-native", text)
    cut_off = caching.log().count("cut off after")
    assert cut_off > 0
    assert len(list(kept.iterdir())) == 1 + 3 - cut_off


# -- installing ------------------------------------------------------------------------------------


@pytest.fixture
def fresh(worlds: Worlds) -> Iterator[Instance]:
    instance = Instance(worlds)
    yield instance
    instance.remove()


@pytest.mark.parametrize("name", ["voxtream", "qwen-native"])
def test_what_is_not_installed_is_exit_4_with_the_one_command(fresh: Instance, name: str) -> None:
    result = fresh("-b", name, "hello")
    assert result.code == 4
    (line,) = result.err.splitlines()
    assert f"run: vox backends install {name}" in line


def test_installing_piper_ends_with_a_spoken_sentence(
    fresh: Instance, worlds: Worlds, tmp_path: Path
) -> None:
    worlds.get("piper")  # where that could be installed, this can
    out = fresh.ok("backends", "install", "piper", timeout_s=NOT_READY_S)
    assert "piper works" in out
    # Piper draws its rhythm anew each time, and of a few words the recogniser may then miss half.
    # Of forty times that it spoke these ten, nine at least were taken down.
    words = "Good morning. Please open the window and close the door."
    fresh.ok("-b", "piper", "-o", str(tmp_path / "x.wav"), words)
    heard = recognise(read_audio(tmp_path / "x.wav"))
    assert word_overlap(words, heard) >= 0.6, heard
    fresh.ok("daemon", "stop", "--now")
    fresh.ok("backends", "remove", "piper", "-y")
    assert fresh("-b", "piper", "hello").code == 4
