"""Which voice of a backend speaks a request, in which language, and what it ignores of the wish."""

from __future__ import annotations

from ..backends import registry
from ..backends.base import Clone, Info, Voice, install_hint
from ..errors import BackendNotInstalled, BadOption, UnknownLanguage, UnknownModel, UnknownVoice
from ..languages import closeness, primary
from .catalog import Catalog
from .wish import Resolved, Wish

_SHOWN = 8


class VoiceChoice:
    """The choice of a voice of one backend for one wish, which is normalized."""

    def __init__(self, catalog: Catalog, wish: Wish, backend: str) -> None:
        self.catalog = catalog
        self.wish = wish
        self.name = backend
        self.info = catalog.info(backend)
        self.notes: list[str] = []

    def made(self) -> Resolved:
        """Raises as `choice.resolve`."""
        if self.wish.model and not self.info.models:
            raise UnknownModel(f"{self.name} has no models to choose from", "leave out -m")
        self._check_language()
        clone = self._clone()
        voice = clone.name if clone else self._voice()
        self._note_what_is_ignored()
        return Resolved(self.name, voice, self._lang(voice, clone), clone, self.notes)

    # -- the language ------------------------------------------------------------------------

    def _speaks(self, lang: str) -> bool:
        return self.catalog.speaks(self.name, lang, self.wish.model)

    def _check_language(self) -> None:
        if self.wish.lang is None or self._speaks(self.wish.lang):
            return
        spoken = ", ".join(self.catalog.languages(self.name, self.wish.model))
        raise UnknownLanguage(f"{self.name} does not speak {self.wish.lang}", f"it speaks {spoken}")

    def _lang(self, voice: str | None, clone: Clone | None) -> str | None:
        if self.wish.lang:
            return self.wish.lang
        if self.wish.default_lang and self._suits(voice, self.wish.default_lang):
            return self.wish.default_lang
        return clone.lang if clone else None

    def _suits(self, voice: str | None, lang: str) -> bool:
        """Whether the voice can speak the default language."""
        if self.info.languages or voice is None:
            return self._speaks(lang)
        own = next((v.lang for v in self._voices() if v.name == voice), None)
        return own is None or closeness(own, lang) > 0

    # -- the voice ---------------------------------------------------------------------------

    def _voices(self) -> list[Voice]:
        return self.catalog.voices(self.name, self.wish.model, clones=False, has_awaited=True)

    def _usual_voice(self) -> str | None:
        wanted = self.wish.source_voice
        if wanted and (self.catalog.clone(wanted) or _named(wanted, self._voices())):
            return wanted
        own = self.catalog.settings_for(self.name).options.get("voice")
        return str(own) if own else self.wish.default_voice

    def _clone(self) -> Clone | None:
        voice = self.wish.voice
        clone = self.catalog.clone(voice) if voice else None
        if clone is not None and not self.info.clone:
            others = ", ".join(self.catalog.cloning())
            hint = f"these can: {others}" if others else ""
            raise BadOption(f"{self.name} cannot speak with a cloned voice", hint, field="voice")
        if clone is None and not voice and self.info.clone:
            usual = self._usual_voice()
            clone = self.catalog.clone(usual) if usual else None
        return clone

    def _voice(self) -> str | None:
        lang = self.wish.lang
        usual = self._usual_voice()
        if not (self.wish.voice or usual or lang or self.wish.gender):
            return None  # The adapter's own choice; listing its voices may take 10 ms.
        voices = self._voices()
        if self.wish.voice:
            return self._named_voice(self.wish.voice, voices)
        voice = _named(usual, voices) if usual else None
        if voice is not None and voice.installed and self._fits(voice):
            return voice.name
        if lang and not self.catalog.can_speak(self.name, lang, self.wish.model):
            self.catalog.check_ready(self.name)
            raise BackendNotInstalled(
                f"{self.name} has no voice for {lang} yet", install_hint(self.name, primary(lang))
            )
        return self._by_gender(voices)

    def _named_voice(self, name: str, voices: list[Voice]) -> str:
        voice = _named(name, voices)
        if voice is None:
            raise UnknownVoice(
                f"{self.name} has no voice called {name!r}",
                similar(name, [v.name for v in voices], self.name),
            )
        if not self._fits(voice):
            raise BadOption(f"{voice.name} speaks {voice.lang}, not {self.wish.lang}", field="lang")
        if not voice.installed:
            if self.catalog.is_installed(self.name):
                self.catalog.check_ready(self.name)
                what = f"the voice {voice.name} of {self.name} is not fetched yet"
            else:
                what = f"{self.name} is not installed"
            raise BackendNotInstalled(what, install_hint(self.name, voice.name))
        if self.wish.gender and voice.gender not in (None, self.wish.gender):
            self.notes.append(f"{voice.name} is {voice.gender}; --gender is ignored")
        return voice.name

    def _fits(self, voice: Voice) -> bool:
        """Whether the voice can speak the wish's language."""
        lang = self.wish.lang
        if lang is None or not brings_language(voice, self.info):
            return True
        return closeness(voice.lang or "", lang) > 0

    def _by_gender(self, voices: list[Voice]) -> str | None:
        gender = self.wish.gender
        if gender is None or not self.info.gender:
            return None
        lang = self.wish.lang or self.wish.default_lang or "en"
        spoken = [v for v in voices if v.installed and (not v.lang or closeness(v.lang, lang))]
        fit = [v for v in spoken if v.gender == gender]
        if fit:
            best = max(fit, key=lambda v: (closeness(v.lang or "", lang), v.is_default))
            return best.name
        if not spoken or any(v.gender is None for v in spoken):
            return None  # The adapter gives any voice that gender.
        self.notes.append(f"{self.name} has no {gender} voice installed; --gender is ignored")
        return None

    # -- what the backend cannot do ----------------------------------------------------------

    def _note_what_is_ignored(self) -> None:
        info = self.info
        if self.wish.style and not info.style:
            self.notes.append(f"{info.name} has no style; --style is ignored")
        if self.wish.gender and not info.gender:
            self.notes.append(f"{info.name} has no choice of gender; --gender is ignored")


def brings_language(voice: Voice, info: Info) -> bool:
    """Whether the voice speaks only its own language: the backend has none for all its voices."""
    return voice.lang is not None and not info.languages


def similar(name: str, known: list[str], backend: str | None = None) -> str:
    """The hint for an unknown name: similar names, else where to find all."""
    import difflib

    if backend is None and name.casefold() in registry.names():
        return f"it is a backend: -b {name.casefold()}"
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if backend is None:
        return "see: vox voices"
    return f"e.g. {', '.join(known[:_SHOWN])}; see: vox voices -b {backend}"


def _named(name: str, voices: list[Voice]) -> Voice | None:
    """The voice of that name, in any case if that is unambiguous."""
    exact = [voice for voice in voices if voice.name == name]
    folded = [voice for voice in voices if voice.name.casefold() == name.casefold()]
    found = exact or (folded if len(folded) == 1 else [])
    return found[0] if found else None
