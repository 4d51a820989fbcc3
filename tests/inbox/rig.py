"""An inbox that watches a real folder and fills a real queue; only the engine is missing.

The tests end the jobs themselves, as the engine would, by changing their state in the table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from vox.config import LiveConfig, set_value
from vox.engine.submit import Submitter
from vox.inbox.inbox import Inbox
from vox.jobs import Job
from vox.paths import get_paths
from vox.queue.broker import Broker
from vox.queue.events import Bus
from vox.queue.store import Store
from vox.voices.catalog import Catalog

LIMIT_S = 60.0


def wait_until(what: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Ask until it is true: there is no event for everything that is waited for here."""
    deadline = time.monotonic() + limit_s
    while not (value := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s:g} s")
        time.sleep(0.005)
    return value


class Rig:
    """`settings` are those of `inbox.`; by default files settle quickly."""

    def __init__(self, settle_s: float = 0.2, **settings: Any) -> None:
        self.paths = get_paths()
        for name, value in {"settle_s": settle_s, **settings}.items():
            self.set(f"inbox.{name}", value)
        self.config = LiveConfig(self.paths.config_path)
        self.bus = Bus()
        self.store = Store(self.paths.db_path, self.bus)
        self.broker = Broker(self.paths.db_path)
        catalog = Catalog(self.paths, self.config)
        self.submitter = Submitter(self.store, self.broker, catalog, self.config)
        self.activity = 0
        self.inbox = self._new_inbox()
        self.folder = Path(self.inbox.describe()["folder"])

    def _new_inbox(self) -> Inbox:
        def active() -> None:
            self.activity += 1

        return Inbox(
            self.paths, self.config, self.submitter, self.store, self.bus, on_activity=active
        )

    def set(self, name: str, value: Any) -> None:
        set_value(self.paths.config_path, name, str(value))

    def __enter__(self) -> Rig:
        self.inbox.start()
        wait_until(lambda: self.inbox.describe()["last_scan_at"] or self.error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.inbox.stop()
        self.inbox.close()
        self.broker.close()
        self.store.close()

    def restart(self) -> None:
        """Another inbox on the same folder and queue, as after a restart of the daemon."""
        self.inbox.stop()
        self.inbox = self._new_inbox()
        self.inbox.start()

    @property
    def error(self) -> str | None:
        error: str | None = self.inbox.describe()["error"]
        return error

    def jobs(self) -> list[Job]:
        """All jobs, in the order in which they came."""
        return self.store.history.jobs()[::-1]

    def texts(self) -> list[str]:
        return [job.text for job in self.jobs()]

    def wait_jobs(self, count: int) -> list[Job]:
        try:
            wait_until(lambda: len(self.jobs()) >= count)
        except AssertionError as exc:
            raise AssertionError(f"{exc}: {count} jobs; {self.account()}") from None
        assert len(self.jobs()) == count, self.account()
        return self.jobs()

    def account(self) -> str:
        """Where the files are, for the message of a test that waited in vain."""
        notes = [path.read_text() for path in self.folder.glob("failed/**/*.error.txt")]
        return " ".join([str(self.tree()), str(self.texts()), str(self.inbox.describe()), *notes])

    def wait_settled(self) -> None:
        """Wait until nothing is left that could be taken."""
        self.inbox.scan_soon()
        wait_until(lambda: not self.inbox.is_busy)

    def end(self, job: Job, state: Any = "done", **columns: Any) -> None:
        changed = self.store.change(job.id, ("queued", "preparing", "speaking"), state, **columns)
        assert changed, self.store.get(job.id).to_dict()

    def tree(self, folder: str = "") -> list[str]:
        """The files in the inbox (or a folder in it) and below, without our own records."""
        root = self.folder / folder
        return sorted(
            os.path.relpath(os.path.join(parent, name), root)
            for parent, _, names in os.walk(root)
            for name in names
            if not (os.path.basename(parent) == ".work" and name.startswith("."))
        )

    def wait_tree(self, *paths: str, folder: str = "") -> None:
        try:
            wait_until(lambda: self.tree(folder) == sorted(paths))
        except AssertionError:
            assert self.tree(folder) == sorted(paths), self.account()
