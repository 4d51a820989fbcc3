"""Words of habit: refused where they are typed, spoken in pipes and scripts; `vox help`."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import click
import pytest

from tests.running import Result, Vox, read_terminal
from vox.cli.commands import COMMANDS
from vox.cli.habits import FLAGS, HABITS, meant
from vox.cli.root import root


def typed(vox: Vox, line: str, cwd: Path) -> Result:
    """Type it on a terminal, which all its streams are; the output is what that shows."""
    control, terminal = os.openpty()
    call = vox.popen(*shlex.split(line), stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd)
    os.close(terminal)
    shown = read_terminal(control)
    return Result(call.wait(timeout=60), shown.decode().replace("\r\n", "\n"), "")


REFUSED = [
    ("ps", "vox queue (to speak it: vox -- ps)"),
    ("list --json", "vox queue, vox history"),
    ("logs -f", "vox daemon logs"),
    ("logs -n 20", "vox daemon logs"),
    ("version", "vox --version"),
    ("update", "git pull"),
    ("say hello", "vox hello, or vox -b say hello (to speak it: vox -- say hello)"),
    ("say -v heart hello there", "vox hello there, or "),
    ("install kokoro", "vox backends install"),
    ("last", "vox again, or vox history show last (to speak it: vox -- last)"),
    ("@2", "vox replay @2, or vox history show @2 (to speak it: vox -- @2)"),
    ("histroy", "vox history"),
    ("queu --json", "vox queue"),
    ("cancle 3kd8fz", "vox cancel 3kd8fz"),
    ("hsitory show last", "vox history show last"),
    ("notes.txt", "vox -f notes.txt; to speak its name: vox -- notes.txt"),
    ("-o x.wav 'my notes.txt'", "vox -f 'my notes.txt'"),
]


@pytest.mark.parametrize(("line", "told"), REFUSED)
def test_what_is_typed_out_of_habit_is_one_line_and_exit_code_two(
    vox: Vox, tmp_path: Path, line: str, told: str
) -> None:
    for name in ("notes.txt", "my notes.txt"):
        (tmp_path / name).write_text("A note.")
    result = typed(vox, line, tmp_path)
    assert (result.code, result.out.count("\n")) == (2, 1), result
    assert result.out.startswith("vox: ") and told in result.out
    assert vox.jobs() == []


@pytest.mark.parametrize(
    "line", ["-- ps", "-- history", "list the files", "--speed 2 list", "hello"]
)
def test_what_is_plainly_text_is_spoken_without_a_note(vox: Vox, tmp_path: Path, line: str) -> None:
    result = typed(vox, f"-q -o x.wav -b say {line}", tmp_path)
    assert (result.code, result.out) == (0, "")
    (job,) = vox.jobs()
    assert job["text"] == line.rpartition("-- ")[2].removeprefix("--speed 2 ")


def test_in_a_script_a_word_of_habit_is_spoken(vox: Vox, tmp_path: Path) -> None:
    call = ("-b", "say", "-o", str(tmp_path / "x.wav"), "say", "hello")
    result = vox(*call)
    assert result.code == 0
    assert "this speaks 'say hello'; if a command was meant: vox hello" in result.err
    assert vox("-q", *call).err == ""
    assert [job["text"] for job in vox.jobs()] == ["say hello"] * 2


@pytest.mark.parametrize(
    "text",
    [
        "hello", "Stop", "PS", "list the files", "search party", "voice over", "hstory lesson",
        "wait for me please", "story", "cure", "alone", "cause", "say-so", "1", "no-such-file.txt",
    ],
)  # fmt: skip
def test_what_may_be_text_is_text(text: str) -> None:
    assert meant(root, text.split()) is None


def test_a_text_with_spaces_is_text() -> None:
    assert meant(root, ["say hello"]) is None


@pytest.mark.parametrize("word", HABITS)
def test_what_a_word_of_habit_leads_to_exists(word: str) -> None:
    assert word not in COMMANDS
    for words in re.findall(r"vox ((?:[a-z-]+ ?)+)", HABITS[word]):
        command: click.Command | None = root
        for name in words.split():
            if name.startswith("-") or not isinstance(command, click.Group):
                break
            command = command.get_command(click.Context(root), name)
            assert command is not None, words


@pytest.mark.parametrize("flag", FLAGS)
def test_what_an_option_of_others_leads_to_exists(flag: str) -> None:
    known = {name for param in root.params for name in param.opts}
    assert flag not in known
    assert set(re.findall(r"--[a-z]+", FLAGS[flag])) <= {*known, "--version"}
    for name in re.findall(r"vox ([a-z-]+)", FLAGS[flag]):
        assert name in COMMANDS


def test_help_is_that_of_the_command(vox: Vox) -> None:
    assert vox.ok("help") == vox.ok("--help")
    assert vox.ok("help", "queue") == vox.ok("queue", "--help")
    assert vox.ok("help", "history", "show") == vox.ok("history", "show", "--help")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("me", "see: vox --help (to speak it: vox -- help me)"),
        ("ps", "use: vox queue"),
        ("queu", "use: vox queue"),
        ("history frob", "see: vox history --help"),
        ("queue -x", "'-x'"),
    ],
)
def test_help_for_what_is_no_command_says_so(vox: Vox, words: str, told: str) -> None:
    result = vox("help", *words.split())
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert told in result.err
