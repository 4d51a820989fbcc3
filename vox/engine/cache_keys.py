"""What makes two utterances the same: their keys in the utterance cache.

All that decides how an utterance sounds goes into its key. Volume is applied when it is heard, and
the pause follows it, so neither does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from .. import __version__
from ..backends.base import Clone, Settings, Utterance
from ..config import BACKEND_KEYS


class CacheKeys:
    """The keys of the utterances of one job, which differ in their texts alone."""

    def __init__(
        self, backend: str, settings: Settings, revision: str, utterance: Utterance
    ) -> None:
        """`backend`: the one whose host speaks. Raises OSError if a clone cannot be read.

        `settings` are the host's; `revision`: see `Backend.revision`.
        """
        own = {key: value for key, value in settings.options.items() if key not in BACKEND_KEYS}
        clone = _contents(utterance.clone) if utterance.clone else None
        said = {**asdict(utterance), "text": None, "clone": clone}
        del said["private"]  # does not decide how it sounds
        parts = {
            "vox": __version__,
            "backend": backend,
            "model": settings.model,
            "settings": own,
            "revision": revision,
            "utterance": said,
        }
        # What is not JSON (a date in config.toml) is there as text.
        known = json.dumps(parts, sort_keys=True, default=str)
        self._digest = hashlib.sha256(known.encode())

    def of(self, text: str) -> str:
        """The key of the utterance of this text: 64 hexadecimal digits."""
        digest = self._digest.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def _contents(clone: Clone) -> list[Any]:
    """What a clone is, whatever it is called. Its recording is read: 1.4 MB at most, some ms."""
    with open(clone.audio_path, "rb") as file:
        return [hashlib.sha256(file.read()).hexdigest(), clone.transcript, clone.lang]
