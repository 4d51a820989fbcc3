"""Bad usage and bad input: one clear line, its exit code, no daemon, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import Result, Vox


def assert_one_line(result: Result, code: int, *words: str) -> None:
    assert result.code == code, result
    assert result.out == ""
    assert result.err.startswith("vox: ")
    assert result.err.count("\n") == 1, result.err
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err, result.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--speed", "9", "hi"), ("--speed", "0.25 to 6")),
        (("--speed", "nan", "hi"), ("--speed",)),
        (("--speed", "quick", "hi"), ("--speed", "quick")),
        (("--volume", "-1", "hi"), ("--volume", "0 to 5")),
        (("--timeout", "0", "hi"), ("--timeout",)),
        (("--timeout", "inf", "hi"), ("--timeout",)),
        (("--priority", "urgent", "hi"), ("--priority", "normal")),
        (("--no-such", "hi"), ("--no-such", "vox --help")),
        (("-5 degrees",), ("vox -- -text",)),
        (("--rate", "1.5", "hi"), ("no such option '--rate'; use: --speed X",)),
        (("--wait", "hi"), ("no such option '--wait'; use: vox TEXT, which waits",)),
        (("--sped", "2", "hi"), ("no such option '--sped'; did you mean --speed?",)),
        (("history", "--serach", "x"), ("did you mean --search?",)),
        (
            ("--- A long text\n" * 9,),
            ("no such option '--- A long text", "vox -- -text"),
        ),
        (("--async", "--timeout", "3", "hi"), ("--timeout",)),
        (("-f", "x.txt", "hi"), ("both",)),
        (("-f", "no-such-file.txt"), ("no-such-file.txt",)),
        (("-f", "/"), ("/",)),
        (("-f", "a.txt", "-f", "b.txt"), ("-o DIR/", "cat FILE... | vox")),
        (("-o", " ", "hi"), ("-o",)),
        (("--json", "history"), ("--json goes after the command", "vox -- history")),
        (("history", "of", "the", "world"), ("vox history --help",)),
        (("skip", "the", "rope"), ("vox -- skip",)),
        (("history", "--state", "lost"), ("--state", "done")),
        (("history", "clear", "--older-than", "soon"), ("30d",)),
        (("history", "-n", "-1"), ("'-1' must be a whole number, 0 or more",)),
        (("daemon", "logs", "-n", "many"), ("'many' must be a whole number, 0 or more",)),
        (("cancel",), ("--all",)),
        (("wait",), ("ids", "--all")),
        (("config", "set", "no_such", "1"), ("no_such", "vox config show")),
        (("config", "set", "idle_timeot", "1"), ("did you mean idle_timeout",)),
        (("config", "set", "speed", "9"), ("0.25",)),
        (("config", "set", "log_level", "loud"), ("log_level", "debug, info, warning or error")),
        (("config", "set", "lang", "german"), ("'german'", "write de")),
        (("daemon", "frobnicate"), ("frobnicate",)),
        (("history", "show", "zzzzzz"), ("zzzzzz", "vox history")),
        (("replay", "zzzzzz"), ("zzzzzz",)),
        (("cancel", "zzzzzz"), ("zzzzzz",)),
        (("wait", "zzzzzz"), ("zzzzzz",)),
        (("clone", "add", "bob", "no-such.wav"), ("no-such.wav",)),
        (("completion", "tcsh"), ("tcsh",)),
        ((os.fsencode("caf\u00e9").replace(b"\xc3\xa9", b"\xe9"),), ("UTF-8",)),
        (("-v", b"\xff", "hi"), ("--voice", "UTF-8")),
    ],
    ids=str,
)
def test_bad_usage_is_one_line_and_exit_code_two(
    vox: Vox, args: tuple[str | bytes, ...], words: tuple[str, ...]
) -> None:
    command = [*vox.command, *args]
    environ = {**os.environ, **vox.environ}
    done = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert_one_line(Result(done.returncode, done.stdout.decode(), done.stderr.decode()), 2, *words)
    assert not vox.client.is_up()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("backend", "nosuch", ("'nosuch'", "hibari")),
        ("voice", "nosuch", ("'nosuch'", "vox voices")),
        ("keep", "hibari, nosuch", ("'nosuch'", "hibari")),
        ("keep", '["voxtream"]', ("voxtream is not installed", "vox backends install voxtream")),
        ("backends.nosuch.device", "cpu", ("'nosuch'", "hibari")),
        ("backends.piper.voice", "nosuch", ("'nosuch'", "vox voices -b piper")),
    ],
)
def test_a_setting_takes_no_name_that_it_cannot_use(
    vox: Vox, key: str, value: str, words: tuple[str, ...]
) -> None:
    assert_one_line(vox("config", "set", key, value), 4, *words)
    assert not Path(vox.paths.config_path).exists()


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('backend = "nosuch"', 4, ("setting backend", "'nosuch'", "vox config show")),
        ('lang = "german"', 2, ("setting lang", "'german'", "write de", "vox config show")),
        ('lang = "xx"', 2, ("setting lang", "xx", "vox config show")),
    ],
)
def test_a_setting_that_is_wrong_is_named(
    vox: Vox, text: str, code: int, words: tuple[str, ...]
) -> None:
    Path(vox.paths.config_path).write_text(text + "\n")
    assert_one_line(vox("hi"), code, *words)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("VOX_SPEED", "7", 2),
        ("VOX_BACKEND", "nosuch", 4),
        ("VOX_VOICE", "nobody", 4),
        ("VOX_LANG", "german", 2),
    ],
)
def test_a_variable_that_is_wrong_is_named(vox: Vox, name: str, value: str, code: int) -> None:
    told = vox("hi", env={name: value})
    assert_one_line(told, code, name, value)
    assert "--speed" not in told.err


REFUSED = [
    (("",), 2, ("no text to speak",)),
    (("...!",), 2, ("no text to speak",)),
    (("-b", "no-such", "hi"), 4, ("no-such", "hibari")),
    (("-v", "nobody", "hi"), 4, ("nobody", "vox voices")),
    (("-l", "xx", "hi"), 2, ("xx",)),
    (("-o", "speech.xyz", "hi"), 2, (".xyz", ".wav")),
    (("-o", "no/such/folder/x.wav", "hi"), 2, ("folder",)),
    (("-b", "voxtream", "hi"), 4, ("vox backends install voxtream",)),
]


def test_a_refused_text_is_the_same_line_with_and_without_a_daemon(vox: Vox) -> None:
    cold = [vox(*args) for args, _, _ in REFUSED]
    assert not vox.client.is_up()
    vox.ok("daemon", "start")
    for (args, code, words), before in zip(REFUSED, cold, strict=True):
        assert_one_line(before, code, *words)
        assert vox(*args) == before
    assert vox.jobs() == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no text to speak"),
        (b" \n\t", "no text to speak"),
        (b"caf\xe9", "UTF-8"),
        (b"zero\0byte", "NUL"),
        (b"\xff\xfea", "UTF-16"),
        (b"...", "no text to speak"),
        (b"x" * 1_000_001, "1,000,001"),
    ],
    ids=["empty", "blank", "latin-1", "nul", "half-utf-16", "stops", "too-long"],
)
def test_unspeakable_standard_input_is_refused(vox: Vox, data: bytes, words: str) -> None:
    assert_one_line(vox(stdin=data), 2, words)
    assert not vox.client.is_up()


def test_no_text_at_a_terminal_shows_the_help(vox: Vox) -> None:
    control, terminal = os.openpty()
    process = vox.popen(stdin=terminal)
    out, err = process.communicate(timeout=60)
    os.close(control)
    os.close(terminal)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("Usage: vox [OPTIONS] [TEXT...]")


def test_closed_standard_streams_are_no_traceback(vox: Vox) -> None:
    command = " ".join([sys.executable, "-m", "vox", "history", ">&-", "2>&-", "<&-"])
    environ = {**os.environ, **vox.environ}
    done = subprocess.run(["sh", "-c", command], env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_reader_that_goes_away_is_no_error(vox: Vox) -> None:
    process = vox.popen("config", "show")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_the_output_is_said(vox: Vox) -> None:
    with open("/dev/full", "w") as full:
        process = vox.popen("config", "show", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("vox: cannot write the output: No space left")
    assert err.count("\n") == 1


def test_a_broken_settings_file_is_one_line(vox: Vox) -> None:
    Path(vox.paths.config_path).write_text("speed = \n")
    assert_one_line(vox("config", "show"), 2, "config.toml", "line 1")
    assert_one_line(vox("-b", "scripted", "1"), 2, "config.toml", "line 1")


def test_an_unexpected_error_is_one_line_and_its_traceback_is_in_the_log(vox: Vox) -> None:
    program = (
        "import click, sys, vox.cli.root as r\n"
        "from vox.cli import run\n"
        "@click.command()\n"
        "def bad(): raise RuntimeError('it broke\\nbadly')\n"
        "r.Root.get_command = lambda *_: bad\n"
        "sys.exit(run(['history']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **vox.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line(
        Result(done.returncode, done.stdout, done.stderr), 1, "it broke badly", vox.paths.log_path
    )
    assert "RuntimeError: it broke" in vox.log()
    assert "Traceback" in vox.log()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_is_one_line(vox: Vox) -> None:
    vox.home.chmod(0o500)
    try:
        assert_one_line(vox("hello"), 1, str(vox.home), "VOX_HOME")
    finally:
        vox.home.chmod(0o700)


def test_a_home_that_is_a_file_is_one_line(vox: Vox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    assert_one_line(vox("hello", env={"VOX_HOME": str(home)}), 2, str(home))
