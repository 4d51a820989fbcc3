"""Texts written over a connection: a plain body that comes slowly, and a web socket."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect, unix_connect

from tests.api.conftest import RunningDaemon, Start, running, until
from vox.api.open_texts import MAX_OPEN
from vox.callers import me

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


@pytest.fixture(autouse=True)
def _sound(sound: object) -> None:
    """Every test needs a loudspeaker."""


def post(daemon: RunningDaemon, body: Any, **query: str) -> httpx.Response:
    return daemon.http.post("/speak", content=body, headers=PLAIN, params=query)


def newest(daemon: RunningDaemon) -> dict[str, Any]:
    jobs: list[dict[str, Any]] = daemon.http.get("/jobs", params={"limit": 1}).json()
    return jobs[0] if jobs else {"text": ""}


class SlowBody:
    """A chunked request that is written part by part, over the control socket."""

    def __init__(self, daemon: RunningDaemon, query: str = "") -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(daemon.paths.socket_path)
        head = f"POST /speak{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
        self._socket.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())

    def write(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        self._socket.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def status(self) -> int:
        return int(self._socket.recv(4096).split()[1])

    def drop(self) -> None:
        self._socket.close()


# -- a plain body --------------------------------------------------------------------------------


def test_a_body_without_a_media_type_is_told_both(daemon: RunningDaemon) -> None:
    for path, is_told in (("/speak", True), ("/warm", False)):
        detail = daemon.http.post(path, content="Hello.").json()["detail"]
        assert ("text/plain" in detail, "application/json" in detail) == (is_told, True), detail


def test_a_body_is_spoken_while_it_comes(daemon: RunningDaemon) -> None:
    def body() -> Iterator[bytes]:
        yield b"1 [mark begun-body].\n\n"
        daemon.wait_for_file("begun-body")
        yield "2 zw\u00f6lf.".encode()[:-3]
        yield "2 zw\u00f6lf.".encode()[-3:]

    answer = post(daemon, body(), voice="two", speed="1.5", fresh="true", source="llm")
    job = answer.json()
    assert (answer.status_code, job["state"]) == (200, "done")
    assert job["text"] == "1 [mark begun-body].\n\n2 zw\u00f6lf."
    assert (job["voice"], job["speed"], job["fresh"], job["open"]) == ("two", 1.5, True, False)
    assert (job["source"], job["via"], job["heard"]) == ("llm", "api", 2)


def test_a_whole_body_is_a_text_too(daemon: RunningDaemon) -> None:
    answer = post(daemon, b"1 one.")
    assert (answer.status_code, answer.json()["text"]) == (200, "1 one.")


def test_with_async_the_answer_comes_at_the_end_of_the_body(daemon: RunningDaemon) -> None:
    answer = post(daemon, iter([b"1 one. ", b"2 [until go-on]."]), **{"async": "true"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert (job["text"], job["open"]) == ("1 one. 2 [until go-on].", False)
    daemon.mark("go-on")
    assert daemon.ended(job["id"])["state"] == "done"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"speed": "9"}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"fresh": "perhaps"}, "fresh"),
        ({"shout": "true"}, "shout"),
        ({"bind": "perhaps"}, "bind"),
        ({"text": "no"}, "text"),
        ({"output": "relative.wav"}, "output"),
    ],
)
def test_parameters_are_checked_as_the_fields_are(
    daemon: RunningDaemon, query: dict[str, str], field: str
) -> None:
    answer = post(daemon, b"1 one.", **query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    named = post(daemon, b"1 one.", voice="nobody")
    assert (named.status_code, named.json()["code"]) == (422, "unknown-voice")


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_a_part_of_a_text_that_is_no_text_is_refused(daemon: RunningDaemon, text: str) -> None:
    opening = {"text": "", "open": True, "async": True, "caller": me(), "backend": "scripted"}
    job = daemon.http.post("/speak", json=opening).json()
    body, kind = json.dumps({"text": text}), {"Content-Type": "application/json"}
    answer = daemon.http.post(f"/jobs/{job['id']}/text", content=body, headers=kind)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")
    assert daemon.http.post(f"/jobs/{job['id']}/text", json={"end": True}).status_code == 200


def test_over_tcp_no_file_is_written(daemon: RunningDaemon) -> None:
    target = str(daemon.home / "out.wav")
    answer = daemon.tcp.post("/speak", content=b"1 one.", headers=PLAIN, params={"output": target})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-output")


@pytest.mark.parametrize("body", [b"", b"\n", b"...\n"])
def test_a_body_without_words_is_an_empty_text(daemon: RunningDaemon, body: bytes) -> None:
    answer = post(daemon, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "empty-text")


def test_bytes_that_are_no_text_end_it_with_a_note(daemon: RunningDaemon) -> None:
    answer = post(daemon, b"1 one. \xff 2 two.")
    job = answer.json()
    assert (answer.status_code, job["text"]) == (200, "1 one. ")
    assert "byte 8 is 0xff" in job["notes"][0]


def test_a_client_that_goes_ends_the_text_and_the_job_goes_on(daemon: RunningDaemon) -> None:
    body = SlowBody(daemon)
    body.write("1 [until gone-on].\n\nAnd 2")
    until(lambda: newest(daemon)["text"].endswith("And 2"))
    job = newest(daemon)
    assert job["open"]
    body.drop()
    until(lambda: not daemon.job(job["id"])["open"])
    daemon.mark("gone-on")
    ended = daemon.ended(job["id"])
    assert (ended["state"], ended["heard"]) == ("done", 2)


def test_a_client_that_is_bound_takes_its_job_with_it(daemon: RunningDaemon) -> None:
    body = SlowBody(daemon, "?bind=true")
    body.write("1 [until never].\n\n")
    until(lambda: newest(daemon)["text"] == "1 [until never].\n\n")
    body.drop()
    assert daemon.ended(newest(daemon)["id"])["state"] == "cancelled"


def test_a_cancelled_job_is_answered_although_the_body_goes_on(daemon: RunningDaemon) -> None:
    body = SlowBody(daemon)
    body.write("1 one.\n\n")
    until(lambda: newest(daemon)["text"] == "1 one.\n\n")
    daemon.http.delete(f"/jobs/{newest(daemon)['id']}")
    assert body.status() == 409
    body.drop()


@pytest.mark.slow
def test_slow_bodies_are_bounded_in_number(daemon: RunningDaemon) -> None:
    bodies = [SlowBody(daemon) for _ in range(MAX_OPEN)]
    until(lambda: sum(job["open"] for job in daemon.http.get("/queue").json()) == MAX_OPEN)
    answer = post(daemon, b"1 one.")
    assert (answer.status_code, answer.json()["code"]) == (503, "queue-full")
    for body in bodies:
        body.drop()
    until(lambda: not daemon.http.get("/queue").json())
    assert post(daemon, b"1 one.").status_code == 200


@pytest.mark.slow
def test_what_came_before_the_daemon_was_killed_is_spoken_by_the_next(start: Start) -> None:
    first = start()
    body = SlowBody(first)
    body.write("1 one. 2 two.\n\nAnd 3")
    until(lambda: newest(first)["text"].endswith("And 3"))
    job = newest(first)
    os.kill(first.pid, signal.SIGKILL)
    body.drop()
    with running(first.home) as second:
        ended = second.ended(job["id"])
        assert (ended["state"], ended["open"]) == ("done", False)
        assert second.job(job["id"])["text"] == job["text"]


# -- a web socket --------------------------------------------------------------------------------


def opened(daemon: RunningDaemon, query: str = "") -> ClientConnection:
    uri = f"ws://localhost/v1/audio/stream{query}"
    return unix_connect(daemon.paths.socket_path, uri, open_timeout=60, close_timeout=60)


def say(web: ClientConnection, **message: Any) -> None:
    web.send(json.dumps(message))


def received(web: ClientConnection) -> tuple[bytes, list[dict[str, Any]], int | None]:
    """The audio and the messages until it is closed, and the code."""
    audio, told = b"", []
    try:
        while True:
            message = web.recv(timeout=60)
            if isinstance(message, bytes):
                audio += message
            else:
                told.append(json.loads(message))
    except ConnectionClosed as exc:
        return audio, told, exc.rcvd.code if exc.rcvd else None


def test_text_goes_in_and_its_audio_comes_out_meanwhile(daemon: RunningDaemon) -> None:
    with opened(daemon, "?voice=two") as web:
        about = json.loads(web.recv(timeout=60))
        assert (about["response_format"], about["sample_rate"]) == ("pcm", 24_000)
        say(web, text="1 [say 0.2s].\n\n")
        first = web.recv(timeout=60)
        assert isinstance(first, bytes)
        say(web, text="2 [say 0.2s].")
        say(web, end=True)
        audio, (last,), code = received(web)
    job = last["job"]
    assert code == 1000
    assert (job["state"], job["voice"], job["id"]) == ("done", "two", about["id"])
    assert job["text"] == "1 [say 0.2s].\n\n2 [say 0.2s]."
    samples = np.frombuffer(first + audio, "<i2")
    assert len(samples) / 24_000 == pytest.approx(job["audio_s"], abs=0.01)
    assert np.abs(samples).max() > 10_000


def test_a_container_comes_whole(daemon: RunningDaemon) -> None:
    with opened(daemon, "?response_format=wav") as web:
        say(web, text="1 one.", end=True)
        audio, told, _ = received(web)
    assert audio[:4] == b"RIFF"
    assert [*told[0]] == ["id", "response_format", "notes"]


def test_a_flush_has_what_came_said_at_once(start: Start) -> None:
    daemon = start(stream_flush_s=60)
    with opened(daemon) as web:
        web.recv(timeout=60)
        say(web, text="1 and no end,")
        say(web, flush=True)
        assert isinstance(web.recv(timeout=20), bytes)
        say(web, end=True)
        assert received(web)[2] == 1000


@pytest.mark.parametrize(
    ("query", "sent", "error", "code"),
    [
        ("?speed=9", None, "bad-option", 1008),
        ("?response_format=xyz", None, "bad-option", 1008),
        ("?voice=nobody", None, "unknown-voice", 1008),
        ("?output=/tmp/a.wav", None, "bad-option", 1008),
        ("", "no json", "bad-input", 1008),
        ("", '["text"]', "bad-input", 1008),
        ("", '{"txt": "1"}', "bad-input", 1008),
        ("", '{"text": 1}', "bad-input", 1008),
        ("", '{"text": "\\ud800"}', "bad-input", 1008),
        ("", '{"text": "\\u0000"}', "bad-input", 1008),
        ("", b"1", "bad-input", 1008),
        ("", '{"end": true}', "empty-text", 1008),
        ("", '{"text": "[fail it is broken]", "end": true}', "synthesis-failed", 1008),
    ],
)
def test_what_is_wrong_is_told_before_it_is_closed(
    daemon: RunningDaemon, query: str, sent: str | bytes | None, error: str, code: int
) -> None:
    with opened(daemon, query) as web:
        if sent is not None:
            web.send(sent)
        _, told, closed = received(web)
    assert (told[-1]["error"]["code"], closed) == (error, code)
    assert daemon.http.get("/queue").json() == []


def test_a_client_that_leaves_takes_its_job_with_it(daemon: RunningDaemon) -> None:
    with opened(daemon) as web:
        job_id = json.loads(web.recv(timeout=60))["id"]
        say(web, text="1 [say 60s].")
    assert daemon.ended(job_id)["state"] == "cancelled"


def test_a_job_that_is_cancelled_closes_it(daemon: RunningDaemon) -> None:
    with opened(daemon) as web:
        job_id = json.loads(web.recv(timeout=60))["id"]
        daemon.http.delete(f"/jobs/{job_id}")
        _, told, code = received(web)
    assert (told[-1]["error"]["code"], code) == ("job-cancelled", 1008)


def over_tcp(daemon: RunningDaemon, **headers: str) -> ClientConnection:
    given = {"Authorization": f"Bearer {daemon.token}", **headers}
    return connect(
        f"ws://127.0.0.1:{daemon.port}/v1/audio/stream",
        additional_headers={name: value for name, value in given.items() if value},
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_a_web_socket_is_guarded_as_every_request_is(
    daemon: RunningDaemon, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        over_tcp(daemon, **headers)
    assert refused.value.response.status_code == status
    assert daemon.http.get("/queue").json() == []


def test_a_web_socket_under_a_foreign_name_is_refused(daemon: RunningDaemon) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://evil.example:{daemon.port}/v1/audio/stream",
            sock=socket.create_connection(("127.0.0.1", daemon.port)),
            additional_headers={"Authorization": f"Bearer {daemon.token}"},
        )
    assert refused.value.response.status_code == 421


def test_a_page_of_another_site_gets_no_web_socket_over_the_control_socket_either(
    daemon: RunningDaemon,
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        unix_connect(
            daemon.paths.socket_path, "ws://localhost/v1/audio/stream",
            origin="https://evil.example",  # type: ignore[arg-type]  # a name made for type checkers
        )  # fmt: skip
    assert refused.value.response.status_code == 403


def test_with_the_token_it_speaks_over_tcp(daemon: RunningDaemon) -> None:
    with over_tcp(daemon, Origin="http://localhost:3000") as web:
        say(web, text="1 one.", end=True)
        assert received(web)[2] == 1000
