"""`vox backends`: list, install, remove and test."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from ..client import daemon as control
from ..errors import BackendNotInstalled
from ..paths import Paths, get_paths
from ..sizes import megabytes
from . import backend_test
from .completers import complete_backend
from .install_progress import InstallProgress
from .options import json_option
from .output import is_terminal, say, say_json, table, tell
from .text_input import model_name
from .voices import open_catalog, open_catalog_with_workers

if TYPE_CHECKING:
    from ..install.figures import Figures

HEADER = (
    "backend",
    "state",
    "disk",
    "device",
    "languages",
    "voices",
    "streams",
    "can",
    "what it is",
)
SPARE = (8, 3, 4, 6, 5, 2)
"""Columns that are left out on a narrow terminal, in this order."""


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def backends(ctx: click.Context, as_json: bool) -> None:
    """List, install, remove and test backends. Without a command: list."""
    command = ctx.invoked_subcommand
    if command is None:
        _list(as_json)
    elif as_json:
        raise click.UsageError(f"--json goes after the command: vox backends {command} --json", ctx)


@backends.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the backends: what is installed, what each can do."""
    _list(as_json)


def _list(as_json: bool) -> None:
    paths = get_paths()
    described = open_catalog_with_workers(paths).describe()
    warm = _loaded_models(paths)
    for each in described:
        each["warm"] = [model for model in warm if model["backend"] == each["name"]]
    if as_json:
        say_json(described)
    else:
        rows = [_row(each) for each in described]
        table(HEADER, rows, numbers=(2, 5), spare=SPARE)


def _loaded_models(paths: Paths) -> list[dict[str, Any]]:
    health = control.health(paths)
    return health["loaded_models"] if health else []


def _row(each: dict[str, Any]) -> list[str]:
    if each["error"]:
        return [each["name"], "broken", "", "", "", "", "", each["error"], ""]
    can = [name for name in ("clone", "style", "gender") if each[name]]
    if each["speed"]:
        can.append(f"speed {each['speed'][0]:g}-{each['speed'][1]:g}")
    devices = [model["device"] for model in each["warm"] if model["device"]]
    languages = each["languages"]
    shown = " ".join(languages[:4]) + (f" +{len(languages) - 4}" if len(languages) > 4 else "")
    disk_mb = each["size_mb"] if each["installed"] else each["disk_mb"]
    return [
        each["name"],
        _state(each),
        megabytes(disk_mb) if disk_mb else "",
        ", ".join(devices) or each["accelerator"] or each["device"],
        shown or "any",
        str(each["voices"] or ""),
        each["streaming"],
        ", ".join(can),
        each["summary"],
    ]


def _state(each: dict[str, Any]) -> str:
    if each["on_workers"]:
        return "on workers"
    if each["broken"]:
        return "half installed"
    if not each["installed"]:
        return "not installed"
    if each["missing"]:
        return "incomplete"
    return "warm" if each["warm"] else "outdated" if each["outdated"] else "ready"


@backends.command(short_help="Install a backend and its weights, then test it.")
@click.argument("name", shell_complete=complete_backend)
@click.option(
    "-v",
    "--voice",
    "voices",
    multiple=True,
    metavar="NAME",
    help="Also fetch this voice (repeatable).",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Fetch this model instead of the usual one (repeatable).",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "mps"]),
    help="Install it for this device instead of the detected one.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
def install(
    name: str, voices: tuple[str, ...], models: tuple[str, ...], device: Any, yes: bool
) -> int:
    """Install backend NAME with its weights, then speak a test sentence into a file.

    An interrupted installation goes on where it stopped.
    """
    from ..install import installer

    paths = get_paths()
    catalog = open_catalog(paths)
    named = [str(model_name(model)) for model in models]
    settings = catalog.settings_for(name, named[0] if named else None)
    wanted = (*voices, *named)
    asks = not yes and is_terminal(sys.stdin) and is_terminal(sys.stderr)
    licence = catalog.info(name).license
    with InstallProgress(sys.stderr) as progress:

        def confirm(figures: Figures, free_mb: float) -> bool:
            return not asks or _confirms(progress, name, licence, figures, free_mb)

        try:
            status = installer.install(
                name,
                settings,
                progress.show,
                accelerator=device,
                voices=wanted,
                confirm=confirm,
            )
        except installer.Declined:
            tell("nothing was installed")
            return 1
        except click.Abort:  # Ctrl-C at the question
            tell("nothing was installed")
            raise
        except KeyboardInterrupt:
            on = _command(name, voices, models, device)
            tell(f"vox: interrupted; what was fetched is kept; to go on: {on}")
            raise
    say(f"{name} is installed" + (f" ({megabytes(status.size_mb)})" if status.own else ""))
    # A piper voice, for example, is a model to its makers, but not for `-m` of a request.
    model = settings.model if named and catalog.info(name).models else None
    try:
        return backend_test.run(paths, name, model, is_strict=False)
    except BackendNotInstalled as exc:  # for example of a model that speaks with clones alone
        tell(f"vox: no test sentence was spoken: {exc.line}")
        return 0
    finally:
        if model and catalog.missing(name):
            tell(f"vox: to use it without -m: vox config set backends.{name}.model {model}")


def _confirms(
    progress: InstallProgress, name: str, licence: str, figures: Figures, free_mb: float
) -> bool:
    """Whether the user wants it installed, who is told what that takes."""
    parts = [
        f"downloads {megabytes(figures.download_mb)}" if figures.download_mb else "",
        f"takes {megabytes(figures.disk_mb)} on the disk" if figures.disk_mb else "",
    ]
    takes = " and ".join(filter(None, parts)) or "takes nobody knows how much"
    if figures.peak_mb > figures.disk_mb:
        takes += f", {megabytes(figures.peak_mb)} while it is installed"
    with progress.paused():
        tell(f"{name} {takes}; {megabytes(free_mb)} are free")
        if licence:
            tell(f"licence: {licence}")
        return click.confirm("Install it?", default=True, err=True)


def _command(name: str, voices: tuple[str, ...], models: tuple[str, ...], device: Any) -> str:
    """The command that was given."""
    import shlex

    words = ["vox", "backends", "install", name]
    for option, values in (("-v", voices), ("-m", models), ("--device", filter(None, [device]))):
        words += [word for value in values for word in (option, value)]
    return shlex.join(words)


@backends.command()
@click.argument("name", shell_complete=complete_backend)
@click.option("-m", "--model", metavar="MODEL", help="Test this model instead of the usual one.")
@click.option(
    "--report", "is_report", is_flag=True, help="Print everything that a bug report needs."
)
@json_option
def test(name: str, model: str | None, is_report: bool, as_json: bool) -> int:
    """Speak a test sentence into a file, and print how long that took.

    It fails if the model runs on the CPU although it was installed for a GPU. With --report, or
    --json, it speaks twice and prints versions, devices, times and memory. Paste that into an
    issue: it has no names, texts or folders of yours.
    """
    paths = get_paths()
    named = model_name(model)
    if is_report or as_json:
        return backend_test.report(paths, name, named, as_json)
    open_catalog(paths).check_installed(name, named)
    return backend_test.run(paths, name, named)


@backends.command()
@click.argument("name", shell_complete=complete_backend)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
def remove(name: str, yes: bool) -> None:
    """Remove the environment and weights of backend NAME."""
    from ..install import installer
    from ..install.status import status_of

    paths = get_paths()
    settings = open_catalog(paths).settings_for(name)
    status = status_of(name, settings)
    asks = not yes and is_terminal(sys.stdin) and os.path.isdir(settings.env_dir)
    if asks and not click.confirm(
        f"Remove {settings.env_dir} ({megabytes(status.size_mb)})?", err=True
    ):
        return
    if installer.remove(name, paths.backends_dir):
        say(f"{name} removed ({megabytes(status.size_mb)})")
    else:
        why = "is built in and cannot be removed" if status.installed else "is not installed"
        tell(f"vox: {name} {why}")
