"""The command line's only road to a running daemon: submit, follow, start it.

When a daemon is up, everything goes over its control socket and neither huey nor sqlite3 nor
numpy is imported. When none is up, the job is written to the queue here, so that nothing is lost
whatever happens next, and then a daemon is started. Prints nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from .. import __version__
from ..errors import DaemonLeaving, DaemonUnavailable, VoxError, WaitTimeout, from_dict
from ..jobs import OPTIONS, REQUEST_FIELDS, Request, new_id
from ..paths import Paths
from . import http

ANSWER_TIMEOUT_S = 60.0
"""A daemon that is up but does not answer a plain request for so long counts as hung."""

OnEvent = Callable[[str, dict[str, Any]], None]
"""Called with an event's name and data; see `Bus` for the names, plus `starting` while a daemon
is being started."""


class NoDaemon(Exception):
    """No daemon is up (never shown to a user)."""


class Client:
    """Talks to the daemon of these paths."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    # -- plain requests ----------------------------------------------------------------------

    def call(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None = None,
        timeout_s: float | None = ANSWER_TIMEOUT_S,
    ) -> Any:
        """One request; returns the answer's JSON.

        Raises NoDaemon if none is up, DaemonUnavailable if it does not answer, or the error that
        the daemon answered with.
        """
        with self._open(method, target, body, timeout_s) as answer:
            return self._json(answer)

    def _open(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None,
        timeout_s: float | None,
        headers: dict[str, str] | None = None,
    ) -> http.Answer:
        try:
            return self._request(method, target, body, timeout_s, headers)
        except (http.Refused, http.Dropped) as exc:
            raise NoDaemon from exc
        except TimeoutError as exc:
            raise DaemonUnavailable(
                "the daemon does not answer", "try: vox daemon restart, or see: vox daemon logs"
            ) from exc

    def _request(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None = None,
        timeout_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.Answer:
        """See `http.request`."""
        rest = (method, target, body, timeout_s, headers)
        try:
            return http.request(self.paths.socket_path, *rest)
        except http.Refused:
            elsewhere = _socket_elsewhere(self.paths)
            if elsewhere is None:
                raise
        return http.request(elsewhere, *rest)

    @staticmethod
    def _json(answer: http.Answer) -> Any:
        try:
            data = answer.json()
        except http.Dropped as exc:
            raise NoDaemon from exc
        if answer.status >= 400:
            error = _error(data)
            if isinstance(error, DaemonLeaving):
                raise NoDaemon from error
            raise error
        return data

    def is_up(self) -> bool:
        try:
            self._request("GET", "/ping", timeout_s=5.0).close()
        except (http.Refused, http.Dropped):
            return False
        except TimeoutError:
            return True
        return True

    # -- jobs --------------------------------------------------------------------------------

    def submit(self, request: Request, may_start: bool = True) -> dict[str, Any]:
        """Make a durable job; returns it as JSON. It is accepted once when this returns.

        Without a daemon the job goes into the queue here, and a daemon is started (not waited
        for) if `may_start`. Raises what the daemon answers or `queue.submit` raises.
        """
        # Chosen here, so that a request whose answer was lost can be made again.
        request.id = request.id or new_id()
        try:
            job = self.post(request)
        except NoDaemon:
            from . import local

            job = local.submit(self.paths, request)
            if may_start:
                self.start_daemon(wait=False)
        return job

    def post(self, request: Request, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any]:
        """Make a durable job through the daemon that is up; returns it as JSON.

        Raises NoDaemon, DaemonUnavailable, or what the daemon answers.
        """
        self._retire_older()
        body = {**_body(request), "async": True}
        job: dict[str, Any] = self.call("POST", "/speak", body, timeout_s)
        return job

    def follow(
        self,
        job_id: str,
        on_event: OnEvent = lambda _name, _data: None,
        timeout_s: float | None = None,
        bind: bool = False,
    ) -> dict[str, Any]:
        """Wait until the job has ended; returns it as JSON. Starts a daemon if none is up.

        `job_id`: the whole id, as a job's JSON has it (typed ones may hold anything).
        `bind`: should this process die, the daemon cancels the job. Raises WaitTimeout,
        DaemonUnavailable (also when the daemon was told to leave), UnknownJob.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        deaths = 0
        while True:
            try:
                return self._follow_once(job_id, on_event, deadline, bind)
            except (NoDaemon, http.Dropped) as exc:
                deaths += 1
                if deaths > 5:
                    raise DaemonUnavailable("the daemon dies again and again") from exc
                on_event("starting", {"id": job_id})
                self.start_daemon(wait=True, deadline=deadline)

    def _follow_once(
        self, job_id: str, on_event: OnEvent, deadline: float | None, bind: bool
    ) -> dict[str, Any]:
        target = f"/jobs/{job_id}/events" + ("?bind=true" if bind else "")
        try:
            answer = self._request("GET", target, timeout_s=_left(deadline, job_id))
        except http.Refused as exc:
            raise NoDaemon from exc
        except TimeoutError:
            raise WaitTimeout(f"job {job_id} goes on") from None
        with answer:
            if answer.status >= 400:
                raise _error(answer.json())
            try:
                for event in answer.events(deadline):
                    on_event(event.name, event.data)
                    if event.name == "bye":
                        raise _stopped(job_id)
                    if event.name == "state" and event.data.get("exit_code") is not None:
                        return event.data
            except TimeoutError:
                pass
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeout(f"job {job_id} goes on", f"wait for it again: vox wait {job_id}")
        raise http.Dropped

    # -- the daemon --------------------------------------------------------------------------

    def daemon_version(self) -> str | None:
        """The version in the PID file, None if there is none. Says nothing about being alive."""
        try:
            with open(self.paths.pid_path, encoding="utf-8") as file:
                lines = file.read().split()
        except OSError:
            return None
        return lines[1] if len(lines) > 1 else None

    def _retire_older(self) -> None:
        """An older daemon finishes its queue and leaves; the next one is of our version."""
        version = self.daemon_version()
        if version is None or version == __version__ or not _is_older(version, __version__):
            return
        with contextlib.suppress(NoDaemon, VoxError):
            self.call("POST", "/stop", {"when": "drained"})

    def start_daemon(self, wait: bool = True, deadline: float | None = None) -> list[str]:
        """Start a daemon unless one is up; racing starters are sorted out by its lock.

        `wait`: until it listens; returns what it has to tell the user. Raises DaemonUnavailable,
        WaitTimeout.
        """
        from .spawn import spawn_daemon

        try:
            return spawn_daemon(self.paths, wait=wait, deadline=deadline)
        except TimeoutError:
            raise WaitTimeout("the daemon is still starting; the job goes on") from None


def _body(request: Request) -> dict[str, Any]:
    """The request as `POST /speak` takes it, without what the daemon's defaults are to decide."""
    given = {name: getattr(request, name) for name in REQUEST_FIELDS}
    return {
        OPTIONS[name].key if name in OPTIONS else name: value
        for name, value in given.items()
        if value is not None
    }


def _socket_elsewhere(paths: Paths) -> str | None:
    """The socket of the daemon that drains this queue, if it listens at another place than ours.

    So it does when it was started under another XDG_RUNTIME_DIR, by cron or over ssh for example.
    """
    from ..files import is_locked

    if not is_locked(paths.consumer_lock_path):
        return None  # Whoever wrote it is gone.
    try:
        with open(paths.consumer_lock_path, "rb") as file:
            listens_at = os.fsdecode(file.read())
    except OSError:
        return None
    return listens_at if listens_at not in ("", paths.socket_path) else None


def _left(deadline: float | None, job_id: str) -> float | None:
    """Seconds to the deadline. Raises WaitTimeout if it has passed."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise WaitTimeout(f"job {job_id} goes on", f"wait for it again: vox wait {job_id}")
    return left


def _stopped(job_id: str) -> VoxError:
    return DaemonUnavailable(
        f"the daemon was stopped; job {job_id} stays in the queue",
        f"it is spoken once one runs again: vox wait {job_id}",
    )


def _is_older(version: str, than: str) -> bool:
    def parts(text: str) -> list[int]:
        return [int(part) for part in text.split(".") if part.isdigit()]

    return parts(version) < parts(than)


def _error(data: Any) -> VoxError:
    """The error in a problem document (RFC 9457) of the API."""
    if isinstance(data, dict) and "code" in data:
        return from_dict({**data, "message": data.get("detail") or data.get("title")})
    return DaemonUnavailable(f"the daemon answered: {str(data)[:200]}")
