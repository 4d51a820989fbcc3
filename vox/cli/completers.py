"""What a shell offers for a value: names of backends and voices, languages, ids of jobs.

Nothing is imported before it is asked for. What cannot be read offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import click

from ..errors import VoxError

if TYPE_CHECKING:
    from ..voices.catalog import Catalog

T = TypeVar("T")

_NEWEST_JOBS = 50


def complete_backend(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from ..backends import registry

    return [name for name in registry.names() if name.startswith(incomplete)]


def complete_voice(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Voices that can be used now, of the backend that is given if one is."""
    backend = ctx.params.get("backend")
    found = _quietly(lambda: _catalog().voices(backend))
    return _beginning(incomplete, (voice.name for voice in found if voice.installed))


def complete_lang(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Languages of the backends and their voices."""

    def find() -> list[str]:
        catalog = _catalog()
        langs = {voice.lang for voice in catalog.voices() if voice.lang}
        for name in catalog.names():
            langs.update(catalog.info(name).languages)
        return sorted(langs)

    return _beginning(incomplete, _quietly(find))


def complete_job(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of the newest jobs."""
    from .speaking import open_jobs

    found = _quietly(lambda: [job["id"] for job in open_jobs().history(_NEWEST_JOBS)])
    return _beginning(incomplete, found)


def complete_live_job(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of what is being spoken and what waits."""
    from .speaking import open_jobs

    return _beginning(incomplete, _quietly(lambda: [job["id"] for job in open_jobs().queue()]))


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


COMPLETERS = {"backend": complete_backend, "voice": complete_voice, "lang": complete_lang}
"""By the fields of a request."""
