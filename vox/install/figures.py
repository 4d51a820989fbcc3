"""What an installation downloads and takes on the disk. Whoever shows such a figure asks here.

They come from what adapters and locks say, as measured. What an installation took in the end is
measured by `status`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..backends.base import Accelerator, Backend, Settings
from .locks import read_lock


@dataclass(frozen=True, slots=True)
class Figures:
    """In megabytes; 0: nothing, or not known."""

    download_mb: int
    disk_mb: int
    """What it takes once it is installed."""
    peak_mb: int
    """What it takes meanwhile: the packages' downloads go before the weights come."""


def figures_of(
    adapter: type[Backend],
    accelerator: Accelerator,
    settings: Settings,
    has_packages: bool = False,
) -> Figures:
    """Of an installation for such a device; `has_packages`: only weights are to come.

    Raises BackendNotInstalled for a model that there is not.
    """
    weights_mb = adapter.weights_mb(settings)
    if has_packages:
        return Figures(weights_mb, weights_mb, weights_mb)
    lock = read_lock(adapter.lock(accelerator))
    packages_mb, downloads_mb = adapter.disk_mb(accelerator), lock.download_mb() if lock else 0
    return Figures(
        downloads_mb + weights_mb,
        packages_mb + weights_mb,
        packages_mb + max(weights_mb, downloads_mb),
    )
