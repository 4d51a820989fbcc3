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
from ..errors import StorageDamaged
from ..jobs import Request
from ..paths import Paths
from .broker import Broker
from .damage import damage_in
from .store import Store
from .submit import Submitter


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


def damage(paths: Paths) -> str | None:
    """What is wrong with `vox.db`, None if nothing is or it is not there yet. Changes nothing."""
    if not os.path.exists(paths.db_path):
        return None
    try:
        uri = f"file:{quote(paths.db_path)}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10.0)) as connection:
            return damage_in(connection)
    except sqlite3.Error as exc:
        return str(exc)


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
