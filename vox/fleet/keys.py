"""The names of the keys in Redis. The protocol's version is part of them, so that a worker and a
client of different versions never see each other's requests; announcements are seen by all.
"""

from __future__ import annotations

import re

PROTOCOL = 1
PREFIX = f"vox:{PROTOCOL}"

LEASES = f"{PREFIX}:leases"
"""Sorted set: request -> when its worker's lease ends, in ms of the server's clock."""
SERVED = f"{PREFIX}:vt"
"""Hash: client -> how much it was served (see scripts/claim.lua)."""
SEQ = f"{PREFIX}:seq"
WORKERS = "vox:workers"
"""Sorted set: worker -> when it was last seen, in s of the server's clock."""


def task(request_id: str) -> str:
    return f"{PREFIX}:u:{request_id}"


def message(request_id: str) -> str:
    """Holds the text. A client may write it, and not read it."""
    return f"{PREFIX}:m:{request_id}"


def ring(tier: int, lane: str) -> str:
    """Sorted set of the clients with requests in this lane."""
    return f"{PREFIX}:r:{tier}:{lane}"


def queue(tier: int, lane: str, client: str) -> str:
    return f"{ring(tier, lane)}:{client}"


def wake(lane: str) -> str:
    """List of worthless tokens. An idle worker waits for one."""
    return f"{PREFIX}:wake:{lane}"


def session(session_id: str) -> str:
    """Exists as long as the client is there."""
    return f"{PREFIX}:c:{session_id}"


def answers(session_id: str) -> str:
    """Stream of what workers answer to a client."""
    return f"{PREFIX}:out:{session_id}"


def control(worker_id: str) -> str:
    """Channel: ids of requests that the worker is to stop."""
    return f"{PREFIX}:ctl:{worker_id}"


def clone(digest: str) -> str:
    """The recording of a cloned voice, by the SHA-256 of its bytes."""
    return f"{PREFIX}:clone:{digest}"


def worker(worker_id: str) -> str:
    """What a worker announces, as JSON."""
    return f"vox:w:{worker_id}"


def lane(backend: str, model: str | None) -> str:
    """Where requests for a model wait; None: the one that the worker's settings say."""
    return f"{backend}/{model}" if model else backend


def named(text: str) -> str:
    """The text as a name that may stand in a key, of at most 60 characters."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")[:60] or "unnamed"
