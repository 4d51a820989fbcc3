"""The settings: their names, defaults, checks, and the file that holds them.

Flags beat `VOX_*` variables, which beat `config.toml`, which beats the defaults below. Flags are
not this module's business; `load` merges the other three. `tomlkit`, which keeps comments, is
imported only to write.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import files
from .errors import BadConfig

Check = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its default, what turns a value (or its text) into a good one, what it does."""

    default: Any
    check: Check
    help: str


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "on": True, "1": True}
    known |= {"false": False, "no": False, "off": False, "0": False}
    try:
        return known[str(value).strip().lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def _number(low: float, high: float = float("inf")) -> Check:
    def check(value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError("must be a number") from None
        if isinstance(value, bool) or not low <= number <= min(high, 1e9):
            limit = f"{low:g} or more" if high == float("inf") else f"{low:g} to {high:g}"
            raise ValueError(f"must be {limit}")
        return int(number) if number.is_integer() else number

    return check


def _integer(low: int) -> Check:
    def check(value: Any) -> int:
        number = _number(low)(value)
        if not isinstance(number, int):
            raise ValueError("must be a whole number")
        return number

    return check


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if (
        not isinstance(value, (str, int, float))
        or isinstance(value, bool)
        or not str(value).strip()
    ):
        raise ValueError("must be some text")
    return str(value).strip()


def _log_level(value: Any) -> str:
    level = str(value).strip().lower()
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return level


def _idle_timeout(value: Any) -> float:
    number: float = _number(-1)(value)
    if -1 < number < 0:
        raise ValueError(
            "must be seconds, 0 (leave as soon as the queue is empty) or -1 (never leave)"
        )
    return number


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("[] ").split(",")]
        value = [part.strip("\"'") for part in value if part.strip("\"'")]
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
        raise ValueError('must be a list of texts, e.g. ["a", "b"]')
    return tuple(value)


def _folder(value: Any) -> str | None:
    path = _text(value)
    if path is not None and not os.path.isabs(os.path.expanduser(path)):
        raise ValueError("must be a whole path, e.g. ~/Speak")
    return path


def _address(value: Any) -> str | None:
    if value is None or str(value).strip().lower() in ("", "off", "none"):
        return None
    host, _, port = str(value).strip().rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be HOST:PORT, e.g. 127.0.0.1:8765")
    return f"{host}:{port}"


def _device(value: Any) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(value)):
        raise ValueError("must be auto, cpu, cuda, cuda:N or mps")
    return str(value)


def _map(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError('must be a table of texts, e.g. { alloy = "heart" }')
    return dict(value)


KEYS: dict[str, Key] = {
    "daemon": Key(True, _boolean, "keep models warm; false: nothing stays once the queue is empty"),
    "idle_timeout": Key(
        300, _idle_timeout, "seconds until an idle daemon leaves; 0 at once, -1 never"
    ),
    "backend": Key(None, _text, "backend when -b is not given"),
    "voice": Key(None, _text, "voice when -v is not given"),
    "lang": Key(None, _text, "language when -l is not given, e.g. en or de-AT"),
    "speed": Key(1.0, _number(0.25, 4.0), "speaking rate, 0.25 to 4"),
    "volume": Key(1.0, _number(0.0, 5.0), "loudness, 0 to 5"),
    "audio_device": Key(None, _text, "output device by name or number (default: the system's)"),
    "pause_s": Key(0.25, _number(0.0, 5.0), "pause between sentences, seconds"),
    "lookahead_s": Key(120, _number(0), "how much speech is prepared ahead of the ear, seconds"),
    "keep": Key((), _texts, "backends whose models are never unloaded while the daemon is up"),
    "max_text": Key(1_000_000, _integer(1), "longest text, characters"),
    "max_queue": Key(10_000, _integer(1), "most jobs that may wait"),
    "spool_limit_mb": Key(1000, _number(1), "disk for the audio of past jobs, megabytes"),
    "load_timeout_s": Key(1800, _number(1), "longest time a model may take to load"),
    "first_chunk_timeout_s": Key(300, _number(0.1), "longest time to an utterance's first sound"),
    "stall_timeout_s": Key(120, _number(0.1), "longest time between two chunks of sound"),
    "http": Key(None, _address, "HOST:PORT of the HTTP API on TCP (default: off)"),
    "http_allow_remote": Key(False, _boolean, "let http bind to more than this machine"),
    "http_hosts": Key((), _texts, "Host and Origin names allowed besides loopback"),
    "http_voices": Key({}, _map, "OpenAI voice names to voices of ours"),
    "http_models": Key({}, _map, "OpenAI model names to backends of ours"),
    "log_level": Key("info", _log_level, "debug, info, warning or error"),
    "inbox.enabled": Key(True, _boolean, "daemons watch the inbox"),
    "inbox.stay": Key(False, _boolean, "the daemon stays for the inbox's sake (vox inbox on)"),
    "inbox.path": Key(None, _folder, "the inbox folder"),
    "inbox.patterns": Key(("*.txt",), _texts, "names that are taken in, in any case"),
    "inbox.settle_s": Key(1.0, _number(0.0), "seconds a file must be unchanged"),
    "inbox.scan_s": Key(30.0, _number(0.1), "seconds between two looks at the folder"),
    "inbox.polling": Key(False, _boolean, "poll instead of file system events (network mounts)"),
    "inbox.max_bytes": Key(1_000_000, _integer(1), "largest file, bytes"),
    "inbox.keep_done_days": Key(
        0, _number(0), "days to keep files in done/; 0 keeps them for ever"
    ),
}

BACKEND_KEYS: dict[str, Key] = {
    "device": Key("auto", _device, "auto, cpu, cuda, cuda:N or mps"),
    "model": Key(None, _text, "model when -m is not given"),
    "voice": Key(None, _text, "voice of this backend when -v is not given"),
}
"""Keys of a table `[backends.NAME]`; further ones are the adapter's own."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, checked. `values` has every key of KEYS."""

    values: Mapping[str, Any]
    backends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where a setting that is not the default comes from: `config.toml` or its variable."""
    trouble: str | None = None
    """Why the file, as it is by now, is not in force; None: it is."""

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

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
    tables: dict[str, dict[str, Any]] = {}
    for name, given in _flatten(_read(path)).items():
        value = _checked(path, name, given)
        if name.startswith("backends."):
            _, backend, option = name.split(".")
            tables.setdefault(backend, {})[option] = value
        else:
            values[name] = value
            origins[name] = "config.toml"
    for name in KEYS:
        variable = "VOX_" + name.upper().replace(".", "_")
        if environ.get(variable):
            values[name] = _checked(variable, name, environ[variable])
            origins[name] = variable
    return Config(values, tables, origins)


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise BadConfig(
            f"{path} is not valid TOML: {exc}", "mend that line, or move the file away"
        ) from exc
    except OSError as exc:
        raise BadConfig(f"cannot read {path}: {exc.strerror}", "mend its permissions") from exc


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        full = prefix + name
        if isinstance(value, Mapping) and full not in KEYS:
            flat.update(_flatten(value, full + "."))
        else:
            flat[full] = value
    return flat


def find_key(name: str) -> Key:
    """The key of that (dotted) name. Raises BadConfig."""
    parts = name.split(".")
    if parts[0] == "backends" and len(parts) == 3:
        return BACKEND_KEYS.get(parts[2]) or Key(None, lambda value: value, "the adapter's own")
    if name in KEYS:
        return KEYS[name]
    import difflib

    close = difflib.get_close_matches(name, KEYS, n=1)
    hint = f"did you mean {close[0]}? see: vox config show" if close else ""
    raise BadConfig(f"there is no setting {name!r}", hint)


def _checked(where: str, name: str, value: Any) -> Any:
    """`where` the value comes from: a file, a variable, or "" for the command line."""
    prefix = f"{where}: " if where else ""
    try:
        return find_key(name).check(value)
    except ValueError as exc:
        raise BadConfig(f"{prefix}{name} = {value!r} {exc}") from exc
    except BadConfig as exc:
        raise BadConfig(f"{prefix}{exc.message}", exc.hint) from exc


# -- writing ---------------------------------------------------------------------------------


def checked(name: str, text: str) -> Any:
    """The value that the text stands for. Raises BadConfig (unknown key, bad value)."""
    return _checked("", name, text)


def set_value(path: str, name: str, text: str) -> Any:
    """Set one key in the file, keeping comments and everything else. Returns the value.

    Raises BadConfig (unknown key, bad value, broken file), StorageError.
    """
    import tomlkit

    value = checked(name, text)
    if value is None:
        unset_value(path, name)
        return None
    document = _document(path)
    table: Any = document
    *parents, last = name.split(".")
    for parent in parents:
        if parent not in table:
            table[parent] = tomlkit.table(is_super_table=parent == "backends")
        table = table[parent]
    table[last] = list(value) if isinstance(value, tuple) else value
    files.write(path, tomlkit.dumps(document))
    return value


def unset_value(path: str, name: str) -> bool:
    """Remove one key from the file; False if it was not set there. Raises as `set_value`.

    A table that held nothing else goes with it.
    """
    import tomlkit

    find_key(name)
    document = _document(path)
    tables: list[Any] = [document]
    *parents, last = name.split(".")
    for parent in parents:
        tables.append(tables[-1].get(parent, {}))
    if last not in tables[-1]:
        return False
    del tables[-1][last]
    for parent, table, inner in reversed(list(zip(parents, tables, tables[1:], strict=False))):
        if inner.as_string().strip(" \n{}"):  # other keys, or somebody's comments
            break
        del table[parent]
    files.write(path, tomlkit.dumps(document))
    return True


def _document(path: str) -> Any:
    import tomlkit

    _read(path)  # gives the clear line for a broken file
    try:
        with open(path, encoding="utf-8") as file:
            return tomlkit.parse(file.read())
    except FileNotFoundError:
        return tomlkit.document()


class LiveConfig:
    """The settings, read anew whenever the file has changed.

    A file that is broken in the meantime leaves the last good settings in force: see `trouble`.
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
