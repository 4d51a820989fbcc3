"""`/metrics`: what a Prometheus server may want to know, in its text format.

Totals are counted from the daemon's start as events pass by; what can be looked up (jobs in the
table, models, memory) is looked up when asked. `prometheus_client` is imported then.
"""

from __future__ import annotations

import bisect
import collections
import datetime
import threading
from collections.abc import Iterator
from typing import Any

from .. import __version__
from ..jobs import ENDED
from ..queue.events import Event
from .context import Context

BUCKETS_S = (0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Tally:
    """How often a value fell into which bucket: a histogram."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        self.counts[bisect.bisect_left(BUCKETS_S, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds, and how many values were no greater, as Prometheus wants them."""
        found, below = [], 0
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class Metrics:
    """Counts from the moment it is made. Events come from any thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._ended: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self._waits: dict[str, Tally] = collections.defaultdict(Tally)
        self._first_sounds: dict[str, Tally] = collections.defaultdict(Tally)
        self._audio_s: dict[str, float] = collections.defaultdict(float)
        context.engine.bus.subscribe(self._on_event)

    def _on_event(self, event: Event) -> None:
        job = event.data
        if event.name != "state" or job.get("state") not in ENDED:
            return
        backend = str(job["backend"])
        with self._lock:
            self._ended[str(job["state"]), backend, str(job["source"])] += 1
            if job["started_at"]:
                self._waits[backend].note(_between_s(job["created_at"], job["started_at"]))
            if job["wait_s"] is not None:
                self._first_sounds[backend].note(job["wait_s"])
            self._audio_s[backend] += job["audio_s"] or 0.0

    def render(self) -> tuple[bytes, str]:
        """The text and its media type. Takes long at the first time: not for the loop's thread."""
        import prometheus_client as prometheus

        registry = prometheus.CollectorRegistry()
        registry.register(self)
        prometheus.ProcessCollector(namespace="vox", registry=registry)
        return prometheus.generate_latest(registry), prometheus.CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Any]:
        """The collector's side of `prometheus_client`."""
        yield from self._of_jobs()
        yield from self._of_times()
        yield from self._of_models()
        yield from self._of_daemon()

    def _of_jobs(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        store = self._context.engine.store
        family = GaugeMetricFamily(
            "vox_jobs", "Jobs in the history and the queue.", labels=["state", "backend"]
        )
        for (state, backend), count in store.counts_by_backend().items():
            family.add_metric([state, backend], count)
        yield family
        counter = CounterMetricFamily(
            "vox_jobs_ended", "Jobs that ended.", labels=["state", "backend", "source"]
        )
        with self._lock:
            ended = dict(self._ended)
        for labels, count in ended.items():
            counter.add_metric(list(labels), count)
        yield counter
        queued = store.live_counts()["queued"]
        yield GaugeMetricFamily("vox_queue_length", "Jobs that wait.", value=queued)
        paused = self._context.engine.player.is_paused
        yield GaugeMetricFamily("vox_paused", "1 while it is told to be silent.", value=paused)

    def _of_times(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        for name, help_text, tallies in (
            ("vox_wait_seconds", "From the request until it was prepared.", self._waits),
            ("vox_first_audio_seconds", "From the request to the first sound.", self._first_sounds),
        ):
            family = HistogramMetricFamily(name, help_text, labels=["backend"])
            with self._lock:
                for backend, tally in tallies.items():
                    family.add_metric([backend], tally.buckets(), sum_value=tally.total)
            yield family
        counter = CounterMetricFamily(
            "vox_audio_seconds", "Speech of the jobs that ended.", labels=["backend"]
        )
        with self._lock:
            for backend, seconds in self._audio_s.items():
                counter.add_metric([backend], seconds)
        yield counter

    def _of_models(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        labels = ["backend", "model", "device"]
        models = self._context.engine.pool.describe()
        for name, help_text, value_of in (
            ("vox_model_loaded", "1 for each warm model.", lambda model: 1),
            ("vox_model_memory_bytes", "Its host's memory.", lambda model: _mb(model, "memory_mb")),
            ("vox_model_vram_bytes", "GPU memory it holds.", lambda model: _mb(model, "vram_mb")),
            ("vox_model_load_seconds", "How long it took to load.", lambda model: model["load_s"]),
            ("vox_model_speed_ratio", "Speech made per second of synthesis.", _speed),
        ):
            family = GaugeMetricFamily(name, help_text, labels=labels)
            for model in models:
                value = value_of(model)
                if value is not None:
                    family.add_metric([str(model[label] or "") for label in labels], value)
            yield family

    def _of_daemon(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        context = self._context
        yield InfoMetricFamily("vox_build", "Which vox this is.", value={"version": __version__})
        yield GaugeMetricFamily("vox_uptime_seconds", "Since it started.", value=context.uptime_s)
        spooled = context.engine.spools.usage_bytes()
        yield GaugeMetricFamily("vox_spool_bytes", "Audio kept for replay.", value=spooled)


def _between_s(start: str, end: str) -> float:
    parse = datetime.datetime.fromisoformat
    return max(0.0, (parse(end) - parse(start)).total_seconds())


def _mb(model: dict[str, Any], key: str) -> float | None:
    return None if model[key] is None else model[key] * 1e6


def _speed(model: dict[str, Any]) -> float | None:
    """Speech made, relative to real time; None as long as nothing was."""
    return model["audio_s"] / model["synthesis_s"] if model["synthesis_s"] else None
