"""`vox doctor`: checks what vox needs, and says what to do about what is missing."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from .. import __version__
from ..backends.base import install_hint
from ..client import daemon as control
from ..client import inbox as inbox_client
from ..config import Config, load
from ..errors import DaemonUnavailable, NoAudioOutput, VoxError
from ..files import cannot_write, make_dir
from ..install.status import size_mb
from ..jobs import Wanted
from ..paths import Paths, get_paths
from ..quick.place import may_be_elsewhere
from ..redis_url import is_exposed
from ..text import say_as_files
from .options import json_option
from .output import say, say_json
from .speaking import open_jobs
from .voices import open_catalog, open_catalog_with_workers

if TYPE_CHECKING:
    from ..client.workers import Inspection

MIN_FREE_MB = 200
RECENT_S = 24 * 3600
"""Failures that are older than this are not reported."""
MOST_NAMED = 8
"""Workers."""
SEE_DOCTOR = ", or check: vox doctor"
"""Some errors end with this advice; here it would be circular."""

Level = Literal["ok", "note", "fail"]


class Finding(NamedTuple):
    name: str
    level: Level
    text: str
    hint: str = ""
    path: str | None = None
    """The folder or file that it is about."""


Check = Callable[[Paths, Config], Iterator[Finding]]


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Check that vox has everything it needs. The exit code is 1 if something is missing."""
    paths = get_paths()
    findings: list[Finding] = []
    for found in _examine(paths):
        finding = found._replace(
            text=found.text.replace(SEE_DOCTOR, ""), hint=found.hint.replace(SEE_DOCTOR, "")
        )
        findings.append(finding)
        if not as_json:
            say(_line(finding))
    if as_json:
        say_json([finding._asdict() for finding in findings])
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def _line(finding: Finding) -> str:
    text = f"{finding.level.upper():4}  {finding.name}: {finding.text}"
    return f"{text}; {finding.hint}" if finding.hint else text


def _examine(paths: Paths) -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()}, vox {__version__}")
    bad_settings = ""
    try:
        config = load(paths.config_path)
        yield Finding("settings", "ok", paths.config_path, path=paths.config_path)
    except VoxError as exc:
        yield Finding("settings", "fail", exc.message, exc.hint)
        config = load(os.devnull, {})
        bad_settings = exc.message
    for check in CHECKS:
        try:
            yield from check(paths, config)
        except VoxError as exc:
            if exc.message != bad_settings:
                name = check.__name__.strip("_").replace("_", " ")
                yield Finding(name, "fail", exc.message, exc.hint)


def _folders(paths: Paths, _config: Config) -> Iterator[Finding]:
    uses: dict[str, list[str]] = {}
    for use, folder in (
        ("data", paths.data_dir),
        ("settings", paths.config_dir),
        ("cache", paths.cache_dir),
        ("runtime", paths.runtime_dir),
        ("log", paths.log_dir),
    ):
        uses.setdefault(folder, []).append(use)
    for folder, names in uses.items():
        yield _folder(folder)._replace(name=f"{' and '.join(names)} folder")


def _folder(folder: str) -> Finding:
    was_missing = not os.path.lexists(folder)
    try:
        make_dir(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except (VoxError, OSError) as exc:
        error = exc if isinstance(exc, VoxError) else cannot_write(folder, exc)
        return Finding("folder", "fail", error.message, error.hint, folder)
    free_mb = shutil.disk_usage(folder).free / 1e6
    text = f"{folder}, {free_mb / 1000:.1f} GB free"
    if was_missing:
        text += ", was missing and has been created"
    if free_mb < MIN_FREE_MB:
        return Finding("folder", "fail", text, "free disk space, or see: vox history clear", folder)
    return Finding("folder", "ok", text, path=folder)


def _kept_audio(paths: Paths, config: Config) -> Iterator[Finding]:
    """What past jobs and the utterance cache take, and whether they can be kept."""
    for name, folder, limit in (
        ("kept audio of jobs", paths.spool_dir, "spool_limit_mb"),
        ("cache of utterances", paths.utterances_dir, "cache_mb"),
    ):
        found = _folder(folder)
        if found.level == "ok":
            text = f"{folder}, {size_mb(folder):.0f} of {config[limit]:g} MB ({limit})"
            found = found._replace(text=text)
        yield found._replace(name=name)


def _database(paths: Paths, _config: Config) -> Iterator[Finding]:
    from ..client.local import find_damage

    damage = find_damage(paths)
    if damage:
        hint = "run: vox daemon restart, which moves it aside"
        yield Finding("queue", "fail", f"{paths.db_path}: {damage}", hint, paths.db_path)
    else:
        yield Finding("queue", "ok", paths.db_path, path=paths.db_path)


def _sound(paths: Paths, config: Config) -> Iterator[Finding]:
    """Whether the daemon can play or, if none is up, whether one that started now could."""
    of_daemon = control.sound(paths, timeout_s=10.0)
    here = _sound_here(config)
    if (of_daemon or here.level) != "ok" and _is_heard_elsewhere(paths):
        yield Finding("sound", "note", "none on this machine; a laptop speaks instead")
    elif of_daemon is None:
        yield here
    elif of_daemon != "ok":
        can_here = here.level == "ok"
        also = " (a daemon that started now could play)" if can_here else ""
        hint = "run: vox daemon restart" if can_here else ""
        yield Finding("sound", "fail", of_daemon + also, hint)
    else:
        yield Finding("sound", "ok", "the daemon can play")
        if here.level != "ok":
            text = f"a daemon that this shell started could not: {here.text}"
            lacks = "this shell lacks a variable, such as XDG_RUNTIME_DIR"
            is_named = here.hint != NoAudioOutput.default_hint
            yield Finding("sound", "note", text, here.hint if is_named else lacks)


def _is_heard_elsewhere(paths: Paths) -> bool:
    try:
        return _has_laptop(paths)
    except DaemonUnavailable:
        return True


def _has_laptop(paths: Paths) -> bool:
    """Whether a laptop speaks in our place (`vox remote`). Raises DaemonUnavailable: not now."""
    if not may_be_elsewhere(os.environ):
        return False
    from ..client.laptop import find

    return find(paths) is not None


def _laptop(paths: Paths, _config: Config) -> Iterator[Finding]:
    if _has_laptop(paths):
        yield Finding("laptop", "ok", "it answers; what is sent from here is heard there")


def _sound_here(config: Config) -> Finding:
    """As a daemon would that this shell starts, which looks in the usual places as well."""
    from ..audio.device import Loudspeaker, device_of

    chosen = config["audio_device"]
    speaker = Loudspeaker(device_of(chosen))
    own = speaker.servers.kept
    try:
        speaker.probe()
    except VoxError as exc:
        return Finding("sound", "fail", exc.message, exc.hint)
    finally:
        speaker.leave()
    text = f"output {chosen or 'of the system'} opens"
    if speaker.servers.kept != own:
        found = ", ".join(f"{name}={value}" for name, value in speaker.servers.kept.items())
        text += f", but this shell lacks {found}"
    return Finding("sound", "ok", text)


def _backend(paths: Paths, config: Config) -> Iterator[Finding]:
    from ..voices.choice import usual

    catalog = open_catalog_with_workers(paths)
    name = usual(catalog, config).backend
    catalog.check_ready(name)
    what = "is installed" if catalog.is_ready(name) else "speaks on workers alone"
    yield Finding("backend", "ok", f"{name} {what}")


def _default_backends(paths: Paths, _config: Config) -> Iterator[Finding]:
    """The backends that are asked where a request names none."""
    catalog = open_catalog(paths)
    installed = [name for name in catalog.asked_by_default() if catalog.is_installed(name)]
    missing = {name: catalog.missing(name) for name in installed}
    ready = [name for name in installed if missing[name] is None]
    yield Finding("default backends", "ok", f"{', '.join(ready) or 'none'} ready")
    for name, what in missing.items():
        if what:
            yield Finding("default backends", "note", f"{name} cannot speak: {what}")


def _daemon(paths: Paths, _config: Config) -> Iterator[Finding]:
    if paths.note:
        yield Finding("runtime folder", "note", paths.note)
    health = control.health(paths, timeout_s=10.0)
    if health is None:
        yield Finding("daemon", "ok", "not running; it starts when something is to be spoken")
        return
    if health["version"] != __version__:
        text = f"PID {health['pid']} runs vox {health['version']}; this is vox {__version__}"
        yield Finding("daemon", "fail", text, "run: vox daemon restart")
    else:
        yield Finding("daemon", "ok", f"PID {health['pid']}, {health['status']}")
    inbox = health["inbox"]
    if inbox.get("error"):
        yield Finding("inbox", "fail", inbox["error"], "see: vox inbox status")
    for name, scheme in (("http", "http"), ("wyoming", "tcp")):
        found = health.get(name) or {"error": None, "address": None}
        if found["error"]:
            yield Finding(name, "fail", found["error"])
        elif found["address"]:
            yield Finding(name, "ok", f"listens on {scheme}://{found['address']}")
        if error := found.get("not_announced"):
            yield Finding("wyoming_zeroconf", "fail", f"not announced: {error}")


def _workers(paths: Paths, config: Config) -> Iterator[Finding]:
    """Nothing unless workers are set."""
    if config["workers"] is None:
        return
    from ..client.workers import inspect

    secret = config["workers_password_file"]
    if is_exposed(secret):
        hint = f"run: chmod 600 {secret}"
        yield Finding("workers_password_file", "note", "others may read it", hint, secret)
    found = inspect(config)
    yield from _redis(found)
    with contextlib.suppress(VoxError):
        of_daemon = (control.health(paths, timeout_s=10.0) or {}).get("workers")
        if of_daemon and of_daemon["reason"]:
            yield Finding("workers", "fail", f"the daemon cannot use them: {of_daemon['reason']}")
    ours = [each for each in found.workers if each.is_ours]
    if ours:
        names = [each.name for each in ours[:MOST_NAMED]]
        names += [f"{len(ours) - MOST_NAMED} more"] if len(ours) > MOST_NAMED else []
        yield Finding("workers", "ok", f"{len(ours)} available: {', '.join(names)}")
    else:
        yield Finding(
            "workers",
            "note",
            "none is available",
            "run on another machine: vox worker redis://HOST",
        )
    if others := len(found.workers) - len(ours):
        text = f"{others} of another version of vox, which this one cannot use"
        yield Finding("workers", "note", text, "see: vox workers")
    with contextlib.suppress(VoxError):  # which is said of the backend
        yield from _unserved(paths, config, {name for each in ours for name in each.backends})


def _redis(found: Inspection) -> Iterator[Finding]:
    server = f"{found.product or 'the server'} at {found.address}"
    if found.is_too_old:
        yield Finding("workers", "fail", f"{server} is too old", "vox needs Redis 6.2 or newer")
    else:
        yield Finding("workers", "ok", f"{server} answers in {found.ping_s * 1000:.1f} ms")
    if found.evicts:
        text = f"{server} forgets requests when it is full ({found.evicts})"
        yield Finding("workers", "note", text, "set its maxmemory-policy to noeviction")


def _unserved(paths: Paths, config: Config, served: set[str]) -> Iterator[Finding]:
    """Whether a call that names no backend has to wait. Raises as `usual`."""
    from ..voices.choice import usual

    catalog = open_catalog_with_workers(paths)
    name = usual(catalog, config).backend
    if name not in served and not catalog.is_ready(name):
        hint = f"on a worker, or here, {install_hint(name)}"
        yield Finding("workers", "fail", f"none serves {name}, and it is not installed here", hint)


def _inbox(paths: Paths, config: Config) -> Iterator[Finding]:
    if not config["inbox.enabled"]:
        return
    for name in inbox_client.status(paths)["being_written"]:
        text = f"{name} waits for its writer: a program has it open"
        yield Finding("inbox", "note", text, "it is spoken when that program closes it or ends")


def _failures(paths: Paths, _config: Config) -> Iterator[Finding]:
    if not os.path.exists(paths.db_path):
        return
    failed = list(open_jobs().history(1, Wanted(states=("failed",))))
    if not failed:
        return
    job = failed[0]
    at = datetime.fromisoformat(job["finished_at"] or job["created_at"])
    if time.time() - at.timestamp() > RECENT_S:
        return
    text = f"job {job['id']} failed at {at.astimezone():%H:%M:%S}: {job['error']}"
    yield Finding("latest failure", "note", text, f"see: vox history show {job['id']}")


def _say_as(paths: Paths, config: Config) -> Iterator[Finding]:
    """What is wrong with the words to respell: nobody may look at the notes of a job."""
    for trouble in say_as_files.load(
        paths.say_as_path, config["say_as"], paths.config_path
    ).troubles:
        yield Finding("say-as", "note", trouble)


CHECKS: tuple[Check, ...] = (
    _folders,
    _kept_audio,
    _database,
    _sound,
    _laptop,
    _backend,
    _default_backends,
    _daemon,
    _workers,
    _say_as,
    _inbox,
    _failures,
)
