"""How sizes are shown."""

from __future__ import annotations


def megabytes(value: float | None) -> str:
    """ "335 MB", "1.7 GB"; "-" if it is not known."""
    if value is None:
        return "-"
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.0f} MB"
