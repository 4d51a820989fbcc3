"""The table of commands, held against the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.running import Vox
from vox.cli.commands import COMMANDS
from vox.cli.root import root


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from commands(found, (*path, name))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_help_begins_as_the_commands_own_help_does(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    assert command.name == name
    own = " ".join((command.help or "").split())
    assert own.startswith(COMMANDS[name].help)


@pytest.mark.parametrize("path", list(commands(root)), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    command: click.Command = root
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    with command.make_context("vox", [], resilient_parsing=True) as ctx:
        text = command.get_help(ctx)
    assert text.startswith("Usage: vox")
    cut = [line for line in text.partition("Commands:")[2].splitlines() if line.endswith("...")]
    assert cut == []
    for param in command.params:
        if isinstance(param, click.Option) and param.name != "seconds":
            assert param.help, (path, param)


def test_help_lists_every_command_and_option(vox: Vox) -> None:
    text = vox.ok("--help")
    for name, entry in COMMANDS.items():
        assert name in text
        assert entry.help in text
    for option in "-b -v -l -m -o -q -f -h --speed --volume --async --timeout --priority".split():
        assert option in text
    assert vox.ok("-h") == text


def test_version_is_printed(vox: Vox) -> None:
    assert vox.ok("--version").startswith("vox 0.")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["vox", "hist"], "history"),
        (["vox", "history", "sh"], "show"),
        (["vox", "-b", "hib"], "hibari"),
        (["vox", "config", "set", "idle"], "idle_timeout"),
        (["vox", "config", "set", "backends.qw"], "backends.qwen-native."),
        (["vox", "config", "set", "backends.qwen-native.e"], "backends.qwen-native.engine"),
        (["vox", "config", "set", "backends.vox"], "backends.voxtream.compile"),
        (["vox", "--vol"], "--volume"),
        (["vox", "-b", "hibari", "-v", "hea"], "heart"),
        (["vox", "-l", "e"], "en"),
        (["vox", "--format", "mark"], "markdown"),
        (["vox", "voices", "-b", "hib"], "hibari"),
    ],
)
def test_the_shell_completes_commands_options_and_names(
    vox: Vox, words: list[str], offered: str
) -> None:
    environ = {
        "_VOX_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    assert f"plain,{offered}" in vox(env=environ).out.split()


@pytest.mark.slow
def test_the_shell_completes_ids_of_jobs(vox: Vox) -> None:
    written = vox("-b", "hibari", "-o", str(vox.home / "x.wav"), "--json", "Hello.").json()
    job_id = written["id"]
    for command in (["replay"], ["history", "show"]):
        environ = {
            "_VOX_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["vox", *command, job_id[:2]]),
            "COMP_CWORD": str(len(command) + 1),
        }
        assert f"plain,{job_id}" in vox(env=environ).out.split()


@pytest.mark.parametrize("words", ["vox -v hea", "vox -l e", "vox voices -l e"])
def test_completion_of_what_cannot_be_read_offers_nothing(vox: Vox, words: str) -> None:
    Path(vox.paths.config_path).write_text("nonsense")
    index = str(len(words.split()) - 1)
    answer = vox(env={"_VOX_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": index})
    assert (answer.out.strip(), answer.err) == ("", "")
