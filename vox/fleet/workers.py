"""What workers announce: who they are, what they serve and what they have done.

An announcement expires unless it is renewed. Every version of vox reads every version's, so that a
worker that is too old is seen to be there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from . import keys
from .checks import MAX_NUMBER, is_name, is_number
from .server import Server

MAX_WORKERS = 1000
FORGOTTEN_S = 600.0
"""A worker is removed after this time without an announcement, longer than any lease."""
MAX_CONCURRENCY = 32
MAX_PROTOCOL = 999
_MAX_BYTES = 64 * 1024
SLOWEST, FASTEST = 0.001, 100_000.0
"""What is beyond was not measured: times real time."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One worker, as it announced itself."""

    id: str
    """Its name and a random suffix."""
    name: str
    protocol: int
    version: str = ""
    machine: str = ""
    device: str = ""
    concurrency: int = 1
    busy: int = 0
    """Requests under way."""
    lanes: tuple[str, ...] = ()
    """Where it takes requests from."""
    warm: tuple[str, ...] = ()
    """The lanes whose model is loaded."""
    failing: tuple[str, ...] = ()
    """The lanes whose model could not be loaded a short time ago."""
    load_s: Mapping[str, float] = field(default_factory=dict)
    """Loading time of the model, by lane."""
    requests: int = 0
    """Requests made so far: `audio_s` seconds of sound in `synthesis_s` seconds of work."""
    audio_s: float = 0.0
    synthesis_s: float = 0.0
    seen_s: float = 0.0
    """Seconds since its last announcement, by the server's clock."""

    @property
    def is_ours(self) -> bool:
        """It speaks this vox's protocol."""
        return self.protocol == keys.PROTOCOL

    def can_make(self, lane: str) -> bool:
        """It takes requests from there, and has not failed at that."""
        return self.is_ours and lane in self.lanes and lane not in self.failing

    @property
    def x_realtime(self) -> float | None:
        """Seconds of sound made per second; None: not known yet, or implausible."""
        speed = self.audio_s / self.synthesis_s if self.synthesis_s else 0.0
        return speed if SLOWEST <= speed <= FASTEST else None

    @property
    def backends(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(lane.partition("/")[0] for lane in self.lanes))

    def to_dict(self) -> dict[str, Any]:
        """For users, as JSON. `compatible`: requests may go to it."""
        speed = self.x_realtime
        return {
            **asdict(self),
            "compatible": self.is_ours,
            "backends": self.backends,
            "x_realtime": None if speed is None else round(speed, 2),
            "seen_s": round(self.seen_s, 3),
        }


class Workers:
    """The announcements on a server. All methods raise WorkersAway."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def announce(self, worker: Announced, ttl_s: float) -> None:
        data = asdict(worker)
        del data["seen_s"]
        with self._server.translated():
            seconds, micros = self._server.client.time()
            pipe = self._server.client.pipeline(transaction=False)
            pipe.set(keys.worker(worker.id), json.dumps(data), px=round(1000 * ttl_s))
            pipe.zadd(keys.WORKERS, {worker.id: seconds + micros / 1e6})
            pipe.zremrangebyscore(keys.WORKERS, "-inf", seconds - FORGOTTEN_S)
            pipe.pexpire(keys.WORKERS, round(1000 * FORGOTTEN_S))
            pipe.execute()

    def leave(self, worker_id: str) -> None:
        with self._server.translated():
            self._server.client.delete(keys.worker(worker_id))
            self._server.client.zrem(keys.WORKERS, worker_id)

    def look(self) -> list[Announced]:
        """Those that are there, by name. What is no announcement is left out.

        Writes nothing: a client needs no right to do so.
        """
        return self._look((), 0)[1]

    def look_as(self, session_id: str, ttl_s: float) -> tuple[bool, list[Announced]]:
        """As `look`, and keep a client's session alive for so long: False if it was not known."""
        return self._look((keys.session(session_id), keys.LEASES), ttl_s)

    def _look(self, session: Sequence[str], ttl_s: float) -> tuple[bool, list[Announced]]:
        args = (keys.WORKERS, keys.worker(""), MAX_WORKERS, round(1000 * ttl_s))
        with self._server.translated():
            answer = self._server.run("look", session, args)
            if not isinstance(answer, list):
                raise TypeError("no Redis answers so")
        was_known, now, *found = answer
        workers = []
        for worker_id, seen, data in zip(found[::3], found[1::3], found[2::3], strict=True):
            seen_s = min(max(0.0, float(now) - float(seen)), FORGOTTEN_S)
            worker = _read(worker_id.decode("utf-8", "replace"), data, seen_s)
            if worker is not None:
                workers.append(worker)
        return bool(was_known), sorted(workers, key=lambda each: (each.name, each.id))


def _read(worker_id: str, data: bytes, seen_s: float) -> Announced | None:
    """What was announced, whatever else stands there; None if it is no announcement."""
    try:
        raw = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or not _fits("protocol", raw.get("protocol")):
        return None
    if not _is_name(worker_id):
        return None
    known = {each.name: each.default for each in fields(Announced)}
    given: dict[str, Any] = {}
    for name, value in raw.items():
        if name in known and _fits(name, value):
            given[name] = tuple(value) if isinstance(value, list) else value
    given.update(id=worker_id, seen_s=seen_s)
    given.setdefault("name", keys.named(worker_id))
    return Announced(**given)


_NAMES = ("version", "machine", "device")
_COUNTS = {
    "protocol": (0, MAX_PROTOCOL),
    "concurrency": (1, MAX_CONCURRENCY),
    "busy": (0, MAX_CONCURRENCY),
    "requests": (0, MAX_NUMBER),
}
"""From and to."""
_SECONDS = ("audio_s", "synthesis_s")


def _fits(name: str, value: Any) -> bool:
    if name == "name":
        return _is_name(value) and value == keys.named(value)
    if name in _NAMES:
        return _is_name(value)
    if name in _COUNTS:
        low, high = _COUNTS[name]
        return type(value) is int and low <= value <= high
    if name in _SECONDS:
        return _is_seconds(value)
    if name in ("lanes", "warm", "failing"):
        return isinstance(value, list) and all(map(_is_name, value))
    if name == "load_s":
        return (
            isinstance(value, dict)
            and all(map(_is_name, value))
            and all(map(_is_seconds, value.values()))
        )
    return False


def _is_name(value: Any) -> bool:
    return is_name(value) and bool(value.strip())


def _is_seconds(value: Any) -> bool:
    return is_number(value) and value >= 0
