"""What a Redis server refuses is told in words that say what to do."""

from __future__ import annotations

import pytest

from tests.redis_server import RedisServer
from vox.errors import WorkersAway
from vox.fleet.server import Server
from vox.redis_url import parse


def told(url: str, secret: str | None, *args: str) -> WorkersAway:
    """What a call says."""
    server = Server(parse(url), lambda: secret)
    try:
        with pytest.raises(WorkersAway) as caught:
            server.run("append", ["a"], args)
    finally:
        server.close()
    return caught.value


def test_every_call_says_what_is_wrong_with_the_password() -> None:
    redis = RedisServer("--requirepass", "right")
    try:
        for args in ((), ["x"] * 50):  # Redis does not even read a long command
            assert "requires a password" in told(redis.url, None, *args).message
            assert "refuses the password" in told(redis.url, "wrong", *args).message
    finally:
        redis.close()


def test_a_password_that_the_server_does_not_have_is_named(redis_server: RedisServer) -> None:
    assert "has no password, but one was given" in told(redis_server.url, "some").message


def test_what_is_wrong_with_the_url_is_named(redis_server: RedisServer) -> None:
    assert "has no database 99" in told(f"{redis_server.url}/99", None).message
    url = redis_server.url.replace("redis:", "rediss:")
    for name in ("ssl_ca_certs", "ssl_certfile"):
        message = told(f"{url}?{name}=/nonexistent", None).message
        assert "a file that its URL names cannot be read" in message
