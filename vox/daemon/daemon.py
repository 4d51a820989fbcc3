"""The composition root: engine, inbox and API in one process, and when that process leaves.

Leaving is race-free. The daemon closes its sockets, then checks the queue once more. A client whose
connection is refused writes its job to the queue and starts a successor, which waits for our lock.
If a job came in between, or while we finished the current one, we start the successor ourselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import math
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, cast

import uvicorn

from ..api.app import make_app
from ..api.event_streams import Broadcaster
from ..api.writing import in_writer
from ..client.local import note_of, open_store
from ..client.spawn import spawn_daemon
from ..config import LiveConfig
from ..engine.engine import Engine
from ..engine.fleet import connect
from ..errors import JobFailed, StorageError
from ..inbox.inbox import Inbox
from ..jobs import ENDED, Job
from ..mcp import endpoint as mcp
from ..paths import Paths
from ..queue.events import Bus, Event
from .activation import Inherited, is_served
from .connections import Limits, protocol_class, web_socket
from .job_log import JobLog
from .own_files import LOOK_S, OwnFiles, Superseded
from .remote_sockets import RemoteSockets
from .repair import Repair, may_restart
from .server import Server
from .tcp import HTTP, Tcp, open_tcp
from .wyoming import WyomingPort

log = logging.getLogger(__name__)

IDLE_CHECK_S = 0.2
"""How often a daemon looks whether it may leave that has been idle for long enough."""
WATCH_S = 1.0
"""How often one looks that has not, for the setting may change."""
EXPECT_S = 5.0
"""How long a daemon that would leave waits for the loading of a model to begin."""
SHUTDOWN_S = 3
TEXT_ENDS = "the daemon was stopped: the text ends here"
"""Note for who was still writing a text."""

Reason = Literal["idle", "stop", "signal", "failed", "damaged", "superseded"]


class Daemon:
    """Everything that lives in the daemon's process; the `Context` of its API.

    `run` returns once it has left. `on_ready` is called once, as soon as the API is served, with
    notes for the user who started it. `idle_timeout_s` replaces the setting. `inherited`: the
    sockets that a service manager passed, but for the listener.
    """

    def __init__(
        self,
        paths: Paths,
        config: LiveConfig,
        own_files: OwnFiles,
        listener: socket.socket,
        on_ready: Callable[[list[str]], None],
        idle_timeout_s: float | None = None,
        inherited: Inherited | None = None,
    ) -> None:
        self.paths = paths
        self.config = config
        self._started = time.monotonic()
        self._last_active = time.monotonic()
        self._idle_timeout_s = idle_timeout_s
        self._waits_until = -math.inf
        self._own_files = own_files
        self._listener = listener
        self._inherited = inherited or Inherited([])
        self._on_ready = on_ready
        self._leave = asyncio.Event()
        self._look = asyncio.Event()
        """Look now whether to leave."""
        self._reason: Reason = "idle"
        self._now = False
        self.is_leaving = False
        self._was_called = False
        """A client asked for a daemon while this one was leaving."""
        self._last_seq = math.inf
        """Of the newest job when `stop` was called. Jobs after it are a successor's; 0: all are."""
        self._leaves_when_drained = False
        self.bus = Bus()
        to_workers = functools.partial(connect, paths.session_path)
        self.engine = Engine(paths, config, self.bus, connect=to_workers)
        self.inbox = Inbox(
            paths, config, self.engine.submitter, self.engine.store, self.bus, self.touch
        )
        self.bus.subscribe(self._on_event)
        self.bus.subscribe(JobLog().on_event)
        self.engine.on_damage = lambda: self.stop(now=True, reason="damaged")
        self._loop: asyncio.AbstractEventLoop | None = None
        self.broadcaster: Broadcaster  # made once there is a loop, before the API is
        self._tcp = Tcp()
        self._remote_sockets: RemoteSockets
        self._wyoming = WyomingPort(self)
        self._mcp = mcp.Endpoint(paths, lambda: self.is_leaving)
        self._looking: asyncio.Task[None]

    # -- the API's context ---------------------------------------------------------------------

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def idle_timeout_s(self) -> float:
        """Seconds without activity after which the daemon leaves; -1: never."""
        if self._leaves_when_drained:
            return 0.0
        if self.stays_for:
            return -1.0
        if self._idle_timeout_s is not None:
            return self._idle_timeout_s
        return 0.0 if self._is_out_of_reach else self.config().idle_timeout_s

    @property
    def stays_for(self) -> list[str]:
        """The settings because of which the daemon does not leave when it is idle."""
        config = self.config()
        in_reach = not self._is_out_of_reach
        found = {
            "inbox.stay": config["inbox.stay"] and config["inbox.enabled"],
            "http": in_reach and self._tcp.address and config["http"],
            "wyoming": in_reach and self._wyoming.tcp.address and config["wyoming"],
            "remote_hosts": config["remote_hosts"] and not self._own_files.are_lost,
        }
        return [name for name, is_so in found.items() if is_so]

    @property
    def _is_out_of_reach(self) -> bool:
        """Nobody can ask this daemon: another one should have the queue."""
        return self._own_files.are_lost and not self._tcp.sockets

    @property
    def http(self) -> dict[str, Any]:
        """The API's address on TCP, or the error that keeps it from being served there."""
        return self._tcp.describe()

    @property
    def wyoming(self) -> dict[str, Any]:
        """As `http`, of the Wyoming server, and whether it is announced in the network."""
        return self._wyoming.describe()

    @property
    def idle_s(self) -> float:
        """Seconds since the last `touch`."""
        return time.monotonic() - self._last_active

    def touch(self) -> None:
        """Note activity: the idle timeout begins anew."""
        self._last_active = time.monotonic()

    async def wake(self) -> None:
        """Check the queue now: another process has written to it."""
        if self.is_leaving:
            self._was_called = True
        else:
            await in_writer(self.engine.check_queue)

    def expect_model(self) -> None:
        """Somebody wants a model warm: wait for it, and then do not leave like a daemon that was
        started for one job only."""
        self._idle_timeout_s = None
        self._waits_until = time.monotonic() + EXPECT_S

    def stop_when_drained(self) -> None:
        """Leave once the queue is empty."""
        self._leaves_when_drained = True
        self._look.set()

    def stop(self, now: bool = False, reason: Reason = "stop") -> None:
        """Leave, after the current job unless `now`. May be called from any thread."""

        def leave() -> None:
            self._reason = reason
            self._now = self._now or now
            if reason == "superseded":
                self._last_seq = 0
            if self._now and self.is_leaving:
                self.engine.finish_now()
            self._leave.set()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(leave)

    def _on_event(self, event: Event) -> None:
        if event.name == "state" and event.data.get("state") in ENDED:
            self.touch()

    # -- life ------------------------------------------------------------------------------------

    def run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(signum, self.stop, True, "signal")
        # The daemon outlives the terminal that it was started from.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        threading.Thread(target=self._start_engine, name="start", daemon=True).start()
        self.broadcaster = Broadcaster(self.engine.store, self.bus, self._loop)
        server = self._make_server()
        self._tcp = open_tcp(HTTP, self.paths, self.config(), inherited=self._inherited)
        await self._wyoming.open(self._inherited)
        hosts = self.config()["remote_hosts"]
        self._remote_sockets = RemoteSockets(self.paths, hosts, self._inherited)
        for address in self._inherited.close():
            log.warning("the service listens on %s without need: vox service install", address)
        sockets = [self._listener, *self._tcp.sockets]
        # Imported modules stay for life. A full collection that looked at them each time would
        # hold up the loop, and `/health` with it, for 50 ms.
        gc.freeze()
        serving = asyncio.create_task(server.serve(sockets=sockets))
        self._report_ready()
        watching = asyncio.create_task(self._watch_idleness(server))
        self._looking = asyncio.create_task(self._look_after_files(server))
        leaving = asyncio.create_task(self._leave.wait())
        await asyncio.wait([serving, leaving], return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        await self._shut_down(server, serving)

    def _report_ready(self) -> None:
        notes = [*filter(None, (self.paths.note, note_of(self.engine.store)))]
        for note in notes:
            log.error("%s", note)
        self._on_ready(notes)

    def _make_server(self) -> Server:
        return Server(
            uvicorn.Config(
                make_app(self, {mcp.PATH: self._mcp}),
                # Always on h11, even where httptools is installed: it limits the size of headers.
                http=protocol_class(Limits.of_process()),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws=cast("type[asyncio.Protocol]", web_socket),
                ws_per_message_deflate=False,  # sound does not become smaller
                timeout_graceful_shutdown=SHUTDOWN_S,
                server_header=False,
                proxy_headers=False,  # nobody asks for a caller's address
            )
        )

    def _start_engine(self) -> None:
        """In a thread, for it may wait: a command line that speaks by itself holds the lock."""
        try:
            self._own_files.lock_queue()
            if self.is_leaving:
                return
            self.engine.warms_kept = self.idle_timeout_s != 0
            self.engine.start()
            self.inbox.start()
            threading.Thread(target=self.engine.player.warm_up, name="warm-up", daemon=True).start()
        except Exception:
            log.exception("the queue cannot be started")
            self.stop(now=True, reason="damaged" if self.engine.damage else "failed")

    @property
    def _is_kept(self) -> bool:
        """Somebody wants a model to be loaded, and no newer vox wants this daemon to leave."""
        if self._leaves_when_drained or self._is_out_of_reach:
            return False
        is_expected = time.monotonic() < self._waits_until or self.engine.models.is_warming
        return is_expected or self.engine.pool.kept_for_s > 0

    def _next_look_s(self) -> float:
        """Seconds until the next look whether to leave."""
        timeout_s = self.idle_timeout_s
        left_s = timeout_s - self.idle_s if timeout_s >= 0 else WATCH_S
        return min(WATCH_S, max(IDLE_CHECK_S, left_s))

    async def _watch_idleness(self, server: Server) -> None:
        # Whoever had a service manager start it waits to be let in.
        await server.is_listening.wait()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), self._next_look_s())
            self._look.clear()
            timeout_s = self.idle_timeout_s
            if timeout_s < 0 or self.idle_s < timeout_s or self._is_kept:
                continue
            try:
                if self.engine.is_started and self.engine.is_idle and not self.inbox.is_busy:
                    self.is_leaving = True  # at once: nobody's model is loaded any more
                    self._leave.set()
                    return
            except StorageError as exc:
                log.error("%s", exc.line)

    async def _look_after_files(self, server: Server) -> None:
        """As long as the socket is to be open."""
        await server.is_listening.wait()
        while True:
            try:
                listener = self._own_files.look()
                if listener is not None:
                    await server.replace_first(listener)
                if self._tcp.error:
                    await self._open_tcp_again(server)
                await self._remote_sockets.look(server, self.config()["remote_hosts"])
                if self._wyoming.tcp.error:
                    await self._wyoming.open()
            except Superseded:
                log.error("another daemon has taken this one's place while its files were gone")
                self.stop(reason="superseded")
                return
            except Exception:
                log.exception("looking after the daemon's files")
            await asyncio.sleep(LOOK_S)

    async def _open_tcp_again(self, server: Server) -> None:
        tcp = await asyncio.to_thread(open_tcp, HTTP, self.paths, self.config(), self._tcp)
        for listener in tcp.sockets:
            await server.listen_also(listener)
        self._tcp = tcp

    async def _shut_down(self, server: Server, serving: asyncio.Task[None]) -> None:
        """Close the sockets, finish the current job or not, end the event streams, stop serving.

        After `stop` the sockets stay open until the current job is finished. That may take an
        hour, in which clients can still ask for the status, cancel jobs, and stop it at once.
        """
        log.info("leaving (%s%s)", self._reason, ", now" if self._now else "")
        self.is_leaving = True
        self.engine.models.is_closed = True
        if self._reason != "stop":
            self._close_sockets(server)
        else:
            await asyncio.to_thread(self._note_newest_job)
        if self._reason in ("stop", "signal"):
            with contextlib.suppress(StorageError):
                await asyncio.to_thread(self.engine.texts.end_all, TEXT_ENDS)
        if self._reason != "damaged":
            late = await asyncio.to_thread(self._late_jobs)
            self.broadcaster.announce_leaving(self._reason, everybody=self._now, but=late)
        await asyncio.to_thread(self.inbox.stop)
        if not self._now:
            await asyncio.to_thread(self.engine.finish)
        self._close_sockets(server)
        repair = Repair(self.paths, self.engine) if self._reason == "damaged" else None
        if repair:
            await asyncio.to_thread(repair.begin)
        await asyncio.to_thread(self.engine.close)
        await asyncio.to_thread(self.inbox.close)
        if repair:
            await asyncio.to_thread(repair.finish)
            self.broadcaster.end_streams()  # their clients find the successor
        late = await asyncio.to_thread(self._late_jobs)
        self.broadcaster.announce_leaving(self._reason, everybody=True, but=late)
        await self._mcp.close(SHUTDOWN_S)
        server.end()
        await self._wyoming.end(SHUTDOWN_S)
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await asyncio.wait_for(serving, SHUTDOWN_S + 2)
        # Requests were served until now, and other processes may have written to the queue.
        if await asyncio.to_thread(self._needs_successor):
            log.info("starting a successor")
            self._start_successor()
        if self._reason == "failed":
            raise JobFailed("the queue cannot be started", "see: vox daemon logs")

    def _start_successor(self) -> None:
        if self._own_files.is_activated:
            is_served(self.paths.socket_path)  # the service manager starts it once we have left
            return
        try:
            spawn_daemon(self.paths, wait=False)
        except StorageError as exc:
            log.error("no successor can be started: %s", exc.line)

    def _close_sockets(self, server: Server) -> None:
        self._looking.cancel()
        self._own_files.remove_socket()
        self._remote_sockets.remove_all()
        self._wyoming.stop_listening()
        for listening in server.servers:
            listening.close()

    def _note_newest_job(self) -> None:
        with contextlib.suppress(StorageError):  # then no job counts as late
            newest = self.engine.store.history.latest()
            self._last_seq = newest.seq if newest else 0

    def _late_jobs(self) -> set[str]:
        """Ids of the jobs that came after `stop`: a successor will speak them."""
        live: list[Job] = []
        if self._last_seq < math.inf:
            # A full disk must not keep the daemon from leaving.
            with contextlib.suppress(StorageError), open_store(self.paths) as store:
                live = store.live()
        return {job.id for job in live if job.seq > self._last_seq and job.sink != "stream"}

    def _needs_successor(self) -> bool:
        if self._reason == "damaged":
            return may_restart(self.paths)
        if self._reason in ("idle", "superseded"):
            # If the database cannot be opened, a successor could not speak either.
            with contextlib.suppress(StorageError), open_store(self.paths) as store:
                return store.count_live() > 0 or self.inbox.has_new()
        return self._reason == "stop" and (self._was_called or bool(self._late_jobs()))
