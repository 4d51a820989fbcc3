"""What crosses the network is checked by whoever reads it: it can be stored, shown and computed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from vox.errors import JobFailed, VoxError, WorkerLost
from vox.fleet.checks import MAX_LINE, MAX_NAME
from vox.fleet.failures import error_of
from vox.fleet.requests import (
    MAX_TEXT,
    Answer,
    CloneRef,
    NotOurs,
    Request,
    answer_of,
    utterance_of,
)

REQUEST = Request("laptop.1:1.1", "laptop", "laptop.1", "qwen", "qwen", text="Good morning.\n")
HALF = "\ud800"
ESCAPE = "\x1b]0;owned\x07"
HUGE = "1" + "0" * 400
BAD_NAMES = [ESCAPE, "a\nb", "a\0", HALF, "\u202e", "x" * (MAX_NAME + 1), 5, None, ["a"], {}]


def answer(header: Any) -> Answer:
    """`header`: JSON, or what is to be written so, as a worker would."""
    text = header if isinstance(header, str) else json.dumps(header)
    return answer_of({b"u": b"1", b"s": b"0", b"h": text.encode(), b"d": b""})


def can_be_kept_and_shown(text: str) -> bool:
    return text.isprintable() and len(text) <= MAX_LINE and bool(text.encode("utf-8") or not text)


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize(
    "header",
    [
        {"event": "begun"},
        {"event": "lost"},
        {"event": "back"},
        {"event": "end", "cut_off": False, "notes": []},
        {"event": "error", "error": {}},
    ],
)
def test_a_worker_s_name_is_one_or_the_answer_is_none(header: dict[str, Any], name: Any) -> None:
    assert answer({**header, "worker": "gpu#1"}).header["worker"] == "gpu#1"
    with pytest.raises(NotOurs) as caught:
        answer({**header, "worker": name})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "words",
    [
        "plain", "", ESCAPE, "a\nb\tc", f"a {HALF} half", "a path \udcff", "\u202eright to left",
        "\0", "\x9b2J", "漢字" * (MAX_LINE // 2 + 1), "\x1b" * MAX_LINE, "e\u0301" * 3,
    ],
)  # fmt: skip
def test_what_workers_say_can_be_kept_and_shown(words: str) -> None:
    loading = answer({"event": "loading", "text": words, "fraction": 0.5}).header
    end = answer({"event": "end", "worker": "a", "cut_off": False, "notes": [words]}).header
    told = {"code": words, "message": words, "hint": words}
    error = answer({"event": "error", "worker": "a", "error": told}).header
    raised = error_of("a", error["error"])
    shown = [loading["text"], *end["notes"], *error["error"].values()]
    assert all(map(can_be_kept_and_shown, shown))
    assert f"{raised.message} {raised.hint}".isprintable()
    if words == "plain":
        assert set(shown) == {"plain"} and raised.message == "plain (on the worker a)"


@pytest.mark.parametrize(
    ("fraction", "taken"),
    [("0.25", 0.25), ("0", 0), ("1", 1), ("null", None), ("1.5", None), ("-1", None)],
)
def test_how_much_is_loaded_is_a_part_of_it_or_not_known(
    fraction: str, taken: float | None
) -> None:
    found = answer(f'{{"event": "loading", "text": "x", "fraction": {fraction}}}')
    assert found.header["fraction"] == taken


@pytest.mark.parametrize("fraction", ["NaN", "Infinity", "1e999", HUGE, f"-{HUGE}", "true", '"1"'])
def test_what_is_no_number_is_no_answer(fraction: str) -> None:
    with pytest.raises(NotOurs):
        answer(f'{{"event": "loading", "text": "x", "fraction": {fraction}}}')


@pytest.mark.parametrize(
    "error",
    [
        '{"message": 5, "hint": [], "code": null}',
        '{"message": ' + '{"a": ' * 900 + "1" + "}" * 901,
        '{"code": "voxError", "field": "x"}',
        "{}",
    ],
)
def test_an_error_without_words_is_still_one(error: str) -> None:
    found = answer(f'{{"event": "error", "worker": "a", "error": {error}}}')
    raised = error_of("a", found.header["error"])
    assert isinstance(raised, WorkerLost) and raised.message == "unknown error (on the worker a)"


def test_an_answer_has_what_its_event_is_to_have_and_no_more() -> None:
    found = answer({"event": "begun", "worker": "a", "error": {"message": HALF}, "more": ESCAPE})
    assert found.header == {"event": "begun", "worker": "a"}


def every_error(kind: type[VoxError] = VoxError) -> list[type[VoxError]]:
    return [kind, *(each for sub in kind.__subclasses__() for each in every_error(sub))]


@pytest.mark.parametrize("kind", every_error())
def test_any_error_can_come_from_a_worker(kind: type[VoxError]) -> None:
    raised = error_of("a", {"code": kind.code, "message": "it broke", "hint": "mend it"})
    assert raised.message == "it broke (on the worker a)"


def test_a_failure_of_the_worker_s_own_is_no_failure_of_this_machine_s() -> None:
    raised = error_of("a", {"code": "storage-error", "message": "disk full", "hint": ""})
    assert type(raised) is WorkerLost and type(raised.__cause__) is JobFailed


@pytest.mark.parametrize("name", [each for each in BAD_NAMES if each is not None])
@pytest.mark.parametrize("field", ["id", "client", "session", "lane", "backend", "model"])
def test_a_request_s_names_are_such_or_it_is_none(field: str, name: Any) -> None:
    with pytest.raises(NotOurs) as caught:
        Request.of({**REQUEST.to_dict(), field: name})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "fields",
    [
        {"text": HALF}, {"text": "x" * (MAX_TEXT + 1)}, {"text": 5}, {"avoid": [ESCAPE]},
        {"avoid": [HALF]}, {"clone": {"digest": "0" * 64, "transcript": HALF}},
        {"clone": {"digest": "0" * 64, "lang": ESCAPE}}, {"said": {"options": {"a": HALF}}},
        {"priority": int(HUGE)}, {"seq": int(HUGE)}, {"tier": -1},
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_made_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(NotOurs):
        Request.of({**REQUEST.to_dict(), **fields})


@pytest.mark.parametrize(
    "said",
    [
        {"voice": ESCAPE}, {"voice": HALF}, {"lang": "x" * 201}, {"style": HALF}, {"speed": 0},
        {"speed": int(HUGE)}, {"speed": float("nan")}, {"options": {"a": HALF}}, {"text": "x"},
    ],
)  # fmt: skip
def test_an_utterance_that_cannot_be_made_is_none(said: dict[str, Any]) -> None:
    with pytest.raises(NotOurs):
        utterance_of(replace(REQUEST, said=said))


def test_texts_keep_their_lines_and_all_that_is_no_half() -> None:
    text = "One.\n\tTwo: 漢字, e\u0301, 👩‍👩‍👧, \u202eright\x07"
    clone = CloneRef("0" * 64, text, "de")
    sent = replace(REQUEST, text=text, clone=clone, said={"style": text, "speed": 1.5})
    found = Request.of(json.loads(json.dumps(sent.to_dict())))
    assert replace(found, avoid=()) == sent and utterance_of(found).style == text
