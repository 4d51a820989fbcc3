"""`/warm` and `/unload`, and how long a request wants its model to stay."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.api.fakes import FakeContext, FakeWarming, client_of
from vox.api.models import steps
from vox.api.schemas import Speak
from vox.errors import BadOption, LoadFailed


def ask(context: FakeContext, path: str, body: Any = None) -> httpx.Response:
    context.engine.models.next.may_end.set()

    async def answer() -> httpx.Response:
        async with client_of(context) as client:
            return await client.post(path, json=body)

    return context.run(answer())


def test_a_model_is_warmed_as_was_asked(context: FakeContext) -> None:
    body = {"backend": "scripted", "model": "big", "voice": "two", "keep_alive": "30m"}
    answer = ask(context, "/warm", body)
    assert (answer.status_code, answer.json()) == (200, {"backend": "scripted"})
    assert context.engine.models.asked == [("scripted", "big", "two", 1800.0)]
    assert context.calls == ["touch", "expect model"]


def test_a_stream_tells_of_the_progress_and_ends_with_the_model(context: FakeContext) -> None:
    answer = ask(context, "/warm", {"backend": "scripted", "stream": True})
    events = [block.splitlines() for block in answer.text.strip().split("\n\n")]
    assert [lines[0] for lines in events] == ["event: progress", "event: loaded"]
    assert json.loads(events[0][1].removeprefix("data: ")) == {
        "step": "loading scripted",
        "loading": 0.5,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_does_not_load_is_an_error(context: FakeContext, stream: bool) -> None:
    context.engine.models.next = FakeWarming(LoadFailed("no weights", "fetch them"))
    answer = ask(context, "/warm", {"backend": "scripted", "stream": stream})
    if stream:
        assert "event: error" in answer.text
        problem = json.loads(answer.text.rpartition("data: ")[2])
    else:
        assert answer.status_code == 500
        problem = answer.json()
    assert (problem["code"], problem["hint"]) == ("load-failed", "fetch them")


def test_a_defect_is_an_error_that_names_the_log(context: FakeContext) -> None:
    context.engine.models.next = FakeWarming(ZeroDivisionError("oops"))
    answer = ask(context, "/warm", {"backend": "scripted"})
    assert (answer.status_code, answer.json()["hint"]) == (500, "see: vox daemon logs")


def test_who_goes_away_ends_the_loading(context: FakeContext) -> None:
    warming = FakeWarming()

    async def go_away() -> None:
        found = steps(warming)
        step = await anext(found)
        assert step is not None and step.name == "progress"
        await found.aclose()
        assert await asyncio.to_thread(warming.is_cancelled.wait, 20.0)

    context.run(go_away())


def test_a_daemon_that_leaves_warms_nothing(context: FakeContext) -> None:
    context.is_leaving = True
    answer = ask(context, "/warm", {"backend": "scripted"})
    assert (answer.status_code, answer.json()["code"]) == (503, "daemon-leaving")
    assert context.engine.models.asked == []


@pytest.mark.parametrize(("body", "backend"), [(None, None), ({}, None), ({"backend": "a"}, "a")])
def test_models_are_unloaded(context: FakeContext, body: Any, backend: str | None) -> None:
    context.engine.models.unloaded = ([{"backend": "a"}], ["b"])
    answer = ask(context, "/unload", body)
    assert answer.json() == {"unloaded": [{"backend": "a"}], "busy": ["b"]}
    assert context.engine.models.asked == [backend]


@pytest.mark.parametrize(
    "body", [{}, {"backend": ""}, {"backend": "a", "speed": 1}, {"backend": 1}]
)
def test_what_names_no_backend_is_refused(context: FakeContext, body: Any) -> None:
    assert ask(context, "/warm", body).status_code == 422


# -- keep_alive ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected_s"),
    [
        (1800, 1800),
        (0, 0),
        (-1, -1),
        (0.5, 0.5),
        ("30m", 1800),
        ("1h30m", 5400),
        ("-1", -1),
        ("1h 30m", 5400),
        ("1 H 30 M", 5400),
        ("1.5", 1.5),
        ("1.5h", 5400),
        ("250ms", 0.25),
    ],
)
def test_a_time_is_a_number_or_a_span(given: Any, expected_s: float) -> None:
    assert Speak(text="x", keep_alive=given).to_request().keep_alive == expected_s


@pytest.mark.parametrize(("given", "expected_s"), [(30, 30), ("30s", 30), ("1h 30m", 5400)])
def test_what_expires_says_so_in_seconds_or_as_a_span(given: Any, expected_s: float) -> None:
    assert Speak(text="x", expires=given).to_request().expires_s == expected_s


def test_a_request_need_not_say_how_long() -> None:
    assert Speak(text="x", keep_alive=None).to_request().keep_alive is None


@pytest.mark.parametrize(
    "given",
    ["", "soon", " 30m", "30m\n", "1e3", "٣m", "9" * 200, True, [], {}, float("inf"), float("nan")],
)
def test_what_is_no_time_is_refused_in_one_line(given: Any) -> None:
    with pytest.raises(BadOption) as caught:
        Speak(text="x", keep_alive=given)
    assert "keep_alive" in caught.value.line and "time span such as 30m" in caught.value.line
    assert caught.value.field == "keep_alive"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/speak", {"text": "x"}),
        ("/warm", {"backend": "scripted"}),
        ("/v1/audio/speech", {"input": "x"}),
    ],
)
def test_every_route_says_what_a_time_is(
    context: FakeContext, path: str, body: dict[str, Any]
) -> None:
    answer = ask(context, path, {**body, "keep_alive": "soon"})
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, "keep_alive")
    assert problem["detail"] == (
        "keep_alive 'soon' must be a time span such as 30m or 1h30m, seconds, "
        "0 (unload it at once) or -1 (forever)"
    )
