"""A rig with the scripted backend registered; its engine has a loudspeaker that nobody hears."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sound import SoundServer
from vox.backends import registry
from vox.engine.engine import Engine

from .fakes import FakeHosts
from .rig import Rig

PLUGIN = Path(__file__).parent.parent / "plugins" / "scripted"


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scripted backend is registered, as a third party's."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    registry.import_strings.cache_clear()
    registry.get.cache_clear()
    yield
    registry.import_strings.cache_clear()
    registry.get.cache_clear()


@pytest.fixture
def rig(home: Path, scripted: None, sound: SoundServer) -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close_all()


@pytest.fixture
def hosts(rig: Rig) -> FakeHosts:
    return rig.hosts


@pytest.fixture
def engine(rig: Rig) -> Engine:
    """One that drains the queue."""
    made = rig.make_engine()
    made.start()
    return made
