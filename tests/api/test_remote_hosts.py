"""A server that ssh leads here may speak and see to what it sent, and do nothing else."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import TIMEOUT_S, RunningDaemon, running, until
from tests.sound import SoundServer
from vox.paths import Paths, get_paths, remote_host_of

BUILD, OTHER = "build.example.com", "other"


@contextlib.contextmanager
def client_of(paths: Paths, host: str) -> Iterator[httpx.Client]:
    """Asks what that server asks."""
    path = paths.remote_socket_path(host)
    until(lambda: os.path.exists(path))
    transport = httpx.HTTPTransport(uds=path)
    with httpx.Client(
        transport=transport, base_url="http://localhost", timeout=TIMEOUT_S
    ) as client:
        yield client


@pytest.fixture(scope="module")
def daemon(
    sound_server: SoundServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningDaemon]:
    """One that hears two servers."""
    home = tmp_path_factory.mktemp("laptop")
    with running(home, remote_hosts=[BUILD, OTHER], idle_timeout=300) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def server(daemon: RunningDaemon) -> Iterator[httpx.Client]:
    with client_of(daemon.paths, BUILD) as client:
        yield client


def spoken(server: httpx.Client, text: str, **more: Any) -> dict[str, Any]:
    answer = server.post("/speak", json={"text": text, "async": True, **more})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def test_a_server_speaks_and_its_name_is_the_socket_s(
    daemon: RunningDaemon, server: httpx.Client
) -> None:
    answer = server.post("/speak", json={"text": "From afar.", "source": "repo", "via": "hook"})
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert (job["state"], job["source"], job["via"]) == ("done", f"{BUILD}:repo", "remote")
    assert daemon.job(job["id"])["text"] == "From afar."
    plain = {"Content-Type": "text/plain"}
    bare = server.post("/speak?source=other:repo", content=b"Plain words.", headers=plain).json()
    assert (bare["source"], bare["via"]) == (f"{BUILD}:other:repo", "remote")


def test_it_follows_and_cancels_what_it_sent(daemon: RunningDaemon, server: httpx.Client) -> None:
    job_id = spoken(server, "[until never] 1")["id"]
    assert server.get(f"/jobs/{job_id}").json()["source"] == BUILD
    assert server.delete(f"/jobs/{job_id}").json()["state"] == "cancelled"
    events = server.get(f"/jobs/{job_id}/events").text
    assert '"state":"cancelled"' in events.replace(" ", "")
    mine, theirs = spoken(server, "[until never] 1")["id"], daemon.speak("[until never] 2")["id"]
    assert [job["id"] for job in server.post("/cancel").json()] == [mine]
    assert daemon.job(theirs)["exit_code"] is None
    daemon.http.delete(f"/jobs/{theirs}")


def test_who_follows_bound_and_goes_cancels_the_job(
    daemon: RunningDaemon, server: httpx.Client
) -> None:
    job_id = spoken(server, "[until never] 1")["id"]
    with server.stream("GET", f"/jobs/{job_id}/events?bind=true") as events:
        next(events.iter_lines())
    until(lambda: daemon.job(job_id)["state"] == "cancelled")


@pytest.mark.slow
def test_it_sees_no_job_of_anybody_else(daemon: RunningDaemon, server: httpx.Client) -> None:
    # Also one whose sender calls itself by the server's name.
    mine = daemon.speak("Secret.", source=BUILD)
    daemon.ended(mine["id"])
    with client_of(daemon.paths, OTHER) as other:
        theirs = spoken(other, "Between us.")
    once = server.post("/speak", json={"text": "Once."}).json()
    again = daemon.http.post(f"/jobs/{once['id']}/replay").json()
    for job in (mine, theirs, again):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("POST", "/text")):
            body = {"end": True} if method == "POST" else None
            answer = server.request(method, f"/jobs/{job['id']}{path}", json=body)
            assert answer.status_code == 404, (method, path)
            assert "Secret" not in answer.text
    nobody = server.get("/jobs/zzzzzz").json()
    assert nobody["detail"] == f"there is no job 'zzzzzz' of {BUILD}"


OPEN = {("GET", "/ping"), ("POST", "/speak"), ("POST", "/cancel")}


def test_every_other_route_is_refused(daemon: RunningDaemon, server: httpx.Client) -> None:
    paths = daemon.http.get("/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert routes > OPEN
    for method, path in routes - OPEN:
        if not path.startswith("/jobs/{"):  # of these, see below
            refused(server, method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/jobs/last"), ("GET", "/jobs/@1"),
        ("HEAD", "/ping"), ("POST", "/ping"), ("GET", "/ping/"), ("GET", "/speak"),
        ("OPTIONS", "/speak"), ("GET", "//health"), ("GET", "/jobs/%2e%2e/health"),
        ("GET", "/nothing"), ("POST", "/jobs/aaaaaa"), ("POST", "/mcp"), ("GET", "/mcp"),
    ],
)  # fmt: skip
def test_so_is_what_is_no_route_of_it(server: httpx.Client, method: str, path: str) -> None:
    refused(server, method, path)


def refused(server: httpx.Client, method: str, path: str) -> None:
    answer = server.request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == 403, (method, path)
    if method != "HEAD":
        assert answer.json()["code"] == "forbidden"
        assert answer.json()["detail"].startswith(f"a server ({BUILD}) may not ask for {method} ")


@pytest.mark.parametrize("path", ["audio", "replay", "continue"])
def test_nor_more_of_its_own_jobs_than_it_needs(server: httpx.Client, path: str) -> None:
    job_id = spoken(server, "Mine.")["id"]
    for method in ("GET", "POST"):
        refused(server, method, f"/jobs/{job_id}/{path}")


def test_it_writes_a_text_little_by_little(daemon: RunningDaemon, server: httpx.Client) -> None:
    job_id = spoken(server, "", open=True, caller="linux:1:1:1:1:x")["id"]
    assert server.post(f"/jobs/{job_id}/text", json={"text": "One."}).json()["open"]
    server.post(f"/jobs/{job_id}/text", json={"offset": 4, "text": " Two.", "end": True})
    # The caller is no process of ours, whose end would be looked for.
    assert daemon.ended(job_id)["state"] == "done"
    assert daemon.job(job_id)["text"] == "One. Two."


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"output": "/tmp/x.wav"}, "no file is written for a server"),
        ({"keep_alive": -1}, "may not keep a model loaded"),
        ({"unkept": True, "interrupt": True}, "is kept in the history"),
        ({"model": "somebody/model"}, "by its name"),
        ({"open": True}, "open needs async"),
    ],
)
def test_what_a_server_may_not_ask_of_a_job_is_refused(
    server: httpx.Client, more: dict[str, Any], reason: str
) -> None:
    answer = server.post("/speak", json={"text": "Hello.", **more})
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]
    query = {name: str(value) for name, value in more.items() if name != "open"}
    if query:
        plain = {"Content-Type": "text/plain"}
        answer = server.post("/speak", params=query, content=b"Hello.", headers=plain)
        assert answer.status_code == 422


def test_a_key_to_replace_is_the_server_s_own(daemon: RunningDaemon, server: httpx.Client) -> None:
    mine = daemon.speak("[until never] 1", replace="progress")["id"]
    first = spoken(server, "[until never] 2", replace="progress")["id"]
    second = spoken(server, "[until never] 3", replace="progress")["id"]
    assert daemon.job(mine)["exit_code"] is None
    assert daemon.job(first)["state"] == "cancelled"
    for job_id in (mine, second):
        daemon.http.delete(f"/jobs/{job_id}")


def test_the_socket_is_the_user_s_alone_and_made_again(daemon: RunningDaemon) -> None:
    path = daemon.paths.remote_socket_path(BUILD)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    os.unlink(path)
    with client_of(daemon.paths, BUILD) as server:
        assert server.get("/ping").status_code == 204


def test_the_daemon_stays_for_them(daemon: RunningDaemon) -> None:
    told = daemon.http.get("/health").json()
    assert "remote_hosts" in told["stays_for"]


def test_a_host_comes_and_goes_with_the_setting(daemon: RunningDaemon) -> None:
    config = daemon.home / "config.toml"
    before = config.read_text()
    path = daemon.paths.remote_socket_path("new")
    config.write_text(before.replace(OTHER, "new"))
    with client_of(daemon.paths, "new") as server:
        assert spoken(server, "Hello.")["source"] == "new"
    until(lambda: not os.path.exists(daemon.paths.remote_socket_path(OTHER)))
    config.write_text(before)
    until(lambda: not os.path.exists(path))


def test_the_name_of_a_host_is_read_from_its_socket() -> None:
    for home in ("/tmp/x", "/tmp/" + "x" * 120):
        paths = get_paths({"VOX_HOME": home})
        assert remote_host_of(paths.remote_socket_path(BUILD)) == BUILD
        assert remote_host_of(paths.socket_path) is None
