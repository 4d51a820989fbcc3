"""`vox TEXT`: where the text comes from, what is printed, how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.running import Vox, read_terminal

SCRIPTED = ("-b", "scripted")
PAUSED = "vox: speech is paused; to resume: vox resume\n"


def queued(vox: Vox, *args: str, **options: object) -> dict[str, object]:
    """The job that a call makes; the queue is held, so it waits."""
    return vox.job(vox.ok(*SCRIPTED, "--async", *args, **options))


@pytest.mark.slow
def test_text_comes_from_arguments_a_file_or_standard_input(warm: Vox, tmp_path: Path) -> None:
    warm.ok("pause")
    file = tmp_path / "text.txt"
    file.write_bytes("From a file, caf\u00e9.\r\n".encode("utf-16"))
    texts = [
        (("one", "two"), None),
        (("--", "history"), None),
        (("--", "-5", "degrees"), None),
        (("say history",), None),
        (("one", "--speed", "1.5", "two"), None),
        (("-f", str(file)), None),
        (("-f", "-"), "From a pipe.\n"),
        ((), "From a pipe too."),
        (("-",), "From a dash."),
        (("from arguments",), "not from a pipe"),
    ]
    heard = [queued(warm, *args, stdin=data)["text"] for args, data in texts]
    assert heard == [
        "one two",
        "history",
        "-5 degrees",
        "say history",
        "one two",
        "From a file, caf\u00e9.",
        "From a pipe.",
        "From a pipe too.",
        "From a dash.",
        "from arguments",
    ]
    warm.ok("cancel", "--all")


def test_a_model_s_path_is_taken_from_where_the_caller_stands(warm: Vox, tmp_path: Path) -> None:
    warm.ok("pause")
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "plain").mkdir()
    asked = {
        "./mine": f"{tmp_path}/mine",
        "models/mine": f"{tmp_path}/models/mine",
        "org/model": "org/model",
        "plain": "plain",
    }
    for wish, model in asked.items():
        assert queued(warm, "-m", wish, "1", cwd=tmp_path)["model"] == model
    warm.ok("cancel", "--all")


@pytest.mark.slow
def test_variables_of_the_call_that_starts_the_daemon_are_not_those_of_the_next(
    vox: Vox, sound: object
) -> None:
    first = {"VOX_SPEED": "2", "VOX_VOLUME": "0.5", "VOX_LANG": "en-GB", "VOX_BACKEND": "scripted"}
    told = json.loads(vox.ok("--json", "1 [say 0.1s]", env=first))
    assert (told["speed"], told["volume"], told["lang"]) == (2, 0.5, "en-GB")
    told = json.loads(vox.ok("--json", *SCRIPTED, "1 [say 0.1s]"))
    assert (told["speed"], told["volume"], told["lang"]) == (1, 1, None)


def test_flags_beat_variables_and_reach_the_job(warm: Vox) -> None:
    warm.ok("pause")
    environ = {"VOX_VOICE": "two", "VOX_SPEED": "2", "VOX_BACKEND": "hibari", "VOX_VOLUME": ""}
    job = queued(warm, "--speed", "1.5", "--priority", "high", "--replace", "k", "1", env=environ)
    told = [job[name] for name in ("backend", "voice", "speed", "volume", "priority", "replace")]
    assert told == ["scripted", "two", 1.5, 1, "high", "k"]
    newer = queued(warm, "--replace", "k", "2")
    assert warm.job(str(job["id"]))["state"] == "cancelled"
    assert newer["state"] != "cancelled"
    bad = warm(*SCRIPTED, "1", env={"VOX_SPEED": "fast"})
    assert (bad.code, bad.err.count("\n")) == (2, 1)
    warm.ok("cancel", "--all")


def test_what_is_printed(warm: Vox, tmp_path: Path) -> None:
    quiet = warm(*SCRIPTED, "1 [say 0.1s]")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")

    told = warm(*SCRIPTED, "--json", "1 [say 0.1s]")
    job = told.json()
    assert (told.code, job["state"], job["exit_code"]) == (0, "done", 0)

    noted = warm(*SCRIPTED, "--style", "sad", "1 [say 0.1s]")
    assert (noted.code, noted.out, noted.err.count("\n")) == (0, "", 1)
    assert "--style is ignored" in noted.err
    assert warm(*SCRIPTED, "-q", "--style", "sad", "1 [say 0.1s]").err == ""

    made = warm(*SCRIPTED, "--async", "--json", "1 [say 0.1s]").json()
    assert made["state"] in ("queued", "preparing", "speaking", "done")
    assert warm(*SCRIPTED, "--async", "1").out.strip().isalnum()

    failed = warm(*SCRIPTED, "-q", "[fail no luck]")
    assert (failed.code, failed.out, failed.err.count("\n")) == (1, "", 1)
    assert "no luck" in failed.err


def test_what_was_written_is_named_with_its_length_and_size(warm: Vox, tmp_path: Path) -> None:
    told = warm(*SCRIPTED, "-o", "x.wav", "1 [say 2s]", cwd=tmp_path)
    assert (told.code, told.out, told.err) == (0, "", "wrote x.wav, 0:02, 96 kB\n")
    elsewhere = warm(*SCRIPTED, "-o", f"{tmp_path}/y.wav", "1 [say 2s]")
    assert elsewhere.err == f"wrote {tmp_path}/y.wav, 0:02, 96 kB\n"
    (first, second) = (job["id"] for job in warm.jobs())
    assert warm("wait", first, second).err.count("\nwrote ") == 1
    for silent in ("-q", "--json", "--async"):
        assert warm(*SCRIPTED, silent, "-o", "z.wav", "1 [say 2s]", cwd=tmp_path).err == ""
    piped = warm.popen(*SCRIPTED, "-o", "-", "1 [say 0.1s]", stdout=subprocess.DEVNULL)
    assert piped.communicate(timeout=60)[1] == ""
    failed = warm(*SCRIPTED, "-o", "x.wav", "[fail no luck]", cwd=tmp_path)
    assert "wrote" not in failed.err


@pytest.mark.slow
def test_a_timeout_leaves_the_job_alone(warm: Vox) -> None:
    late = warm(*SCRIPTED, "--timeout", "0.2", "--json", "1 [say 2s]")
    assert late.code == 7
    job = late.json()
    assert late.err.count("\n") == 1
    assert f"vox wait {job['id']}" in late.err
    assert warm("wait", job["id"]).code == 0
    assert warm.job(job["id"])["state"] == "done"


def test_expired_and_cancelled_jobs_have_their_exit_codes(warm: Vox) -> None:
    # The loudspeaker is free, and still it is too late.
    assert warm(*SCRIPTED, "--expires", "0.000001", "1 [say 1s]").code == 6
    warm.ok("pause")
    expired = warm(*SCRIPTED, "--expires", "0.05", "1 [say 1s]")
    assert (expired.code, expired.err.count("\n")) == (6, 2)
    call = warm.popen(*SCRIPTED, "2 [say 1s]")
    while not (jobs := warm.client.call("GET", "/queue")):
        time.sleep(0.02)
    warm.ok("cancel", jobs[0]["id"][:5])
    _, err = call.communicate(timeout=60)
    assert (call.returncode, err) == (5, f"{PAUSED}vox: job {jobs[0]['id']} was cancelled\n")


def test_who_has_something_to_be_played_is_told_that_speech_is_paused(
    warm: Vox, tmp_path: Path
) -> None:
    first = warm.ok(*SCRIPTED, "--async", "1 [say 30s]")
    warm.ok("pause")
    told = warm(*SCRIPTED, "--async", "2 [say 1s]")
    assert (told.code, told.err) == (0, PAUSED)
    assert warm.job(told.out.strip())["notes"] == [PAUSED.removeprefix("vox: ").strip()]
    assert warm.job(first)["notes"] == []
    assert warm(*SCRIPTED, "-q", "--async", "3 [say 1s]").err == ""
    assert PAUSED not in warm(*SCRIPTED, "-o", str(tmp_path / "x.wav"), "4 [say 0.1s]").err

    listed = warm("queue")
    assert (listed.out.count("\n"), listed.err) == (3, PAUSED)
    assert warm("queue", "--json").err == ""
    warm.ok("cancel", "--all")
    warm.ok("resume")
    assert warm("queue").err == ""


def test_what_a_voice_cannot_read_is_noted(warm: Vox) -> None:
    told = warm(*SCRIPTED, "--json", "Hello 你好世界 world, 1")
    note = "scripted speaks en, de: it may leave out '你好世界'"
    assert (told.code, told.json()["notes"], told.err) == (0, [note], f"vox: {note}\n")
    assert warm(*SCRIPTED, "Grüße 👍 für 5 µm").err == ""
    # Its voices bring the language.
    spoken = warm("-b", "say", "-l", "en", "--async", "Hello Москва")
    assert "speaks en" in spoken.err
    assert "it may leave out 'Москва'" in spoken.err
    assert warm("-b", "say", "-l", "ru", "--async", "Hello Москва").err == ""
    warm.ok("cancel", "--all")


def test_a_replaced_job_s_caller_is_told_that_a_newer_one_took_its_place(warm: Vox) -> None:
    warm.ok("pause")
    call = warm.popen(*SCRIPTED, "--replace", "progress", "1 [say 1s]")
    job = _only_job(warm)
    warm.ok(*SCRIPTED, "--async", "--replace", "progress", "2 [say 1s]")
    _, err = call.communicate(timeout=60)
    why = "replaced by a newer one under the key 'progress'"
    assert (call.returncode, err) == (5, f"{PAUSED}vox: job {job['id']} was {why}\n")
    old = warm.job(job["id"])
    assert (old["state"], old["error"], old["error_code"]) == ("cancelled", why, "job-cancelled")
    warm.ok("cancel", "--all")


@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_an_interrupt_cancels_the_job(warm: Vox, signum: signal.Signals, code: int) -> None:
    call = warm.popen(*SCRIPTED, "1 [say 30s]")
    job = _only_job(warm)
    warm.until(job["id"], "speaking")
    call.send_signal(signum)
    out, err = call.communicate(timeout=60)
    assert (call.returncode, out, err) == (code, "", "")
    assert warm.until(job["id"], "cancelled")


def test_an_interrupt_cancels_a_job_whose_model_still_loads(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    call = vox.popen(*SCRIPTED, "-m", "load-until:never", "1")
    job = _only_job(vox)
    vox.until(job["id"], "preparing")
    call.send_signal(signal.SIGINT)
    assert call.wait(timeout=60) == 130
    assert vox.until(job["id"], "cancelled")


def test_a_killed_call_takes_its_job_along(warm: Vox) -> None:
    call = warm.popen(*SCRIPTED, "1 [say 30s]")
    job = _only_job(warm)
    warm.until(job["id"], "speaking")
    call.kill()
    call.communicate()
    assert warm.until(job["id"], "cancelled")


def _only_job(vox: Vox) -> dict[str, str]:
    while not (jobs := vox.client.call("GET", "/jobs")):
        time.sleep(0.02)
    assert len(jobs) == 1
    job: dict[str, str] = jobs[0]
    return job


def test_waiting_for_several_jobs_gives_the_first_failure(warm: Vox) -> None:
    ids = [
        warm.ok(*SCRIPTED, "--async", text)
        for text in ("1 [say 0.1s]", "[fail no luck]", "2 [say 0.1s]")
    ]
    waited = warm("wait", "--json", *ids)
    assert waited.code == 1
    assert [job["state"] for job in waited.json()] == ["done", "failed", "done"]
    assert waited.err.count("\n") == 1
    assert warm("wait", ids[0]).code == 0
    late = warm.ok(*SCRIPTED, "--async", "1 [say 20s]")
    assert warm("wait", "--timeout", "0.1", late).code == 7
    assert warm.job(late)["state"] != "cancelled"
    warm.ok("cancel", late)


def test_a_replay_is_a_new_job_of_the_old_text(warm: Vox) -> None:
    first = warm(*SCRIPTED, "--json", "1 [say 0.1s]").json()
    again = json.loads(warm.ok("replay", "--json", first["id"]))
    assert (again["via"], again["source_name"]) == ("replay", first["id"])
    assert again["source"] == first["source"]
    assert (again["text"], again["state"]) == (first["text"], "done")
    later = warm.ok("replay", "--async", first["id"])
    assert warm("wait", later).code == 0


@pytest.mark.slow
def test_a_terminal_shows_what_is_waited_for_and_erases_it(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    control, terminal = os.openpty()
    text = "1 [say 0.7s]. 2 [say 0.7s]. 3 [say 0.7s]."
    # Narrower than the line, which could not be erased if it went over two.
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 14, 0, 0))
    call = vox.popen(*SCRIPTED, text, stderr=terminal)
    os.close(terminal)
    shown = read_terminal(control)
    assert call.wait(timeout=60) == 0
    assert "0:01 / 0:03,…".encode() in shown
    assert shown.endswith(b"\r\x1b[K")
    assert b"\n" not in shown


@pytest.mark.slow
def test_a_light_backend_starts_no_daemon(vox: Vox, sound: object) -> None:
    spoken = vox("-b", "say", "--json", "Hello.")
    assert (spoken.code, spoken.err) == (0, ""), vox.log()
    assert spoken.json()["state"] == "done"
    vox.ok("config", "set", "backend", "say")
    assert vox("Hello again.").code == 0
    assert vox.pid is None
    assert not Path(vox.paths.socket_path).exists()


def test_a_light_backend_joins_the_daemon_that_is_up(warm: Vox) -> None:
    pid = warm.pid
    assert warm("-b", "say", "Hello.").code == 0
    models = warm.client.call("GET", "/health")["loaded_models"]
    assert "say" in [model["backend"] for model in models]
    assert warm.pid == pid


@pytest.mark.slow
def test_two_light_calls_at_once_are_both_spoken(vox: Vox, sound: object) -> None:
    calls = [vox.popen("-q", "-b", "say", f"Number {number}.") for number in range(2)]
    for call in calls:
        out, err = call.communicate(timeout=120)
        assert (call.returncode, out, err) == (0, "", ""), vox.log()
    assert [job["state"] for job in vox.jobs()] == ["done", "done"]


@pytest.mark.slow
def test_a_light_async_call_leaves_nothing_behind(vox: Vox, sound: object) -> None:
    job_id = vox.ok("-b", "say", "--async", "Hello.")
    assert vox("wait", job_id).code == 0
    deadline = time.monotonic() + 60
    while vox.pid is not None:
        assert time.monotonic() < deadline, "the daemon stayed"
        time.sleep(0.05)


def test_an_interrupted_light_call_is_cancelled(vox: Vox, sound: object) -> None:
    call = vox.popen("-b", "say", "One two three four. " * 40)
    while not any(job["state"] == "speaking" for job in vox.jobs()):
        time.sleep(0.05)
    call.send_signal(signal.SIGINT)
    assert call.wait(timeout=60) == 130
    assert [job["state"] for job in vox.jobs()] == ["cancelled"]


def test_a_call_under_nohup_outlives_the_terminal(warm: Vox) -> None:
    environ = {**os.environ, **warm.environ}
    command = ["nohup", *warm.command, *SCRIPTED, "1 [say 0.6s]"]
    nowhere = subprocess.DEVNULL
    call = subprocess.Popen(command, env=environ, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    job = _only_job(warm)
    warm.until(job["id"], "speaking")
    call.send_signal(signal.SIGHUP)
    assert call.wait(timeout=60) == 0


@pytest.mark.slow
def test_who_waits_long_without_a_terminal_is_told_once_what_for(warm: Vox) -> None:
    warm.ok(*SCRIPTED, "--async", "1 [say 5s]")
    waiting = warm.popen(*SCRIPTED, "2 [say 0.1s]")
    quiet = warm.popen(*SCRIPTED, "-q", "3 [say 0.1s]")
    assert waiting.communicate(timeout=60) == quiet.communicate(timeout=60) == ("", "")
    assert re.fullmatch(r"vox: (2nd|3rd) in line, starts in ~?0:0\d\n", waiting.waited_for)
    assert quiet.waited_for == ""


@pytest.mark.slow
def test_who_waits_for_a_model_is_told_so_once(warm: Vox) -> None:
    warm.ok("pause")  # a wait that was told of already
    held = warm.popen(*SCRIPTED, "--timeout", "3s", "1 [say 0.1s]")
    assert held.communicate(timeout=60)[1].count("\n") == 2  # the pause, and the timeout
    warm.ok("cancel", "--all")
    warm.ok("resume")
    loading = warm.popen(*SCRIPTED, "-m", "load-until:go", "2 [say 0.1s]")
    assert loading.stderr is not None
    assert loading.stderr.readline() == "vox: loading the script 50 %\n"
    Path(warm.home, "go").touch()
    assert loading.stderr.read() == ""
