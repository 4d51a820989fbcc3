"""What a request says about who speaks it, and who does."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
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
    model: str | None = None
    default_backend: str | None = None
    default_voice: str | None = None
    default_lang: str | None = None
    """Ignored if the request names a language."""
    source_table: str = ""
    """The table of settings in which the next three stand; they go before the defaults."""
    source_backend: str | None = None
    source_voice: str | None = None
    source_lang: str | None = None
    text_lang: str | None = None
    """What the script of the text tells; taken if nothing else names a language, or a voice."""

    def normalized(self) -> Wish:
        """The same wish, its language tags normalized. Raises UnknownLanguage, BadOption."""
        OPTIONS["gender"].check(self.gender)
        if self.lang:
            return replace(self, lang=normalize(self.lang), default_lang=None)
        if self.source_lang:
            with blamed_on(f"{self.source_table}.lang"):
                lang = normalize(self.source_lang)
            # Who is named to speak may speak another language.
            is_free = not (self.voice or self.backend)
            return replace(self, lang=lang if is_free else None, default_lang=lang)
        with blamed_on("lang"):
            default_lang = normalize(self.default_lang) if self.default_lang else None
        return replace(self, lang=None, default_lang=default_lang)

    @property
    def is_open_to_text(self) -> bool:
        """Whether the text may choose its language."""
        named = (self.lang, self.voice, self.source_lang, self.default_lang)
        return self.text_lang is not None and not any(named)

    @property
    def preferred_backend(self) -> str | None:
        """The backend to take if several have what the request names."""
        return self.source_backend or self.default_backend


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who speaks. `voice` None: the adapter chooses one for the language."""

    backend: str
    voice: str | None
    lang: str | None
    clone: Clone | None
    notes: list[str]
    """What is ignored of the wish, and why."""


def split_voice(name: str, backends: Collection[str]) -> tuple[str | None, str]:
    """(backend, voice) of "BACKEND/VOICE", as clients of other protocols name one that several
    backends have; (None, the name) of any other."""
    backend, _, voice = name.partition("/")
    return (backend, voice) if voice and backend in backends else (None, name)


@contextlib.contextmanager
def blamed_on(setting: str) -> Iterator[None]:
    """Say of an error inside that it comes from this setting."""
    try:
        yield
    except VoxError as exc:
        hint = "; ".join(filter(None, [exc.hint, "see: vox config show"]))
        raise type(exc)(f"the setting {setting}: {exc.message}", hint) from exc
