"""The daemon's link to workers, begun when it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.redis_server import RedisServer
from vox.config import load
from vox.engine.fleet import Fleet, connect
from vox.redis_url import no_package

if TYPE_CHECKING:
    from vox.engine.fleet import Session


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


def test_it_begins_once_the_package_is_installed(redis: RedisServer, tmp_path: Path) -> None:
    is_installed = False

    def begin(
        url: str, password_file: str | None, lease_s: float, on_change: Callable[[], None]
    ) -> Session:
        if not is_installed:
            raise no_package()
        return connect(str(tmp_path / "session"), url, password_file, lease_s, on_change)

    config = load("/dev/null", {"VOX_WORKERS": redis.url})
    fleet = Fleet(lambda: config, begin)
    try:
        fleet.tick()
        trouble = fleet.trouble()
        assert trouble is not None and "redis is not installed" in trouble.message
        is_installed = True
        fleet.tick()
        assert fleet.trouble() is None
    finally:
        fleet.close()
