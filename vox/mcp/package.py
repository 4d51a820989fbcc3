"""Whether the package `mcp` is there. Does not import it, which takes a second."""

from __future__ import annotations

from ..errors import NotAvailable
from ..extras import install_hint

MAJOR = 2


def check_package() -> None:
    """Raises NotAvailable if the package `mcp` is not installed, or is of another major version."""
    import importlib.metadata

    try:
        version = importlib.metadata.version("mcp")
    except importlib.metadata.PackageNotFoundError:
        raise NotAvailable("the Python package mcp is not installed", _hint()) from None
    if version.partition(".")[0] != str(MAJOR):
        raise NotAvailable(f"the Python package mcp is version {version}, not {MAJOR}", _hint())


def _hint() -> str:
    return install_hint("mcp", "mcp>=2.3,<3")
