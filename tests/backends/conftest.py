"""What the backends' tests share: where the backends' own environments are.

A backend that vox's own environment lacks is tested in an environment of its own, if one is named:
`VOX_TEST_BACKENDS_DIR` is a folder that `vox backends install` filled, `VOX_TEST_ENV_<NAME>` one
interpreter, and `VOX_TEST_MODEL_<NAME>` a checkpoint to load instead of the usual one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from vox.backends import registry
from vox.backends.base import Settings
from vox.backends.bootstrap import bootstrap_args
from vox.backends.environments import interpreter_for
from vox.hosts.handle import Handle

Environment = Callable[[str], tuple[str, Settings]]

# Read before the tests' own home clears the variables.
_NAMED = {name: value for name, value in os.environ.items() if name.startswith("VOX_TEST_")}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "heavy: needs a backend's own environment")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The interpreter and the settings to test a backend with; skips where there is none."""
    empty = str(tmp_path_factory.mktemp("backends"))

    def find(name: str) -> tuple[str, Settings]:
        suffix = name.upper().replace("-", "_")
        backends_dir = _NAMED.get("VOX_TEST_BACKENDS_DIR", empty)
        interpreter = _NAMED.get(f"VOX_TEST_ENV_{suffix}") or interpreter_for(name, backends_dir)
        if interpreter is None:
            pytest.skip(f"no environment for {name}")
        settings = Settings(
            voices_dir=str(tmp_path_factory.mktemp("voices")),
            env_dir=os.path.join(backends_dir, name),
            model=_NAMED.get(f"VOX_TEST_MODEL_{suffix}"),
            device="cpu",
        )
        return interpreter, settings

    return find


@pytest.fixture(scope="session")
def host(environment: Environment) -> Iterator[Callable[[str], Handle]]:
    """A backend's host with its model loaded; each is started once."""
    started: dict[str, Handle] = {}

    def start(name: str) -> Handle:
        if name not in started:
            interpreter, settings = environment(name)
            command = [interpreter, *bootstrap_args("vox.hosts.host")]
            handle = Handle(name, command, registry.import_string(name), settings)
            handle.load()
            started[name] = handle
        return started[name]

    yield start
    for handle in started.values():
        handle.close()
