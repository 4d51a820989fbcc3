"""Which backend speaks a request, and with which voice, when the user says little or nothing.

Owns the rules for the backend; `voice_choice` owns those for the voice. The catalog knows which
backends and voices there are.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from ..backends import registry
from ..backends.base import Clone, Utterance, Voice, install_hint
from ..config import Config
from ..errors import BackendNotInstalled, BadOption, UnknownLanguage, UnknownVoice, VoxError
from ..languages import closeness, foreign_scripts, normalize, primary
from .catalog import Catalog
from .voice_choice import VoiceChoice, brings_language, similar
from .wish import Resolved, Wish, blamed_on

DEFAULT_LANG = "en"
"""The language of a request that names none."""


def resolve(catalog: Catalog, wish: Wish) -> Resolved:
    """Raises UnknownBackend, UnknownVoice, UnknownLanguage, BackendNotInstalled, BadOption.

    The language that the text tells is one more wish: who cannot speak it speaks as without it.
    """
    wish = wish.normalized()
    if wish.is_open_to_text:
        with contextlib.suppress(UnknownLanguage, BackendNotInstalled):
            return _chosen(catalog, replace(wish, lang=wish.text_lang))
    return _chosen(catalog, wish)


def _chosen(catalog: Catalog, wish: Wish) -> Resolved:
    choice = BackendChoice(catalog, wish)
    resolved = VoiceChoice(catalog, wish, choice.made()).made()
    return replace(resolved, notes=[*choice.notes, *resolved.notes])


def usual(catalog: Catalog, config: Config) -> Resolved:
    """Who speaks a request that names nothing. Raises as `resolve`."""
    wish = Wish(
        default_backend=config["backend"],
        default_voice=config["voice"],
        default_lang=config["lang"],
    )
    return resolve(catalog, wish)


def ignored(catalog: Catalog, who: Resolved, model: str | None = None, **given: Any) -> list[str]:
    """What the backend will ignore of a request, one note for each (see `Backend.accepts`).

    `given`: its options by their names in `vox.jobs`. Raises BackendNotInstalled, with the command
    to run, if it cannot speak so; UnknownBackend.
    """
    wish = Utterance.saying("", who.clone, {**given, "voice": who.voice, "lang": who.lang})
    return catalog.accepts(who.backend, wish, model)


def unspoken_scripts(catalog: Catalog, who: Resolved) -> tuple[str, frozenset[str]]:
    """What is spoken ("hibari speaks en"), and the scripts that these languages do not use."""
    name, spoken = who.backend, list(catalog.info(who.backend).languages)
    if not spoken:  # its voices bring the language
        voices = catalog.voices(who.backend, clones=False)
        own = [voice.lang for voice in voices if voice.name == who.voice and voice.lang]
        name = who.voice if who.voice and own else name
        spoken = own or ([who.lang] if who.lang else [])
    return f"{name} speaks {', '.join(spoken)}", foreign_scripts(spoken)


def voices_for(catalog: Catalog, lang: str, backend: str | None = None) -> list[Voice]:
    """The voices that may speak a request in this language, the best matches first.

    If a backend has voices of the language, its voices of other languages are left out, although
    they could speak it with an accent. Raises UnknownLanguage, UnknownBackend.
    """
    lang = normalize(lang)
    voices = catalog.voices(backend)
    speak = {name for name in {v.backend for v in voices} if catalog.speaks(name, lang)}
    have_own = {v.backend for v in voices if closeness(v.lang or "", lang) and not v.is_clone}

    def fit(voice: Voice) -> int:
        found = closeness(voice.lang or "", lang)
        return found if "-" in lang else min(found, 1)

    def is_taken(voice: Voice) -> bool:
        if voice.backend not in speak:
            return False
        if voice.is_clone or voice.lang is None or fit(voice):
            return True
        return voice.backend not in have_own and not brings_language(
            voice, catalog.info(voice.backend)
        )

    return sorted(filter(is_taken, voices), key=lambda v: (-fit(v), not v.installed))


class BackendChoice:
    """The choice of a backend for one wish, which is normalized."""

    def __init__(self, catalog: Catalog, wish: Wish) -> None:
        self.catalog = catalog
        self.wish = wish
        self.notes: list[str] = []

    def made(self) -> str:
        """Raises as `resolve`."""
        wish = self.wish
        if wish.backend:
            registry.import_string(wish.backend)
            return wish.backend
        if wish.voice:
            return self._of_voice(wish.voice)
        found = self._usual(f"{wish.source_table}.", wish.source_backend, wish.source_voice)
        found = found or self._usual("", wish.default_backend, wish.default_voice)
        if found:
            return found
        if wish.default_lang:
            with blamed_on("lang"):
                return self._by_language(wish.default_lang)
        return self._by_language(wish.lang or DEFAULT_LANG)

    def _usual(self, table: str, backend: str | None, voice: str | None) -> str | None:
        """The backend that the settings in that table choose, if it speaks the language."""
        if backend:
            with blamed_on(f"{table}backend"):
                registry.import_string(backend)
            return backend if self._speaks(backend) else None
        if voice:
            try:
                name = self._of_voice(voice)
                return name if self._speaks(name) else None
            except VoxError as exc:
                what = f"the voice of {table.rstrip('.')}" if table else "the configured voice"
                self.notes.append(f"{what} is not used: {exc.message}")
        return None

    def _speaks(self, name: str) -> bool:
        lang = self.wish.lang
        return lang is None or self.catalog.speaks(name, lang, self.wish.model)

    def _of_voice(self, voice: str) -> str:
        clone = self.catalog.clone(voice)
        if clone is not None:
            return self._of_clone(clone)
        voices = self.catalog.voices(has_awaited=True)
        hits = [known for known in voices if known.name == voice]
        hits = hits or [v for v in voices if v.name.casefold() == voice.casefold()]
        fetched = [hit for hit in hits if hit.installed]
        here = [hit for hit in fetched if self.catalog.is_ready(hit.backend)]
        hits = here or [hit for hit in fetched if self.catalog.is_served(hit.backend)] or hits
        names = list(dict.fromkeys(hit.backend for hit in hits))
        twins = {self.catalog.info(name).same_voices_as for name in names}
        names = [name for name in names if name not in twins]
        if not names:
            known = [v.name for v in voices]
            raise UnknownVoice(f"no voice is called {voice!r}", similar(voice, known))
        if self.wish.preferred_backend in names:
            return str(self.wish.preferred_backend)
        if len(names) > 1:
            raise BadOption(
                f"several backends have a voice {voice!r}",
                "choose one: " + " or ".join(f"-b {name}" for name in names),
                field="voice",
            )
        return names[0]

    def _of_clone(self, clone: Clone) -> str:
        cloning = self.catalog.cloning()
        obstacles = {name: self._obstacle(name, clone) for name in cloning}
        ready = [name for name in cloning if obstacles[name] is None]
        if self.wish.preferred_backend in ready:
            return str(self.wish.preferred_backend)
        fit = [name for name in ready if self._speaks(name)]
        here = [each for each in fit if self.catalog.is_ready(each, self.wish.model, clone.name)]
        if here or fit:
            return (here or sorted(fit, key=lambda name: not self.catalog.is_served(name)))[0]
        for name, obstacle in obstacles.items():
            if obstacle is not None and self.catalog.is_ready(name):
                raise obstacle  # Only the weights for clones are missing.
        raise BackendNotInstalled(
            f"no installed backend can speak with the cloned voice {clone.name!r}",
            install_hint(cloning[-1]) if cloning else "",
        )

    def _obstacle(self, name: str, clone: Clone) -> VoxError | None:
        """Why it cannot speak with the clone now: it may lack the weights for that."""
        try:
            ignored(self.catalog, Resolved(name, None, None, clone, []), model=self.wish.model)
        except VoxError as exc:
            return exc
        return None

    def _by_language(self, lang: str) -> str:
        model = self.wish.model
        for name in self.catalog.asked_by_default():
            if self.catalog.is_ready(name) and self.catalog.can_speak(name, lang, model):
                return name
        for name in self.catalog.asked_by_default():
            if self.catalog.is_served(name) and self.catalog.can_speak(name, lang, model):
                return name
        for name in self.catalog.asked_by_default():
            if self.catalog.can_speak(name, lang, model, installed=False):
                voice = "" if self.catalog.info(name).languages else primary(lang)
                raise BackendNotInstalled(
                    f"no installed backend speaks {lang}", install_hint(name, voice)
                )
        raise UnknownLanguage(f"no backend here speaks {lang}")
