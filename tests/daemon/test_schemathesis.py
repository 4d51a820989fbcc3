"""Whatever is sent, the API answers as its own document says: no 500, no hang, no surprise."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from tests.daemon.conftest import RunningDaemon

EXAMPLES = 25


@pytest.fixture(scope="module")
def document(daemon: RunningDaemon) -> Any:
    url = f"http://127.0.0.1:{daemon.port}/openapi.json"
    return schemathesis.openapi.from_url(url, headers={"Authorization": f"Bearer {daemon.token}"})


api = schemathesis.pytest.from_fixture("document")
# The first never ends, and after the others there would be nothing to test any more: they have
# tests of their own.
some = api.exclude(path=["/events", "/stop", "/pause"])


@some.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_route_answers_as_documented(case: Any, daemon: RunningDaemon) -> None:
    if isinstance(case.body, dict):
        case.body.pop("output", None)  # it would write wherever it likes
    response = case.call(headers={"Authorization": f"Bearer {daemon.token}"}, timeout=30)
    if response.status_code == 503 and response.headers["content-type"].startswith("application/problem"):
        case.validate_response(response, excluded_checks=[not_a_server_error])
    else:
        case.validate_response(response)


def test_stop_and_pause_refuse_what_is_not_theirs(daemon: RunningDaemon) -> None:
    for body in ({"now": "maybe"}, {"when": "later"}, {"force": True}, [], "now"):
        assert daemon.http.post("/stop", json=body).status_code == 422
    assert daemon.http.post("/pause").json() == {"paused": True}
    assert daemon.http.post("/resume").json() == {"paused": False}
    assert daemon.http.get("/health").json()["status"] == "ok"
