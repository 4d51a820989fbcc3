"""What `vox backends` and `GET /backends` tell of each backend. Loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import VoxError
from . import environments, registry
from .base import Accelerator, Info
from .languages import primary

if TYPE_CHECKING:
    from .catalog import Catalog


def describe(catalog: Catalog) -> list[dict[str, Any]]:
    """One dict for every backend; a third party's that is broken has an `error`."""
    accelerator = environments.detect()
    return [_describe(catalog, name, accelerator) for name in registry.names()]


def _describe(catalog: Catalog, name: str, accelerator: Accelerator) -> dict[str, Any]:
    try:
        adapter = registry.get(name)
        settings = catalog.settings_for(name)
        status = environments.status(name, settings)
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


def _abilities(info: Info) -> dict[str, Any]:
    return {
        "summary": info.summary,
        "light": info.name in registry.LIGHT,
        "clone": info.clone,
        "speed": list(info.speed) if info.speed else None,
        "streaming": info.streaming,
        "style": info.style,
        "gender": info.gender,
        "models": list(info.models),
        "license": info.license,
    }
