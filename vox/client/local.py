"""The queue without a daemon: what a client does itself when none is up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..config import LiveConfig
from ..engine.submit import Submitter
from ..errors import StorageDamaged
from ..jobs import Request
from ..paths import Paths
from ..queue.broker import Broker
from ..queue.store import Store
from ..voices.catalog import Catalog


@contextlib.contextmanager
def open_store(paths: Paths, check: bool = False) -> Iterator[Store]:
    """The job table, for reading the history or changing what is queued. Raises StorageError."""
    store = Store(paths.db_path, check=check)
    try:
        yield store
    finally:
        store.close()


def note_of(store: Store) -> str | None:
    """What its user is told if a damaged database was moved aside when this one was opened."""
    if store.moved_aside is None:
        return None
    return f"the queue's database was damaged; it is kept as {store.moved_aside}"


def submit(paths: Paths, request: Request) -> dict[str, Any]:
    """Write a job to the queue; durable when this returns. Raises as `Submitter.submit`."""
    try:
        return _submit(paths, request)
    except StorageDamaged:
        return _submit(paths, request, check=True)


def _submit(paths: Paths, request: Request, check: bool = False) -> dict[str, Any]:
    config = LiveConfig(paths.config_path)
    with open_store(paths, check) as store:
        broker = Broker(paths.db_path)
        try:
            submitter = Submitter(store, broker, Catalog(paths, config), config)
            job = submitter.submit(request)
            data = job.to_dict(position=store.position(job))
        finally:
            broker.close()
    if note := note_of(store):
        data["notes"].append(note)
    return data
