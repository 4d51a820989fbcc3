"""`vox service`: have systemd, or launchd on macOS, start the daemon."""

from __future__ import annotations

import os

import click

from ..client import daemon as control
from ..config import load
from ..paths import get_paths
from ..service.choice import manager
from ..service.manager import put, remove
from ..service.spec import make_spec
from .options import json_option
from .output import fields, say, say_json, tell

NOT_INSTALLED = 3


@click.group()
def service() -> None:
    """Start the daemon with your session, also after a reboot.

    Once installed, a request on the control socket or over HTTP (if `http` is set) starts it, and
    so does a file that is dropped into the inbox.
    """


@service.command(short_help="Write the units and start them.")
@click.option("--write-only", is_flag=True, help="Write the units, but start nothing.")
def install(write_only: bool) -> None:
    """Write the units and start them. Run it again after a change of `http` or the inbox.

    On Linux these are units of your systemd, on macOS an agent of launchd.
    """
    paths, found = get_paths(), manager()
    spec = make_spec(paths, load(paths.config_path))
    if not write_only:
        found.check()
        _stop_daemon()
    units = found.units(spec)
    put(units, found.paths(), say)
    if write_only:
        say("to start them: vox service install; to undo: vox service uninstall")
        return
    found.start(units)
    asked = ["a call of vox", *(f"a request to http://{each}" for each in spec.addresses)]
    dropped = ["a file in the inbox"] if spec.inbox_folders else []
    say(f"what starts the daemon: your login, {', '.join([*asked, *dropped])}")
    for note in found.notes():
        tell(f"vox: {note}")
    say("to undo: vox service uninstall")


def _stop_daemon() -> None:
    """One that runs has the sockets, and has to end first; it finishes what it is saying."""
    paths = get_paths()
    if control.is_there(paths):
        control.stop(paths, False, tell)


@service.command()
def uninstall() -> None:
    """Remove the units. The daemon starts when vox is called, as before."""
    found = manager()
    if not any(map(os.path.exists, found.paths())):
        say("not installed")
        return
    _stop_daemon()
    found.stop()
    remove(found.paths(), say)
    found.reload()


@service.command()
@json_option
def status(as_json: bool) -> int:
    """Show the units. The exit code is 0 if they are installed, 3 if not."""
    found = manager()
    installed = [path for path in found.paths() if os.path.exists(path)]
    states = found.states() if installed else {}
    if as_json:
        say_json({"manager": found.name, "installed": bool(installed), "units": states})
    elif not installed:
        say("not installed; to install it: vox service install")
    else:
        told = [(os.path.basename(path), path) for path in installed]
        fields([(name, f"{states.get(name, 'not running')}, {path}") for name, path in told])
        if not states:
            tell(f"vox: your {found.name} is not running, so nothing starts the daemon by itself")
    return 0 if installed else NOT_INSTALLED
