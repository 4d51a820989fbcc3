"""What there is to speak with: backends, their settings, their voices, the clones.

The engine, the API and the command line ask here. It reads files and calls adapters' class methods;
it loads no model and imports no backend's package.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..backends import registry
from ..backends.base import (
    Backend,
    Clone,
    Info,
    Settings,
    Utterance,
    Voice,
    install_hint,
)
from ..config import checked
from ..errors import BackendNotInstalled, UnknownModel, VoxError
from ..install.accelerator import Gpu, choose, find_gpu
from ..install.figures import Figures, figures_of
from ..install.status import interpreter_for, status_of
from ..languages import closeness, primary
from .clones import Clones

if TYPE_CHECKING:
    from ..config import Config
    from ..paths import Paths

log = logging.getLogger(__name__)


class Catalog:
    """`config` is called each time, because settings may change while a daemon runs."""

    def __init__(self, paths: Paths, config: Callable[[], Config]) -> None:
        self._voices_dir = paths.voices_dir
        self._backends_dir = paths.backends_dir
        self._config = config
        self.clones = Clones(paths.voices_dir, self._voice_names)
        self.is_served: Callable[[str], bool] = lambda _name: False
        """Whether workers on other machines speak for the backend, as far as this process knows."""

    def names(self) -> list[str]:
        """The names of all backends, installed or not."""
        return list(registry.names())

    def info(self, name: str) -> Info:
        """Raises UnknownBackend."""
        return registry.get(name).info

    def asked_by_default(self) -> Iterator[str]:
        """The backends to ask, in this order, if a request names neither backend nor voice.

        Each adapter is imported when the caller reaches it; usually the first one is enough.
        """
        last = []
        for name in registry.names():
            asked = self._asked_by_default(name)
            if asked == "first":
                yield name
            elif asked == "last":
                last.append(name)
        yield from last

    def _asked_by_default(self, name: str) -> str:
        try:
            return self.info(name).asked_by_default
        except VoxError:
            return "never"

    def cloning(self) -> list[str]:
        """The backends that can speak with a cloned voice, installed or not."""
        return [name for name in registry.names() if self._can_clone(name)]

    def _can_clone(self, name: str) -> bool:
        try:
            return self.info(name).clone
        except VoxError:
            return False

    def languages(self, name: str, model: str | None = None) -> list[str]:
        """The primary subtags of its languages, sorted; empty if they are not known.

        Raises UnknownBackend.
        """
        voices = [] if self.info(name).languages else self.voices(name, model, clones=False)
        spoken = self.info(name).languages or [voice.lang for voice in voices if voice.lang]
        return sorted({primary(lang) for lang in spoken})

    def speaks(self, name: str, lang: str, model: str | None = None) -> bool:
        """Whether the backend speaks the language, installed or not. Raises UnknownBackend."""
        spoken = self.languages(name, model)
        return not spoken or primary(lang) in spoken

    def can_speak(
        self, name: str, lang: str, model: str | None = None, *, installed: bool = True
    ) -> bool:
        """Whether all of its voices speak the language, or one voice that is installed.

        With `installed=False` the voice need not be. Raises UnknownBackend.
        """
        if self.info(name).languages:
            return self.speaks(name, lang)
        voices = self.voices(name, model, clones=False, has_awaited=True)
        return any(closeness(v.lang or "", lang) and (v.installed or not installed) for v in voices)

    def host_of(self, name: str) -> str:
        """The backend whose host speaks for this one: usually itself."""
        return registry.environment_of(name)

    def settings_for(self, name: str, model: str | None = None) -> Settings:
        """The adapter's settings, from the table `[backends.NAME]`; `model` overrides it.

        A key that the table lacks is taken from the table of the backend whose host it uses. Raises
        BadConfig, UnknownBackend.
        """
        environment = registry.environment_of(name)
        tables = self._config().backends
        table = self._checked(environment, tables)
        if name != environment:
            table |= self._checked(name, tables)
        return Settings(
            voices_dir=self._voices_dir,
            env_dir=os.path.join(self._backends_dir, environment),
            model=model or table.get("model"),
            device=str(table.get("device", "auto")),
            options=table,
        )

    def _checked(self, name: str, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """`[backends.NAME]` with the backend's own options checked; unknown keys are kept.

        Raises BadConfig, UnknownBackend.
        """
        own = self.info(name).options
        return {
            key: checked(f"backends.{name}.{key}", value, own, where="config.toml")
            if key in own
            else value
            for key, value in tables.get(name, {}).items()
        }

    def host_settings(self, name: str, model: str | None = None) -> Settings:
        """The settings that its host is started with.

        They lack the default voice, which each utterance names, and whether these are cached: a
        change of either must not reload the model.
        """
        settings = self.settings_for(name, model)
        options = {
            key: value for key, value in settings.options.items() if key not in ("voice", "cache")
        }
        return replace(settings, options=options)

    def is_cached(self, name: str) -> bool:
        """Whether the utterance cache keeps what the backend says. Raises UnknownBackend."""
        return bool(self.settings_for(name).options.get("cache", True))

    def revision(self, name: str, settings: Settings) -> str | None:
        """See `Backend.revision`; `settings` are the host's. None if the adapter cannot tell."""
        try:
            return registry.get(self.host_of(name)).revision(settings)
        except Exception as exc:  # third-party code
            log.info("the revision of %s is not known: %s", name, exc)
            return None

    def clone(self, name: str) -> Clone | None:
        """The clone of that name, None if there is none."""
        return self.clones.find(name)

    def voices(
        self,
        backend: str | None = None,
        model: str | None = None,
        clones: bool = True,
        has_awaited: bool = False,
    ) -> list[Voice]:
        """The voices of one backend, or of all; clones appear for each backend that can use them.

        A backend that is not installed here has them as installed if workers serve it, with
        `has_awaited` if some may once they are there. A broken third-party adapter has none.
        Raises UnknownBackend for an unknown `backend`.
        """
        if backend is not None:
            registry.import_string(backend)
        found: list[Voice] = []
        for name in [backend] if backend is not None else registry.names():
            try:
                found += self._voices_of(name, model, clones, has_awaited)
            except Exception as exc:
                # Third-party code: one broken adapter must not hide the voices of the others.
                log.info("the voices of %s cannot be listed: %s", name, exc)
        return found

    def describe(self) -> list[dict[str, Any]]:
        """What `vox backends` and `GET /backends` show: one dict per backend.

        A broken third-party backend has an `error`. Loads nothing.
        """
        find = functools.cache(find_gpu)  # it takes a while
        return [self._describe(name, find) for name in registry.names()]

    def _describe(self, name: str, find: Callable[[], Gpu | None]) -> dict[str, Any]:
        try:
            adapter = registry.get(name)
            settings = self.settings_for(name)
            status = status_of(name, settings)
            voices = list(adapter.voices(settings))
            figures = _figures(adapter, settings, find)
        except VoxError as exc:
            return {"name": name, "ready": False, "error": exc.line}
        except Exception as exc:  # third-party code
            return {"name": name, "ready": False, "error": f"{type(exc).__name__}: {exc}"}
        languages = sorted({*adapter.info.languages, *(primary(v.lang) for v in voices if v.lang)})
        return {
            "name": name,
            "ready": status.is_ready,
            "on_workers": not status.is_ready and self.is_served(name),
            "error": None,
            "installed": status.installed,
            "missing": status.missing,
            "own_environment": status.own,
            "outdated": status.outdated,
            "broken": status.broken,
            "size_mb": round(status.size_mb, 1),
            "disk_mb": figures.disk_mb or None,
            "download_mb": figures.download_mb or None,
            "device": settings.device,
            "accelerator": status.accelerator,
            "languages": languages,
            "voices": len(voices),
            **_abilities(adapter.info),
        }

    def _voices_of(
        self, name: str, model: str | None, clones: bool, has_awaited: bool
    ) -> list[Voice]:
        adapter = registry.get(name)
        settings = self.settings_for(name, model)
        found = list(adapter.voices(settings))
        if not self.is_ready(name, model):
            is_awaited = has_awaited and self.may_be_elsewhere(name)
            if not (is_awaited or self.is_served(name)):
                return [replace(voice, installed=False) for voice in found]
            found = [replace(voice, installed=True) for voice in found]
        if clones and adapter.info.clone:
            found += [
                Voice(each.name, name, lang=each.lang, is_clone=True) for each in self.clones.list()
            ]
        return found

    def _voice_names(self) -> set[str]:
        return {voice.name for voice in self.voices(clones=False)}

    def is_ready(self, name: str, model: str | None = None, voice: str | None = None) -> bool:
        """True if the backend could speak here now; False if it is unknown or broken.

        `voice`: with that one, which may need further weights.
        """
        try:
            if not self.is_installed(name) or self.missing(name, model) is not None:
                return False
            if voice is not None:
                wish = Utterance.saying("", self.clone(voice), {"voice": voice})
                registry.get(name).accepts(self.settings_for(name, model), wish)
            return True
        except BackendNotInstalled:
            return False
        except Exception as exc:  # third-party code
            log.info("%s is not ready: %s", name, exc)
            return False

    def may_be_elsewhere(self, name: str) -> bool:
        """Whether workers on other machines may speak for the backend. Raises UnknownBackend."""
        self.info(name)
        config = self._config()
        return config["workers"] is not None and config["placement"] != "local"

    def is_light(self, name: str, model: str | None = None) -> bool:
        """Whether the backend speaks in the caller's process. Raises UnknownBackend.

        What workers are to speak it does not: only the daemon asks them.
        """
        if not self.info(name).light:
            return False
        is_here = self._config()["placement"] != "remote" and self.is_ready(name, model)
        return is_here or not self.may_be_elsewhere(name)

    def is_installed(self, name: str) -> bool:
        """True if its packages are installed, whatever else it lacks. Raises UnknownBackend."""
        return interpreter_for(name, self._backends_dir) is not None

    def missing(self, name: str, model: str | None = None) -> str | None:
        """What it lacks besides its packages, None if nothing. Raises UnknownBackend, BadConfig."""
        return registry.get(name).missing(self.settings_for(name, model))

    def check_ready(self, name: str, model: str | None = None) -> None:
        """Raises UnknownBackend, or BackendNotInstalled with the command to run.

        What workers on other machines may speak is ready, whether one is there now or not.
        """
        if not self.may_be_elsewhere(name):
            self.check_installed(name, model)

    def check_installed(self, name: str, model: str | None = None) -> None:
        """The same for what can speak on this machine."""
        if not self.is_installed(name):
            raise BackendNotInstalled(f"{name} is not installed", install_hint(name))
        missing = self.missing(name, model)
        if missing:
            raise BackendNotInstalled(f"{name} cannot speak yet: {missing}")

    def accepts(self, name: str, wish: Utterance, model: str | None = None) -> list[str]:
        """What the backend will ignore of a request, one note for each (see `Backend.accepts`).

        Raises BackendNotInstalled, with the command to run, if it cannot speak; UnknownBackend,
        UnknownModel.
        """
        self.check_ready(name, model)
        try:
            return registry.get(name).accepts(self.settings_for(name, model), wish)
        except BackendNotInstalled:
            if not self.may_be_elsewhere(name):
                raise
        self._check_model(name, model)
        return []  # workers speak for it

    def _check_model(self, name: str, model: str | None) -> None:
        """Raises UnknownModel if it is certain that no worker has a model of that name."""
        known = self.info(name).models
        if model and known and "/" not in model and named_model(model, known) not in known:
            raise UnknownModel(f"{name} has no model {model!r}", f"it has: {', '.join(known)}")

    def model(self, name: str, model: str | None = None) -> str | None:
        """The model that a request means, as its backend writes it; None: the backend's usual one.

        Raises BadConfig, UnknownBackend.
        """
        meant = self.settings_for(name, model).model
        return named_model(meant, self.info(name).models) if meant else None


def named_model(model: str, known: Sequence[str]) -> str:
    """The known name that is written so but for upper and lower case, else the model as it is."""
    return next((each for each in known if each.casefold() == model.casefold()), model)


def _figures(adapter: type[Backend], settings: Settings, find: Callable[[], Gpu | None]) -> Figures:
    """What its installation would take; nothing if it cannot be installed as it is set."""
    try:
        accelerator = choose(adapter.info, settings.device, find=find).accelerator
        return figures_of(adapter, accelerator, settings)
    except VoxError:  # what it lacks is in the table already
        return Figures(0, 0, 0)


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
