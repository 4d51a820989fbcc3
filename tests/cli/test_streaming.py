"""`vox --stream`: a text that is still being written, from a pipe, a FIFO or a terminal."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.running import Vox, read_terminal, seconds
from vox.client.local import Local
from vox.engine.housekeeping import STRANDED_EVERY_S
from vox.jobs import Request
from vox.text.incremental import Decoder

STREAM = ("-b", "scripted", "--stream")


class Call:
    """A call of `vox --stream` and the end of a pipe that it reads."""

    def __init__(self, vox: Vox, *args: str) -> None:
        self.vox = vox
        self.process = vox.popen(*STREAM, *args, stdin=subprocess.PIPE)

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        """The exit code and what was printed, once the text has ended."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def until(self, **fields: Any) -> dict[str, Any]:
        """The job once its fields have at least these values."""
        deadline = time.monotonic() + 60
        while True:
            job = next(iter(self.vox.jobs()), None)
            if job and all(
                job[name] == value if isinstance(value, str | bool) else job[name] >= value
                for name, value in fields.items()
            ):
                return job
            assert time.monotonic() < deadline, job
            assert self.process.poll() is None or job, self.process.communicate()
            time.sleep(0.02)


def the_job(vox: Vox) -> dict[str, Any]:
    (job,) = vox.jobs()
    return job


# -- plain ways ----------------------------------------------------------------------------------


def test_a_text_that_comes_at_once_is_one_job_that_is_heard(warm: Vox) -> None:
    told = warm(*STREAM, stdin="1 one. 2 two.")
    assert (told.code, told.out, told.err) == (0, "", "")
    job = the_job(warm)
    assert (job["state"], job["text"], job["open"]) == ("done", "1 one. 2 two.", False)


def test_what_has_come_is_in_the_history_while_it_is_written(warm: Vox) -> None:
    call = Call(warm)
    call.write("1 one, ")
    call.until(text="1 one, ", open=True)
    call.write("two.\n\n")
    job = call.until(text="1 one, two.\n\n", open=True)
    assert warm.ok("history", "--search", "ONE, TWO").count(job["id"]) == 1
    call.write("3.")
    assert call.end() == (0, "", "")
    assert the_job(warm)["text"] == "1 one, two.\n\n3."


def test_json_async_and_quiet_are_as_elsewhere(warm: Vox) -> None:
    told = warm(*STREAM, "--json", stdin="1 one.")
    assert (told.code, told.json()["text"], told.json()["state"]) == (0, "1 one.", "done")
    later = warm(*STREAM, "--async", stdin="2 two.")
    assert (later.code, later.err) == (0, "")
    job = warm.until(later.out.strip(), "done")
    assert (job["text"], job["open"]) == ("2 two.", False)
    noted = warm(*STREAM, "--style", "sad", stdin="1 one.")
    assert "--style is ignored" in noted.err
    assert warm(*STREAM, "-q", "--style", "sad", stdin="1 one.").err == ""


def test_a_file_is_written_at_the_end(warm: Vox, tmp_path: Path) -> None:
    call = Call(warm, "-o", str(tmp_path / "said.wav"))
    call.write("1 one.\n\n")
    call.until(open=True, text="1 one.\n\n")
    assert not (tmp_path / "said.wav").exists()
    call.write("2 two.")
    code, out, err = call.end()
    assert (code, out, err.startswith("wrote ")) == (0, "", True)
    assert (tmp_path / "said.wav").stat().st_size > 1000


def test_a_fifo_is_read_as_it_is_written(warm: Vox, tmp_path: Path) -> None:
    fifo = tmp_path / "text"
    os.mkfifo(fifo)
    call = warm.popen(*STREAM, "-f", str(fifo))
    with open(fifo, "w") as writer:
        writer.write("1 one.\n\n")
    assert call.communicate(timeout=60) == ("", "")
    assert (call.returncode, the_job(warm)["text"]) == (0, "1 one.\n\n")


def test_what_is_typed_is_spoken_line_by_line(warm: Vox) -> None:
    ours, theirs = pty.openpty()
    call = warm.popen(*STREAM, stdin=theirs)
    os.close(theirs)
    os.write(ours, b"1 one.\n")
    deadline = time.monotonic() + 60
    while not [job for job in warm.jobs() if job["text"] == "1 one.\n"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.write(ours, b"2 two.\n\x04")
    call.communicate(timeout=60)
    os.close(ours)
    assert (call.returncode, the_job(warm)["text"]) == (0, "1 one.\n2 two.\n")


def test_nothing_is_written_into_what_is_typed(warm: Vox) -> None:
    ours, theirs = pty.openpty()
    call = warm.popen(*STREAM, stdin=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, b"1 [say 1.5s].\n\x04")  # longer than it takes until progress is shown
    shown = read_terminal(ours)
    call.communicate(timeout=60)
    assert (call.returncode, the_job(warm)["state"]) == (0, "done")
    assert b"Ctrl-D ends it" in shown
    assert b"\x1b" not in shown


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("hello",), 2, "--stream goes with a pipe or -f FILE"),
        (("-f", "/no/such/file"), 2, "cannot read /no/such/file"),
        (("-f", "/"), 2, "cannot read the text: Is a directory"),
        (("-o", "a.xyz"), 2, "extension"),
        (("-v", "nobody"), 4, "nobody"),
    ],
)
def test_a_bad_call_is_one_line(warm: Vox, args: tuple[str, ...], code: int, words: str) -> None:
    told = warm(*STREAM, *args, stdin="1 one.")
    assert (told.code, words in told.err) == (code, True), told
    assert told.err.splitlines()[-1].count(words) == 1
    assert warm.jobs() == []


@pytest.mark.parametrize("text", ["", "\n \n", "...\n"])
def test_a_stream_without_words_is_an_empty_text(warm: Vox, text: str) -> None:
    told = warm(*STREAM, stdin=text)
    assert told == warm("-b", "scripted", stdin=text)
    assert told.code == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no text to speak"),
        (b"\xff\xfd", "not valid UTF-8"),
        (b"\x7fELF\x02\x01\x01\0\0", "this is a program"),
        (b"%PDF-1.4\n1 0 obj\n", "this is a PDF document"),
    ],
)
def test_what_is_no_text_from_its_first_byte_is_refused_and_makes_no_job(
    warm: Vox, tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "x").write_bytes(data)
    told = warm(*STREAM, "-f", str(tmp_path / "x"))
    assert (told.code, told.err.count("\n"), words in told.err) == (2, 1, True), told
    assert warm.jobs() == []


# -- bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "Zw\u00f6lf \U0001f600 \u4e2d.".encode(),
        b"\xef\xbb\xbf" + "\u00e9".encode(),
        "\ufeffZw\u00f6lf \U0001f600.".encode("utf-16-le"),
        "\ufeffZw\u00f6lf \U0001f600.".encode("utf-16-be"),
        b"\xef\xbb",
        b"\xff",
        b"",
        b"good \xff bad",
        "good \u00e9".encode()[:-1],
        "\ufeffgood".encode("utf-16-le") + b"\x00\xd8b\x00",
        b"good\0bad",
    ],
)
def test_bytes_one_by_one_are_the_same_text_and_the_same_error(data: bytes) -> None:
    whole, single = Decoder(), Decoder()
    text = whole.decode(data) + ("" if whole.error or not data else whole.decode(b""))
    parts = ""
    for byte in [*(bytes([each]) for each in data), b""]:
        parts += single.decode(byte)
        if single.error:
            break
    assert parts == text
    assert [str(each.error) for each in (whole, single)] == [str(whole.error)] * 2
    if whole.error is None:
        assert text == data.decode("utf-16" if b"\xfe" in data[:2] else "utf-8-sig")
    elif b"good" in data:
        assert text.startswith("good")


def test_bytes_that_are_no_text_end_it_with_one_line_and_what_came_is_said(warm: Vox) -> None:
    told = warm(*STREAM, stdin=b"1 one. \xff\xfe 2 two.")
    assert told.code == 2
    assert told.err == (
        "vox: the text is not valid UTF-8: byte 8 is 0xff; convert it: iconv -f LATIN1 -t UTF-8\n"
    )
    assert (the_job(warm)["state"], the_job(warm)["text"]) == ("done", "1 one. ")


# -- how it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_it_at_once(warm: Vox, signum: int, code: int) -> None:
    call = Call(warm)
    call.write("1 [say 60s].\n\n")
    call.until(state="speaking")
    call.process.send_signal(signum)
    assert call.process.wait(20) == code
    job = the_job(warm)
    assert (job["state"], job["open"], job["text"]) == ("cancelled", False, "1 [say 60s].\n\n")


def test_an_interrupt_before_any_text_cancels_it_too(warm: Vox) -> None:
    call = Call(warm)
    call.until(open=True)
    call.process.send_signal(signal.SIGINT)
    assert call.process.wait(20) == 130
    assert the_job(warm)["state"] == "cancelled"


def test_a_writer_that_is_killed_ends_it_with_what_came(warm: Vox) -> None:
    reading, writing = os.pipe()
    writer = subprocess.Popen(["sh", "-c", "echo '1 one.'; exec sleep 60"], stdout=writing)
    call = warm.popen(*STREAM, stdin=reading)
    for end in (reading, writing):
        os.close(end)
    deadline = time.monotonic() + 60
    while not [job for job in warm.jobs() if job["text"]]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    writer.kill()
    writer.wait()
    assert call.communicate(timeout=60) == ("", "")
    assert (call.returncode, the_job(warm)["text"]) == (0, "1 one.\n")


def test_a_call_that_is_killed_takes_its_job_with_it(warm: Vox) -> None:
    call = Call(warm)
    call.write("1 [say 60s].\n\n")
    job = call.until(state="speaking")
    call.process.kill()
    warm.until(job["id"], "cancelled")


def test_a_cancelled_stream_tells_its_writer_that_nobody_reads(warm: Vox) -> None:
    reading, writing = os.pipe()
    call = warm.popen(*STREAM, stdin=reading)
    writer = subprocess.Popen(["yes", "1 [say 0.1s]."], stdout=writing, stderr=subprocess.DEVNULL)
    for end in (reading, writing):
        os.close(end)
    deadline = time.monotonic() + 60
    while not [job for job in warm.jobs() if job["state"] == "speaking"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    warm.ok("cancel", "--all")
    assert call.wait(30) == 5
    assert writer.wait(30) == -signal.SIGPIPE


def test_a_text_that_becomes_too_long_ends_there_and_its_writer_is_told(warm: Vox) -> None:
    warm.ok("config", "set", "max_text", "20")
    told = warm(*STREAM, stdin="1 one, 2 two, 3 three, 4 four.")
    assert told.code == 0
    assert told.err == ("vox: the text is longer than max_text (20 characters): it ends there\n")
    assert the_job(warm)["text"] == "1 one, 2 two, 3 thre"


def test_a_timeout_ends_the_text_and_the_job_goes_on(warm: Vox) -> None:
    call = Call(warm, "--timeout", "1")
    call.write("1 [say 2s].\n\n")
    assert call.process.wait(60) == 7
    job = warm.until(the_job(warm)["id"], "done")
    assert (job["open"], job["text"]) == (False, "1 [say 2s].\n\n")


def test_stopping_the_daemon_ends_the_text_and_the_caller_is_told(warm: Vox) -> None:
    call = Call(warm)
    call.write("1 [say 1s].\n\n")
    call.until(state="speaking")
    warm.ok("daemon", "stop")
    code, _, err = call.end()
    assert (code, err) == (0, "vox: the daemon was stopped: the text ends here\n")
    assert (the_job(warm)["state"], the_job(warm)["heard"]) == ("done", 1)


def test_without_a_daemon_one_is_started(vox: Vox, sound: object) -> None:
    assert vox(*STREAM, stdin="1 one.").code == 0
    assert vox.pid is not None


@pytest.mark.skipif(not os.path.exists("/usr/bin/espeak-ng"), reason="needs espeak-ng")
def test_a_light_backend_is_spoken_by_a_daemon_that_does_not_stay(vox: Vox, sound: object) -> None:
    """So another call can be heard while the text is silent."""
    call = vox.popen("-b", "say", "--stream", stdin=subprocess.PIPE)
    assert call.stdin is not None
    call.stdin.write("One.\n\n")
    call.stdin.flush()
    deadline = time.monotonic() + 60
    while not [job for job in vox.jobs() if job["heard"]]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert vox("-b", "say", "Two.").code == 0
    call.stdin.write("Three.")
    assert call.communicate(timeout=60) == ("", "")
    assert [job["state"] for job in vox.jobs()] == ["done", "done"]
    while vox.client.is_up():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_written_while_the_daemon_is_dead_is_spoken_by_the_next(warm: Vox) -> None:
    call = Call(warm)
    call.write("1 one.\n\n")
    call.until(heard=1)
    warm.kill_daemon()
    call.write("2 two.\n\n")
    call.until(heard=2)
    call.write("3 three.")
    assert call.end() == (0, "", "")
    job = the_job(warm)
    assert (job["state"], job["heard"], job["text"]) == (
        "done", 3, "1 one.\n\n2 two.\n\n3 three.",
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng here")
@pytest.mark.parametrize(
    ("parts", "speaker"),
    [
        (("1. ", "Привет, ", "мир. Hello."), ("say", "ru")),
        (("Hello, ", "world. Да."), ("hibari", None)),
    ],
)
def test_the_first_letters_of_a_stream_tell_its_language(
    vox: Vox, tmp_path: Path, parts: tuple[str, ...], speaker: tuple[str, str | None]
) -> None:
    path = tmp_path / "x.wav"
    call = vox.popen("--stream", "-o", str(path), stdin=subprocess.PIPE)
    assert call.stdin is not None
    for part in parts:
        call.stdin.write(part)
        call.stdin.flush()
        wait_until_written(vox, part)
    out, err = call.communicate(timeout=60)
    assert (call.returncode, out) == (0, ""), err
    job = the_job(vox)
    assert (job["state"], (job["backend"], job["lang"])) == ("done", speaker)
    assert path.stat().st_size > 10_000


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng here")
def test_a_stream_that_is_whole_before_it_is_begun_is_said_in_its_language_and_soon(
    vox: Vox, tmp_path: Path
) -> None:
    path = str(tmp_path / "x.wav")
    local = Local(vox.paths)
    job_id = local.submit(Request(text="", is_open=True, output=path), is_followed=False)["id"]
    local.write(job_id, 0, "1. Привет, мир.")
    local.end(job_id)
    vox.ok("daemon", "start")
    job = vox.until(job_id, "done")
    assert (job["backend"], job["lang"]) == ("say", "ru")
    # Who is to say it now has the job at once, not when somebody looks for lost ones.
    took_s = seconds(job["first_audio_at"]) - seconds(job["started_at"])
    assert took_s < STRANDED_EVERY_S


def wait_until_written(vox: Vox, part: str) -> None:
    deadline = time.monotonic() + 60
    while not any(part.strip() in job["text"] for job in vox.jobs()):
        assert time.monotonic() < deadline
