"""The queue as users meet it: many at once, a daemon that comes, goes and dies."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.running import CHECKOUT, Vox
from tests.sound import Recorder, read_audio, recognise, segments_of_sound
from tests.tones import read_tones
from vox.client.front import Front
from vox.daemon.daemon import WATCH_S
from vox.errors import WaitTimeout
from vox.queue.recovery import MAX_ALONE, MAX_ATTEMPTS

SCRIPTED = ("-b", "scripted")


def tones(recorder: Recorder) -> list[int]:
    """Who was heard, in order. A drop-out of the recorder is no second voice."""
    recording = recorder.stop()
    told = read_tones(recording.samples, recording.sample_rate)
    return [number for number, _ in itertools.groupby(told)]


@pytest.mark.slow
def test_fifty_calls_at_once_are_one_daemon_and_fifty_jobs_in_order(
    vox: Vox, recorder: Recorder
) -> None:
    vox.ok("config", "set", "pause_s", "0.1")
    calls = [vox.popen(*SCRIPTED, "-q", f"{number} [say 0.2s]") for number in range(50)]
    for call in calls:
        out, err = call.communicate(timeout=240)
        assert (call.returncode, out, err) == (0, "", "")
    jobs = vox.jobs()
    assert [job["state"] for job in jobs] == ["done"] * 50
    in_queue_order = [int(job["text"].split()[0]) for job in jobs]
    assert tones(recorder) == in_queue_order
    assert sorted(in_queue_order) == list(range(50))
    assert Path(vox.paths.log_path).read_text().count(" starts, PID ") == 1


@pytest.mark.slow
def test_a_killed_daemon_resumes_the_job_at_the_interrupted_sentence(
    vox: Vox, recorder: Recorder
) -> None:
    text = " ".join(f"{number} [say 0.5s]." for number in range(1, 9))
    job_id = vox.ok(*SCRIPTED, "--async", text)
    while vox.until(job_id, "speaking")["heard"] < 3:
        time.sleep(0.02)
    vox.kill_daemon()
    heard = vox.job(job_id)["heard"]
    assert vox.job(job_id)["state"] == "speaking"
    vox.ok(*SCRIPTED, "20 [say 0.5s]")
    job = vox.job(job_id)
    assert (job["state"], job["attempts"], job["heard"]) == ("done", 1, 8)
    told = tones(recorder)
    # The interrupted sentence is begun again; none before it, none after it is lost.
    assert told[-(8 - heard) - 1 :] == [*range(heard + 1, 9), 20]
    assert told[:heard] == list(range(1, heard + 1))
    assert len(told) <= 8 + 1 + 1


@pytest.mark.slow
def test_a_caller_whose_daemon_is_killed_gets_its_speech_all_the_same(
    vox: Vox, recorder: Recorder
) -> None:
    call = vox.popen(*SCRIPTED, "1 [say 0.3s]. 2 [say 1s]. 3 [say 0.3s].")
    recorder.wait_for_sound()
    vox.kill_daemon()
    assert call.communicate(timeout=60) == ("", "")
    assert call.returncode == 0
    assert tones(recorder)[-1] == 3


@pytest.mark.slow
def test_a_job_that_kills_the_daemon_again_and_again_fails_after_the_others_were_spoken(
    vox: Vox,
) -> None:
    job_id, other = (
        vox.ok(*SCRIPTED, "--async", text) for text in ("1 [slow 0.05] [say 60s]", "2 [say 0.1s]")
    )
    for _ in range(MAX_ATTEMPTS):
        vox.ok("daemon", "start")
        vox.until(job_id, "preparing", "speaking")
        vox.kill_daemon()
    vox.ok("daemon", "start")
    assert vox("wait", other).code == 0
    for _ in range(MAX_ALONE):
        vox.ok("daemon", "start")
        vox.until(job_id, "preparing", "speaking")
        vox.kill_daemon()
    vox.ok("daemon", "start")
    result = vox("wait", job_id)
    assert result.code == 1
    assert "died 8 times" in vox.job(job_id)["error"]


@pytest.mark.slow
def test_async_returns_at_once_and_is_always_spoken(vox: Vox, recorder: Recorder) -> None:
    down = vox.ok(*SCRIPTED, "--async", "1 [say 0.2s]")
    starting = vox.ok(*SCRIPTED, "--async", "2 [say 0.2s]")
    vox.until(down, "speaking", "done")
    busy = vox.ok(*SCRIPTED, "--async", "3 [say 0.2s]")
    vox.ok("wait", down, starting, busy)
    stop = vox.popen("daemon", "stop")
    leaving = [vox.ok(*SCRIPTED, "--async", f"{number} [say 0.2s]") for number in (4, 5)]
    stop.communicate(timeout=60)
    vox.ok("wait", *leaving)
    assert tones(recorder) == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_no_job_is_stranded_however_often_the_daemon_leaves(vox: Vox, recorder: Recorder) -> None:
    vox.ok("config", "set", "idle_timeout", "0")
    numbers = range(12)
    ids = []
    for number in numbers:
        ids.append(vox.ok(*SCRIPTED, "--async", f"{number} [say 0.1s]"))
        if number % 3 == 0:
            # Right into its leaving: the queue is empty from here on.
            vox.ok("wait", ids[-1])
    vox.ok("wait", *ids)
    assert tones(recorder) == list(numbers)


@pytest.mark.slow
def test_an_idle_daemon_leaves_with_its_models_and_the_next_call_brings_one_back(
    vox: Vox, sound: object
) -> None:
    vox.ok("config", "set", "idle_timeout", "0.5")
    vox.ok(*SCRIPTED, "1")
    pid = vox.pid
    assert pid is not None
    processes = [psutil.Process(pid), *psutil.Process(pid).children()]
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    assert not Path(vox.paths.socket_path).exists()
    vox.ok(*SCRIPTED, "2")
    assert vox.pid != pid


@pytest.mark.slow
def test_a_daemon_that_serves_http_stays_without_models_until_http_is_unset(
    vox: Vox, sound: object
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    vox.ok("config", "set", "idle_timeout", "0.5")
    vox.ok("config", "set", "http", f"127.0.0.1:{port}")
    vox.ok(*SCRIPTED, "1")
    pid = vox.pid
    assert pid is not None
    (host,) = psutil.Process(pid).children()
    host.wait(30)
    status = vox.ok("daemon", "status")
    assert "off: http keeps it up" in status and "none is loaded" in status
    time.sleep(2 * WATCH_S)  # longer than it looks whether to leave
    assert (vox.pid, vox.client.is_up()) == (pid, True)
    vox.ok("config", "unset", "http")
    psutil.Process(pid).wait(30)


def test_the_daemon_is_detached_from_the_terminal_that_started_it(vox: Vox, sound: object) -> None:
    read_end, write_end = os.pipe()
    call = vox.popen(*SCRIPTED, "--async", "1", pass_fds=(write_end,), start_new_session=True)
    os.close(write_end)
    call.communicate(timeout=60)
    vox.ok("daemon", "start")
    assert vox.pid is not None
    daemon = psutil.Process(vox.pid)
    assert os.getsid(daemon.pid) == daemon.pid
    assert daemon.terminal() is None
    assert os.read(read_end, 1) == b""  # the daemon does not hold the other end
    os.close(read_end)
    os.killpg(daemon.pid, signal.SIGHUP)
    assert vox.client.is_up()


def test_ctrl_c_cancels_the_job_and_falls_silent(vox: Vox, recorder: Recorder) -> None:
    call = vox.popen(*SCRIPTED, "1 [say 60s]")
    recorder.wait_for_sound()
    call.send_signal(signal.SIGINT)
    call.communicate(timeout=30)
    assert call.returncode == 130
    assert vox.jobs()[0]["state"] == "cancelled"
    recorder.wait_for_silence(timeout_s=20)


def test_a_killed_callers_speech_does_not_go_on(vox: Vox, recorder: Recorder) -> None:
    call = vox.popen(*SCRIPTED, "1 [say 60s]")
    recorder.wait_for_sound()
    call.kill()
    call.communicate(timeout=30)
    recorder.wait_for_silence(timeout_s=20)
    assert vox.jobs()[0]["state"] == "cancelled"


def test_a_timeout_leaves_the_job_going(vox: Vox, sound: object) -> None:
    result = vox(*SCRIPTED, "--timeout", "1", "1 [say 3s]")
    assert result.code == 7
    (job,) = vox.jobs()
    assert job["id"] in result.err
    assert vox("wait", job["id"]).code == 0


def test_priority_goes_before_arrival_even_past_what_is_prepared(
    vox: Vox, recorder: Recorder
) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 60s]")
    vox.until(first, "speaking")
    ids = [
        vox.ok(*SCRIPTED, "--async", "--priority", "low", "2 [say 0.2s]"),
        vox.ok(*SCRIPTED, "--async", "3 [say 0.2s]"),
        vox.ok(*SCRIPTED, "--async", "--priority", "high", "4 [say 0.2s]"),
    ]
    vox.ok("skip")
    vox.ok("wait", *ids)
    assert tones(recorder) == [1, 4, 3, 2]


def test_replace_takes_the_place_of_what_has_the_same_key(vox: Vox, recorder: Recorder) -> None:
    first = vox.ok(*SCRIPTED, "--async", "--replace", "progress", "1 [say 60s]")
    vox.until(first, "speaking")
    vox.ok(*SCRIPTED, "--replace", "progress", "2 [say 0.3s]")
    assert vox.job(first)["state"] == "cancelled"
    assert tones(recorder) == [1, 2]


def test_what_waits_too_long_expires(vox: Vox, recorder: Recorder) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 60s]")
    vox.until(first, "speaking")
    result = vox(*SCRIPTED, "--expires", "0.5", "2 [say 0.3s]")
    assert result.code == 6
    vox.ok("cancel", first)
    assert tones(recorder) == [1]


def test_skip_pause_and_resume(vox: Vox, recorder: Recorder) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 60s]")
    second = vox.ok(*SCRIPTED, "--async", "2 [say 0.5s]")
    vox.until(first, "speaking")
    vox.ok("pause")
    recorder.wait_for_silence(0.3)
    vox.ok("skip")
    vox.ok("resume")
    vox.ok("wait", second)
    assert vox.job(first)["state"] == "cancelled"
    assert tones(recorder)[-1] == 2


def test_the_kept_audio_of_a_backend_that_is_gone_is_replayed(vox: Vox, sound: object) -> None:
    job_id = json.loads(vox.ok(*SCRIPTED, "--json", "1"))["id"]
    vox.ok("daemon", "stop")
    vox.environ["PYTHONPATH"] = str(CHECKOUT)
    vox.ok("replay", job_id)
    assert [job["state"] for job in vox.jobs()] == ["done", "done"]


def test_a_replay_is_heard_again_without_a_new_synthesis(vox: Vox, recorder: Recorder) -> None:
    path = Path(vox.home, "first.wav")
    vox.ok(*SCRIPTED, "-o", str(path), "7 [say 0.3s]")
    (job,) = vox.jobs()
    Path(vox.home, "loads").unlink()
    vox.ok("daemon", "stop")
    vox.ok("replay", job["id"])
    assert not Path(vox.home, "loads").exists()
    vox.ok(*SCRIPTED, "8 [say 0.3s]")
    assert tones(recorder) == [7, 8]
    for kept in Path(vox.paths.spool_dir).iterdir():
        kept.unlink()
    vox.ok("replay", job["id"])
    assert tones(recorder) == [7, 8, 7]


def test_a_faster_replay_keeps_its_pitch(vox: Vox, recorder: Recorder) -> None:
    vox.ok(*SCRIPTED, "7 [say 3s]")
    recorder.wait_for_silence()
    Path(vox.home, "loads").unlink()
    begun_at = time.monotonic()
    vox.ok("replay", "--speed", "1.5")
    heard = recorder.stop().after(begun_at)
    ((start_s, end_s),) = segments_of_sound(heard)
    assert end_s - start_s == pytest.approx(2.0, rel=0.03)
    rate = heard.sample_rate
    middle = heard.samples[round((start_s + 0.2) * rate) : round((end_s - 0.2) * rate)]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    peak_hz = float(spectrum.argmax()) * rate / len(middle)
    assert peak_hz == pytest.approx(750.0, abs=2.0)  # see `pitch_hz` of the scripted backend
    assert not Path(vox.home, "loads").exists()


def test_again_is_what_was_heard_last(vox: Vox, recorder: Recorder) -> None:
    assert (vox("again").code, vox("again").err) == (
        2,
        "vox: nothing was heard yet; see: vox history\n",
    )
    vox.ok(*SCRIPTED, "7 [say 0.3s]")
    vox.ok(*SCRIPTED, "-o", str(vox.home / "x.wav"), "8 [say 0.3s]")
    vox.ok("again")
    again = json.loads(vox.ok("again", "--async", "--json"))
    assert again["text"].startswith("7")
    vox.ok("wait", "last")
    assert tones(recorder) == [7]
    assert len(segments_of_sound(recorder.stop())) == 3


def test_a_replay_is_written_into_a_file(vox: Vox, recorder: Recorder) -> None:
    vox.ok(*SCRIPTED, "7 [say 0.6s]")
    for name in ("x.mp3", "x.m4a", "x.wav"):
        vox.ok("replay", "last", "--speed", "2", "-o", name, cwd=vox.home)
    kept = read_audio(vox.home / "x.wav")
    assert kept.duration_s == pytest.approx(0.3, abs=0.02)
    assert read_tones(kept.samples, kept.sample_rate) == [7]
    assert tones(recorder) == [7]


def test_consecutive_jobs_follow_without_a_gap(vox: Vox, recorder: Recorder) -> None:
    ids = [vox.ok(*SCRIPTED, "--async", f"{n} [slow 0.02] [say 1s]") for n in (1, 2, 3)]
    vox.ok("wait", *ids)
    segments = segments_of_sound(recorder.stop(), gap_s=0.6)
    # Each takes 0.4 s to synthesize: that is done while the one before it is heard.
    assert len(segments) == 1, segments


def test_a_crashing_host_costs_one_retry_and_then_the_job(vox: Vox, recorder: Recorder) -> None:
    vox.ok(*SCRIPTED, "1 [crash once] [say 0.2s]")
    result = vox(*SCRIPTED, "2 [crash]")
    assert result.code == 1
    assert "something terrible happened" in result.err
    assert len(result.err.splitlines()) == 1
    vox.ok(*SCRIPTED, "3 [say 0.2s]")
    assert tones(recorder) == [1, 3]


@pytest.mark.parametrize("model", ["load-fail", "load-oom"])
def test_a_model_that_cannot_be_loaded_is_not_loaded_again(
    vox: Vox, model: str, tmp_path: Path
) -> None:
    result = vox(*SCRIPTED, "-m", model, "-o", str(tmp_path / "x.wav"), "1")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert (vox.home / "loads").read_text().count(model) == 1


def test_where_memory_runs_out_in_mid_sentence_the_others_give_way_for_a_second_attempt(
    vox: Vox, tmp_path: Path
) -> None:
    path = str(tmp_path / "x.wav")
    vox.ok(*SCRIPTED, "-m", "load-slow:0", "-o", path, "1")
    vox.ok(*SCRIPTED, "-o", path, "2 [say 0.2s] [oom once] [say 0.2s]")
    assert read_audio(path).duration_s == pytest.approx(0.4, abs=0.05)
    (model,) = vox.client.call("GET", "/health")["loaded_models"]
    assert (model["model"], model["jobs"]) == ("plain", 1)


def test_a_stopped_daemon_finishes_what_it_says_and_keeps_the_rest(
    vox: Vox, recorder: Recorder
) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 1.5s]")
    second = vox.ok(*SCRIPTED, "--async", "2 [say 0.3s]")
    vox.until(first, "speaking")
    vox.ok("daemon", "stop")
    assert [vox.job(job)["state"] for job in (first, second)] == ["done", "queued"]
    vox.ok("wait", second)
    assert tones(recorder) == [1, 2]


def test_an_older_daemon_finishes_its_queue_and_gives_way(vox: Vox, recorder: Recorder) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 1s]")
    vox.until(first, "speaking")
    old_pid = vox.pid
    assert old_pid is not None
    Path(vox.paths.pid_path).write_text(f"{old_pid}\n0.0.1\n")
    second = vox.ok(*SCRIPTED, "--async", "2 [say 0.3s]")
    vox.ok("wait", first, second)
    psutil.wait_procs([psutil.Process(old_pid)] if psutil.pid_exists(old_pid) else [], timeout=30)
    assert not psutil.pid_exists(old_pid)
    vox.ok(*SCRIPTED, "3 [say 0.3s]")
    assert vox.pid != old_pid
    assert tones(recorder) == [1, 2, 3]


@pytest.mark.slow
def test_a_real_voice_goes_on_in_mid_text_after_a_kill(vox: Vox, recorder: Recorder) -> None:
    job_id = vox.ok(
        "--async",
        "The morning was cold. The family opened the window. The children played in the garden. "
        "The music came from the kitchen.",
    )
    while vox.until(job_id, "speaking")["heard"] < 1:
        time.sleep(0.02)
    vox.kill_daemon()
    vox.ok("wait", job_id)
    heard = recognise(recorder.stop())
    # Each of the sentences to come was said; the recogniser may miss a word.
    for words in ({"family", "window"}, {"children", "garden"}, {"music", "kitchen"}):
        assert words & set(heard), heard
    assert heard.count("morning") <= 1


def test_following_gives_up_when_the_time_is_over(vox: Vox, sound: object) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 30s]")
    vox.until(job_id, "preparing", "speaking")  # else this process would start a daemon itself
    with pytest.raises(WaitTimeout):
        Front(vox.paths).follow(job_id, timeout_s=0.3)
    vox.ok("cancel", job_id)


def test_threads_of_one_process_share_the_daemon(vox: Vox, recorder: Recorder) -> None:
    codes: list[int] = []

    def call(number: int) -> None:
        codes.append(vox(*SCRIPTED, f"{number} [say 0.2s]").code)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 4
    assert sorted(tones(recorder)) == [0, 1, 2, 3]


def test_a_terminal_that_closes_takes_no_other_speech_along(vox: Vox, recorder: Recorder) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 1s]")
    second = vox.popen(*SCRIPTED, "2 [say 60s]", start_new_session=True)
    vox.until(first, "speaking")
    os.killpg(second.pid, signal.SIGHUP)
    second.communicate(timeout=30)
    assert second.returncode == 129
    vox.ok("wait", first)
    assert 2 not in tones(recorder)


def test_a_daemon_that_still_loads_leaves_at_once_when_told(vox: Vox, sound: object) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", "-m", "load-until:never", "1")
    vox.until(job_id, "preparing")
    assert vox.pid is not None
    processes = psutil.Process(vox.pid).children()
    vox.ok("daemon", "stop", "--now")
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []
    assert vox.job(job_id)["state"] == "queued"
    vox.ok("cancel", job_id)


def test_a_cancelled_load_does_not_keep_another_voice_waiting(vox: Vox, recorder: Recorder) -> None:
    loading = vox.ok(*SCRIPTED, "--async", "-m", "load-until:never", "1")
    vox.until(loading, "preparing")
    other = vox.ok("-b", "hibari", "--async", "Hello there.")
    vox.ok("cancel", loading)
    assert vox("wait", other).code == 0
    assert segments_of_sound(recorder.stop())


def test_a_timeout_holds_though_events_keep_coming(vox: Vox, sound: object) -> None:
    text = " ".join(f"{number} [say 0.4s]." for number in range(1, 40))
    result = vox(*SCRIPTED, "--timeout", "3", text)
    assert result.code == 7, result
    (job,) = vox.jobs()
    assert job["state"] != "done"
    vox.ok("cancel", job["id"])


def test_a_daemon_that_finishes_can_be_watched_and_cancelled(vox: Vox, recorder: Recorder) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 60s]")
    vox.until(job_id, "speaking")
    stop = vox.popen("daemon", "stop")
    vox.until_health("stopping")
    assert "stopping" in vox.ok("daemon", "status")
    assert vox.ok("queue", "--json")
    vox.ok("cancel", job_id)
    out, _ = stop.communicate(timeout=30)
    assert (stop.returncode, out) == (0, "stopped\n")
    recorder.wait_for_silence()
    assert vox.job(job_id)["state"] == "cancelled"


def test_a_daemon_that_finishes_can_be_hurried(vox: Vox, recorder: Recorder) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 60s]")
    vox.until(job_id, "speaking")
    stop = vox.popen("daemon", "stop")
    vox.until_health("stopping")
    assert vox.ok("daemon", "stop", "--now") == "stopped"
    stop.communicate(timeout=30)
    recorder.wait_for_silence()
    assert vox.job(job_id)["state"] == "queued"


def test_what_comes_while_a_daemon_finishes_is_spoken_by_the_next(
    vox: Vox, recorder: Recorder
) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 3s]")
    vox.until(first, "speaking")
    pid = vox.pid
    stop = vox.popen("daemon", "stop")
    vox.until_health("stopping")
    later = [vox.popen(*SCRIPTED, f"{number} [say 0.2s]") for number in (2, 3)]
    for call in (stop, *later):
        call.communicate(timeout=60)
    assert [call.returncode for call in (stop, *later)] == [0, 0, 0]
    assert vox.pid not in (None, pid)
    heard = tones(recorder)
    assert (heard[0], sorted(heard)) == (1, [1, 2, 3])


def test_a_start_while_a_daemon_finishes_leaves_one_running(vox: Vox, sound: object) -> None:
    first = vox.ok(*SCRIPTED, "--async", "1 [say 2s]")
    vox.until(first, "speaking")
    pid = vox.pid
    stop = vox.popen("daemon", "stop")
    vox.until_health("stopping")
    vox.ok("daemon", "start")
    stop.communicate(timeout=60)
    vox.until_health("ok")
    assert vox.pid != pid


def test_a_call_under_another_runtime_folder_finds_the_daemon_that_is_up(
    vox: Vox, home: Path, tmp_path: Path, sound: object
) -> None:
    def told(where: str, *args: str) -> str:
        """By a command that cron, say, starts with another XDG_RUNTIME_DIR than the desktop."""
        folder = tmp_path / where
        folder.mkdir(mode=0o700, exist_ok=True)
        environ = {"VOX_HOME": "", "HOME": str(home), "XDG_RUNTIME_DIR": str(folder)}
        return vox.ok(*args, env=environ)

    told("desktop", *SCRIPTED, "1 [say 0.1s]")
    pid = json.loads(told("desktop", "daemon", "status", "--json"))["pid"]
    try:
        job_id = told("cron", *SCRIPTED, "--async", "1 [say 60s]")
        assert json.loads(told("cron", "daemon", "status", "--json"))["pid"] == pid
        assert told("cron", "pause").startswith("paused")
        told("cron", "cancel", job_id)
    finally:
        told("desktop", "daemon", "stop", "--now")
    assert os.listdir(tmp_path / "cron") == []


def test_a_daemon_that_is_stopped_while_paused_leaves(vox: Vox, recorder: Recorder) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 60s]")
    vox.until(job_id, "speaking")
    vox.ok("pause")
    vox.ok("daemon", "stop", timeout_s=60)
    assert vox.job(job_id)["state"] == "queued"
    vox.ok("cancel", job_id)


def test_a_file_is_written_though_the_loudspeaker_is_paused_and_far_behind(
    vox: Vox, sound: object, tmp_path: Path
) -> None:
    vox.ok("config", "set", "lookahead_s", "1")
    vox.ok("daemon", "start")
    vox.ok("pause")
    spoken = [vox.ok(*SCRIPTED, "--async", f"{number} [say 2s]") for number in (1, 2, 3)]
    long = " ".join(f"{number} [say 1s]." for number in range(10, 20))
    spoken.append(vox.ok(*SCRIPTED, "--async", "--priority", "low", long))
    path = tmp_path / "out.wav"
    vox.ok(*SCRIPTED, "-o", str(path), "9 [say 0.2s]")
    assert path.exists()
    assert {vox.job(job_id)["state"] for job_id in spoken} <= {"queued", "preparing"}
    vox.ok("cancel", "--all")


def encoding(vox: Vox, folder: Path) -> str:
    """A job whose long file is being encoded: opus takes some seconds."""
    text = "1 [say 200s]"
    job_id = vox.ok(*SCRIPTED, "--async", "-o", str(folder / "long.opus"), text)
    while not list(folder.glob("*.part")):
        assert vox.job(job_id)["state"] in ("queued", "preparing")
    return job_id


def test_a_job_that_is_cancelled_while_its_file_is_encoded_leaves_none(
    vox: Vox, tmp_path: Path
) -> None:
    job_id = encoding(vox, tmp_path)
    vox.ok("cancel", job_id)
    vox.ok(*SCRIPTED, "-o", str(tmp_path / "next.wav"), "2 [say 0.1s]")
    assert vox.job(job_id)["state"] == "cancelled"
    deadline = time.monotonic() + 20
    while os.listdir(tmp_path) != ["next.wav"]:  # the encoder may be in mid-frame
        assert time.monotonic() < deadline, os.listdir(tmp_path)
        time.sleep(0.02)


def test_a_daemon_that_leaves_now_stops_encoding_and_puts_the_job_back(
    vox: Vox, tmp_path: Path
) -> None:
    job_id = encoding(vox, tmp_path)
    vox.ok("daemon", "stop", "--now")
    assert vox.job(job_id)["state"] == "queued"
    assert os.listdir(tmp_path) == []
    vox.ok("cancel", job_id)


def test_a_light_call_and_a_daemon_that_starts_share_the_queue(
    vox: Vox, recorder: Recorder
) -> None:
    light = vox.popen("-b", "say", "One two three four five six seven eight nine ten.")
    recorder.wait_for_sound()
    heavy = [vox.popen(*SCRIPTED, f"{number} [say 0.4s]") for number in (1, 2)]
    for call in (light, *heavy):
        assert call.communicate(timeout=60) == ("", "")
        assert call.returncode == 0
    jobs = vox.jobs()
    assert [(job["state"], job["attempts"]) for job in jobs] == [("done", 0)] * 3
    starts = sorted((job["first_audio_at"], job["finished_at"]) for job in jobs)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(starts))


@pytest.mark.slow
def test_many_short_jobs_wait_while_paused(vox: Vox, recorder: Recorder) -> None:
    vox.ok("config", "set", "pause_s", "0.1")
    vox.ok("daemon", "start")
    vox.ok("pause")
    for number in range(50):
        # Long enough to be told from its neighbours though the sound ran dry on a busy machine.
        text = f"{number} [say 0.12s]"
        vox.client.call("POST", "/speak", {"text": text, "backend": "scripted", "async": True})
    preparing = [job for job in vox.client.call("GET", "/queue") if job["state"] == "preparing"]
    assert len(preparing) <= 40
    vox.ok("resume")
    while vox.client.call("GET", "/queue"):
        time.sleep(0.1)
    assert tones(recorder) == list(range(50))
