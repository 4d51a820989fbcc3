"""What a shell offers for a value: names of backends, voices, clones and sources, languages, ids of
jobs, values of settings, files.

Nothing is imported before it is asked for, and no daemon is started. What cannot be read offers
nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ..errors import BadConfig, VoxError

if TYPE_CHECKING:
    from ..backends.base import Clone
    from ..voices.catalog import Catalog

T = TypeVar("T")
Ids = list[CompletionItem]

_NEWEST_JOBS = 50
_TEXT_CHARS = 50
"""So much of a job's text stands beside its id, in shells that show it."""


def complete_backend(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return _beginning(incomplete, _backends())


def complete_voice(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Voices that can be used now, of the backend that is given if one is.

    Workers that may have it are not asked.
    """
    return _beginning(incomplete, _voices(ctx.params.get("backend")))


def complete_clone(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    clones = _quietly(_clones)
    return _beginning(incomplete, (clone.name for clone in clones))


def complete_lang(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return _beginning(incomplete, _langs())


def complete_job(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Ids:
    """Ids of the newest jobs, `last` first."""
    return _ids(incomplete, _newest(), is_last_known=True)


def complete_ended_job(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Ids:
    """The same of those that can be spoken again."""
    ended = (job for job in _newest() if job["exit_code"] is not None and not job["private"])
    return _ids(incomplete, ended, is_last_known=True)


def complete_live_job(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Ids:
    """Ids of what is being spoken and what waits."""
    from .speaking import open_jobs

    return _ids(incomplete, _quietly(lambda: open_jobs().queue()))


def complete_source(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Who sent the newest jobs, and whoever has settings."""
    names = [*known_sources(), *(job["source"] for job in _newest())]
    return _beginning(incomplete, names)


def complete_file(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Ids:
    """The shell itself knows the files."""
    return [CompletionItem(incomplete, type="file")]


def complete_setting(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Any:
    """Values of the setting whose name stands before."""
    from .. import config as settings
    from ..checks import OneOf, boolean

    name = str(ctx.params.get("key") or "")
    last = name.rpartition(".")[2]
    if last in ("path", "http_output_dir"):
        return [CompletionItem(incomplete, type="dir")]
    if last in ("say_as", "workers_password_file"):
        return [CompletionItem(incomplete, type="file")]
    of_names: dict[str, Callable[[], Iterable[str]]] = {
        "backend": _backends,
        "keep": _backends,
        "lang": _langs,
        "voice": lambda: _voices(name.split(".")[1] if name.startswith("backends.") else None),
        "device": lambda: ("auto", "cpu", "cuda", "mps"),
        "workers": lambda: ("redis://", "rediss://", "off"),
    }
    if last in of_names:
        return _beginning(incomplete, of_names[last]())
    with contextlib.suppress(VoxError):
        check = settings.find_key(name).check
        if check is boolean:
            return _beginning(incomplete, ("true", "false"))
        if isinstance(check, OneOf):
            return _beginning(incomplete, check.choices)
    return []


def known_sources() -> list[str]:
    """The sources that have settings, and the one of a call from here, if a shell can offer it."""
    from .. import config as settings
    from ..paths import get_paths
    from ..quick.sender import sender

    names = [sender()]
    with contextlib.suppress(BadConfig):
        names += settings.load(get_paths().config_path).sources
    return [name for name in names if re.fullmatch(r"[\w.+-]+", name)]


def _backends() -> Iterable[str]:
    from ..backends import registry

    return registry.names()


def _voices(backend: str | None) -> Iterable[str]:
    found = _quietly(lambda: _catalog().voices(backend, has_awaited=backend is not None))
    return (voice.name for voice in found if voice.installed)


def _clones() -> Iterable[Clone]:
    return _catalog().clones.list()


def _langs() -> Iterable[str]:
    """Languages of the backends and their voices."""

    def find() -> list[str]:
        catalog = _catalog()
        langs = {voice.lang for voice in catalog.voices() if voice.lang}
        for name in catalog.names():
            langs.update(catalog.info(name).languages)
        return sorted(langs)

    return _quietly(find)


def _newest() -> Iterable[dict[str, Any]]:
    from .speaking import open_jobs

    return _quietly(lambda: list(open_jobs().history(_NEWEST_JOBS)))


def _ids(
    incomplete: str, jobs: Iterable[dict[str, Any]], is_last_known: bool = False
) -> list[CompletionItem]:
    from ..jobs import LAST
    from ..printable import one_line

    found = [
        # The text of a private job is for nobody's eyes.
        CompletionItem(
            job["id"], help=None if job["private"] else one_line(job["text"])[:_TEXT_CHARS] or None
        )
        for job in jobs
    ]
    if found and is_last_known:
        found.insert(0, CompletionItem(LAST, help="what was heard last"))
    return [item for item in found if item.value.startswith(incomplete)]


def _quietly(find: Callable[[], Iterable[T]]) -> Iterable[T]:
    """What it finds; nothing on an error, which has no place in a completion."""
    try:
        return find()
    except VoxError:
        return []


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _catalog() -> Catalog:
    from ..config import LiveConfig
    from ..paths import get_paths
    from ..voices.catalog import Catalog

    paths = get_paths()
    return Catalog(paths, LiveConfig(paths.config_path))


def complete_remote_host(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Servers that are heard here."""
    from ..ssh.config_file import ConfigFile

    return _beginning(
        incomplete, _quietly(lambda: list(ConfigFile(ctx.params.get("ssh_config")).forwards()))
    )


COMPLETERS: dict[str, Callable[[click.Context, click.Parameter, str], Any]] = {
    "backend": complete_backend,
    "voice": complete_voice,
    "lang": complete_lang,
    "source": complete_source,
    "file": complete_file,
    "output": complete_file,
}
"""By the names of options."""
