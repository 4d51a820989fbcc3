"""What a request says about who speaks it, and who does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..backends.base import Clone
from ..errors import VoxError
from ..jobs import OPTIONS
from ..languages import normalize


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request says about who is to speak; None: nothing. See `jobs.Request`."""

    backend: str | None = None
    voice: str | None = None
    lang: str | None = None
    gender: str | None = None
    style: str | None = None
    speed: float | None = None
    model: str | None = None
    default_backend: str | None = None
    default_voice: str | None = None
    default_lang: str | None = None
    """Ignored if the request names a language."""

    def normalized(self) -> Wish:
        """The same wish, its language tags normalized. Raises UnknownLanguage, BadOption."""
        OPTIONS["gender"].check(self.gender)
        if self.lang:
            return replace(self, lang=normalize(self.lang), default_lang=None)
        with blamed_on("lang"):
            default_lang = normalize(self.default_lang) if self.default_lang else None
        return replace(self, lang=None, default_lang=default_lang)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who speaks. `voice` None: the adapter chooses one for the language."""

    backend: str
    voice: str | None
    lang: str | None
    clone: Clone | None
    notes: list[str]
    """What is ignored of the wish, and why."""


@contextlib.contextmanager
def blamed_on(setting: str) -> Iterator[None]:
    """Say of an error inside that it comes from this setting."""
    try:
        yield
    except VoxError as exc:
        hint = "; ".join(filter(None, [exc.hint, "see: vox config show"]))
        raise type(exc)(f"the setting {setting}: {exc.message}", hint) from exc
