"""The files of entries that respell words: the user's own, and those that a team shares.

Owns their form (TOML, an array of tables `say_as`) and how they are changed: whole, one change
after the other, with the comments in them. A shared file that cannot be read, and an entry that
makes no sense, are left out and told of: they never keep a text from being spoken.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import files
from ..config import Config
from ..errors import BadConfig, BadInput, StorageError
from ..paths import Paths
from .say_as import SayAs
from .say_as_entry import Entry, check_speed, entry

TABLE = "say_as"
FIELDS = ("word", "say", "lang", "backend")
LOCK_WAIT_S = 10.0

_HEADER = re.compile(r"\s*\[\[\s*[\"']?say_as[\"']?\s*\]\]")

Source = str | Mapping[str, Any]
"""A file's path, or an entry that stands in config.toml itself."""


def load(own_path: str, shared: Sequence[Source] = (), config_path: str = "") -> SayAs:
    """The entries of the user's own file, then those of `shared`, in their order. Raises nothing.

    Paths are relative to the folder of `config_path`. What cannot be used is in `troubles`.
    """
    entries: list[Entry] = []
    troubles: list[str] = []
    inline = 0
    for source in (own_path, *shared):
        if isinstance(source, str):
            path = source if source is own_path else absolute(source, config_path)
            _load_file(path, entries, troubles, is_own=source is own_path)
        else:
            inline += 1
            _load_entry(source, config_path, inline, entries, troubles)
    return SayAs(entries, troubles)


def absolute(path: str, config_path: str) -> str:
    return os.path.join(os.path.dirname(config_path), os.path.expanduser(path))


def _load_file(path: str, entries: list[Entry], troubles: list[str], is_own: bool) -> None:
    try:
        tables = read(path)
    except FileNotFoundError:
        if not is_own:
            troubles.append(
                f"there is no file {path}, which say_as in config.toml names; create it, or take "
                "its name out there"
            )
        return
    except BadConfig as exc:
        troubles.append(f"{exc.message}, so nothing is respelled by it; {exc.hint}")
        return
    for number, table in enumerate(tables, 1):
        _load_entry(table, path, number, entries, troubles)


def _load_entry(
    table: Any, path: str, number: int, entries: list[Entry], troubles: list[str]
) -> None:
    try:
        entries.append(_entry_of(table, path))
    except BadInput as exc:
        troubles.append(f"entry {number} of {path} is left out: {exc.line}")


def _entry_of(table: Any, path: str) -> Entry:
    """Raises BadInput."""
    if fault := _fault(table):
        raise BadInput(fault, f"an entry has {', '.join(FIELDS)}, all of them texts")
    return entry(**table, source=path)


def _fault(table: Any) -> str | None:
    """What is wrong with an entry's fields."""
    if not isinstance(table, Mapping):
        return "it has no fields"
    if unknown := [name for name in table if name not in FIELDS]:
        return f"it has no field '{unknown[0]}'"
    if missing := [name for name in ("word", "say") if name not in table]:
        return f"'{missing[0]}' is missing"
    if wrong := [name for name, value in table.items() if not isinstance(value, str)]:
        return f"'{wrong[0]}' is not a text"
    return None


def read(path: str) -> list[Any]:
    """The tables in the file, not checked. Raises BadConfig, FileNotFoundError."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = tomllib.loads(file.read())
    except FileNotFoundError:
        raise
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise BadConfig(
            f"{path} is not valid TOML: {exc}", "fix that line, or move the file away"
        ) from exc
    except OSError as exc:
        raise BadConfig(f"cannot read {path}: {exc.strerror}", "fix its permissions") from exc
    tables = found.get(TABLE)
    if not isinstance(tables, list) and found:
        name = TABLE if TABLE in found else next(iter(found))
        raise BadConfig(f"{path} has no tables [[{TABLE}]]", f"write [[{TABLE}]] for [{name}]")
    return tables or []


# -- changes ---------------------------------------------------------------------------------


def add(path: str, lock_path: str, new: Entry) -> Entry | None:
    """Add the entry, or replace the one of the same word, language and backend, which is returned.

    Raises BadConfig (the file is not valid), BadOption (a pattern that takes too long),
    StorageError.
    """
    check_speed(new)
    replaced: list[Entry] = []

    def edit(text: str) -> str:
        import tomlkit

        document: Any = tomlkit.parse(text)
        tables: Any = document.get(TABLE, ())
        for table in tables:
            old = _known(table.unwrap(), path)
            if old is not None and old.key == new.key:
                table["say"] = new.say
                replaced.append(old)
                return tomlkit.dumps(document)
        is_inline = isinstance(tables, tomlkit.items.Array)
        table = tomlkit.inline_table() if is_inline else tomlkit.table()
        table.update({name: value for name in FIELDS if (value := getattr(new, name)) is not None})
        if not is_inline and tables:
            tables[-1].add(tomlkit.nl())
        elif not is_inline:
            document[TABLE] = tables = tomlkit.aot()
        document[TABLE].append(table)
        return tomlkit.dumps(document)

    _change(path, lock_path, edit)
    return replaced[0] if replaced else None


def remove(
    path: str, lock_path: str, word: str, lang: str | None = None, backend: str | None = None
) -> list[Entry]:
    """Remove the word's entries, or only those for a language and a backend; returns them.

    Raises BadConfig, StorageError.
    """
    gone: list[Entry] = []

    def edit(text: str) -> str:
        known = [_known(table, path) for table in tomllib.loads(text).get(TABLE, [])]
        for number, found in reversed(list(enumerate(known))):
            if found is None or found.word != word:
                continue
            if (lang or backend) is None or (found.lang, found.backend) == (lang, backend):
                text = _without(text, number)
                gone.insert(0, found)
        return text

    _change(path, lock_path, edit)
    return gone


def _known(table: Any, path: str) -> Entry | None:
    try:
        return _entry_of(table, path)
    except BadInput:
        return None


def _without(text: str, number: int) -> str:
    """The file without the table of that number. Comments between tables stay."""
    kept = tomllib.loads(text)[TABLE]
    del kept[number]
    lines = text.splitlines(keepends=True)
    headers = [at for at, line in enumerate(lines) if _HEADER.match(line)]
    if number < len(headers):
        start = headers[number]
        after = (at for at in range(start + 1, len(lines)) if lines[at].lstrip().startswith("["))
        end = next(after, len(lines))
        while lines[end - 1].strip() == "" or lines[end - 1].lstrip().startswith("#"):
            end -= 1
        if end < len(lines) and not lines[end].strip():
            end += 1
        shorter = "".join(lines[:start] + lines[end:])
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(shorter).get(TABLE, []) == kept:
                return shorter
    import tomlkit  # tables in an unusual form

    document: Any = tomlkit.parse(text)
    del document[TABLE][number]
    return tomlkit.dumps(document)


def _change(path: str, lock_path: str, edit: Callable[[str], str]) -> None:
    """Write what `edit` makes of the file's text. One process at a time."""
    files.make_dir(os.path.dirname(lock_path))
    with files.locked(lock_path, wait_s=LOCK_WAIT_S) as lock:
        if lock is None:
            raise StorageError(f"another process changes {path}", "try again in a moment")
        before = ""
        with contextlib.suppress(FileNotFoundError):
            read(path)  # gives the clear line for a broken file
            with open(path, encoding="utf-8-sig") as file:
                before = file.read()
        after = edit(before)
        if after != before:
            files.write(path, after)


class LiveSayAs:
    """The entries of one user, read anew whenever a file of them, or `say_as`, has changed."""

    def __init__(self, paths: Paths, config: Callable[[], Config]) -> None:
        self._paths = paths
        self._config = config
        self._seen: object = None
        self._said = SayAs()

    def __call__(self) -> SayAs:
        shared: tuple[Source, ...] = self._config()["say_as"]
        own, config_path = self._paths.say_as_path, self._paths.config_path
        places = [own, *(absolute(each, config_path) for each in shared if isinstance(each, str))]
        seen = (shared, [_stamp(path) for path in places])
        if seen != self._seen:
            self._seen = seen
            self._said = load(own, shared, config_path)
        return self._said


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino
