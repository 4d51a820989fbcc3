"""`/metrics` in Prometheus's text format.

Totals are counted from the daemon's start, from the events of jobs. Everything else (jobs in the
table, models, memory) is looked up at each request.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from typing import Any

import prometheus_client as prometheus
from fastapi import APIRouter, Response
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from .. import __version__
from ..jobs import ENDED
from ..queue.events import Event
from .context import Context

BUCKETS_S = (0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
SOURCES = 50
"""So many sources of jobs are counted each for itself: callers may name new ones for ever."""
WORKERS = 50
"""And so many names of workers."""
_PLAIN = {"content": {"text/plain": {"schema": {"type": "string"}}}}


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["daemon"])
    metrics = Metrics(context)

    @router.get("/metrics", name="prometheus", response_class=Response, responses={200: _PLAIN})
    async def prometheus_text() -> Response:
        """Jobs, times, models and memory, in Prometheus's text format."""
        text = await asyncio.to_thread(metrics.render)
        return Response(text, media_type=prometheus.CONTENT_TYPE_LATEST)

    return router


class Metrics:
    """Counts from the moment it is made. Events may come from any thread."""

    def __init__(self, context: Context) -> None:
        # No series for the time at which a counter was made: vox_uptime_seconds tells it.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self._registry = prometheus.CollectorRegistry()
        self._sources: set[str] = set()
        self._ended = prometheus.Counter(
            "vox_jobs_ended", "Jobs that ended.", ("state", "backend", "source"),
            registry=self._registry,
        )  # fmt: skip
        self._audio_s = prometheus.Counter(
            "vox_audio_seconds", "Speech of the jobs that ended.", ("backend",),
            registry=self._registry,
        )  # fmt: skip
        self._wait_s = self._histogram(
            "vox_wait_seconds", "From the request until its preparation began."
        )
        self._first_audio_s = self._histogram(
            "vox_first_audio_seconds", "From the request to the first sound."
        )
        self._registry.register(_Lookups(context))
        prometheus.ProcessCollector(namespace="vox", registry=self._registry)
        context.engine.bus.subscribe(self._on_event)

    def _histogram(self, name: str, about: str) -> prometheus.Histogram:
        return prometheus.Histogram(
            name, about, ("backend",), buckets=BUCKETS_S, registry=self._registry
        )

    def _on_event(self, event: Event) -> None:
        job = event.data
        if event.name != "state" or job.get("state") not in ENDED:
            return
        backend = job["backend"]
        self._ended.labels(job["state"], backend, self._source(job["source"])).inc()
        if job["started_at"]:
            self._wait_s.labels(backend).observe(_between_s(job["created_at"], job["started_at"]))
        if job["wait_s"] is not None:
            self._first_audio_s.labels(backend).observe(job["wait_s"])
        self._audio_s.labels(backend).inc(job["audio_s"] or 0.0)

    def _source(self, name: str) -> str:
        if len(self._sources) < SOURCES:
            self._sources.add(name)
        return name if name in self._sources else "other"

    def render(self) -> bytes:
        """The text. Reads the table and the disk, so it must not run in the loop's thread."""
        return prometheus.generate_latest(self._registry)


class _Lookups:
    """`prometheus_client`'s collector of what is looked up at each request."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> list[Metric]:
        """Nothing, so that registering the collector looks nothing up."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._of_queue()
        yield from self._of_models()
        yield from self._of_workers()
        yield from self._of_process()

    def _of_queue(self) -> Iterator[Metric]:
        engine = self._context.engine
        jobs = GaugeMetricFamily(
            "vox_jobs", "Jobs in the history and the queue.", labels=["state", "backend"]
        )
        for (state, backend), count in engine.store.history.counts_by_backend().items():
            jobs.add_metric([state, backend], count)
        yield jobs
        queued = engine.store.live_counts()["queued"]
        yield GaugeMetricFamily("vox_queue_length", "Jobs that wait.", value=queued)
        paused = engine.player.is_paused
        yield GaugeMetricFamily("vox_paused", "1 while speech is paused.", value=paused)

    def _of_models(self) -> Iterator[Metric]:
        labels = ["backend", "model", "device"]
        models = self._context.engine.pool.describe()
        for name, about, value_of in (
            ("vox_model_loaded", "1 for each warm model.", lambda model: 1),
            ("vox_model_memory_bytes", "Its host's memory.", lambda model: _mb(model, "memory_mb")),
            ("vox_model_vram_bytes", "GPU memory it holds.", lambda model: _mb(model, "vram_mb")),
            ("vox_model_load_seconds", "How long it took to load.", lambda model: model["load_s"]),
            ("vox_model_speed_ratio", "Speech made per second of synthesis.", _speed),
        ):
            family = GaugeMetricFamily(name, about, labels=labels)
            for model in models:
                value = value_of(model)
                if value is not None:
                    family.add_metric([str(model[label] or "") for label in labels], value)
            yield family

    def _of_workers(self) -> Iterator[Metric]:
        """Nothing unless workers are set."""
        found = self._context.engine.fleet.describe()
        if found["server"] is None:
            return
        reachable = found["reachable"]
        yield GaugeMetricFamily("vox_workers_reachable", "1 if their server is.", value=reachable)
        workers = _by_name(found["workers"])
        for kind, name, about, key in (
            (CounterMetricFamily, "vox_worker_requests", "It made.", "requests"),
            (CounterMetricFamily, "vox_worker_audio_seconds", "Speech it made.", "audio_s"),
            (CounterMetricFamily, "vox_worker_synthesis_seconds", "That took.", "synthesis_s"),
            (GaugeMetricFamily, "vox_worker_busy", "Requests it makes now.", "busy"),
            (GaugeMetricFamily, "vox_worker_concurrency", "Requests at once.", "concurrency"),
            (GaugeMetricFamily, "vox_worker_seen_seconds", "Since it was heard of.", "seen_s"),
        ):
            family = kind(name, about, labels=["worker"])
            sum_up = min if key == "seen_s" else sum
            for worker, those in workers.items():
                family.add_metric([worker], sum_up(each[key] for each in those))
            yield family

    def _of_process(self) -> Iterator[Metric]:
        uptime_s = self._context.uptime_s
        spooled = self._context.engine.spools.usage_bytes()
        cached = self._context.engine.utterances.usage_bytes()
        yield InfoMetricFamily("vox_build", "Which vox this is.", value={"version": __version__})
        yield GaugeMetricFamily("vox_uptime_seconds", "Since it started.", value=uptime_s)
        yield GaugeMetricFamily("vox_spool_bytes", "Audio kept for replay.", value=spooled)
        yield GaugeMetricFamily("vox_cache_bytes", "The utterance cache.", value=cached)


def _between_s(start: str, end: str) -> float:
    parse = datetime.datetime.fromisoformat
    return max(0.0, (parse(end) - parse(start)).total_seconds())


def _by_name(workers: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Those that requests may go to: a restarted worker keeps its name, and two may share one."""
    found: dict[str, list[dict[str, Any]]] = {}
    for worker in workers:
        if worker["compatible"]:
            name = worker["name"]
            found.setdefault(name if name in found or len(found) < WORKERS else "other", []).append(
                worker
            )
    return found


def _mb(model: dict[str, Any], key: str) -> float | None:
    return None if model[key] is None else model[key] * 1e6


def _speed(model: dict[str, Any]) -> float | None:
    """Seconds of speech per second of synthesis; None before the first synthesis."""
    return model["audio_s"] / model["synthesis_s"] if model["synthesis_s"] else None
