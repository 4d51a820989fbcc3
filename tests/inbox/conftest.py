"""Rigs that are closed after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.inbox.rig import Rig


@pytest.fixture
def new_rig(home: Path) -> Iterator[Callable[..., Rig]]:
    """Makes a running rig with the given settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Rig(**settings))


@pytest.fixture
def rig(new_rig: Callable[..., Rig]) -> Rig:
    return new_rig()
