"""How the server is found in the network: by a browser of the package, over the socket."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from zeroconf import DNSQuestionType, IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from tests.running import Vox
from vox import __version__
from vox.errors import BadConfig
from vox.wyoming.discovery import SERVICE_TYPE, Announcement, reached_at

LOOPBACK = "127.0.0.1"
TIMEOUT_S = 60.0


class Listener:
    """That of another address than the test's network has."""

    family = socket.AF_INET

    def getsockname(self) -> tuple[str, int]:
        return "198.51.100.7", 10200


@pytest.mark.slow
def test_a_browser_finds_it_until_it_ends() -> None:
    async def browse() -> AsyncServiceInfo:
        announcement = Announcement([LOOPBACK])
        announcement.begin([Listener()])  # type: ignore[list-item]
        zeroconf = AsyncZeroconf(ip_version=IPVersion.V4Only, interfaces=[LOOPBACK], unicast=True)
        names: asyncio.Queue[str] = asyncio.Queue()

        def on_change(name: str, state_change: ServiceStateChange, **_: Any) -> None:
            if state_change is ServiceStateChange.Added:
                names.put_nowait(name)

        # Asked directly, for not every machine sends multicasts back on its loopback.
        browser = AsyncServiceBrowser(
            zeroconf.zeroconf,
            SERVICE_TYPE,
            handlers=[on_change],
            addr=LOOPBACK,
            question_type=DNSQuestionType.QU,
        )
        try:
            while (name := await names.get()) != f"{announcement.name}.{SERVICE_TYPE}":
                pass
            found = AsyncServiceInfo(SERVICE_TYPE, name)
            assert found.load_from_cache(zeroconf.zeroconf)
            await announcement.end()
            assert announcement.name is None
            return found
        finally:
            await browser.async_cancel()
            await zeroconf.async_close()

    found = asyncio.run(asyncio.wait_for(browse(), TIMEOUT_S))
    assert found.name.startswith(f"vox on {socket.gethostname().partition('.')[0][:50]}")
    assert (found.parsed_addresses(), found.port) == (["198.51.100.7"], 10200)
    assert found.properties == {b"version": __version__.encode()}


def test_what_only_this_machine_reaches_is_not_announced() -> None:
    with pytest.raises(BadConfig, match="no other machine reaches"):
        reached_at([(socket.AF_INET, LOOPBACK, 10200), (socket.AF_INET6, "::1", 10200)])
    assert reached_at([(socket.AF_INET, "192.0.2.7", 1), (socket.AF_INET, LOOPBACK, 1)]) == [
        "192.0.2.7"
    ]


def test_why_it_is_not_announced_is_kept() -> None:
    async def begin() -> str | None:
        announcement = Announcement()
        with socket.create_server((LOOPBACK, 0)) as listener:
            announcement.begin([listener])
        while announcement.error is None:
            await asyncio.sleep(0.01)
        await announcement.end()
        return announcement.error

    error = asyncio.run(asyncio.wait_for(begin(), TIMEOUT_S))
    assert error is not None and error.startswith("no other machine reaches")


def test_without_the_package_one_line_says_how_to_install_it(vox: Vox, home: Path) -> None:
    code = "import sys; sys.modules['zeroconf'] = None; from vox.cli import main; main()"
    called = subprocess.run(
        [sys.executable, "-c", code, "config", "set", "wyoming_zeroconf", "true"],
        env={**vox.environ, "VOX_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert called.returncode == 2, called.stderr
    assert called.stderr == (
        "vox: wyoming_zeroconf needs the package zeroconf; install it: "
        f"{sys.executable} -m pip install 'voxqueue[wyoming]'\n"
    )
    assert vox.ok("config", "set", "wyoming_zeroconf", "true") == "wyoming_zeroconf = true"
