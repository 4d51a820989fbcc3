"""`vox inbox`: the folder that speaks what is dropped into it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import click

from .. import config as settings
from ..client.remote import Client, NoDaemon
from ..errors import StorageError
from ..paths import Paths, get_paths
from .options import json_option
from .output import fields, one_line, say, say_json, tell


@click.group(invoke_without_command=True)
@click.pass_context
def inbox(ctx: click.Context) -> None:
    """The folder that speaks what is dropped into it.

    It takes .txt files. Alone: print where it is.
    """
    if ctx.invoked_subcommand is None:
        say(_folder(get_paths()))


def _folder(paths: Paths) -> str:
    """The folder, made if it is not there, so that something can be dropped into it."""
    from ..inbox.folders import Folders, inbox_dir

    loaded = settings.load(paths.config_path)
    folder = inbox_dir(paths, loaded)
    Folders(folder).make(is_default=loaded["inbox.path"] is None)
    return folder


@inbox.command()
def path() -> None:
    """Print where the folder is."""
    say(_folder(get_paths()))


@inbox.command(short_help="Speak at once what is dropped: the daemon stays.")
def on() -> None:
    """Speak at once what is dropped: the daemon stays for the inbox's sake."""
    paths = get_paths()
    settings.set_value(paths.config_path, "inbox.stay", "true")
    if not settings.load(paths.config_path)["inbox.enabled"]:
        settings.set_value(paths.config_path, "inbox.enabled", "true")
    folder = _folder(paths)
    Client(paths).start_daemon(wait=True)
    say(f"on: {folder}")


@inbox.command(short_help="The daemon leaves again when it is idle.")
def off() -> None:
    """The daemon leaves when idle again; the next one takes in what was dropped meanwhile."""
    settings.set_value(get_paths().config_path, "inbox.stay", "false")
    say("off: dropped files wait until a daemon runs")


@inbox.command()
@json_option
def status(as_json: bool) -> None:
    """Show the inbox's status."""
    told = _status(get_paths())
    if as_json:
        say_json(told)
        return
    counts = ("pending", "working", "done", "failed")
    pairs = [
        ("folder", str(told["folder"])),
        ("watching", str(told["watching"]) if told["enabled"] else "off (inbox.enabled is false)"),
        ("daemon", "stays for it" if told["stay"] else "leaves when idle"),
        *((name, str(told[name])) for name in counts),
        *((name, one_line(told[name])) for name in ("note", "error") if told[name]),
    ]
    fields(pairs)
    if told["failed"]:
        say(f"reasons are in {told['folder']}/failed; to retry: vox inbox retry")


def _status(paths: Paths) -> dict[str, Any]:
    try:
        told: dict[str, Any] = Client(paths).call("GET", "/inbox")
    except NoDaemon:
        from ..inbox import status as by_folder

        told = by_folder.status(paths, settings.load(paths.config_path))
    return told


@inbox.command()
@json_option
def retry(as_json: bool) -> None:
    """Put every failed file back into the inbox."""
    client = Client(get_paths())
    try:
        names: list[str] = client.call("POST", "/inbox/retry")
    except NoDaemon:
        from ..inbox import status as by_folder

        names = by_folder.retry(client.paths, settings.load(client.paths.config_path))
        if names:
            client.start_daemon(wait=False)
    if as_json:
        say_json(names)
        return
    for name in names:
        say(one_line(name))
    if not names:
        tell("nothing has failed")


@inbox.command("open")
def open_() -> None:
    """Show the folder in the file manager."""
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
            f"cannot open {folder}: {program}: {exc.strerror}", "open it by hand"
        ) from exc
