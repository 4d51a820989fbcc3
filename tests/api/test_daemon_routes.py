"""What `/ready` and `/health` say in every trouble, and what `/stop` and `/wake` pass on."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.fakes import FakeContext, client_of
from vox.api.health import describe
from vox.api.readiness import Checks


def ask(context: FakeContext, method: str, path: str, body: Any = None) -> httpx.Response:
    async def answer() -> httpx.Response:
        async with client_of(context) as client:
            return await client.request(method, path, json=body)

    return context.run(answer())


def test_ready_if_every_check_is_ok(context: FakeContext) -> None:
    answer = ask(context, "GET", "/ready")
    checks = dict.fromkeys(("audio", "backend", "disk", "queue"), "ok")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": checks})


def test_not_ready_says_what_is_wrong(context: FakeContext) -> None:
    context.engine.player.fault = "no loudspeaker"
    context.engine.is_healthy = False
    answer = ask(context, "GET", "/ready")
    problem = answer.json()
    assert (answer.status_code, problem["ready"]) == (503, False)
    assert "audio: no loudspeaker" in problem["detail"]
    assert "queue: the worker died" in problem["detail"]
    assert problem["checks"]["backend"] == "ok"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"is_started": False}, "another process"),
        ({"is_healthy": False}, "worker died"),
    ],
)
def test_not_ready_while_the_queue_is_not_drained(
    context: FakeContext, fault: dict[str, bool], why: str
) -> None:
    for name, value in fault.items():
        setattr(context.engine, name, value)
    assert why in context.run(Checks(context).run())["queue"]


def test_not_ready_while_leaving_or_paused(context: FakeContext) -> None:
    checks = Checks(context)
    context.engine.pause()
    assert "vox resume" in context.run(checks.run())["queue"]
    context.is_leaving = True
    assert "stopping" in context.run(checks.run())["queue"]


def test_not_ready_while_the_host_of_the_default_backend_is_silent(context: FakeContext) -> None:
    context.engine.pool.answer = False
    assert "does not answer" in context.run(Checks(context).run())["backend"]


def test_who_asks_again_at_once_does_not_open_the_device_again(context: FakeContext) -> None:
    checks = Checks(context)
    context.run(checks.run())
    context.engine.pause()  # the queue costs nothing to ask: it is asked each time
    assert context.run(checks.run())["queue"] != "ok"
    assert context.engine.player.checks == 1


def test_health_counts_jobs_and_adds_up_memory(context: FakeContext) -> None:
    context.engine.add()
    context.engine.pool.models = [
        {"memory_mb": 100.04, "vram_mb": 2000.0},
        {"memory_mb": 50.0, "vram_mb": None},
        {"memory_mb": None, "vram_mb": 500.0},
    ]
    health = describe(context)
    assert health["queue"] == {
        "queued": 1,
        "preparing": 0,
        "speaking": 0,
        "paused": False,
        "paused_sources": [],
        "muted_sources": [],
    }
    assert (health["memory_mb"], health["vram_usage"]) == (150.0, {"total_mb": 2500.0})
    assert (health["status"], health["uptime"]) == ("ok", 12.346)


def test_health_knows_no_vram_without_a_gpu(context: FakeContext) -> None:
    assert describe(context)["vram_usage"] == {"total_mb": None}


def test_health_tells_a_dead_worker_and_a_daemon_that_leaves(context: FakeContext) -> None:
    context.engine.is_healthy = False
    assert describe(context)["status"] == "degraded"
    context.is_leaving = True
    assert describe(context)["status"] == "stopping"


@pytest.mark.parametrize(
    ("body", "call"),
    [
        (None, "stop"),
        ({}, "stop"),
        ({"now": True}, "stop now"),
        ({"when": "drained"}, "stop when drained"),
    ],
)
def test_stop_is_passed_on(context: FakeContext, body: Any, call: str) -> None:
    answer = ask(context, "POST", "/stop", body)
    assert (answer.status_code, answer.json()) == (202, {"stopping": True})
    assert context.calls == ["touch", call]


def test_wake_is_passed_on(context: FakeContext) -> None:
    assert ask(context, "POST", "/wake").status_code == 204
    assert context.calls == ["touch", "wake"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/ping"])
def test_looking_does_not_count_as_activity(context: FakeContext, path: str) -> None:
    assert ask(context, "GET", path).is_success
    assert context.calls == []


def test_a_crash_is_a_problem_that_names_the_log(context: FakeContext) -> None:
    context.engine.pool.models = [{}]
    answer = ask(context, "GET", "/health")
    assert answer.status_code == 500
    assert answer.json()["hint"] == "see: vox daemon logs"
