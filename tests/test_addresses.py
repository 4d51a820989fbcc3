"""Which addresses are this machine alone."""

from __future__ import annotations

import pytest

from vox.addresses import are_local, is_loopback, resolve
from vox.errors import BadConfig


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.255.0.3", "::1", "[::1]"])
def test_what_is_loopback(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["0.0.0.0", "::", "10.0.0.1", "localhost.", "127.1", "", "x"])
def test_what_is_not_loopback(name: str) -> None:
    assert not is_loopback(name)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "[::1]"])
def test_an_address_that_only_this_machine_reaches_is_local(host: str) -> None:
    assert are_local(resolve("http", f"{host}:8765", False))


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_an_address_that_others_reach_is_not_local(host: str) -> None:
    assert not are_local(resolve("http", f"{host}:8765", True))
    with pytest.raises(BadConfig, match=r"http: .* reachable.*") as refused:
        resolve("http", f"{host}:8765", False)
    assert refused.value.hint == "to allow it: vox config set http_allow_remote true"


def test_a_host_without_an_address_is_a_bad_setting() -> None:
    with pytest.raises(BadConfig, match="has no address"):
        resolve("wyoming", "no-such-host.invalid:8765", True)
