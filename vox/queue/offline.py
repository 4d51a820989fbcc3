"""The queue without a daemon: what a client does itself when none is up."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ..backends.catalog import Catalog
from ..config import LiveConfig
from ..jobs import Request
from ..paths import Paths
from .broker import Broker
from .store import Store
from .submit import Submitter


@contextlib.contextmanager
def open_store(paths: Paths) -> Iterator[Store]:
    """The job table, for reading the history or changing what is queued. Raises StorageError."""
    store = Store(paths.db_path)
    try:
        yield store
    finally:
        store.close()


def damage(paths: Paths) -> str | None:
    """What is wrong with `vox.db`, None if nothing is or it is not there yet. Changes nothing."""
    if not os.path.exists(paths.db_path):
        return None
    try:
        uri = f"file:{quote(paths.db_path)}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10.0)) as connection:
            found = str(connection.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.Error as exc:
        return str(exc)
    return None if found == "ok" else found


def submit(paths: Paths, request: Request) -> dict[str, Any]:
    """Write a job to the queue; durable when this returns. Raises as `Submitter.submit`."""
    config = LiveConfig(paths.config_path)
    with open_store(paths) as store:
        broker = Broker(paths.db_path)
        try:
            submitter = Submitter(store, broker, Catalog(paths, config), config)
            job = submitter.submit(request)
            data = job.to_dict(position=store.position(job))
        finally:
            broker.close()
    if store.moved_aside:
        data["notes"].append(f"the queue's database was damaged; it is kept as {store.moved_aside}")
    return data
