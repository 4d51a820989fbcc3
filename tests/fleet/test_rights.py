"""The users of docs/workers.md may do what vox does, and may not read what is not theirs."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.redis_server import RedisServer
from tests.running import CHECKOUT, Vox
from tests.workers import Fleet, crew, settings
from vox.fleet import keys

DOCUMENT = (CHECKOUT / "docs" / "workers.md").read_text(encoding="utf-8")
LINES = re.findall(r"^user \w+ (?:off|on).*$", DOCUMENT, re.MULTILINE)
PASSWORDS = {"anna": "a-password", "worker": "another-password"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with these users, where the tests may look at all."""
    assert LINES[0] == "user default off"
    lines = ["user default on nopass ~* &* +@all", *LINES[1:]]
    path = tmp_path_factory.mktemp("redis") / "vox.acl"
    path.write_text("\n".join(lines).replace("annas-laptop", keys.named(platform.node())) + "\n")
    made = RedisServer("--aclfile", str(path))
    yield made
    made.close()


def url_of(server: RedisServer, user: str) -> str:
    return server.url.replace("//", f"//{user}@")


@pytest.fixture
def fleet(vox: Vox, server: RedisServer) -> Iterator[Fleet]:
    files = {}
    for user, password in PASSWORDS.items():
        files[user] = vox.home / f"{user}-password"
        files[user].write_text(f"{password}\n")
    Path(vox.paths.config_path).parent.mkdir(parents=True, exist_ok=True)
    Path(vox.paths.config_path).write_text(
        settings(url_of(server, "anna"), workers_password_file=f'"{files["anna"]}"')
    )
    with crew(server, vox.home) as workers:
        options = ("--password-file", str(files["worker"]))
        workers.make("gpu", url_of(server, "worker"), options).start()
        workers.wait_announced("gpu")
        vox.ok("daemon", "start")
        yield Fleet(vox, server, workers)


def test_laptops_and_workers_may_do_what_they_do_and_nothing_else(
    fleet: Fleet, server: RedisServer
) -> None:
    vox, gpu = fleet.vox, fleet.crew.workers[0]
    job_id, _ = fleet.write("1 [say 0.2s]. 2 [say 0.2s].")
    assert fleet.outcome(job_id)["made_on"] == "gpu"
    cancelled, _ = fleet.write("1 [slow 0.5] [say 9s].")
    fleet.crew.wait_at_work()
    vox.ok("cancel", cancelled)
    assert "gpu" in vox.ok("workers")
    assert "answers in" in vox("doctor").out
    gpu.terminate()
    gpu.wait()
    vox.ok("daemon", "stop")
    with server.client() as client:
        refused = [(each["username"], each["object"]) for each in client.acl_log()]
        called = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    assert refused == []
    permitted = {each for line in LINES for each in re.findall(r" \+(\S+)", line)}
    assert permitted - called == set()


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("anna", "get vox:1:m:x"),
        ("anna", "get vox:1:clone:x"),
        ("anna", "xread streams vox:1:out:other.1 0"),
        ("anna", "blpop vox:1:wake:qwen 1"),
        ("anna", "set vox:w:x x"),
        *(
            (user, command)
            for user in PASSWORDS
            for command in ("keys *", "flushall", "config get *", "monitor", "eval x 0", "get x")
        ),
    ],
)
def test_what_is_not_theirs_is_refused(server: RedisServer, user: str, command: str) -> None:
    refused = pytest.raises(redis.exceptions.NoPermissionError)
    with server.client(username=user, password=PASSWORDS[user]) as client, refused:
        client.execute_command(*command.split())
