"""What is counted, and what is looked up, in Prometheus's text format."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.fakes import FakeContext, client_of
from vox.api.metrics import Metrics
from vox.errors import WorkersAway
from vox.fleet.keys import PROTOCOL
from vox.fleet.summary import summary
from vox.fleet.workers import Announced

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def metrics(context: FakeContext) -> Metrics:
    return Metrics(context)


def samples(metrics: Metrics) -> Samples:
    """Values by name and label values."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_jobs_that_ended_before_anybody_asked_are_counted(
    context: FakeContext, metrics: Metrics
) -> None:
    _end(context, "done", audio_s=1.5)
    _end(context, "done", audio_s=2.0)
    _end(context, "failed")
    context.engine.store.forgetting.clear()
    found = samples(metrics)
    assert found["vox_jobs_ended_total", "scripted", "cli", "done"] == 2
    assert found["vox_jobs_ended_total", "scripted", "cli", "failed"] == 1
    assert found["vox_audio_seconds_total", "scripted"] == 3.5


def test_times_fall_into_buckets_that_include_the_smaller_ones(
    context: FakeContext, metrics: Metrics
) -> None:
    for wait_s in (0.05, 0.2, 7.0, 4000.0):
        _end(context, "done", created_at=1000.0, started_at=1000.0 + wait_s, first_audio_at=1000.5)
    found = samples(metrics)
    counts = {
        bound: found["vox_wait_seconds_bucket", "scripted", bound]
        for bound in ("0.025", "0.05", "0.25", "10.0", "1800.0", "+Inf")
    }
    assert counts == {"0.025": 0, "0.05": 1, "0.25": 2, "10.0": 3, "1800.0": 3, "+Inf": 4}
    assert found["vox_wait_seconds_sum", "scripted"] == pytest.approx(4007.25)
    assert found["vox_first_audio_seconds_count", "scripted"] == 4


def test_a_job_that_never_began_has_no_times(context: FakeContext, metrics: Metrics) -> None:
    context.engine.cancel(context.engine.add().id)
    found = samples(metrics)
    assert found["vox_jobs_ended_total", "scripted", "cli", "cancelled"] == 1
    assert ("vox_wait_seconds_count", "scripted") not in found
    assert ("vox_first_audio_seconds_count", "scripted") not in found


def test_events_of_several_threads_are_all_counted(context: FakeContext, metrics: Metrics) -> None:
    data = {
        "state": "done", "backend": "b", "source": "api", "created_at": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:01Z", "wait_s": 1.0, "audio_s": 1.0,
    }  # fmt: skip
    with ThreadPoolExecutor(8) as pool:
        for _ in range(1000):
            pool.submit(context.engine.bus.publish, "state", "x", data)
    found = samples(metrics)
    assert found["vox_jobs_ended_total", "b", "api", "done"] == 1000
    assert found["vox_wait_seconds_count", "b"] == 1000


def test_sources_that_are_new_for_ever_are_counted_together(
    context: FakeContext, metrics: Metrics
) -> None:
    for number in range(1000):
        data = {
            "state": "done", "backend": "b", "source": f"build {number}", "started_at": None,
            "wait_s": None, "audio_s": 1.0,
        }  # fmt: skip
        context.engine.bus.publish("state", "x", data)
    found = {key: value for key, value in samples(metrics).items() if "jobs_ended" in key[0]}
    assert len(found) < 100
    assert found["vox_jobs_ended_total", "b", "other", "done"] > 900
    assert sum(found.values()) == 1000


def test_models_are_looked_up(context: FakeContext, metrics: Metrics) -> None:
    model = {"backend": "b", "model": None, "device": "cpu", "load_s": 2.0, "memory_mb": 3.0,
             "vram_mb": None, "audio_s": 6.0, "synthesis_s": 3.0}  # fmt: skip
    context.engine.pool.models = [model]
    found = samples(metrics)
    assert found["vox_model_loaded", "b", "cpu", ""] == 1
    assert found["vox_model_memory_bytes", "b", "cpu", ""] == 3e6
    assert found["vox_model_speed_ratio", "b", "cpu", ""] == 2
    assert ("vox_model_vram_bytes", "b", "cpu", "") not in found


def test_queue_pause_and_uptime_are_looked_up(context: FakeContext, metrics: Metrics) -> None:
    context.engine.add()
    context.engine.pause()
    found = samples(metrics)
    assert found["vox_jobs", "scripted", "queued"] == 1
    assert found["vox_queue_length",] == 1
    assert found["vox_paused",] == 1
    assert found["vox_uptime_seconds",] == context.uptime_s


def test_the_route_answers_as_prometheus_wants_it(context: FakeContext) -> None:
    async def ask() -> tuple[str, str]:
        async with client_of(context) as client:
            _end(context, "done")
            answer = await client.get("/metrics")
            return answer.headers["content-type"], answer.text

    media_type, text = context.run(ask())
    assert media_type.startswith("text/plain; version=")
    assert 'vox_jobs_ended_total{backend="scripted",source="cli",state="done"} 1.0' in text
    assert "_created" not in text


def _end(context: FakeContext, state: str, **fields: float) -> None:
    """A job that ends in that state, with these columns."""
    store = context.engine.store
    job = context.engine.add(created_at=fields.pop("created_at", 0.0))
    store.change(job.id, ("queued",), "preparing")
    assert store.change(job.id, ("preparing",), state, **fields)  # type: ignore[arg-type]


def test_workers_are_counted_by_name_and_not_without_end(
    context: FakeContext, metrics: Metrics
) -> None:
    assert not [names for names in samples(metrics) if names[0].startswith("vox_worker")]
    first = Announced("a#1", "a", PROTOCOL, concurrency=2, busy=1, requests=3, audio_s=9, seen_s=4)
    again = replace(first, id="a#2", seen_s=1)
    others = [Announced(f"x{n}", f"x{n:04}", PROTOCOL, requests=1) for n in range(200)]
    older = Announced("old#1", "old", PROTOCOL - 1, requests=7)
    context.engine.fleet.summary = summary("gpu:6379", [first, again, *others, older])
    found = samples(metrics)
    assert found["vox_workers_reachable",] == 1
    assert found["vox_worker_requests_total", "a"] == 6
    assert found["vox_worker_audio_seconds_total", "a"] == 18
    assert (found["vox_worker_busy", "a"], found["vox_worker_concurrency", "a"]) == (2, 4)
    assert found["vox_worker_seen_seconds", "a"] == 1
    assert found["vox_worker_requests_total", "other"] == 200 - 49
    assert len([names for names in found if names[0] == "vox_worker_busy"]) == 51
    context.engine.fleet.summary = summary("gpu:6379", (), WorkersAway("it is away"))
    assert [value for names, value in samples(metrics).items() if "worker" in names[0]] == [0]
