"""Nobody but the owner makes it speak, listen or stop: above all no page in a browser."""

from __future__ import annotations

import os
import socket
import stat

import httpx
import pytest

from tests.api.conftest import RunningDaemon, Start
from vox.tokens import renew_token

SPEAK = {"text": "Nobody may say this", "async": True}
EVERYTHING = [
    "/health",
    "/ping",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/v1/models",
    "/workers",
    "/nothing",
]


@pytest.mark.parametrize("path", EVERYTHING)
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic {token}", "{token}"])
def test_over_tcp_everything_needs_the_token(
    daemon: RunningDaemon, path: str, authorization: str
) -> None:
    header = authorization.format(token=daemon.token)
    url = f"http://127.0.0.1:{daemon.port}{path}"
    answer = httpx.get(url, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "forbidden"


def test_the_token_does_not_count_in_the_address(daemon: RunningDaemon) -> None:
    url = f"http://127.0.0.1:{daemon.port}/health"
    assert httpx.get(url, params={"token": daemon.token}).status_code == 401


def test_the_right_token_opens(daemon: RunningDaemon) -> None:
    assert daemon.tcp.get("/health").status_code == 200
    lower = {"Authorization": f"bearer {daemon.token}"}
    assert daemon.tcp.get("/health", headers=lower).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "127.0.0.1@evil.example",
     "169.254.169.254", "[::2]", "localhost:1:2", "2130706433", "0.0.0.0", ""],
)  # fmt: skip
def test_a_foreign_host_is_refused_even_with_the_token(daemon: RunningDaemon, host: str) -> None:
    answer = daemon.tcp.post("/speak", json=SPEAK, headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "127.1.2.3:80", "[::1]"])
def test_loopback_names_are_accepted(daemon: RunningDaemon, host: str) -> None:
    assert daemon.tcp.get("/health", headers={"Host": host}).status_code == 200


def test_two_hosts_or_none_are_refused(daemon: RunningDaemon) -> None:
    for hosts in ("Host: localhost\r\nHost: evil.example\r\n", ""):
        with socket.create_connection(("127.0.0.1", daemon.port)) as connection:
            token = f"Authorization: Bearer {daemon.token}\r\n\r\n"
            connection.sendall(f"GET /health HTTP/1.0\r\n{hosts}{token}".encode())
            status = connection.recv(100).split(b" ")[1]
        assert status in (b"421", b"400")


FOREIGN_ORIGINS = ["https://evil.example", "null", "file://", "http://localhost.evil.example", "x"]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("road", ["tcp", "socket"])
def test_a_foreign_page_can_neither_make_it_speak_nor_stop_it(
    daemon: RunningDaemon, origin: str, road: str
) -> None:
    client = daemon.tcp if road == "tcp" else daemon.http
    for path, body in (("/speak", SPEAK), ("/stop", {"now": True})):
        answer = client.post(path, json=body, headers={"Origin": origin})
        assert answer.status_code == 403
        # What a form can send without asking first:
        plain = {"Origin": origin, "Content-Type": "text/plain"}
        assert client.post(path, content=b"{}", headers=plain).status_code == 403
    assert daemon.http.get("/jobs").json() == []
    assert daemon.http.get("/health").json()["status"] == "ok"


def test_a_page_without_an_origin_is_known_by_its_site(daemon: RunningDaemon) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert daemon.http.get("/jobs", headers=headers).status_code == 403
    assert daemon.tcp.get("/jobs", headers=headers).status_code == 403


def test_the_control_socket_needs_no_token(daemon: RunningDaemon) -> None:
    assert daemon.http.get("/health").status_code == 200


def test_listed_hosts_and_origins_are_accepted(start: Start) -> None:
    daemon = start(http_hosts=["speech.lan", "box:8443"])
    for host in ("speech.lan", "speech.lan:8765", "SPEECH.LAN", "box:8443"):
        assert daemon.tcp.get("/health", headers={"Host": host}).status_code == 200
    assert daemon.tcp.get("/health", headers={"Host": "box:1"}).status_code == 421
    listed = {"Origin": "https://speech.lan", "Sec-Fetch-Site": "cross-site"}
    assert daemon.tcp.get("/health", headers=listed).status_code == 200


def test_a_new_token_replaces_the_old_at_once(start: Start) -> None:
    daemon = start()
    new = renew_token(daemon.paths)
    assert daemon.tcp.get("/health").status_code == 401
    assert daemon.tcp.get("/health", headers={"Authorization": f"Bearer {new}"}).status_code == 200


def test_without_a_token_there_is_no_tcp_but_a_daemon_that_says_so(start: Start) -> None:
    daemon = start(has_token=False)
    with pytest.raises(httpx.ConnectError):
        daemon.tcp.get("/health")
    http = daemon.http.get("/health").json()["http"]
    assert "needs a token" in http["error"]
    assert f"no HTTP API on TCP: {http['error']}" in daemon.log()


def test_the_token_is_kept_from_others(daemon: RunningDaemon) -> None:
    assert stat.S_IMODE(os.stat(daemon.paths.token_path).st_mode) == 0o600
