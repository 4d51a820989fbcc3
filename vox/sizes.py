"""How sizes are shown."""

from __future__ import annotations


def megabytes(value: float | None) -> str:
    """ "335 MB", "1.7 GB"; "-" if it is not known."""
    if value is None:
        return "-"
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.0f} MB"


def file_size(size: int) -> str:
    """ "980 bytes", "12 kB", "12.8 MB", in bytes of 10^3 and 10^6."""
    if size < 1_000:
        return f"{size} bytes"
    if size < 999_500:
        return f"{size / 1_000:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 999_950_000 else f"{size / 1e9:.1f} GB"
