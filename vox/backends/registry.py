"""From a backend's name to its adapter, without importing any backend's package.

Built-in adapters are import strings. Third parties add theirs under the entry point group
`vox.backends` (name = "package.module:Class"). They cannot replace a built-in backend.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Iterator

from ..errors import UnknownBackend, VoxError
from .base import Backend

GROUP = "vox.backends"

BUILT_IN = {
    "hibari": "vox.backends.hibari:Hibari",
    "say": "vox.backends.say:Say",
    "kokoro": "vox.backends.kokoro:Kokoro",
    "piper": "vox.backends.piper.adapter:Piper",
    "qwen": "vox.backends.qwen.adapter:Qwen",
    "qwen-native": "vox.backends.qwen.native:QwenNative",
    "voxtream": "vox.backends.voxtream.adapter:Voxtream",
}


def on_apple_silicon() -> bool:
    return sys.platform == "darwin" and os.uname().machine == "arm64"


def environment_of(name: str) -> str:
    """The backend whose environment, weights and host this one uses: usually itself.

    An unknown name is returned as it is: a setting may name a backend that was removed.
    """
    try:
        return get(name).info.shares_environment_of or name
    except UnknownBackend:
        return name


@functools.cache
def import_strings() -> dict[str, str]:
    """The name of every known backend and the import string of its adapter."""
    import importlib.metadata  # 20 ms, for third parties' backends only

    found = {entry.name: entry.value for entry in importlib.metadata.entry_points(group=GROUP)}
    return {**found, **BUILT_IN}


def names() -> Iterator[str]:
    """Built-in backends first, then third parties' backends by name.

    The latter are searched for (20 ms) only when the caller reaches them.
    """
    yield from BUILT_IN
    yield from sorted(set(import_strings()) - set(BUILT_IN))


def import_string(name: str) -> str:
    """Raises UnknownBackend."""
    if name in BUILT_IN:
        return BUILT_IN[name]  # the search for entry points takes 20 ms
    try:
        return import_strings()[name]
    except KeyError:
        known = ", ".join(names())
        raise UnknownBackend(f"no backend is called {name!r}", f"known backends: {known}") from None


def load_class(spec: str) -> type[Backend]:
    """Import "module:Class". Raises UnknownBackend if it is not a backend."""
    module_name, _, class_name = spec.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except VoxError:
        raise
    except Exception as exc:
        raise UnknownBackend(f"the backend {spec} cannot be imported: {exc}") from exc
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise UnknownBackend(f"{spec} is not a vox backend")
    return found


@functools.cache
def get(name: str) -> type[Backend]:
    """The adapter of the backend. Raises UnknownBackend."""
    return load_class(import_string(name))
