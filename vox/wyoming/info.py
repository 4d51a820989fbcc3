"""What the server offers: the `info` event, with every installed voice and the clones.

A voice is called BACKEND/NAME, which stays the same whatever else is installed: users store it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .. import __version__
from ..backends.base import Voice
from ..languages import primary
from ..voices.catalog import Catalog
from ..voices.choice import DEFAULT_LANG

_OTHER_KINDS = ("asr", "handle", "intent", "wake", "mic", "snd")
"""Kinds of services that others offer. Clients expect the lists."""
_VOX = {"name": "vox", "url": "https://github.com/voxqueue/vox"}


def info(catalog: Catalog) -> dict[str, Any]:
    """The event's data. Loads no model, but reads folders: call it in a thread."""
    by_backend: dict[str, list[Voice]] = defaultdict(list)
    for voice in catalog.voices():
        if voice.installed:
            by_backend[voice.backend].append(voice)
    voices = [
        _described(voice, _languages(voice, found, catalog.info(backend).languages))
        for backend, found in by_backend.items()
        for voice in found
    ]
    program = {
        "name": "vox",
        "description": "vox: a speech queue with warm voices",
        "version": __version__,
        "attribution": _VOX,
        "installed": True,
        "supports_synthesize_streaming": True,
        "voices": voices,
    }
    return {"tts": [program], **{kind: [] for kind in _OTHER_KINDS}}


def _languages(voice: Voice, others: list[Voice], of_backend: tuple[str, ...]) -> list[str]:
    """Its own first, then those of its backend that have no voice of their own there.

    Never empty: clients would not show it.
    """
    if voice.is_clone or voice.lang is None:
        found = [*filter(None, [voice.lang]), *of_backend]
    else:
        own = {primary(other.lang) for other in others if other.lang and not other.is_clone}
        found = [voice.lang, *(lang for lang in of_backend if primary(lang) not in own)]
    return list(dict.fromkeys(found)) or [DEFAULT_LANG]


def _described(voice: Voice, languages: list[str]) -> dict[str, Any]:
    clone = "your clone, " if voice.is_clone else ""
    return {
        "name": f"{voice.backend}/{voice.name}",
        "description": f"{voice.name} ({clone}{voice.backend})",
        "attribution": {"name": voice.backend, "url": ""},
        "installed": True,
        "languages": languages,
        "version": None,
        "speakers": None,
    }
