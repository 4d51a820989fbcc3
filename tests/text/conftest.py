"""For the tests of the texts."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Python's garbage collector walks through all that other tests have left: it is no measure."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
