"""Whatever is sent, the API answers as its own document says: no 500, no hang, no surprise."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.api.conftest import RunningDaemon

EXAMPLES = 25
UNTRIED = ("/events", "/stop", "/pause")
"""The first never ends, and after the others there would be nothing to try any more: they have
tests of their own."""


@pytest.fixture(scope="module")
def document(daemon: RunningDaemon) -> Any:
    url = f"http://127.0.0.1:{daemon.port}/openapi.json"
    return schemathesis.openapi.from_url(url, headers={"Authorization": f"Bearer {daemon.token}"})


def _try(operation: Any, daemon: RunningDaemon) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def answers_as_documented(case: Any) -> None:
        if isinstance(case.body, dict):
            case.body.pop("output", None)  # it would write wherever it likes
        response = case.call(headers={"Authorization": f"Bearer {daemon.token}"}, timeout=30)
        # No document says which texts can be spoken and which voices there are.
        excluded = [positive_data_acceptance]
        if response.status_code == 503:
            # "Not installed" and "queue full" are what they say; nothing else above 499 may be.
            excluded.append(not_a_server_error)
        case.validate_response(response, excluded_checks=excluded)

    answers_as_documented()


def _causes(exc: BaseException) -> str:
    if isinstance(exc, BaseExceptionGroup):
        return "\n".join(_causes(cause) for cause in exc.exceptions)
    return "\n".join([str(exc), *getattr(exc, "__notes__", ())])


@pytest.mark.slow
def test_every_route_answers_as_documented(document: Any, daemon: RunningDaemon) -> None:
    tried, wrong = 0, []
    for result in document.get_all_operations():
        operation = result.ok()
        if operation.path not in UNTRIED:
            tried += 1
            try:
                _try(operation, daemon)
            except (Exception, BaseExceptionGroup) as exc:
                wrong.append(f"{operation.label}: {_causes(exc)}")
    assert not wrong, "\n\n".join(wrong)
    assert tried >= 20


def test_stop_and_pause_refuse_what_is_not_theirs(daemon: RunningDaemon) -> None:
    bodies: list[Any] = [{"now": "maybe"}, {"when": "later"}, {"force": True}, [], "now"]
    for body in bodies:
        assert daemon.http.post("/stop", json=body).status_code == 422
    assert daemon.http.post("/pause").json() == {"paused": True}
    assert daemon.http.post("/resume").json() == {"paused": False}
    assert daemon.http.get("/health").json()["status"] == "ok"
