"""What every route does alike: null is absent, HEAD is as GET, and odd input is no crash."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.api.conftest import RunningDaemon
from tests.api.fakes import FakeContext, client_of
from vox.api.schemas import OfSource, Replay, Speak, Speech, Steps, Stop, Unload, Warm

BODIES = {
    "/speak": (Speak, {"text": "Hello", "async": True}),
    "/v1/audio/speech": (Speech, {"input": "[say 0.1s]"}),
    "/warm": (Warm, {"backend": "scripted"}),
    "/unload": (Unload, {}),
    "/stop": (Stop, {}),
    "/back": (Steps, {}),
    "/pause": (OfSource, {}),
    "/jobs/last/replay": (Replay, {}),
}


def optional(model: Any) -> list[str]:
    schema = model.model_json_schema()
    return [name for name in schema["properties"] if name not in schema.get("required", ())]


@pytest.mark.parametrize("path", BODIES)
def test_null_for_a_field_that_may_be_left_out_is_as_if_it_were(path: str) -> None:
    model, needed = BODIES[path]
    names = optional(model)
    assert names
    absent = model.model_validate(needed)
    for name in names:
        given = {name: None, **needed}
        assert model.model_validate(given) == absent, name
        shape = model.model_json_schema()["properties"][name]
        assert {"type": "null"} in shape["anyOf"], name
    assert model.model_validate({**dict.fromkeys(names), **needed}) == absent


@pytest.mark.parametrize("path", ["/speak", "/v1/audio/speech", "/warm", "/unload"])
def test_a_body_full_of_nulls_is_accepted(daemon: RunningDaemon, path: str) -> None:
    model, needed = BODIES[path]
    output = {"output": str(daemon.home / "x.wav")} if path == "/speak" else {}
    body = {**dict.fromkeys(optional(model)), **needed, **output}
    answer = daemon.http.post(path, json=body)
    assert answer.status_code in (200, 202), answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/speak", {"text": None}),
        ("/speak", {"text": "Hi", "colour": None}),
        ("/warm", {"backend": None}),
        ("/v1/audio/speech", {"input": None}),
        ("/v1/audio/speech", {"input": "Hi", "voice": {"id": None}}),
    ],
)
def test_null_for_what_is_needed_or_unknown_is_refused(
    daemon: RunningDaemon, path: str, body: dict[str, Any]
) -> None:
    assert daemon.http.post(path, json=body).status_code == 422


# -- HEAD --------------------------------------------------------------------------------------


@pytest.mark.parametrize("road", ["tcp", "socket"])
def test_head_is_answered_wherever_get_is_with_the_same_headers(
    daemon: RunningDaemon, road: str
) -> None:
    client = daemon.tcp if road == "tcp" else daemon.http
    job = daemon.speak("[say 0.1s]")
    assert daemon.ended(job["id"])["state"] == "done"
    paths = client.get("/openapi.json").json()["paths"]
    names = [path for path, methods in paths.items() if "get" in methods]
    names += ["/docs", "/openapi.json", "/nothing", "/v1/nothing", "/speak"]
    assert len(names) > 15
    for path in names:
        target = path.format(job_id=job["id"], model="scripted")
        with client.stream("GET", target) as got:
            expected = got
        head = client.head(target)
        assert (head.status_code, head.content) == (expected.status_code, b""), target
        moving = ("date", "content-length", "last-modified", "etag")
        assert {k: v for k, v in head.headers.items() if k not in moving} == {
            k: v for k, v in expected.headers.items() if k not in moving
        }, target
    # The connection is still good, so nobody waits for the end of a stream.
    assert client.get("/ping").status_code == 204


def test_a_head_of_a_stream_leaves_nothing_running(context: FakeContext) -> None:
    async def ask() -> None:
        async with client_of(context) as client:
            before = asyncio.all_tasks()
            answer = await client.head("/events")
            assert answer.headers["content-type"].startswith("text/event-stream")
            await asyncio.sleep(0)
            assert asyncio.all_tasks() <= before

    context.run(ask())


def test_head_without_the_token_is_refused(daemon: RunningDaemon) -> None:
    answer = daemon.tcp.head("/health", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.content) == (401, b"")


# -- odd input ---------------------------------------------------------------------------------

ODD_VALUES = [
    '"\\ud800"', '"\\udfff\\ud800 Hi"', '"a\\u0000b"', '"\\ufeff"', '"\\u200b"', '"\\u0301"',
    "1e400", "-1e400", "NaN", "Infinity", "9" * 400, "-" + "9" * 400, "9" * 5000, "true", "[]",
    "{}", "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, '""', '" "', '"..."',
    '{"id": "\\ud800"}', '"' + "x" * 20_000 + '"', "[null]", "-0", "0.1e-300",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in BODIES if path not in ("/stop", "/warm")])
def test_no_value_of_any_field_crashes_a_route(daemon: RunningDaemon, path: str) -> None:
    model, needed = BODIES[path]
    headers = {"Content-Type": "application/json"}
    if path == "/speak":
        needed = {**needed, "output": str(daemon.home / "odd.wav")}
    for name in model.model_json_schema()["properties"]:
        for value in ODD_VALUES:
            kept = json.dumps({key: each for key, each in needed.items() if key != name})
            body = f"{kept[:-1]}{', ' if len(kept) > 2 else ''}{json.dumps(name)}: {value}}}"
            answer = daemon.http.post(path, content=body.encode(), headers=headers)
            assert answer.status_code < 500 or answer.status_code == 503, (name, value[:50])
            if answer.status_code >= 400:
                assert answer.json()["detail"], (name, value[:50])


ODD_BODIES = [
    *(b"", b"null", b"[]", b"1", b"NaN", b'"x"', b"\xff\xfe", b"\x00", b"{", b"[" * 100_000),
    *(
        b'{"text": "\xff"}',
        b'{"input": "\xff"}',
        b'{"text": "a"} x',
        b"\xef\xbb\xbf{}",
        b"1" * 5000,
    ),
    '{"text": 5, "input": 5}'.encode("utf-16"),
]
MEDIA_TYPES = [
    *("", "application/json", "application/json; charset=utf-16", "application/JSON;charset=x"),
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", "a/b; =;"),
]


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path, (_, needed) in BODIES.items() if needed])
def test_no_body_of_any_kind_crashes_a_route(daemon: RunningDaemon, path: str) -> None:
    for media_type in MEDIA_TYPES:
        for body in ODD_BODIES:
            answer = daemon.http.post(path, content=body, headers={"Content-Type": media_type})
            if path == "/speak" and media_type == "text/plain":  # A text of its own.
                assert answer.status_code in (200, 422), body[:50]
                continue
            assert answer.status_code == 422, (media_type, body[:50])
            assert answer.json()["detail"]


def test_a_text_of_which_the_voice_can_say_nothing_is_the_callers_mistake(
    daemon: RunningDaemon,
) -> None:
    for path, body in (
        ("/speak", {"text": "[silent] Hm", "output": str(daemon.home / "silent.wav")}),
        ("/v1/audio/speech", {"input": "[silent] Hm"}),
    ):
        answer = daemon.http.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "cannot-read")
        assert "-l LANG" in answer.text


def test_of_a_key_that_comes_twice_the_last_counts(daemon: RunningDaemon) -> None:
    body = b'{"input": "", "input": "[say 0.1s]"}'
    headers = {"Content-Type": "application/json"}
    assert daemon.http.post("/v1/audio/speech", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        *("/jobs/%00", "/jobs/%ff", "/jobs/%ED%A0%80", "/jobs/..%2f..", "/jobs/%0a/audio"),
        *("/jobs?search=%00", "/jobs?search=%ED%A0%80", "/jobs?source=%ff", "/jobs?before=%00"),
        *("/jobs?limit=1e3", "/jobs?limit=" + "9" * 400, "/jobs?search=" + "(" * 3000),
        *("/voices?backend=%00", "/voices?backend=%ED%A0%80", "/v1/models/%00", "/%ff", "/%00"),
        *("/jobs/*/events", "/jobs/'/audio", "/jobs/%25/events", "/jobs/%D9%A3"),
    ],
)
def test_no_address_crashes_a_route(daemon: RunningDaemon, target: str) -> None:
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        if method == "DELETE" and target.startswith("/jobs?"):
            continue  # It would clear the history.
        assert daemon.http.request(method, target).status_code < 500, method
