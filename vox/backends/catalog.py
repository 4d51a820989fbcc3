"""What there is to speak with: backends, their settings, their voices, the clones.

The one place that the queue, the API and the command line ask. It reads files and asks adapters'
class methods; it loads no model and imports no backend's package.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import BackendNotInstalled, VoxError
from . import registry
from .base import Backend, Clone, Info, Settings, Utterance, Voice
from .choice import Resolved, Wish, resolve, speaking
from .clones import Clones
from .environments import interpreter_for
from .languages import strange_scripts

if TYPE_CHECKING:
    from ..config import Config
    from ..paths import Paths

__all__ = ["Catalog", "Resolved"]

log = logging.getLogger(__name__)


class Catalog:
    """`config` is asked anew each time, for settings may change while a daemon is up."""

    def __init__(self, paths: Paths, config: Callable[[], Config]) -> None:
        self._voices_dir = paths.voices_dir
        self._backends_dir = paths.backends_dir
        self._config = config
        self.clones = Clones(paths.voices_dir, self._voice_names)

    def info(self, name: str) -> Info:
        """Raises UnknownBackend."""
        return registry.get(name).info

    def host_of(self, name: str) -> str:
        """The backend whose host speaks for this one: mostly its own."""
        return registry.environment_of(name)

    def settings_for(self, name: str, model: str | None = None) -> Settings:
        """What the adapter is told, from the table `[backends.NAME]`; `model` goes before it.

        Below its own table lies that of the backend whose host speaks for it.
        """
        tables, environment = self._config().backends, registry.environment_of(name)
        table: Mapping[str, Any] = {**tables.get(environment, {}), **tables.get(name, {})}
        return Settings(
            voices_dir=self._voices_dir,
            env_dir=os.path.join(self._backends_dir, environment),
            model=model or table.get("model"),
            device=str(table.get("device", "auto")),
            options=dict(table),
        )

    def host_settings(self, name: str, model: str | None = None) -> Settings:
        """What the host that speaks for it is started with.

        The usual voice comes with each utterance: another one must not load the model anew.
        """
        settings = self.settings_for(name, model)
        options = {key: value for key, value in settings.options.items() if key != "voice"}
        return replace(settings, options=options)

    def clone(self, name: str) -> Clone | None:
        """The clone of that name, None if there is none."""
        return self.clones.find(name)

    def voices(
        self, backend: str | None = None, model: str | None = None, clones: bool = True
    ) -> list[Voice]:
        """The voices of one backend or of all; clones once for each backend that can use them.

        A third party's adapter that is broken has none. Raises UnknownBackend if `backend` is.
        """
        if backend is not None:
            registry.import_string(backend)
        found: list[Voice] = []
        for name in [backend] if backend is not None else registry.names():
            try:
                found += self._voices_of(name, model, clones)
            except Exception as exc:
                # Third parties' code: one broken adapter must not take the others' voices along.
                log.info("the voices of %s cannot be listed: %s", name, exc)
        return found

    def voices_for(self, lang: str, backend: str | None = None) -> list[Voice]:
        """The voices that speak the language, the best matches first.

        Raises UnknownLanguage, UnknownBackend.
        """
        return speaking(self, self.voices(backend), lang)

    def describe(self) -> list[dict[str, Any]]:
        """What every backend can do and how its installation stands (see `listing`)."""
        from .listing import describe

        return describe(self)

    def _voices_of(self, name: str, model: str | None, clones: bool) -> list[Voice]:
        adapter = registry.get(name)
        settings = self.settings_for(name, model)
        found = list(adapter.voices(settings))
        if not _is_ready(adapter, name, settings):
            return [replace(voice, installed=False) for voice in found]
        if clones and adapter.info.clone:
            found += [
                Voice(each.name, name, lang=each.lang, is_clone=True) for each in self.clones.list()
            ]
        return found

    def _voice_names(self) -> set[str]:
        return {voice.name for voice in self.voices(clones=False)}

    def is_ready(self, name: str, model: str | None = None) -> bool:
        """True if the backend could speak now; False too if it is unknown or broken."""
        try:
            return _is_ready(registry.get(name), name, self.settings_for(name, model))
        except VoxError:
            return False

    def is_installed(self, name: str) -> bool:
        """True if its packages are at hand, whatever else is missing. Raises UnknownBackend."""
        return interpreter_for(name, self._backends_dir) is not None

    def check_ready(self, name: str, model: str | None = None) -> None:
        """Raises BackendNotInstalled with the one command that mends it, UnknownBackend."""
        adapter = registry.get(name)
        settings = self.settings_for(name, model)
        if not self.is_installed(name):
            raise BackendNotInstalled(
                f"{name} is not installed", f"run: vox backends install {name}"
            )
        missing = adapter.missing(settings)
        if missing:
            raise BackendNotInstalled(f"{name} cannot speak yet: {missing}")

    def accepts(
        self,
        who: Resolved,
        *,
        style: str | None = None,
        gender: str | None = None,
        model: str | None = None,
    ) -> list[str]:
        """What of the wish the backend will ignore, a note for each (see `Backend.accepts`).

        Raises BackendNotInstalled with the one command that mends it, UnknownBackend.
        """
        self.check_ready(who.backend, model)
        wish = Utterance(
            text="",
            voice=None if who.clone else who.voice,
            lang=who.lang,
            style=style,
            gender=gender,
            clone=who.clone,
        )
        settings = self.settings_for(who.backend, model)
        return registry.get(who.backend).accepts(settings, wish)

    def strange_scripts(self, who: Resolved) -> tuple[str, frozenset[str]]:
        """What it speaks ("hibari speaks en"), and the scripts of which that needs none."""
        name, spoken = who.backend, list(self.info(who.backend).languages)
        if not spoken:  # its voices bring the language
            voices = self.voices(who.backend, clones=False)
            own = [voice.lang for voice in voices if voice.name == who.voice and voice.lang]
            name = who.voice if who.voice and own else name
            spoken = own or ([who.lang] if who.lang else [])
        return f"{name} speaks {', '.join(spoken)}", strange_scripts(spoken)

    def resolve(
        self,
        backend: str | None = None,
        voice: str | None = None,
        lang: str | None = None,
        gender: str | None = None,
        default_backend: str | None = None,
        default_voice: str | None = None,
        *,
        default_lang: str | None = None,
        style: str | None = None,
        speed: float | None = None,
        model: str | None = None,
    ) -> Resolved:
        """Who speaks a request (see `choice`).

        Raises UnknownBackend, UnknownVoice, UnknownLanguage, BackendNotInstalled, BadOption.
        """
        wish = Wish(
            backend=backend,
            voice=voice,
            lang=lang,
            gender=gender,
            style=style,
            speed=speed,
            model=model,
            default_backend=default_backend,
            default_voice=default_voice,
            default_lang=default_lang,
        )
        return resolve(self, wish)


def _is_ready(adapter: type[Backend], name: str, settings: Settings) -> bool:
    backends_dir = os.path.dirname(settings.env_dir)
    return interpreter_for(name, backends_dir) is not None and adapter.missing(settings) is None
