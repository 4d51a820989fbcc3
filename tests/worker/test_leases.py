"""A lease: what its end stops, and what keeps it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.redis_server import RedisServer
from tests.workers import wait_until
from vox.fleet import keys
from vox.fleet.lease_times import LeaseTimes
from vox.fleet.requests import Request
from vox.fleet.server import Server
from vox.fleet.storage import FleetQueue, FleetStorage, Lane
from vox.worker.leases import Lease, Leases, Revoked

REQUEST = Request("anna:1.1", "anna", "anna", "scripted", "scripted", text="one")


@pytest.fixture
def leases(server: Server) -> Iterator[Leases]:
    made = Leases(server, "w#1", LeaseTimes(1.0))
    made.start()
    yield made
    made.close()


@pytest.fixture
def claimed(server: Server) -> Request:
    """A request that is the worker's."""
    server.call("set", keys.session("anna"), "1")
    FleetQueue(server).send(REQUEST)
    assert FleetStorage("vox", server, "w#1", 0.75).claim([Lane("scripted")])
    return REQUEST


def test_a_lease_is_renewed_as_long_as_it_is_held(
    leases: Leases, claimed: Request, server: Server
) -> None:
    with leases.holding(claimed) as lease:
        time.sleep(1.0)
        lease.check()
        lease.send({"event": "loading", "text": "", "fraction": None})
    assert leases.count == 0
    wait_until(lambda: not server.call("exists", keys.task(claimed.id)), "it runs out")


def test_a_cancel_stops_what_is_made_and_nothing_afterwards(
    leases: Leases, claimed: Request, server: Server
) -> None:
    stopped = threading.Event()
    with leases.holding(claimed) as lease:
        with lease.stopping(stopped.set):
            server.run("cancel", [keys.task(claimed.id), keys.LEASES], [keys.PREFIX, claimed.id])
            assert stopped.wait(30)
        stopped.clear()
        lease.revoke()
        assert not stopped.is_set(), "the host makes another request now"
        with pytest.raises(Revoked), lease.stopping(stopped.set):
            pass
        with pytest.raises(Revoked):
            lease.send({"event": "loading", "text": "", "fraction": None})


def test_who_stops_waiting_for_a_host_waits_until_it_is_told(server: Server) -> None:
    """Else the host would be stopped in the middle of its next request."""
    lease = Lease(server, "w#1", LeaseTimes(1.0), REQUEST)
    is_stopping, may_end, has_left = threading.Event(), threading.Event(), threading.Event()

    def stop() -> None:
        is_stopping.set()
        assert may_end.wait(30)

    def make() -> None:
        with lease.stopping(stop):
            assert is_stopping.wait(30)
        has_left.set()

    threads = [threading.Thread(target=each) for each in (make, lease.revoke)]
    threads[0].start()
    wait_until(lambda: lease._on_revoked, "it can be stopped")
    threads[1].start()
    assert is_stopping.wait(30)
    assert not has_left.wait(0.1)
    may_end.set()
    assert has_left.wait(30)
    for thread in threads:
        thread.join()


def test_leases_are_renewed_after_an_error_that_nobody_expected(
    leases: Leases, claimed: Request, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("nobody expected this")

    with leases.holding(claimed) as lease:
        renew, lease.renew = lease.renew, fail  # type: ignore[method-assign]
        wait_until(lambda: "nobody expected this" in caplog.text, "it fails")
        lease.renew = renew  # type: ignore[method-assign]
        time.sleep(1.0)
        lease.send({"event": "loading", "text": "", "fraction": None})


def test_cancels_are_heard_again_after_the_server_was_gone(
    leases: Leases, redis_server: RedisServer
) -> None:
    def hears() -> bool:
        with redis_server.client() as client:
            return bool(client.pubsub_numsub(keys.control("w#1"))[0][1])

    wait_until(hears, "it listens")
    redis_server.kill()
    redis_server.start()
    wait_until(hears, "it listens again")
