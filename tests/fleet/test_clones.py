"""Recordings of cloned voices: sent once, fetched once, kept within bounds, never another one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.workers import wav
from vox.errors import UnknownVoice
from vox.fleet import clones, keys
from vox.fleet.clones import KEPT_S, MAX_BYTES, Clones, KeptClones, digest_of
from vox.fleet.server import Server


class Counted(Server):
    """Counts what is sent and fetched."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.calls: list[str] = []

    def call(self, command: str, *args: object, **options: object) -> object:
        self.calls.append(command)
        return self.server.call(command, *args, **options)

    def put(self, key: str, data: bytes, ttl_ms: int) -> None:
        self.calls.append("put")
        self.server.put(key, data, ttl_ms)


@pytest.fixture
def counted(server: Server) -> Counted:
    return Counted(server)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "anna.wav"
    path.write_bytes(wav(1.0))
    return str(path)


@pytest.fixture
def kept(server: Server, tmp_path: Path) -> KeptClones:
    return KeptClones(server, str(tmp_path / "kept"))


def test_a_recording_is_sent_once_and_expires(
    counted: Counted, server: Server, recording: str
) -> None:
    digest = digest_of(recording)
    for _ in range(3):
        Clones(counted).offer(digest, recording)  # as many clients do
    mine = Clones(counted)
    for _ in range(3):
        mine.offer(digest, recording)
    assert counted.calls.count("put") == 1
    assert 0 < server.call("pttl", keys.clone(digest)) <= 1000 * clones.TTL_S


def test_a_recording_is_fetched_once_and_is_for_this_user_alone(
    counted: Counted, recording: str, tmp_path: Path
) -> None:
    digest = digest_of(recording)
    Clones(counted).offer(digest, recording)
    kept = KeptClones(counted, str(tmp_path / "kept"))
    path = kept.path(digest)
    assert path is not None and kept.path(digest) == path
    assert Path(path).read_bytes() == Path(recording).read_bytes()
    assert counted.calls.count("get") == 1
    assert os.stat(path).st_mode & 0o777 == 0o600
    os.unlink(path)
    assert kept.path(digest) == path
    assert counted.calls.count("get") == 2


def test_an_emptied_server_gets_it_again_once_that_is_known(
    server: Server, recording: str, kept: KeptClones, redis_server: RedisServer
) -> None:
    digest, mine = digest_of(recording), Clones(server)
    mine.offer(digest, recording)
    redis_server.client().flushall()
    assert kept.path(digest) is None
    mine.forget(digest)
    mine.offer(digest, recording)
    assert kept.path(digest) is not None


def test_what_was_changed_on_its_way_is_not_used_and_is_sent_again(
    server: Server, recording: str, kept: KeptClones, tmp_path: Path
) -> None:
    digest, mine = digest_of(recording), Clones(server)
    mine.offer(digest, recording)
    server.call("append", keys.clone(digest), b"more")
    assert kept.path(digest) is None
    assert list((tmp_path).glob("kept/*")) == []
    mine.forget(digest)
    mine.offer(digest, recording)
    assert kept.path(digest) is not None


def test_what_is_too_large_is_neither_sent_nor_fetched(
    server: Server, tmp_path: Path, kept: KeptClones
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(bytes(MAX_BYTES + 1))
    for send in (digest_of, lambda each: Clones(server).offer("0" * 64, each)):
        with pytest.raises(UnknownVoice, match="too long"):
            send(str(path))
    server.call("set", keys.clone("0" * 64), bytes(MAX_BYTES + 1))
    assert kept.path("0" * 64) is None
    assert not server.call("exists", keys.clone("0" * 64)), "so that it is sent again"


def test_a_recording_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.wav", tmp_path):
        with pytest.raises(UnknownVoice) as error:
            digest_of(str(path))
        assert error.value.line.startswith("the recording of the voice cannot be read: ")
        assert error.value.line.endswith("; see: vox clone list")


def test_a_worker_keeps_recordings_for_a_while_and_so_many(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    kept = KeptClones(server, str(folder))
    now = time.time()
    for number in range(6):
        path = folder / f"{number}.wav"
        path.write_bytes(bytes(1000))
        os.utime(path, (now, now - 1000 * number))
    os.utime(folder / "5.wav", (now, now - KEPT_S - 60))
    kept.tidy()
    assert len(list(folder.iterdir())) == 5
    kept.tidy(clones.KEPT_BYTES - 2500)
    assert sorted(each.name for each in folder.iterdir()) == ["0.wav", "1.wav"]


def test_a_folder_that_cannot_be_read_is_not_tidied(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    KeptClones(server, str(tmp_path / "file")).tidy()
    KeptClones(server, str(tmp_path / "gone")).tidy()
