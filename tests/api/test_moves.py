"""Back and forward by sentences over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.fakes import FakeContext, client_of


def post(context: FakeContext, target: str, body: Any = None) -> httpx.Response:
    async def answer() -> httpx.Response:
        async with client_of(context) as client:
            return await client.post(target, json=body)

    return context.run(answer())


def test_back_and_next_answer_with_the_job_and_where_it_goes_on(context: FakeContext) -> None:
    job = context.engine.add(state="speaking", heard=5, utterances=27)
    answer = post(context, "/back")
    assert (answer.status_code, answer.json()["id"], answer.json()["heard"]) == (200, job.id, 4)
    assert answer.json()["phase"] == "speaking"
    assert post(context, "/back", {"n": 3}).json()["heard"] == 2
    assert post(context, "/next", {"n": 2}).json()["heard"] == 7


WRONG = [{"n": 0}, {"n": -1}, {"n": "x"}, {"n": "1"}, {"n": True}, {"n": 10**6}, {"steps": 1}]


@pytest.mark.parametrize("body", WRONG)
def test_a_bad_number_of_sentences_is_refused(context: FakeContext, body: object) -> None:
    assert post(context, "/next", body).status_code == 422


def test_where_nothing_is_spoken_there_is_nothing_to_move_in(context: FakeContext) -> None:
    answer = post(context, "/back")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-spoken")


def test_continue_makes_a_new_job_of_one_that_was_cut_off(context: FakeContext) -> None:
    job = context.engine.add(state="cancelled", heard=5, utterances=27)
    answer = post(context, f"/jobs/{job.id}/continue")
    assert answer.status_code == 202 and answer.json()["id"] != job.id
    assert context.engine.changes[-1].goes_on
