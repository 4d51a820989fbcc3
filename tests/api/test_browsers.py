"""What a page in a browser gets: its preflight and answers, if it is no foreign one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import RunningDaemon
from tests.api.fakes import FakeContext, client_of
from tests.api.test_security import FOREIGN_ORIGINS

PAGE = "http://localhost:3000"
ASKED = {"Access-Control-Request-Method": "POST"}


def cors_of(answer: httpx.Response) -> dict[str, str]:
    return {
        name.removeprefix("access-control-"): value
        for name, value in answer.headers.items()
        if name.startswith("access-control-")
    }


def ask(context: FakeContext, method: str, path: str, **more: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        async with client_of(context) as client:
            return await client.request(method, path, **more)

    return context.run(asked())


@pytest.fixture
def stranger(daemon: RunningDaemon) -> Iterator[httpx.Client]:
    """Without a token, as browsers send a preflight."""
    with httpx.Client(base_url=f"http://127.0.0.1:{daemon.port}", timeout=60) as client:
        yield client


@pytest.mark.parametrize("path", ["/speak", "/v1/audio/speech", "/jobs/abcdef", "/nothing"])
def test_a_preflight_of_an_allowed_page_needs_no_token(stranger: httpx.Client, path: str) -> None:
    wanted = {"Access-Control-Request-Headers": "Authorization, content-type,x-stainless-os"}
    answer = stranger.options(path, headers={"Origin": PAGE, **ASKED, **wanted})
    assert answer.status_code == 204 and answer.content == b""
    found = cors_of(answer)
    assert found["allow-origin"] == PAGE
    assert {"GET", "HEAD", "POST", "DELETE"} <= set(found["allow-methods"].split(", "))
    allowed = set(found["allow-headers"].split(", "))
    assert {"authorization", "content-type", "x-stainless-os"} <= allowed
    assert int(found["max-age"]) > 0
    assert "origin" in answer.headers["vary"].lower()
    assert "allow-private-network" not in found


def test_a_preflight_that_asks_for_a_private_network_is_told(stranger: httpx.Client) -> None:
    headers = {"Origin": PAGE, **ASKED, "Access-Control-Request-Private-Network": "true"}
    answer = stranger.options("/speak", headers=headers)
    assert cors_of(answer)["allow-private-network"] == "true"


def test_a_preflight_repeats_no_header_that_is_none(stranger: httpx.Client) -> None:
    wanted = {"Access-Control-Request-Headers": "x y, <script>, ,x-good," + "z" * 500}
    answer = stranger.options("/speak", headers={"Origin": PAGE, **ASKED, **wanted})
    assert cors_of(answer)["allow-headers"] == (
        "authorization, content-type, last-event-id, x-good"
    )


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_page_gets_no_permission(daemon: RunningDaemon, origin: str) -> None:
    for answer in (
        daemon.tcp.options("/speak", headers={"Origin": origin, **ASKED}),
        daemon.http.options("/speak", headers={"Origin": origin, **ASKED}),
        daemon.tcp.get("/health", headers={"Origin": origin}),
    ):
        assert answer.status_code == 403 and cors_of(answer) == {}


def test_a_preflight_for_another_host_is_refused(stranger: httpx.Client) -> None:
    headers = {"Origin": PAGE, "Host": "evil.example", **ASKED}
    answer = stranger.options("/speak", headers=headers)
    assert answer.status_code == 421 and cors_of(answer) == {}


def test_options_that_are_no_preflight_need_the_token(stranger: httpx.Client) -> None:
    assert stranger.options("/speak", headers={"Origin": PAGE}).status_code == 401
    assert stranger.options("/speak", headers=ASKED).status_code == 401


def test_an_allowed_page_may_read_answers_errors_and_streams(
    daemon: RunningDaemon, stranger: httpx.Client
) -> None:
    page = {"Origin": PAGE}
    speech = {"input": "[say 0.1s]", "voice": "one", "response_format": "pcm"}
    answers = [
        daemon.tcp.get("/health", headers=page),
        daemon.tcp.post("/v1/audio/speech", json=speech, headers=page),
        daemon.tcp.post("/speak", json={}, headers=page),
        daemon.tcp.get("/nothing", headers=page),
        daemon.tcp.put("/speak", headers=page),
        daemon.tcp.post("/speak", content=b" " * 20_000_000, headers=page),
        stranger.get("/health", headers=page),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 422, 404, 405, 413, 401]
    with daemon.tcp.stream("GET", "/events", headers=page) as stream:
        for answer in (*answers, stream):
            assert cors_of(answer)["allow-origin"] == PAGE
            assert "origin" in answer.headers["vary"].lower()
            assert "X-Job-Id" in cors_of(answer)["expose-headers"]


def test_an_allowed_page_may_read_that_we_crashed(context: FakeContext) -> None:
    def crash() -> dict[str, Any]:
        raise ZeroDivisionError

    context.inbox.describe = crash  # type: ignore[method-assign]
    answer = ask(context, "GET", "/inbox", headers={"Origin": PAGE})
    assert answer.status_code == 500 and cors_of(answer)["allow-origin"] == PAGE


def test_who_names_no_origin_or_several_gets_no_such_headers(context: FakeContext) -> None:
    assert cors_of(ask(context, "GET", "/ping")) == {}
    two = [("Origin", PAGE), ("Origin", "http://localhost:4000")]
    assert cors_of(ask(context, "GET", "/ping", headers=two)) == {}
