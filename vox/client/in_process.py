"""Speaks a job without a daemon: the caller's process drains the queue until its job has ended.

It waits for its turn if another process drains the queue: another such call, or a daemon that has
just started. Jobs behind its own are left to a daemon.
"""

from __future__ import annotations

import contextlib
import threading
import time

from ..audio.player import Player
from ..config import LiveConfig
from ..engine.consumer_lock import consumer_lock
from ..engine.engine import Engine
from ..errors import VoxError
from ..hosts.launch import inline_hosts
from ..paths import Paths
from ..queue.announcer import Announcer
from ..queue.events import Event
from ..queue.store import Store
from ..queue.tasks import TableTasks
from .jobs import Job, NoDaemon, OnEvent
from .remote import Remote, goes_on

LOOK_S = 0.03
"""How often to look for what other processes, which find no daemon, write into the table."""
TURN_S = 0.05
"""How often to look whether it is our turn."""


class InProcess:
    """Speaks one job of the table; `cancel` may come from another thread."""

    def __init__(
        self, paths: Paths, job_id: str, store: Store, player: Player | None = None
    ) -> None:
        """`close` closes the store and stops the player, which is started already."""
        config = LiveConfig(paths.config_path)
        self._paths = paths
        self._job_id = job_id
        self._engine = Engine(
            paths,
            config,
            serves_streams=False,
            hosts=inline_hosts(paths.backends_dir, config),
            store=store,
            player=player,
            make_tasks=TableTasks,
            look_s=LOOK_S,
        )
        self._lock = contextlib.ExitStack()

    def speak(self, on_event: OnEvent, timeout_s: float | None = None) -> Job:
        """Drain the queue until the job has ended; returns it. Raises WaitTimeout, UnknownJob."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        has_told_daemon = False
        while True:
            # Not blocking: whoever has the lock, perhaps a daemon that stays, may speak our job.
            if self._take_turn():
                return self._drain(on_event, deadline)
            job = self._engine.store.get(self._job_id)
            if not job.is_live:
                return job.to_dict()
            if deadline is not None and time.monotonic() >= deadline:
                raise goes_on(job.id)
            if not has_told_daemon:
                has_told_daemon = True
                self._tell_daemon()
            time.sleep(TURN_S)

    def _take_turn(self) -> bool:
        """Get the consumer lock if it is free; it is held until the engine is closed."""
        with contextlib.ExitStack() as lock:
            if lock.enter_context(consumer_lock(self._paths, blocking=False)):
                self._lock = lock.pop_all()
                return True
        return False

    def _tell_daemon(self) -> None:
        """A daemon that has come up since we asked finds the job now."""
        with contextlib.suppress(NoDaemon, VoxError):
            Remote(self._paths).call("POST", "/wake", {}, timeout_s=10.0)

    def _drain(self, on_event: OnEvent, deadline: float | None) -> Job:
        ended = threading.Event()
        last: list[Job] = []

        def hear(event: Event) -> None:
            if event.job_id == self._job_id:
                on_event(event.name, event.data)
                if event.data.get("exit_code") is not None:
                    last.append(event.data)
                    ended.set()

        self._engine.bus.subscribe(hear)
        job = self._engine.store.get(self._job_id)
        if not job.is_live:
            return job.to_dict()
        self._engine.start()
        if self._engine.player.is_paused or self._engine.sources.is_held(job):
            on_event("progress", {"id": self._job_id, "paused": True})
        store = self._engine.store
        announcer = Announcer(store.outlooks.of_all, self._engine.bus, store.beginning)
        with announcer.following(self._job_id):
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not ended.wait(left_s):
                raise goes_on(self._job_id)
        last[0].pop("text_is_cut", None)
        return {**last[0], "text": job.text}

    def cancel(self) -> None:
        """Cut the job off. Does nothing if it has ended."""
        with contextlib.suppress(VoxError):
            self._engine.cancel(self._job_id)

    def close(self) -> None:
        """Leave; what was begun and is not finished is put back into the queue."""
        try:
            self._engine.close()
        finally:
            self._lock.close()
