"""A rig with the scripted backend registered; its engine has a loudspeaker that nobody hears."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sound import SoundServer
from vox.engine.engine import Engine

from .fake_workers import GPU, FakeWorkers
from .fakes import FakeHosts
from .rig import Rig


@pytest.fixture
def scripted(register: Callable[[str], None]) -> None:
    """The scripted backend is registered, as a third party's."""
    register("scripted")


@pytest.fixture
def rig(home: Path, scripted: None, sound: SoundServer) -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close_all()


@pytest.fixture
def hosts(rig: Rig) -> FakeHosts:
    return rig.hosts


@pytest.fixture
def workers(rig: Rig) -> FakeWorkers:
    """The settings name workers: these, which are in this process. GPU is there."""
    made = FakeWorkers()
    made.announce(GPU)
    rig.settings["workers"] = "redis://gpu.example"
    rig.options["connect"] = made.connect
    return made


@pytest.fixture
def engine(rig: Rig) -> Engine:
    """One that drains the queue."""
    made = rig.make_engine()
    made.start()
    return made
