"""Which backend speaks a request, and with which voice, when the user says little or nothing.

Owns the rules of "Default choice"; what voices and backends there are comes from the catalog.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from ..backends import registry
from ..backends.base import Clone, Info, Voice
from ..config import Config
from ..errors import (
    BackendNotInstalled,
    BadOption,
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
    VoxError,
)
from ..languages import closeness, normalize, primary
from .catalog import Catalog, Resolved

ENGLISH_DEFAULT, OTHERS_DEFAULT, LAST_RESORT = "hibari", "piper", "say"
# Elsewhere than on Apple silicon the two are one; a voice of both is not ambiguous.
_SAME_VOICES = {"qwen-native": "qwen"}
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request says of who is to speak; None: nothing. See `jobs.Request`."""

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


def resolve(catalog: Catalog, wish: Wish) -> Resolved:
    """Raises UnknownBackend, UnknownVoice, UnknownLanguage, BackendNotInstalled, BadOption."""
    return _Choice(catalog, wish).made()


def usual(catalog: Catalog, config: Config) -> Resolved:
    """Who speaks a request that says nothing. Raises as `resolve`."""
    wish = Wish(
        default_backend=config["backend"],
        default_voice=config["voice"],
        default_lang=config["lang"],
    )
    return resolve(catalog, wish)


def voices_for(catalog: Catalog, lang: str, backend: str | None = None) -> list[Voice]:
    """The voices that a request for the language takes, the best matches first.

    Where a backend has voices of the language, its voices of other languages are left out, though
    it takes them with an accent. Raises UnknownLanguage, UnknownBackend.
    """
    wanted = normalize(lang)
    return _Choice(catalog, Wish(lang=lang)).speaking(catalog.voices(backend), wanted)


class _Choice:
    def __init__(self, catalog: Catalog, wish: Wish) -> None:
        self.catalog = catalog
        self.wish = wish
        self.lang = normalize(wish.lang) if wish.lang else None
        self.usual_lang: str | None = None
        if wish.default_lang and not self.lang:
            with _blamed_on("lang"):
                self.usual_lang = normalize(wish.default_lang)
        self.notes: list[str] = []
        if wish.gender not in (None, "female", "male"):
            raise BadOption(f"gender {wish.gender!r} must be female or male", field="gender")

    def made(self) -> Resolved:
        name = self._backend()
        info = self.catalog.info(name)
        if self.wish.model and not info.models:
            raise UnknownModel(f"{name} has no models to choose from", "leave out -m")
        self._check_language(name, info)
        clone = self._clone(name, info)
        voice = clone.name if clone else self._voice(name, info)
        lang = self.lang
        if lang is None and self.usual_lang and self._suits(name, info, voice, self.usual_lang):
            lang = self.usual_lang
        if lang is None and clone is not None:
            lang = clone.lang
        self._note_what_is_ignored(info)
        return Resolved(name, voice, lang, clone, self.notes)

    # -- the backend -------------------------------------------------------------------------

    def _backend(self) -> str:
        wish = self.wish
        if wish.backend:
            registry.import_string(wish.backend)
            return wish.backend
        if wish.voice:
            return self._backend_of(wish.voice)
        usual = wish.default_backend
        if usual:
            with _blamed_on("backend"):
                registry.import_string(usual)
        if usual and (self.lang is None or self._speaks(usual, self.lang)):
            return usual
        if wish.default_voice and not usual:
            try:
                name = self._backend_of(wish.default_voice)
                if self.lang is None or self._speaks(name, self.lang):
                    return name
            except VoxError as exc:
                self.notes.append(f"the configured voice is not used: {exc.message}")
        if self.lang or not self.usual_lang:
            return self._by_language(self.lang)
        with _blamed_on("lang"):
            return self._by_language(self.usual_lang)

    def _backend_of(self, voice: str) -> str:
        clone = self.catalog.clone(voice)
        if clone is not None:
            return self._cloning_backend(clone)
        hits = [known for known in self.catalog.voices() if known.name == voice]
        hits = hits or [v for v in self.catalog.voices() if v.name.casefold() == voice.casefold()]
        hits = [hit for hit in hits if hit.installed] or hits
        names = list(dict.fromkeys(hit.backend for hit in hits))
        names = [name for name in names if _SAME_VOICES.get(name) not in names]
        if not names:
            known = [v.name for v in self.catalog.voices()]
            raise UnknownVoice(f"no voice is called {voice!r}", _similar(voice, known))
        if self.wish.default_backend in names:
            return str(self.wish.default_backend)
        if len(names) > 1:
            raise BadOption(
                f"several backends have a voice {voice!r}",
                "say which: " + " or ".join(f"-b {name}" for name in names),
                field="voice",
            )
        return names[0]

    def _cloning_backend(self, clone: Clone) -> str:
        cloning = [name for name in registry.names() if self._can_clone(name)]
        obstacles = {name: self._obstacle(name, clone) for name in cloning}
        ready = [name for name in cloning if obstacles[name] is None]
        if self.wish.default_backend in ready:
            return str(self.wish.default_backend)
        fit = [name for name in ready if self.lang is None or self._speaks(name, self.lang)]
        if fit:
            return fit[0]
        for name, obstacle in obstacles.items():
            if obstacle is not None and self.catalog.is_ready(name):
                raise obstacle  # It lacks no more than the weights for clones.
        raise BackendNotInstalled(
            f"no installed backend can speak with the cloned voice {clone.name!r}",
            f"run: vox backends install {cloning[-1] if cloning else 'voxtream'}",
        )

    def _can_clone(self, name: str) -> bool:
        try:
            return self.catalog.info(name).clone
        except VoxError:
            return False

    def _obstacle(self, name: str, clone: Clone) -> VoxError | None:
        """Why it cannot speak with the clone now: for that it may lack further weights."""
        try:
            self.catalog.accepts(Resolved(name, None, None, clone, []), model=self.wish.model)
        except VoxError as exc:
            return exc
        return None

    def _by_language(self, lang: str | None) -> str:
        if lang is None or primary(lang) == "en":
            return ENGLISH_DEFAULT
        for name in (OTHERS_DEFAULT, LAST_RESORT):
            if self.catalog.is_ready(name) and self._installed_for(name, lang):
                return name
        known = self._voices(OTHERS_DEFAULT)
        if any(closeness(voice.lang or "", lang) for voice in known):
            install = f"vox backends install {OTHERS_DEFAULT} --voice {primary(lang)}"
            raise BackendNotInstalled(f"nothing that is installed speaks {lang}", f"run: {install}")
        raise UnknownLanguage(f"no backend here speaks {lang}")

    # -- the language ------------------------------------------------------------------------

    def _voices(self, name: str) -> list[Voice]:
        return self.catalog.voices(name, model=self.wish.model, clones=False)

    def _installed_for(self, name: str, lang: str) -> bool:
        voices = self._voices(name)
        return any(v.installed and closeness(v.lang or "", lang) for v in voices)

    def _languages(self, name: str, info: Info) -> list[str]:
        spoken = info.languages or [voice.lang for voice in self._voices(name) if voice.lang]
        return sorted({primary(lang) for lang in spoken})

    def _speaks(self, name: str, lang: str) -> bool:
        spoken = self._languages(name, self.catalog.info(name))
        return not spoken or primary(lang) in spoken

    def _check_language(self, name: str, info: Info) -> None:
        if self.lang is None or self._speaks(name, self.lang):
            return
        spoken = ", ".join(self._languages(name, info))
        raise UnknownLanguage(f"{name} does not speak {self.lang}", f"it speaks {spoken}")

    def _suits(self, name: str, info: Info, voice: str | None, lang: str) -> bool:
        """Whether a language that is only a default goes with the voice."""
        if info.languages or voice is None:
            return self._speaks(name, lang)
        own = next((v.lang for v in self._voices(name) if v.name == voice), None)
        return own is None or closeness(own, lang) > 0

    def speaking(self, voices: list[Voice], lang: str) -> list[Voice]:
        """See `voices_for`."""
        infos = {name: self.catalog.info(name) for name in {v.backend for v in voices}}
        speak = {name for name in infos if self._speaks(name, lang)}
        have_own = {v.backend for v in voices if closeness(v.lang or "", lang) and not v.is_clone}

        def fit(voice: Voice) -> int:
            found = closeness(voice.lang or "", lang)
            return found if "-" in lang else min(found, 1)

        def is_taken(voice: Voice) -> bool:
            if voice.backend not in speak:
                return False
            if voice.is_clone or voice.lang is None or fit(voice):
                return True
            return voice.backend not in have_own and self._fits(voice, infos[voice.backend])

        return sorted(filter(is_taken, voices), key=lambda v: (-fit(v), not v.installed))

    # -- the voice ---------------------------------------------------------------------------

    def _clone(self, name: str, info: Info) -> Clone | None:
        voice = self.wish.voice
        clone = self.catalog.clone(voice) if voice else None
        if clone is not None and not info.clone:
            others = ", ".join(other for other in registry.names() if self._can_clone(other))
            hint = f"these can: {others}" if others else ""
            raise BadOption(f"{name} cannot speak with a cloned voice", hint, field="voice")
        if clone is None and not voice and info.clone:
            usual = self._usual_voice(name)
            clone = self.catalog.clone(usual) if usual else None
        return clone

    def _usual_voice(self, name: str) -> str | None:
        own = self.catalog.settings_for(name).options.get("voice")
        return str(own) if own else self.wish.default_voice

    def _voice(self, name: str, info: Info) -> str | None:
        voices = self._voices(name)
        if self.wish.voice:
            voice = _named(self.wish.voice, voices)
            if voice is None:
                raise UnknownVoice(
                    f"{name} has no voice called {self.wish.voice!r}",
                    _similar(self.wish.voice, [v.name for v in voices], name),
                )
            self._check_voice(voice, info)
            return voice.name
        usual = self._usual_voice(name)
        voice = _named(usual, voices) if usual else None
        if voice is not None and voice.installed and self._fits(voice, info):
            return voice.name
        if not info.languages and self.lang and not self._installed_for(name, self.lang):
            self.catalog.check_ready(name)
            install = f"vox backends install {name} --voice {primary(self.lang)}"
            raise BackendNotInstalled(f"{name} has no voice for {self.lang} yet", f"run: {install}")
        return self._by_gender(name, info, voices)

    def _fits(self, voice: Voice, info: Info) -> bool:
        """Whether the voice can speak the language: where voices bring it, only its own."""
        if self.lang is None or voice.lang is None or info.languages:
            return True
        return closeness(voice.lang, self.lang) > 0

    def _check_voice(self, voice: Voice, info: Info) -> None:
        if not self._fits(voice, info):
            raise BadOption(f"{voice.name} speaks {voice.lang}, not {self.lang}", field="lang")
        if not voice.installed:
            if self.catalog.is_installed(voice.backend):
                self.catalog.check_ready(voice.backend)
                what = f"the voice {voice.name} of {voice.backend} is not fetched yet"
            else:
                what = f"{voice.backend} is not installed"
            install = f"vox backends install {voice.backend} --voice {voice.name}"
            raise BackendNotInstalled(what, f"run: {install}")
        if self.wish.gender and voice.gender not in (None, self.wish.gender):
            self.notes.append(f"{voice.name} is {voice.gender}; --gender is ignored")

    def _by_gender(self, name: str, info: Info, voices: list[Voice]) -> str | None:
        gender = self.wish.gender
        if gender is None or not info.gender:
            return None
        lang = self.lang or self.usual_lang or "en"
        spoken = [v for v in voices if v.installed and (not v.lang or closeness(v.lang, lang))]
        fit = [v for v in spoken if v.gender == gender]
        if fit:
            best = max(fit, key=lambda v: (closeness(v.lang or "", lang), v.is_default))
            return best.name
        if not spoken or any(v.gender is None for v in spoken):
            return None  # The adapter lays it over the voice.
        self.notes.append(f"{name} has no {gender} voice installed; --gender is ignored")
        return None

    # -- what the backend cannot do ----------------------------------------------------------

    def _note_what_is_ignored(self, info: Info) -> None:
        speed = self.wish.speed
        if self.wish.style and not info.style:
            self.notes.append(f"{info.name} has no style; --style is ignored")
        if self.wish.gender and not info.gender:
            self.notes.append(f"{info.name} has no choice of gender; --gender is ignored")
        if speed is None or speed == 1.0:
            return
        if info.speed is None:
            self.notes.append(f"{info.name} has no speed; --speed is ignored")
        elif not info.speed[0] <= speed <= info.speed[1]:
            low, high = info.speed
            nearest = min(high, max(low, speed))
            self.notes.append(f"{info.name} speaks at {low:g} to {high:g}; --speed is {nearest:g}")


@contextlib.contextmanager
def _blamed_on(setting: str) -> Iterator[None]:
    """What cannot be is the doing of a setting: the error says of which."""
    try:
        yield
    except VoxError as exc:
        hint = "; ".join(filter(None, [exc.hint, "see: vox config show"]))
        raise type(exc)(f"the setting {setting}: {exc.message}", hint) from exc


def _named(name: str, voices: list[Voice]) -> Voice | None:
    """The voice of that name, in whatever case if there is just one."""
    exact = [voice for voice in voices if voice.name == name]
    folded = [voice for voice in voices if voice.name.casefold() == name.casefold()]
    found = exact or (folded if len(folded) == 1 else [])
    return found[0] if found else None


def _similar(name: str, known: list[str], backend: str | None = None) -> str:
    """What to do about a name that is none: those that are near, else where they all are."""
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if backend is None:
        return "see: vox voices"
    return f"there are {', '.join(known[:_SHOWN])}; see: vox voices -b {backend}"
