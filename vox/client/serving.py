"""A catalog that knows what workers on other machines speak for now.

They are asked once, and only where the answer matters: it takes a while.
"""

from __future__ import annotations

import contextlib
import functools

from ..errors import VoxError
from ..paths import Paths
from ..voices.catalog import Catalog


def knowing_workers(catalog: Catalog, paths: Paths) -> Catalog:
    """The catalog. If workers cannot be asked, they speak for nothing."""

    @functools.cache
    def served() -> set[str]:
        from .workers import workers

        with contextlib.suppress(VoxError):
            found = workers(paths)["workers"]
            return {name for each in found if each["compatible"] for name in each["backends"]}
        return set()

    catalog.is_served = lambda name: catalog.may_be_elsewhere(name) and name in served()
    return catalog
