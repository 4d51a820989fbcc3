"""`vox config`: show and change the settings."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

import click

from .. import config as settings
from ..checks import Key
from ..client import daemon as control
from ..errors import BackendNotInstalled, BadConfig, BadOption, VoxError
from ..paths import Paths, get_paths
from ..service.choice import owns_socket
from ..source_keys import SOURCE_KEYS, key_of, split
from .completers import complete_setting, known_sources
from .options import json_option
from .output import is_terminal, say, say_json, table, tell
from .voices import open_catalog

_OF_TCP = ("http", "http_allow_remote", "wyoming", "wyoming_allow_remote")
NEED_RESTART = (*_OF_TCP, "wyoming_zeroconf", "audio_device", "log_level", "spool_limit_mb")
"""Settings that the daemon reads only when it starts."""
OF_SERVICE = (*_OF_TCP, "inbox.enabled", "inbox.path")
"""Settings that stand in the units of a service."""


def _complete_key(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from ..backends import registry

    found = list(settings.KEYS)
    found += [f"sources.{name}.{key}" for name in known_sources() for key in SOURCE_KEYS]
    of_backends = [f"backends.{name}." for name in registry.names()]
    meant = [each for each in of_backends if each.startswith(incomplete)]
    for prefix in of_backends:
        # The keys of one backend alone: for each, its adapter is imported.
        if incomplete.startswith(prefix) or meant == [prefix]:
            keys = (*settings.BACKEND_KEYS, *(_own_keys(prefix + "device") or ()))
            found += [prefix + key for key in keys]
        else:
            found.append(prefix)
    return [name for name in found if name.startswith(incomplete)]


@click.group()
def config() -> None:
    """Show and change the settings.

    Flags beat VOX_* variables, which beat the file, which beats the defaults.
    """


@config.command()
@click.argument("key", required=False, shell_complete=_complete_key)
@json_option
def show(key: str | None, as_json: bool) -> None:
    """Show all settings, or the value of one."""
    loaded = settings.load(get_paths().config_path)
    rows = _rows(loaded)
    if key is not None:
        _show_one(key, rows, as_json)
    elif as_json:
        say_json(rows)
    else:
        lines = [(each["key"], _text(each["value"]), each["origin"], each["help"]) for each in rows]
        table(("setting", "value", "from", "meaning"), lines, is_whole=True)


def _rows(loaded: settings.Config) -> list[dict[str, Any]]:
    rows = [
        _row(name, key, loaded[name], loaded.origins.get(name, "default"))
        for name, key in settings.KEYS.items()
    ]
    for backend, options in loaded.backends.items():
        for option, value in options.items():
            name = f"backends.{backend}.{option}"
            rows.append(_row(name, settings.find_key(name, _own_keys(name)), value, "config.toml"))
    for source, options in loaded.sources.items():
        for option, value in options.items():
            rows.append(_row(key_of(source, option), SOURCE_KEYS[option], value, "config.toml"))
    return rows


def _row(name: str, key: Key, value: Any, origin: str) -> dict[str, Any]:
    return {
        "key": name,
        "value": value,
        "default": key.default,
        "origin": origin,
        "help": key.help,
    }


def _own_keys(key: str) -> Mapping[str, Key] | None:
    """The settings that the backend of `backends.NAME.KEY` has for itself; None: not known."""
    tables = split(key)
    if tables[0] != "backends" or len(tables) != 3:
        return None
    from ..backends import registry

    try:
        return registry.get(tables[1]).info.options
    except VoxError:
        return None


def _show_one(key: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    known = settings.find_key(key, _own_keys(key))
    unset = _row(key, known, known.default, "default")
    row = next((each for each in rows if split(each["key"]) == split(key)), unset)
    if as_json:
        say_json(row)
    else:
        say(_text(row["value"], none=""))


def _text(value: Any, none: str = "-") -> str:
    """A value as `vox config set` would take it."""
    if value is None:
        return none
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or none
    if isinstance(value, dict):
        return ", ".join(f"{name} = {item}" for name, item in value.items()) or none
    return f"{value:g}" if isinstance(value, float) else str(value)


@config.command("set", context_settings={"ignore_unknown_options": True})  # `set idle_timeout -1`
@click.argument("key", shell_complete=_complete_key)
@click.argument(
    "value",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
    shell_complete=complete_setting,
)
def set_(key: str, value: tuple[str, ...]) -> None:
    """Change a setting, e.g.: vox config set idle_timeout 600"""
    paths = get_paths()
    own = _own_keys(key)
    # The shell may have expanded a pattern into several words.
    is_list = isinstance(settings.find_key(key, own).default, tuple)
    text = (", " if is_list else " ").join(value)
    value_checked = settings.checked(key, text, own)
    if key in ("http", "wyoming") and value_checked:
        _check_address(key, value_checked, settings.load(paths.config_path))
    if key == "wyoming_zeroconf" and value_checked:
        from ..wyoming.discovery import check_package

        check_package()
    _check_names(paths, key, value_checked)
    value_set = settings.set_value(paths.config_path, key, text, own)
    say(f"{key} = {_text(value_set, none='(not set)')}")
    _tell_if_without_effect(key, value_set)
    if key == "http" and value_set:
        from ..tokens import ensure_token

        ensure_token(paths)
        say("to print its token: vox daemon token")
    _after_change(paths, key)


def _tell_if_without_effect(key: str, value: Any) -> None:
    """A line on a `device` that its backend cannot use, and on `workers` without the package."""
    if key == "workers" and value and importlib.util.find_spec("redis") is None:
        from ..redis_url import no_package

        tell(f"vox: {no_package().line}")
    table, _, option = key.rpartition(".")
    if option != "device":
        return
    from ..backends import registry

    note = registry.get(table.removeprefix("backends.")).info.device_note(value)
    if note:
        tell(f"vox: {note}")


def _check_names(paths: Paths, key: str, value: Any) -> None:
    """The backends, voice or language that the value names must exist, installed or not.

    But those of `keep` must be installed. Raises UnknownBackend, UnknownVoice, UnknownLanguage,
    BackendNotInstalled.
    """
    *tables, last = split(key)
    named = [tables[1]] if tables[:1] == ["backends"] else []
    if key == "keep":
        for name in value:
            open_catalog(paths).check_ready(name)
    elif last == "backend" and value:
        named.append(value)
    if named:
        from ..backends import registry

        for name in named:
            registry.import_string(name)
    if tables[:1] == ["sources"] and last == "voice":
        backend = settings.load(paths.config_path).of_source(tables[1], "backend")
        named += [backend] if backend else []
    if value and last == "voice":
        _check_voice(paths, value, *named)
    elif value and key == "lang":
        from ..languages import normalize

        normalize(value)


def _check_voice(paths: Paths, voice: str, backend: str | None = None) -> None:
    from ..voices.choice import resolve
    from ..voices.wish import Wish

    try:
        resolve(open_catalog(paths), Wish(backend=backend, voice=voice))
    except BackendNotInstalled:
        pass
    except BadOption:
        if backend is not None:  # else several have a voice of that name
            raise


def _check_address(key: str, address: str, loaded: settings.Config) -> None:
    """Raises BadConfig for an address that the daemon would refuse to listen on."""
    from ..addresses import resolve

    resolve(key, address, loaded[f"{key}_allow_remote"])


def _tell_if_open_to_all(key: str, loaded: settings.Config) -> None:
    """A line on what it means that other machines reach the Wyoming server from now on."""
    from ..addresses import WYOMING_RISK, are_local, resolve

    may_be_remote, address = loaded["wyoming_allow_remote"], loaded["wyoming"]
    if key not in ("wyoming", "wyoming_allow_remote") or not may_be_remote or not address:
        return
    if not are_local(resolve("wyoming", address, may_be_remote)):
        tell(f"vox: {WYOMING_RISK}")


@config.command()
@click.argument("key", shell_complete=_complete_key)
def unset(key: str) -> None:
    """Set a setting back to its default."""
    paths = get_paths()
    if not settings.unset_value(paths.config_path, key):
        say(f"{key} was not set")
        return
    say(f"{key} = {_text(settings.find_key(key).default, none='(not set)')} (default)")
    _after_change(paths, key)


def _after_change(paths: Paths, key: str) -> None:
    try:
        loaded = settings.load(paths.config_path)
    except BadConfig as exc:
        tell(f"vox: {exc.line}")
        return
    origin = loaded.origins.get(key, "")
    if origin.startswith("VOX_"):
        tell(f"vox: {origin} is set in this shell and overrides it")
    _tell_if_open_to_all(key, loaded)
    if key in OF_SERVICE and owns_socket(paths):
        tell("vox: takes effect for the service after: vox service install")
    elif key in NEED_RESTART and control.is_up(paths):
        tell("vox: takes effect after: vox daemon restart")


@config.command()
def path() -> None:
    """Print the path of the file."""
    say(get_paths().config_path)
    if is_terminal(sys.stdout) and is_terminal(sys.stderr):
        from os.path import exists

        if not exists(get_paths().config_path):
            tell("(does not exist yet; `vox config set` creates it)")
