"""What there is to speak with: backends, their settings, their voices, the clones.

The one place that the queue, the API and the command line ask. It reads files and asks adapters'
class methods; it loads no model and imports no backend's package.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..backends import registry
from ..backends.base import Accelerator, Backend, Clone, Info, Settings, Utterance, Voice
from ..errors import BackendNotInstalled, VoxError
from ..install.accelerator import detect
from ..install.status import interpreter_for, status_of
from ..languages import primary, strange_scripts
from .clones import Clones

if TYPE_CHECKING:
    from ..config import Config
    from ..paths import Paths

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who speaks. `voice` None: the adapter's own choice for the language."""

    backend: str
    voice: str | None
    lang: str | None
    clone: Clone | None
    notes: list[str]


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

    def describe(self) -> list[dict[str, Any]]:
        """What `vox backends` and `GET /backends` show: one dict for every backend.

        A third party's that is broken has an `error`. Loads nothing.
        """
        accelerator = detect()
        return [self._describe(name, accelerator) for name in registry.names()]

    def _describe(self, name: str, accelerator: Accelerator) -> dict[str, Any]:
        try:
            adapter = registry.get(name)
            settings = self.settings_for(name)
            status = status_of(name, settings)
            voices = list(adapter.voices(settings))
            needed_mb = adapter.disk_mb(accelerator)
        except VoxError as exc:
            return {"name": name, "ready": False, "error": exc.line}
        except Exception as exc:  # third parties' code
            return {"name": name, "ready": False, "error": f"{type(exc).__name__}: {exc}"}
        languages = sorted({*adapter.info.languages, *(primary(v.lang) for v in voices if v.lang)})
        return {
            "name": name,
            "ready": status.is_ready,
            "error": None,
            "installed": status.installed,
            "missing": status.missing,
            "own_environment": status.own,
            "outdated": status.outdated,
            "broken": status.broken,
            "size_mb": round(status.size_mb, 1),
            "disk_mb": needed_mb or None,
            "device": settings.device,
            "accelerator": status.accelerator,
            "languages": languages,
            "voices": len(voices),
            **_abilities(adapter.info),
        }

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


def _is_ready(adapter: type[Backend], name: str, settings: Settings) -> bool:
    backends_dir = os.path.dirname(settings.env_dir)
    return interpreter_for(name, backends_dir) is not None and adapter.missing(settings) is None


def _abilities(info: Info) -> dict[str, Any]:
    return {
        "summary": info.summary,
        "light": info.light,
        "clone": info.clone,
        "speed": list(info.speed) if info.speed else None,
        "streaming": info.streaming,
        "style": info.style,
        "gender": info.gender,
        "models": list(info.models),
        "license": info.license,
    }
