"""A loaded host for each backend that is tested in an environment of its own (see `worlds`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.backends.worlds import ADAPTERS, Worlds
from vox.backends import registry
from vox.backends.base import Settings
from vox.bootstrap import bootstrap_args
from vox.hosts.handle import Handle

Environment = Callable[[str], tuple[str, Settings]]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Layers this tiny are quicker on one; several wait for each other on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def environment(worlds: Worlds) -> Environment:
    """The interpreter and the settings to test a backend with; skips where there is none."""
    return worlds.get


@pytest.fixture(scope="session")
def host(environment: Environment) -> Iterator[Callable[[str], Handle]]:
    """A backend's host with its model loaded; each is started once."""
    started: dict[str, Handle] = {}

    def start(name: str) -> Handle:
        if name not in started:
            interpreter, settings = environment(name)
            command = [interpreter, *bootstrap_args("vox.hosts.host")]
            spec = ADAPTERS.get(name) or registry.import_string(name)
            handle = Handle(name, command, spec, settings)
            handle.load()
            started[name] = handle
        return started[name]

    yield start
    for handle in started.values():
        handle.close()
