"""`vox inbox`: the folder whose files are spoken."""

from __future__ import annotations

import subprocess
import sys

import click

from .. import config as settings
from ..client import daemon as control
from ..client import inbox as client
from ..errors import StorageError
from ..paths import Paths, get_paths
from ..printable import one_line
from .options import json_option
from .output import fields, say, say_json, tell


@click.group(invoke_without_command=True)
@click.pass_context
def inbox(ctx: click.Context) -> None:
    """Speak the .txt files that are dropped into a folder.

    Without a command: print the path of that folder.
    """
    if ctx.invoked_subcommand is None:
        say(_folder(get_paths()))


def _folder(paths: Paths) -> str:
    """The folder. It is made if it does not exist."""
    from ..inbox.folders import Folders, inbox_dir

    loaded = settings.load(paths.config_path)
    folder = inbox_dir(paths, loaded)
    Folders(folder).make(is_default=loaded["inbox.path"] is None)
    return folder


@inbox.command()
def path() -> None:
    """Print the path of the folder."""
    say(_folder(get_paths()))


@inbox.command(short_help="Keep the daemon running, to speak new files at once.")
def on() -> None:
    """Keep the daemon running, so that new files are spoken at once."""
    paths = get_paths()
    settings.set_value(paths.config_path, "inbox.stay", "true")
    if not settings.load(paths.config_path)["inbox.enabled"]:
        settings.set_value(paths.config_path, "inbox.enabled", "true")
    folder = _folder(paths)
    control.start(paths)
    say(f"on: {folder}")


@inbox.command(short_help="Let the daemon exit when it is idle.")
def off() -> None:
    """Let the daemon exit when it is idle. The next one speaks the files dropped meanwhile."""
    settings.set_value(get_paths().config_path, "inbox.stay", "false")
    say("off: dropped files wait until a daemon runs")


@inbox.command()
@json_option
def status(as_json: bool) -> None:
    """Show the inbox's status."""
    state = client.status(get_paths())
    if as_json:
        say_json(state)
        return
    counts = ("pending", "working", "done", "failed")
    pairs = [
        ("folder", str(state["folder"])),
        (
            "watching",
            str(state["watching"]) if state["enabled"] else "off (inbox.enabled is false)",
        ),
        ("daemon", "stays for the inbox" if state["stay"] else "exits when idle"),
        *((name, str(state[name])) for name in counts),
        *((name, one_line(state[name])) for name in ("note", "error") if state[name]),
    ]
    fields(pairs)
    for name in state["being_written"]:
        say(
            one_line(
                f"{name} waits for its writer: a program has it open; it is spoken once closed"
            )
        )
    if state["failed"]:
        say(f"reasons are in {state['folder']}/failed; to retry: vox inbox retry")


@inbox.command()
@json_option
def retry(as_json: bool) -> None:
    """Put every failed file back into the inbox."""
    names = client.retry(get_paths())
    if as_json:
        say_json(names)
        return
    for name in names:
        say(one_line(name))
    if not names:
        tell("nothing has failed")


@inbox.command("open")
def open_() -> None:
    """Open the folder in the file manager."""
    folder = _folder(get_paths())
    program = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        subprocess.Popen(
            [program, folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ).returncode = 0  # It outlives us on purpose: no "still running" warning.
    except OSError as exc:
        raise StorageError(
            f"cannot open {folder}: {program}: {exc.strerror}", "open it yourself"
        ) from exc
