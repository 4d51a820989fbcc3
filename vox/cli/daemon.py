"""`vox daemon`: start, stop, restart, status, warm, unload, logs and the token of its HTTP API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from ..client import daemon as control
from ..client.status import line_of_workers
from ..config import load
from ..errors import BadConfig, StorageError, VoxError
from ..jobs import LIVE
from ..paths import Paths, get_paths
from ..sizes import megabytes
from .completers import complete_backend
from .options import Count, json_option, quiet_option, request_options
from .output import (
    count_of_jobs,
    duration,
    engine_of,
    fields,
    is_terminal,
    say,
    say_json,
    table,
    tell,
)

NOT_RUNNING = 3
LEAST_WARM_S = 5.0
"""Who has a model warmed that stays no longer than this is told so."""

STATUS_KEYS = ("running", "pid", "version", "uptime_s", "idle_timeout_s", "queue", "loaded_models")


@click.group()
def daemon() -> None:
    """Start, stop and watch the daemon.

    It starts by itself when a job needs it, and exits when idle (vox config set idle_timeout
    TIME), unless a call wants a model to stay loaded (--keep-alive), `http` or `wyoming` is set,
    or the inbox wants it to stay (vox inbox on).
    """


@daemon.command()
def start() -> None:
    """Start the daemon unless it is running, and print its PID."""
    _start(get_paths())


def _start(paths: Paths) -> None:
    notes, health = control.start(paths)
    for note in notes:
        tell(f"vox: {note}")
    for name, what in (("http", "HTTP API"), ("wyoming", "Wyoming server")):
        if error := health.get(name, {}).get("error"):  # also of one that was running
            tell(f"vox: no {what} on TCP: {error}")
    say(f"running, PID {health['pid']}")


@daemon.command()
@click.option("--now", is_flag=True, help="Cut off what is being spoken.")
def stop(now: bool) -> None:
    """Stop the daemon. It finishes what it speaks; waiting jobs stay queued."""
    say("stopped" if control.stop(get_paths(), now, tell) else "not running")


@daemon.command()
@click.option("--now", is_flag=True, help="Cut off what is being spoken.")
def restart(now: bool) -> None:
    """Stop the daemon and start it again."""
    paths = get_paths()
    control.stop(paths, now, tell)
    _start(paths)


@daemon.command()
@json_option
def status(as_json: bool) -> int:
    """Show the daemon's status. The exit code is 0 if it is running, 3 if not."""
    health = control.health(get_paths())
    if health is None:
        if as_json:
            say_json({**dict.fromkeys(STATUS_KEYS), "running": False})
        else:
            say("not running")
        return NOT_RUNNING
    status = {"running": True, **health, "uptime_s": health["uptime"]}
    del status["uptime"]
    if as_json:
        say_json({name: status[name] for name in dict.fromkeys((*STATUS_KEYS, *status))})
    else:
        _print_status(status)
    return 0


def _print_status(status: dict[str, Any]) -> None:
    fields(
        [
            ("daemon", f"{status['status']}, PID {status['pid']}, vox {status['version']}"),
            ("uptime", duration(status["uptime_s"])),
            ("idle timeout", _idle_timeout(status)),
            ("queue", _queue(status["queue"]) + _awaits(status.get("audio") or {})),
            ("audio", _brief(status.get("audio"))),
            ("inbox", _inbox(status["inbox"])),
            *_addresses(status),
            *(("workers", line) for line in [line_of_workers(status.get("workers"))] if line),
            ("cache", _cache()),
            ("models", _models_line(status)),
            *(("keep", line) for line in status.get("keep_errors", {}).values()),
        ]
    )
    models = status["loaded_models"]
    if not models:
        return
    say()
    header = (
        "backend", "model", "device", "state", "idle", "until", "memory", "VRAM", "load", "jobs",
    )  # fmt: skip
    # Beside the names and values above, tab-separated lines alone would say nothing.
    table(header, [_model(each) for each in models], spare=(8, 4, 7), is_named=True)


def _cache() -> str:
    """What the utterances take that need not be synthesized again."""
    from ..install.status import size_mb

    paths = get_paths()
    size = f"{size_mb(paths.utterances_dir):.1f}"
    try:
        limit = load(paths.config_path)["cache_mb"]
    except BadConfig:  # The daemon has the earlier settings, and says so with each job.
        return f"{size} MB"
    return f"{size} of {limit:g} MB" if limit else "off (cache_mb is 0)"


def _models_line(status: dict[str, Any]) -> str:
    parts = [str(len(status["loaded_models"]) or "none is loaded")]
    if status["memory_mb"]:
        parts.append(f"memory {megabytes(status['memory_mb'])}")
    if status["vram_usage"]["total_mb"]:
        parts.append(f"VRAM {megabytes(status['vram_usage']['total_mb'])}")
    return ", ".join(parts)


def _model(each: dict[str, Any]) -> list[str]:
    return [
        each["backend"],
        str(each["model"] or "-"),
        engine_of(each) or "-",
        each["state"],
        duration(each["idle_s"]),
        _until(each),
        megabytes(each["memory_mb"]),
        megabytes(each["vram_mb"]),
        "-" if each["load_s"] is None else f"{each['load_s']:.1f} s",
        str(each["jobs"]),
    ]


def _until(each: dict[str, Any]) -> str:
    """How much longer the model stays loaded if nobody uses it."""
    if each["keep_alive_s"] < 0:
        return "forever"
    if each["expires_at"] is None:
        return "in use"
    return f"in {duration(max(0.0, each['keep_alive_s'] - each['idle_s']))}"


def _idle_timeout(status: dict[str, Any]) -> str:
    seconds, stays_for = status["idle_timeout_s"], status.get("stays_for")
    if seconds < 0:
        return f"off: {_keepers(stays_for)}" if stays_for else "off"
    return duration(seconds) if seconds else "exits as soon as the queue is empty"


def _keepers(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} keeps it up"
    return f"{', '.join(names[:-1])} and {names[-1]} keep it up"


def _queue(counts: dict[str, Any]) -> str:
    # That a job is "preparing" does not tell whether its audio is made: see `vox queue`.
    live = sum(counts[state] or 0 for state in LIVE)
    jobs = count_of_jobs(live) if live else "empty"
    speaking = ", 1 speaking" if counts["speaking"] else ""
    silent = ["paused"] if counts.get("paused") else []
    silent += [f"{name} {how}" for how in ("paused", "muted") for name in counts[f"{how}_sources"]]
    return jobs + speaking + (f" ({', '.join(silent)})" if silent else "")


def _awaits(audio: dict[str, Any]) -> str:
    return " (waiting for a sound device)" if audio.get("state") == "waiting" else ""


def _inbox(status: dict[str, Any]) -> str:
    parts = [str(status.get("folder", "-"))]
    parts += [
        f"{status[name]} {name}" for name in ("pending", "working", "failed") if status.get(name)
    ]
    return ", ".join([*parts, *filter(None, [status.get("error")])])


def _addresses(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where it listens on TCP, or why not, as far as that is set."""
    for name, scheme in (("http", "http"), ("wyoming", "tcp")):
        found = status.get(name)  # a daemon of an earlier version has no Wyoming server
        if found and found["address"]:
            error, address = found["error"], found["address"]
            shown = f"off: {error}" if error else f"{scheme}://{address}"
            if as_what := found.get("announced_as"):
                shown += f", announced as {as_what}"
            yield name, shown


@daemon.command()
@click.argument("backend", shell_complete=complete_backend)
@request_options("model", "voice", "keep_alive")
@json_option
@quiet_option
@click.pass_context
def warm(
    ctx: click.Context,
    backend: str,
    model: str | None,
    voice: str | None,
    keep_alive: float | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Load the model of BACKEND before it is needed.

    Starts the daemon if need be, and returns once the model is loaded. It takes its turn among
    the jobs. Ctrl-C gives up. The model stays as long as the settings say (idle_timeout), or as
    --keep-alive says; then the daemon stays as well.
    """
    from ..backends import registry
    from ..quick.interrupts import Heeded, Terminated
    from .speaking import CallOptions, progress_display
    from .text_input import checked, model_name

    registry.import_string(backend)
    given = {"model": model_name(model), "voice": voice, "keep_alive": keep_alive}
    wanted = {name: checked(name, value) for name, value in given.items() if value is not None}
    try:
        with Heeded(), progress_display(CallOptions(quiet=quiet)) as on_event:
            loaded = control.warm(get_paths(), {"backend": backend, **wanted}, on_event)
    except Terminated as exc:
        return exc.exit_code
    except VoxError as exc:
        from .failures import blame_variable

        blame_variable(ctx, exc)
        raise
    if as_json:
        say_json(loaded)
        return 0
    say(f"{loaded['backend']} is loaded: {_what_is_loaded(loaded)}")
    if not quiet:
        for note in loaded["notes"]:
            tell(f"vox: {note}")
        stays_s = loaded["keep_alive_s"]
        if keep_alive is None and stays_s is not None and 0 <= stays_s < LEAST_WARM_S:
            stays = f"it stays for {duration(stays_s)} only"
            tell(f"vox: {stays}; for longer: --keep-alive 30m")
    return 0


def _what_is_loaded(model: dict[str, Any]) -> str:
    where = "on a worker" if model["device"] == "workers" else engine_of(model)
    parts = [str(model["model"] or ""), where]
    if model["load_s"] is not None:
        parts.append(f"loaded in {model['load_s']:.1f} s")
    stays_s = model["keep_alive_s"]
    if stays_s is not None:
        parts.append("stays forever" if stays_s < 0 else f"stays for {duration(stays_s)}")
    return ", ".join(filter(None, parts))


@daemon.command()
@click.argument("backend", required=False, shell_complete=complete_backend)
@json_option
def unload(backend: str | None, as_json: bool) -> None:
    """Unload the model of BACKEND, or all models.

    This frees their memory. A model in use is unloaded after its job.
    """
    if backend is not None:
        from ..backends import registry

        registry.import_string(backend)
    answer = control.unload(get_paths(), backend)
    if as_json:
        say_json(answer or {"unloaded": [], "busy": []})
    elif answer is None:
        say("not running, so no model is loaded")
    elif not answer["unloaded"] and not answer["busy"]:
        say("no model is loaded" if backend is None else f"{backend} is not loaded")
    else:
        for model in answer["unloaded"]:
            say(f"{model['backend']} unloaded{_given_back(model)}")
        for name in answer["busy"]:
            say(f"{name} is in use: it is unloaded after its job")


def _given_back(model: dict[str, Any]) -> str:
    sizes = [
        f"{name} {megabytes(model[key])}"
        for name, key in (("memory", "memory_mb"), ("VRAM", "vram_mb"))
        if model[key]
    ]
    return f" ({', '.join(sizes)})" if sizes else ""


def _brief(value: Any) -> str:
    """A small JSON object on one line, without values that are unknown."""
    if not isinstance(value, dict):
        return "-" if value is None else str(value)
    parts = [f"{name} {item}" for name, item in value.items() if item not in (None, [], {}, "")]
    return ", ".join(parts) or "-"


@daemon.command()
@click.option(
    "-n",
    "--lines",
    type=Count(),
    default=40,
    show_default=True,
    metavar="N",
    help="The last N lines.",
)
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they come.")
def logs(lines: int, follow: bool) -> None:
    """Print the daemon's log."""
    from .log_tail import last_lines, new_text

    path = get_paths().log_path
    try:
        text, offset = last_lines(path, lines)
    except FileNotFoundError:
        text, offset = "", 0
        if not follow:
            tell(f"no log yet: {path}")
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc.strerror}") from exc
    say(text, end="")
    if follow:
        for text in new_text(path, offset):
            say(text, end="")


@daemon.command()
def socket() -> None:
    """Print the path of the control socket, for curl --unix-socket."""
    say(get_paths().socket_path)


@daemon.command()
@click.option("--new", is_flag=True, help="Make a new token; the old one becomes invalid.")
def token(new: bool) -> None:
    """Print the bearer token of the HTTP API on TCP."""
    from ..tokens import ensure_token, renew_token

    paths: Paths = get_paths()
    say(renew_token(paths) if new else ensure_token(paths))
    if new and is_terminal(sys.stderr) and control.is_up(paths):
        tell("takes effect after: vox daemon restart")
