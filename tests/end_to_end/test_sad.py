"""What goes wrong gets one clear line and the right exit code, and nothing else is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Result, Vox
from tests.sound import Recorder, read_audio, recognise, segments_of_sound, word_overlap

SCRIPTED = ("-b", "scripted")


def one_line(result: Result, code: int, *parts: str) -> None:
    """The command failed with that exit code and one line that has these parts."""
    assert result.code == code, result
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("vox: ")
    assert "Traceback" not in result.err
    for part in parts:
        assert part in lines[0], result.err


@contextlib.contextmanager
def mounted(home: Path, size: str) -> Iterator[None]:
    """A file system of that size as the home. Needs the right to mount."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(home)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("needs the right to mount a file system")
    yield
    subprocess.run(["umount", "-l", str(home)], check=True)


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    with mounted(home, "1m"):
        yield home


def fill(disk: Path) -> Path:
    """Take all the room there is; remove the file to give it back."""
    path = disk / "filler"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (65536, 4096):
            with contextlib.suppress(OSError):
                while True:
                    os.write(fd, b"x" * size)
    finally:
        os.close(fd)
    return path


def test_a_full_disk_is_said_and_room_mends_it(small_disk: Path, vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    filler = fill(small_disk)
    one_line(vox(*SCRIPTED, stdin="x" * 900_000), 1, "disk", "free disk space")
    filler.unlink()
    vox.ok(*SCRIPTED, "2 [say 0.2s]")
    assert vox.jobs()[-1]["state"] == "done"


def test_a_disk_that_fills_while_it_speaks_fails_the_job_at_once(
    small_disk: Path, vox: Vox, sound: object
) -> None:
    vox.ok(*SCRIPTED, "1 [say 0.1s]")
    call = vox.popen(*SCRIPTED, "2 [say 0.1s] [until filled] [say 60s]")
    vox.until(_newest(vox), "speaking")
    # The mark first: there is no room for it afterwards.
    (small_disk / "filled.new").touch()
    filler = fill(small_disk)
    (small_disk / "filled.new").rename(small_disk / "filled")
    _, err = call.communicate(timeout=60)
    one_line(Result(call.returncode, "", err), 1, "No space left", "free disk space")
    filler.unlink()
    vox.ok(*SCRIPTED, "3 [say 0.1s]")
    assert [job["state"] for job in vox.jobs()] == ["done", "failed", "done"]


def test_what_waits_when_the_disk_is_full_fails_too_and_nobody_waits_for_ever(
    small_disk: Path, vox: Vox, sound: object
) -> None:
    vox.ok(*SCRIPTED, "1 [say 0.1s]")
    speaking = vox.popen(*SCRIPTED, "2 [say 0.1s] [until filled] [say 60s]")
    vox.until(_newest(vox), "speaking")
    waiting = vox.popen(*SCRIPTED, "3 [say 0.1s]")
    while len(vox.client.call("GET", "/queue")) < 2:
        pass
    (small_disk / "filled.new").touch()
    filler = fill(small_disk)
    (small_disk / "filled.new").rename(small_disk / "filled")
    for call in (speaking, waiting):
        _, err = call.communicate(timeout=60)
        one_line(Result(call.returncode, "", err), 1, "free disk space")
    filler.unlink()
    vox.ok(*SCRIPTED, "4 [say 0.1s]")
    assert [job["state"] for job in vox.jobs()] == ["done", "failed", "failed", "done"]


@pytest.mark.parametrize("size", ["64k", "80k"])
def test_a_disk_too_small_for_the_queue_is_said(home: Path, vox: Vox, size: str) -> None:
    with mounted(home, size):
        one_line(vox("hello"), 1, "disk", "free disk space")


def _newest(vox: Vox) -> str:
    while True:
        jobs = vox.client.call("GET", "/jobs?limit=1")
        if jobs and jobs[0]["text"].startswith("2 "):
            return str(jobs[0]["id"])


def test_a_read_only_home_is_said(small_disk: Path, vox: Vox) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    one_line(vox("hello"), 1, str(small_disk), "permissions")
    one_line(vox("config", "set", "speed", "2"), 1, "Read-only file system")


@pytest.mark.parametrize("home_path", ["/proc/vox", "/dev/null/vox"])
def test_an_impossible_home_is_said(vox: Vox, home_path: str) -> None:
    result = vox("hello", env={"VOX_HOME": home_path})
    assert result.code in (1, 2)
    one_line(result, result.code, home_path)


def test_no_sound_device_is_exit_8_and_files_are_written_all_the_same(
    vox: Vox, tmp_path: Path
) -> None:
    env = {"PULSE_SERVER": "unix:/nonexistent", "VOX_DEVICE_WAIT_S": "0"}
    one_line(vox("hello", env=env), 8, "no sound device", "-o FILE")
    vox.ok("-o", str(tmp_path / "x.wav"), "The build is finished.", env=env)
    assert word_overlap("The build is finished.", recognise(read_audio(tmp_path / "x.wav"))) >= 0.5
    one_line(vox("-b", "say", "hello", env=env), 8, "no sound device")
    vox.stop()
    one_line(vox("-b", "say", "hello", env=env), 8, "no sound device")


def test_no_portaudio_library_is_exit_8_with_the_package_to_install(
    vox: Vox, tmp_path: Path
) -> None:
    # What `import sounddevice` does where the library is not there.
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{vox.environ['PYTHONPATH']}"}
    one_line(vox("hello", env=env), 8, "PortAudio", "libportaudio2")
    vox.ok("-o", str(tmp_path / "x.wav"), "hello", env=env)


def test_a_broken_config_is_said_with_its_line(vox: Vox, home: Path) -> None:
    config = home / "config.toml"
    config.write_text('voice = "heart"\nidle_timeout = \n')
    one_line(vox("hello"), 2, str(config), "line 2")
    config.write_text('idle_timeout = "soon"\n')
    one_line(vox("hello"), 2, "idle_timeout", "seconds")
    config.write_text("no_such_key = 1\n")
    one_line(vox("hello"), 2, "no_such_key")


def test_a_config_that_breaks_under_a_daemon_leaves_the_last_good_one_in_force(
    vox: Vox, home: Path, sound: object
) -> None:
    vox.ok("config", "set", "speed", "1.5")
    vox.ok(*SCRIPTED, "1")
    (home / "config.toml").write_text("idle_timeout = \n")
    one_line(vox(*SCRIPTED, "2"), 0, "config.toml is not valid TOML", "earlier settings")
    assert vox.jobs()[-1]["speed"] == 1.5
    (home / "config.toml").unlink()
    assert vox(*SCRIPTED, "3").err == ""


def test_a_damaged_database_is_kept_aside_and_said_and_the_job_is_spoken(
    vox: Vox, home: Path, recorder: Recorder
) -> None:
    garbage = os.urandom(50_000)
    (home / "vox.db").write_bytes(garbage)
    result = vox("Hello there.")
    assert result.code == 0
    (kept,) = home.glob("vox.db.damaged-*")
    assert kept.read_bytes() == garbage
    assert str(kept) in result.err
    assert segments_of_sound(recorder.stop())


@pytest.mark.parametrize("command", [("history",), ("daemon", "start"), ("cancel", "--all")])
def test_a_damaged_database_is_said_by_whatever_command_meets_it(
    vox: Vox, home: Path, command: tuple[str, ...]
) -> None:
    (home / "vox.db").write_bytes(os.urandom(50_000))
    result = vox(*command)
    (kept,) = home.glob("vox.db.damaged-*")
    assert result.code == 0
    assert result.err == f"vox: the queue's database was damaged; it is kept as {kept}\n"


@pytest.mark.slow
def test_a_database_damaged_deep_within_is_kept_aside_as_well(
    vox: Vox, home: Path, sound: object
) -> None:
    database = home / "vox.db"
    vox.ok("daemon", "start")
    vox.ok("pause")
    for number in range(8):
        vox.ok(*SCRIPTED, "--async", stdin=f"{number} " + "x" * 4_000)
    vox.ok("cancel", "--all")
    vox.ok("resume")
    vox.ok("daemon", "stop", "--now")
    # The page where the jobs begin, and no other, so that it opens like a whole one.
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute(
            "select rootpage from sqlite_master where type = 'table' and name = 'job'"
        ).fetchone()
        (size,) = connection.execute("pragma page_size").fetchone()
    whole = database.read_bytes()
    damaged = whole[: size * (page - 1)] + b"\xff" * size + whole[size * page :]
    database.write_bytes(damaged)
    one_line(vox("history"), 1, "vox daemon restart")
    result = vox(*SCRIPTED, "2 [say 0.1s]")
    assert result.code == 0, result
    (kept,) = home.glob("vox.db.damaged-*")
    assert str(kept) in result.err
    assert kept.read_bytes() == damaged


def test_what_was_resumed_stays_so_when_the_database_is_made_again(
    vox: Vox, home: Path, sound: object
) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    waiting = vox.ok(*SCRIPTED, "--async", "1 [say 0.1s]")
    (home / "vox.db-wal").unlink()
    vox.ok("resume")
    vox.ok("daemon", "start")
    assert vox.until(waiting, "done")


def test_a_folder_in_the_place_of_the_database_is_said(vox: Vox, home: Path) -> None:
    (home / "vox.db").mkdir()
    one_line(vox("hello"), 1, "vox.db is a folder", "move it away")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no text to speak"),
        ("  \n\t ", "no text to speak"),
        ("... --- !!! ?", "no text to speak"),
        ("<!-- a comment -->", "no text to speak"),
        ("a\0b", "NUL"),
        ("x" * 1_000_001, "1,000,000"),
    ],
)
def test_text_that_cannot_be_spoken_is_refused(vox: Vox, text: str, part: str) -> None:
    one_line(vox(stdin=text), 2, part)
    assert vox.jobs() == []


def test_bytes_that_are_no_text_are_refused_with_their_place(vox: Vox, tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("Grüße".encode("latin-1"))
    one_line(vox("-f", str(path)), 2, "UTF-8", "byte 3")
    one_line(vox(stdin=path.read_bytes()), 2, "UTF-8")


def test_a_megabyte_of_text_is_taken_in_and_split_in_no_time(vox: Vox, sound: object) -> None:
    job_id = vox.ok("--async", stdin="word " * 199_999)
    vox.until(job_id, "speaking")
    vox.ok("cancel", job_id)


@pytest.mark.parametrize(
    ("args", "code", "parts"),
    [
        (("-b", "nobody", "hi"), 4, ["nobody", "hibari"]),
        (("-v", "Nobody", "hi"), 4, ["Nobody", "vox voices"]),
        (("-b", "hibari", "-l", "de", "hi"), 2, ["de"]),
        (("-l", "klingon!", "hi"), 2, ["klingon!"]),
        (("--speed", "9", "hi"), 2, ["0.25"]),
        (("--volume", "-1", "hi"), 2, ["volume"]),
        (("--priority", "urgent", "hi"), 2, ["high"]),
        (("--no-such", "hi"), 2, ["--no-such"]),
        (("-o", "/nonexistent/x.wav", "hi"), 2, ["/nonexistent"]),
        (("-o", "/tmp/x.xyz", "hi"), 2, [".xyz", ".wav"]),
        (("-o", "/tmp", "hi"), 2, ["/tmp"]),
        (("-f", "/nonexistent.txt"), 2, ["/nonexistent.txt"]),
        (("-b", "kokoro", "hi"), 4, ["vox backends install kokoro"]),
        (("config", "set", "idle_timout", "5"), 2, ["idle_timout", "idle_timeout"]),
        (("config", "set", "idle_timeout", "soon"), 2, ["idle_timeout"]),
        (("wait", "zzzzzz"), 2, ["zzzzzz"]),
        (("cancel", "zzzzzz"), 2, ["zzzzzz"]),
        (("history", "show", "zzzzzz"), 2, ["zzzzzz"]),
        (("replay", "zzzzzz"), 2, ["zzzzzz"]),
    ],
)
@pytest.mark.parametrize("daemon", ["up", "down"])
def test_bad_options_are_refused_alike_with_and_without_a_daemon(
    vox: Vox, args: tuple[str, ...], code: int, parts: list[str], daemon: str
) -> None:
    if daemon == "up":
        vox.ok("daemon", "start")
    one_line(vox(*args), code, *parts)
    assert vox.jobs() == []


@pytest.mark.slow
def test_a_daemon_that_hangs_is_said_and_a_restart_mends_it(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    pid = vox.pid
    assert pid is not None
    os.kill(pid, 19)  # SIGSTOP
    one_line(vox("--timeout", "0.5", "hello"), 3, "does not answer", "vox daemon stop --now")
    vox.ok("daemon", "restart", "--now", timeout_s=200)
    assert vox.pid != pid
    vox.ok(*SCRIPTED, "1")


def test_a_job_that_is_lost_under_its_caller_is_said_to_be(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    call = vox.popen(*SCRIPTED, "2 [say 60s]")
    vox.until(_newest(vox), "speaking")
    call.send_signal(signal.SIGSTOP)
    vox.kill_daemon()
    with contextlib.closing(sqlite3.connect(vox.paths.db_path)) as database, database:
        database.execute("delete from job")
    call.send_signal(signal.SIGCONT)
    _, err = call.communicate(timeout=60)
    one_line(Result(call.returncode, "", err), 1, "is lost", "vox daemon logs")
