"""A worker that renews its lease and makes nothing: whoever waits for the sound gives it up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from vox.backends.base import Settings, Utterance
from vox.errors import WorkerLost
from vox.fleet.server import Server
from vox.fleet.session import Session
from vox.hosts.handle import Limits
from vox.hosts.remote import RemoteHost

from .conftest import CHUNK, SOUND, Taker, announce, claimed, make_it, send, until

LIMITS = Limits(load_s=0.1, first_chunk_s=0.1, stall_s=0.1)
LOADING = {"event": "loading", "text": "the model", "fraction": 0.5}


@pytest.fixture
def other(session: Session, server: Server) -> Taker:
    made = Taker(server, "other#1")
    announce(server, made.id)
    until(lambda: len(session.workers) == 2)
    return made


@pytest.fixture
def host(session: Session) -> RemoteHost:
    return RemoteHost("scripted", None, Settings("", ""), session, 0, 0, LIMITS)


def samples(host: RemoteHost) -> int:
    return sum(len(chunk.samples) for chunk in host.synthesize(Utterance("one")))


@pytest.mark.parametrize("does", ["nothing", "load for ever"])
def test_a_worker_that_begins_and_gives_no_sound_is_given_up(
    host: RemoteHost, worker: Taker, other: Taker, does: str
) -> None:
    with ThreadPoolExecutor() as threads:
        made = threads.submit(samples, host)
        bad, seq = claimed(worker), 1
        found = None
        while found is None:
            if does == "load for ever" and send(worker, bad, seq, LOADING):
                seq += 1
            found = other.claim()
        assert not worker.answer(bad)
        make_it(other, found.id)
        assert made.result(60) == len(SOUND) / 4
    assert host.made_on == "w"  # as `make_it` says


def test_a_worker_that_stalls_in_mid_utterance_is_given_up(
    host: RemoteHost, worker: Taker, other: Taker
) -> None:
    with ThreadPoolExecutor() as threads:
        made = threads.submit(samples, host)
        bad = claimed(worker)
        assert send(worker, bad, 1, CHUNK, SOUND)
        make_it(other, claimed(other))
        assert made.result(60) == len(SOUND) / 4


def test_workers_that_all_hang_fail_the_request_with_a_name(
    host: RemoteHost, worker: Taker
) -> None:
    with ThreadPoolExecutor() as threads:
        made = threads.submit(samples, host)
        for _ in range(3):
            claimed(worker)
        with pytest.raises(WorkerLost, match=r"the worker w did not go on for 0\.2 s"):
            made.result(60)
