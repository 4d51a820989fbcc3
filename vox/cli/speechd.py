"""`vox speechd`: have speech-dispatcher, and so Orca and spd-say, speak with vox."""

from __future__ import annotations

import dataclasses
import os

import click

from ..paths import get_paths
from ..service.spec import home_variables
from ..speechd import installing
from ..speechd.installing import MODULE, Places
from .options import json_option
from .output import fields, say, say_json

NOT_INSTALLED = 3
SERVER = "speech-dispatcher"


@click.group()
def speechd() -> None:
    """Let Orca and spd-say speak with vox.

    So do all other programs that use speech-dispatcher. All is written in your own folders; nothing
    in /etc is changed. See docs/speech-dispatcher.md.
    """


@speechd.command()
@click.option("--default", "is_default", is_flag=True, help="Speak with vox unless told otherwise.")
def install(is_default: bool) -> None:
    """Have speech-dispatcher find vox as its output module `vox`.

    Run it again after vox has been moved, or to set or unset --default.
    """
    places = Places.of()
    written = installing.install_module(places, home_variables())
    say(f"{'wrote' if written else 'unchanged'} {places.module}")
    is_configured = installing.configure(places, is_default)
    if is_configured:
        say(f"wrote {places.config}")
    _keep_voices()
    if not is_default and not installing.is_default(places):
        say("to make it the default: vox speechd install --default")
    _tell_server(True, is_configured)
    say(f'to try it: spd-say -o {MODULE} "Hello."')
    say("to undo: vox speechd uninstall")


def _keep_voices() -> None:
    """The module answers at once what voices there are, so it has their list from the beginning."""
    from ..config import load
    from ..speechd.voices import Voices
    from ..voices.catalog import Catalog

    paths = get_paths()
    voices = Catalog(paths, lambda: load(paths.config_path)).voices()
    Voices.of(paths).learn([dataclasses.asdict(voice) for voice in voices])


def _tell_server(is_wanted: bool, is_configured: bool) -> None:
    """Say what has to be done to the server that runs."""
    modules, pid = installing.server_modules(), installing.server_pid()
    if modules is None or pid is None:
        return
    if is_configured:  # it keeps to the file that was there when it started
        say(f"{SERVER} is running; to have it start again with this: kill {pid}")
    elif (MODULE in modules) != is_wanted:
        say(f"{SERVER} is running; to have it look for its modules: kill -HUP {pid}")


@speechd.command()
def uninstall() -> None:
    """Remove what `install` wrote. What was there before is as it was."""
    places = Places.of()
    is_removed, is_configured = installing.remove_module(places), installing.unconfigure(places)
    if is_removed:
        say(f"removed {places.module}")
    if is_configured:
        what = "our lines from " if os.path.exists(places.config) else ""
        say(f"removed {what}{places.config}")
    if not (is_removed or is_configured):
        say("not installed")
        return
    _tell_server(False, is_configured)


@speechd.command()
@json_option
def status(as_json: bool) -> int:
    """Show whether speech-dispatcher finds vox. The exit code is 0 if it is installed, 3 if not."""
    places = Places.of()
    is_installed = installing.is_ours(places.module)
    is_default = installing.is_default(places)
    modules = installing.server_modules()
    if as_json:
        say_json(
            {
                "installed": is_installed,
                "module": places.module,
                "default": is_default,
                "server_modules": modules,
            }
        )
    else:
        fields(
            [
                ("module", places.module if is_installed else "not installed: vox speechd install"),
                ("default", "yes" if is_default else "no"),
                ("server", _server(modules, places if is_installed else None)),
            ]
        )
    return 0 if is_installed else NOT_INSTALLED


def _server(modules: list[str] | None, installed: Places | None) -> str:
    if modules is None:
        import shutil

        if shutil.which(SERVER) is None:
            return f"not installed: there is no program {SERVER}"
        return "not running; the next program that speaks starts it"
    if MODULE in modules:
        return "running, it has loaded vox"
    pid = installing.server_pid() if installed else None
    if installed is None or pid is None:
        return "running, it has not loaded vox"
    # After SIGHUP it reads the file again that was there when it started.
    signal = "" if installing.is_configured(installed) else "-HUP "
    return f"running, it has not loaded vox; to have it do so: kill {signal}{pid}"
