"""The settings: their names, defaults, checks, and the file that holds them.

Flags beat `VOX_*` variables, which beat `config.toml`, which beats the defaults below. `load`
merges all but the flags. `tomlkit`, which keeps comments, is imported only to write.
"""

from __future__ import annotations

import codecs
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import files
from .checks import Check, Key, boolean, integer, number, one_of, text, texts
from .durations import seconds_or_span
from .errors import BadConfig
from .jobs import OPTIONS
from .source_keys import SOURCE_KEYS, key_of, split, trouble_with

_BOM = "\ufeff"


def _idle_timeout(value: Any) -> float:
    allowed = "seconds, a time span such as 30m, 0 (exit as soon as the queue is empty) or -1"
    try:
        found: float = number(-1)(value if isinstance(value, bool) else seconds_or_span(value))
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not (found == -1 or found >= 0):
        raise ValueError(f"must be {allowed} (never exit)")
    return found


def _folder(value: Any) -> str | None:
    path = text(value)
    if path is not None and not os.path.isabs(os.path.expanduser(path)):
        raise ValueError("must be an absolute path, e.g. ~/Speak")
    return path


def _file(value: Any) -> str | None:
    path = text(value)
    if path is not None and not os.path.isabs(os.path.expanduser(path)):
        raise ValueError("must be an absolute path, e.g. ~/.config/vox/workers-password")
    return path


def _address(usual: str) -> Check:
    """HOST:PORT, or None for off."""

    def check(value: Any) -> str | None:
        if value is None or str(value).strip().lower() in ("", "off", "none"):
            return None
        host, _, port = str(value).strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"must be HOST:PORT, e.g. {usual}")
        return f"{host}:{port}"

    return check


def _hosts(value: Any) -> tuple[str, ...]:
    found = texts(value)
    if not all(re.fullmatch(r"\w[\w.-]{0,59}", host, re.ASCII) for host in found):
        raise ValueError(
            "must be names as you give them to ssh, of at most 60 letters, digits and -._"
        )
    return tuple(dict.fromkeys(found))


def _workers(value: Any) -> str | None:
    """The URL of a Redis server, or None for off."""
    if value is None or str(value).strip().lower() in ("", "off", "none"):
        return None
    from .redis_url import parse

    return parse(str(value)).url


def device(value: Any) -> str:
    """Where a model may run. Raises ValueError."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(value)):
        raise ValueError("must be auto, cpu, cuda, cuda:N or mps")
    return str(value)


def _map(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError('must be a table of texts, e.g. { alloy = "heart" }')
    return dict(value)


def _say_as(value: Any) -> tuple[Any, ...]:
    """Files and entries (see `text.say_as_files`). What is in them is looked at later."""
    if isinstance(value, str):
        return texts(value)
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(each, str)
        or (isinstance(each, Mapping) and all(isinstance(part, str) for part in each.values()))
        for each in value
    ):
        raise ValueError(
            'must be a list of files and entries: ["team.toml", {word = "", say = ""}]'
        )
    return tuple(each if isinstance(each, str) else dict(each) for each in value)


def _option(name: str) -> Check:
    """A number that the option of that name may be."""
    return number(OPTIONS[name].low, OPTIONS[name].high)


KEYS: dict[str, Key] = {
    "daemon": Key(True, boolean, "keep models warm; false: exit as soon as the queue is empty"),
    "idle_timeout": Key(
        300,
        _idle_timeout,
        "time until an idle daemon exits: seconds or 30m; 0: at once, -1: never",
    ),
    "backend": Key(None, text, "backend when -b is not given"),
    "voice": Key(None, text, "voice when -v is not given"),
    "lang": Key(None, text, "language when -l is not given, e.g. en or de-AT"),
    "speed": Key(1.0, _option("speed"), "speaking rate, 0.25 to 6"),
    "volume": Key(1.0, _option("volume"), "loudness, 0 to 5"),
    "format": Key(
        "auto", one_of(*OPTIONS["format"].choices), "how a text is read: auto, plain or markdown"
    ),
    "speak_code": Key(
        "announce", one_of("announce", "read"), "blocks of code in Markdown: announce or read"
    ),
    "emoji": Key("name", one_of("name", "drop"), "emoji: name or drop"),
    "audio_device": Key(None, text, "output device by name or number (default: the system's)"),
    "no_device": Key(
        "wait",
        one_of("wait", "fail"),
        "without a sound device, jobs that nobody waits for: wait or fail",
    ),
    "device_wait_s": Key(
        5.0, number(0), "longest time that a call waits for a sound device, seconds"
    ),
    "pause_s": Key(0.25, number(0.0, 5.0), "pause between sentences, seconds"),
    "lead_in_s": Key(
        0.02, number(0.0, 5.0), "silence before speech if the device was silent, seconds"
    ),
    "stream_flush_s": Key(
        1.0, number(0.0, 60.0), "wait for more of a sentence that is still written, seconds"
    ),
    "lookahead_s": Key(120, number(0), "speech that is prepared ahead of what is heard, seconds"),
    "keep": Key((), texts, "backends whose models the daemon loads at its start and never unloads"),
    "say_as": Key((), _say_as, "files of words to respell, besides `vox say-as add`"),
    "max_text": Key(1_000_000, integer(1), "longest text, characters"),
    "max_queue": Key(10_000, integer(1), "most jobs that may wait"),
    "spool_limit_mb": Key(1000, number(1), "disk for the audio of past jobs, megabytes"),
    "history_days": Key(0, number(0), "days after which ended jobs are forgotten; 0: never"),
    "cache_mb": Key(500, number(0), "disk for utterances to say again, megabytes; 0: off"),
    "load_timeout_s": Key(1800, number(1), "longest time a model may take to load"),
    "first_chunk_timeout_s": Key(300, number(0.1), "longest time to an utterance's first sound"),
    "stall_timeout_s": Key(120, number(0.1), "longest time between two chunks of sound"),
    "http": Key(
        None, _address("127.0.0.1:8765"), "HOST:PORT of the HTTP API on TCP (default: off)"
    ),
    "http_allow_remote": Key(False, boolean, "let http be reached from other machines"),
    "http_hosts": Key((), texts, "Host and Origin names allowed besides loopback"),
    "http_output_dir": Key(
        None, _folder, "folder below which requests over TCP may write files (default: nowhere)"
    ),
    "http_voices": Key({}, _map, "which voice an OpenAI voice name means"),
    "http_models": Key({}, _map, "which backend an OpenAI model name means"),
    "remote": Key(
        "auto",
        one_of("auto", "always", "never"),
        "on a server that `vox remote` set up, speak on the laptop: auto (in an ssh session), "
        "always or never",
    ),
    "remote_hosts": Key((), _hosts, "servers whose speech is heard here (vox remote)"),
    "workers": Key(
        None,
        _workers,
        "Redis server of the workers: redis://HOST[:PORT], or rediss:// for TLS (default: off)",
        may_hold_secret=True,
    ),
    "workers_password_file": Key(None, _file, "file with the password of that server"),
    "placement": Key(
        "auto",
        one_of("auto", "local", "remote"),
        "with workers, where to synthesize: auto (where it is sooner), local or remote",
    ),
    "lease_s": Key(
        10.0, number(1.0, 600.0), "a worker that is silent for so long is given up, seconds"
    ),
    "wyoming": Key(
        None, _address("127.0.0.1:10200"), "HOST:PORT for Home Assistant's Wyoming (default: off)"
    ),
    "wyoming_allow_remote": Key(False, boolean, "let wyoming be reached from other machines"),
    "wyoming_zeroconf": Key(
        False, boolean, "announce wyoming in the local network, so that Home Assistant finds it"
    ),
    "log_level": Key(
        "info", one_of("debug", "info", "warning", "error"), "debug, info, warning or error"
    ),
    "inbox.enabled": Key(True, boolean, "daemons watch the inbox"),
    "inbox.stay": Key(False, boolean, "the daemon stays to watch the inbox (vox inbox on)"),
    "inbox.path": Key(None, _folder, "the inbox folder"),
    "inbox.patterns": Key(("*.txt",), texts, "names of files to speak, in upper or lower case"),
    "inbox.settle_s": Key(1.0, number(0.0), "seconds a file must be unchanged"),
    "inbox.scan_s": Key(30.0, number(0.1), "seconds between two scans of the folder"),
    "inbox.polling": Key(False, boolean, "poll instead of file system events (network mounts)"),
    "inbox.max_bytes": Key(1_000_000, integer(1), "largest file, bytes"),
    "inbox.keep_done_days": Key(0, number(0), "days to keep files in done/; 0: forever"),
}

BACKEND_KEYS: dict[str, Key] = {
    "device": Key("auto", device, "auto, cpu, cuda, cuda:N or mps"),
    "model": Key(None, text, "model when -m is not given"),
    "voice": Key(None, text, "voice of this backend when -v is not given"),
    "voices": Key((), texts, "further voices that an installation fetches"),
    "cache": Key(True, boolean, "keep its utterances, to say them again without a model"),
}
"""Keys of every table `[backends.NAME]`; further ones are the backend's own: see `base.Info`."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, checked. `values` has every key of KEYS."""

    values: Mapping[str, Any]
    backends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where a setting that is not the default comes from: `config.toml` or its variable."""
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What is set for the jobs of a source, by its name: see SOURCE_KEYS."""
    trouble: str | None = None
    """Why the file's present content is not in force; None: it is."""

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def of_source(self, source: str, key: str) -> Any:
        """A default for the jobs of that source; None: it has none of its own."""
        return self.sources.get(source, {}).get(key)

    @property
    def muted_sources(self) -> list[str]:
        return [name for name, table in self.sources.items() if table.get("muted")]

    @property
    def idle_timeout_s(self) -> float:
        """Seconds; -1 for ever, 0 as soon as the queue is empty."""
        return float(self["idle_timeout"]) if self["daemon"] else 0.0


def load(path: str, environ: Mapping[str, str] = os.environ) -> Config:
    """Defaults, then the file at `path` if there is one, then `VOX_*` variables.

    Raises BadConfig with one line that says where and what.
    """
    values = {name: key.default for name, key in KEYS.items()}
    origins: dict[str, str] = {}
    tables: dict[str, dict[str, dict[str, Any]]] = {"backends": {}, "sources": {}}
    for name, given in _flatten(_read(path)).items():
        value = checked(name, given, where=path)
        kind, *rest = split(name)
        if kind in tables:
            of, option = rest
            tables[kind].setdefault(of, {})[option] = value
        else:
            values[name] = value
            origins[name] = "config.toml"
    for name in KEYS:
        variable = "VOX_" + name.upper().replace(".", "_")
        if environ.get(variable):
            values[name] = checked(name, environ[variable], where=variable)
            origins[name] = variable
    return Config(values, tables["backends"], origins, tables["sources"])


def _read(path: str) -> dict[str, Any]:
    try:
        # Notepad and PowerShell put a byte order mark before UTF-8, or write UTF-16.
        return tomllib.loads(_content(path).removeprefix(_BOM))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise BadConfig(
            f"{path} is not valid TOML: {exc}", "fix that line, or move the file away"
        ) from exc
    except OSError as exc:
        raise BadConfig(f"cannot read {path}: {exc.strerror}", "fix its permissions") from exc


def _content(path: str) -> str:
    """Raises BadConfig, UnicodeDecodeError, OSError."""
    with open(path, "rb") as file:
        data = file.read()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadConfig(f"{path} is UTF-16", "save it as UTF-8")
    return data.decode()


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        full = prefix + name
        if isinstance(value, Mapping) and full not in KEYS:
            flat.update(_flatten(value, full + "."))
        else:
            flat[full] = value
    return flat


def find_key(name: str, own: Mapping[str, Key] | None = None) -> Key:
    """The key of that (dotted) name. Raises BadConfig.

    `own` are the keys that the backend of a `backends.NAME.KEY` has for itself; None: not known,
    and any will do.
    """
    parts = split(name)
    if parts[0] == "backends" and len(parts) == 3 and own is None:
        return BACKEND_KEYS.get(parts[2]) or Key(None, lambda value: value, "the backend's own")
    known, others = _keys_beside(parts, own or {})
    wanted = name if known is KEYS else parts[-1]
    if known is SOURCE_KEYS and len(parts) != 3:
        raise BadConfig(f"there is no setting {name!r}", others)
    if wanted in known:
        return known[wanted]
    import difflib

    close = difflib.get_close_matches(wanted, known, n=1)
    hint = f"did you mean {close[0]}? {others}" if close else others
    raise BadConfig(f"there is no setting {name!r}", hint)


def _keys_beside(parts: list[str], own: Mapping[str, Key]) -> tuple[Mapping[str, Key], str]:
    """The keys among which that one is to be, and the line that names them.

    Raises BadConfig for what is no source's name.
    """
    if parts[0] == "backends" and len(parts) == 3:
        known = {**BACKEND_KEYS, **own}
        return known, f"{parts[1]} has: {', '.join(known)}"  # `show` lists them only once set
    if parts[0] != "sources":
        return KEYS, "see: vox config show"
    if len(parts) == 3 and (trouble := trouble_with(parts[1])):
        raise BadConfig(trouble, "see: vox history")
    return SOURCE_KEYS, f"sources.NAME has: {', '.join(SOURCE_KEYS)}"


def checked(name: str, value: Any, own: Mapping[str, Key] | None = None, *, where: str = "") -> Any:
    """The checked value of a text or of an entry in the file.

    `where` it comes from: a file, a variable, or "" for the command line. `own`: see `find_key`.
    Raises BadConfig (unknown key, bad value).
    """
    prefix = f"{where}: " if where else ""
    try:
        return find_key(name, own).check(value)
    except ValueError as exc:
        shown = name if find_key(name, own).may_hold_secret else f"{name} = {value!r}"
        raise BadConfig(f"{prefix}{shown} {exc}") from None
    except BadConfig as exc:
        raise BadConfig(f"{prefix}{exc.message}", exc.hint) from exc


# -- writing ---------------------------------------------------------------------------------


def set_value(path: str, name: str, given: str, own: Mapping[str, Key] | None = None) -> Any:
    """Set one key in the file; comments and everything else stay. Returns the value.

    `own`: see `find_key`. Raises BadConfig (unknown key, bad value, broken file), StorageError.
    """
    import tomlkit

    value = checked(name, given, own)
    if value is None:
        unset_value(path, name)
        return None
    bom, document = _document(path)
    table: Any = document
    *parents, last = split(name)
    for depth, parent in enumerate(parents, 1):
        if parent not in table:
            table[parent] = tomlkit.table(is_super_table=depth < len(parents))
        table = table[parent]
    table[last] = list(value) if isinstance(value, tuple) else value
    files.write(path, bom + tomlkit.dumps(document))
    return value


def unset_value(path: str, name: str) -> bool:
    """Remove one key from the file; False if it was not set there. Raises as `set_value`.

    A table that is empty then is removed as well.
    """
    import tomlkit

    find_key(name)
    bom, document = _document(path)
    tables: list[Any] = [document]
    *parents, last = split(name)
    for parent in parents:
        tables.append(tables[-1].get(parent, {}))
    if last not in tables[-1]:
        return False
    del tables[-1][last]
    for parent, table, inner in reversed(list(zip(parents, tables, tables[1:], strict=False))):
        if inner.as_string().strip(" \n{}"):  # other keys, or somebody's comments
            break
        del table[parent]
    files.write(path, bom + tomlkit.dumps(document))
    return True


def mute(path: str, source: str, is_muted: bool) -> None:
    """Have the jobs of a source spoken or not. Raises as `set_value`."""
    key = key_of(source, "muted")
    set_value(path, key, "true") if is_muted else unset_value(path, key)


def _document(path: str) -> tuple[str, Any]:
    """The file's byte order mark or "", and what follows."""
    import tomlkit

    _read(path)  # gives the clear line for a broken file
    try:
        text = _content(path)
    except FileNotFoundError:
        return "", tomlkit.document()
    body = text.removeprefix(_BOM)
    return text[: len(text) - len(body)], tomlkit.parse(body)


class LiveConfig:
    """The settings, read anew whenever the file has changed.

    If the file becomes invalid, the last good settings stay in force: see `Config.trouble`.
    """

    def __init__(self, path: str, environ: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._environ = dict(environ)
        self._stamp = self._stat()
        self._config = load(path, self._environ)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            info = os.stat(self._path)
        except OSError:
            return None
        return info.st_mtime_ns, info.st_size, info.st_ino

    def __call__(self) -> Config:
        stamp = self._stat()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._config = load(self._path, self._environ)
            except BadConfig as exc:
                self._config = replace(self._config, trouble=exc.message)
        return self._config
