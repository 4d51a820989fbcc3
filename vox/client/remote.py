"""Jobs of the daemon that is up, asked over its control socket.

On the way to the first sound: neither huey nor sqlite3 nor numpy is imported. Starts no daemon;
`front` does.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from .. import __version__
from ..errors import (
    DaemonLeaving,
    DaemonStopped,
    DaemonUnavailable,
    StorageDamaged,
    UnknownJob,
    VoxError,
    WaitTimeout,
    from_dict,
)
from ..jobs import (
    AS_IT_WAS,
    EVERY_JOB,
    ID_ALPHABET,
    NO_DEVICE,
    OPTIONS,
    PAUSED,
    REQUEST_FIELDS,
    Changes,
    Request,
    Wanted,
    iso,
    recency,
)
from ..paths import Paths
from ..quick.begun import Begun
from . import http
from .jobs import (
    ANSWER_TIMEOUT_S,
    Growth,
    Job,
    NoDaemon,
    OnEvent,
    caller_of,
    caller_of_followed,
    ignore,
)

REPAIR_S = 5.0
"""A daemon leaves within that time if its database is damaged, or if it is too old and idle."""
POLL_S = 0.05
_TOO_NEW = ("Extra inputs are not permitted", "Not Found")
"""What a daemon answers to what it does not know yet."""


class Remote:
    """`Jobs` of the daemon of these paths. Every method raises NoDaemon if none is up."""

    def __init__(self, paths: Paths, begun: dict[tuple[str, str], Begun] | None = None) -> None:
        """`begun`: requests that were sent already, by method and target."""
        self.paths = paths
        self._begun = begun or {}
        self._is_retired = False
        """The daemon is an older one that was told to leave."""

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
        try:
            with self._request(method, target, body, timeout_s) as answer:
                data = answer.json()
        except (http.Refused, http.Dropped) as exc:
            raise NoDaemon from exc
        except TimeoutError as exc:
            raise _does_not_answer() from exc
        if answer.status < 400:
            return data
        raise self._to_raise(error_in(data))

    def _to_raise(self, error: VoxError) -> Exception:
        """The error, or NoDaemon if a successor of the daemon will answer better."""
        if isinstance(error, DaemonLeaving) or (
            isinstance(error, StorageDamaged) and self._has_left()
        ):
            return NoDaemon(error.line)
        if is_too_new(error) and (older := older_daemon(self.paths)) is not None:
            # One that was told to leave, and has nothing to do, has left soon.
            return NoDaemon() if self._is_retired and self._has_left() else older
        return error

    def _has_left(self) -> bool:
        """Wait for a daemon that leaves; False if it does not."""
        deadline = time.monotonic() + REPAIR_S
        while self.is_up():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _items(self, method: str, target: str, body: dict[str, Any] | None = None) -> Iterator[Job]:
        """As `call`, for an answer that is a list of jobs: they are there as they come.

        Raises DaemonUnavailable if the daemon goes away in the middle of it.
        """
        has_begun = False
        try:
            with self._request(method, target, body, ANSWER_TIMEOUT_S) as answer:
                if answer.status >= 400:
                    raise self._to_raise(error_in(answer.json()))
                for item in answer.items():
                    has_begun = True
                    yield item
        except (http.Refused, http.Dropped, DaemonLeaving) as exc:
            if has_begun:
                raise DaemonUnavailable("the daemon's answer was cut off") from exc
            raise NoDaemon from exc
        except TimeoutError as exc:
            raise _does_not_answer() from exc

    def warm(self, wanted: dict[str, Any], on_event: OnEvent = ignore) -> dict[str, Any]:
        """Have a model loaded and wait for it; returns it as `/health` does.

        `wanted`: the body of `POST /warm`. Raises NotAvailable, BadInput and HostError.
        """
        try:
            with self._request("POST", "/warm", {**wanted, "stream": True}) as answer:
                if answer.status >= 400:
                    raise error_in(answer.json())
                for event in answer.events():
                    if event.name == "loaded":
                        return event.data
                    if event.name == "error":
                        raise _not_loaded(event.data, wanted["backend"])
                    on_event(event.name, event.data)
        except (http.Refused, http.Dropped, DaemonLeaving) as exc:
            raise NoDaemon from exc
        raise NoDaemon

    def events(self) -> Iterator[http.SseEvent]:
        """All events, of all jobs, until the daemon leaves; the live jobs come first."""
        try:
            with self._request("GET", "/events") as answer:
                yield from answer.events()
        except (http.Refused, http.Dropped) as exc:
            raise NoDaemon from exc

    def _request(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> http.Answer:
        """See `http.request`."""
        if (begun := self._begun.pop((method, target), None)) is not None:
            return http.answer_to(begun, timeout_s)
        try:
            return http.request(self.paths.socket_path, method, target, body, timeout_s)
        except http.Refused:
            elsewhere = _socket_elsewhere(self.paths)
            if elsewhere is None:
                raise
        return http.request(elsewhere, method, target, body, timeout_s)

    def readiness(self, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, str]:
        """The checks of `GET /ready`: "ok", or a line that says what is wrong."""
        try:
            with self._request("GET", "/ready", timeout_s=timeout_s) as answer:
                data = answer.json()
        except (http.Refused, http.Dropped) as exc:
            raise NoDaemon from exc
        except TimeoutError as exc:
            raise _does_not_answer() from exc
        checks: dict[str, str] = data.get("checks", {})
        return checks

    def is_up(self) -> bool:
        """Whether a daemon listens. Never raises."""
        try:
            self._request("GET", "/ping", timeout_s=5.0).close()
        except (http.Refused, http.Dropped):
            return False
        except TimeoutError:
            return True
        return True

    # -- jobs: see `Jobs` --------------------------------------------------------------------

    def submit(
        self, request: Request, is_followed: bool = True, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Job:
        self._retire_older()
        request.caller = caller_of(request, is_followed)
        body = {**_body(request), "async": True}
        if request.is_open:
            body["open"] = True
        made: Job = self.call("POST", "/speak", body, timeout_s)
        return made

    def write(self, job_id: str, at: int, text: str) -> Growth:
        growth: Growth = self.call("POST", f"{_target(job_id)}/text", {"offset": at, "text": text})
        return growth

    def end(self, job_id: str) -> None:
        self.call("POST", f"{_target(job_id)}/text", {"end": True})

    def replay(self, job_id: str, is_followed: bool = True, changes: Changes = AS_IT_WAS) -> Job:
        caller = caller_of_followed(is_followed)
        query = f"?caller={caller}" if caller else ""
        if changes.goes_on:
            going_on: Job = self.call("POST", f"{_target(job_id)}/continue{query}")
            return going_on
        body = {name: getattr(changes, name) for name in ("speed", "output", "umask")}
        made: Job = self.call("POST", f"{_target(job_id)}/replay{query}", body)
        return made

    def follow(
        self,
        job_id: str,
        on_event: OnEvent = ignore,
        timeout_s: float | None = None,
        bind: bool = False,
    ) -> Job:
        """As `Jobs.follow`; raises NoDaemon also when the daemon dies meanwhile."""
        deadline = None if timeout_s is None else time.monotonic() + max(timeout_s, 0.001)
        target = f"/jobs/{job_id}/events" + ("?bind=true" if bind else "")
        try:
            answer = self._request("GET", target, timeout_s=timeout_s and max(timeout_s, 0.001))
            with answer:
                if answer.status >= 400:
                    raise self._to_raise(error_in(answer.json()))
                for event in answer.events(deadline):
                    on_event(event.name, event.data)
                    if event.name == "bye":
                        raise _stopped(job_id)
                    if event.name == "state" and event.data.get("exit_code") is not None:
                        return self._whole(event.data)
        except (http.Refused, http.Dropped) as exc:
            raise NoDaemon from exc
        except TimeoutError:
            raise goes_on(job_id) from None
        if deadline is not None and time.monotonic() >= deadline:
            raise goes_on(job_id)
        raise NoDaemon

    def _whole(self, job: Job) -> Job:
        """The job with all of its text, of which an event has the beginning."""
        if job.pop("text_is_cut", False):
            with contextlib.suppress(NoDaemon, VoxError):  # the daemon has left meanwhile
                job["text"] = self.get(job["id"])["text"]
        return job

    def get(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        found: Job = self.call("GET", _target(job_id), timeout_s=timeout_s)
        return found

    def queue(self) -> list[Job]:
        return list(self._items("GET", "/queue"))

    def history(self, limit: int | None = None, wanted: Wanted = EVERY_JOB) -> Iterator[Job]:
        from urllib.parse import urlencode

        since = iso(wanted.since)
        asked = [("limit", limit), ("search", wanted.search), ("source", wanted.source)]
        asked += [
            ("since", since),
            ("via", wanted.via),
            *(("state", state) for state in wanted.states),
        ]
        query = urlencode([pair for pair in asked if pair[1] is not None])
        return self._items("GET", f"/jobs?{query}")

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", "/stats")
        return found

    def cancel(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        cancelled: Job = self.call("DELETE", _target(job_id), timeout_s=timeout_s)
        return cancelled

    def cancel_all(self, source: str | None = None) -> list[Job]:
        return list(self._items("POST", "/cancel", _of(source)))

    def clear(self, older_than_s: float | None = None) -> int:
        query = "" if older_than_s is None else f"?older_than_s={older_than_s}"
        return int(self.call("DELETE", f"/jobs{query}")["cleared"])

    def skip(self) -> Job | None:
        skipped: Job | None = self.call("POST", "/skip")["skipped"]
        return skipped

    def move(self, steps: int) -> Job:
        moved: Job = self.call("POST", "/next" if steps > 0 else "/back", {"n": abs(steps)})
        return moved

    def pause(self, source: str | None = None) -> None:
        self.call("POST", "/pause", _of(source))

    def resume(self, source: str | None = None) -> None:
        self.call("POST", "/resume", _of(source))

    def mute(self, source: str, is_muted: bool) -> None:
        self.call("POST", "/mute" if is_muted else "/unmute", _of(source))

    def is_paused(self) -> bool:
        return PAUSED in self.obstacles()

    def obstacles(self) -> list[str]:
        return obstacles_in(self.call("GET", "/health"))

    def _retire_older(self) -> None:
        """An older daemon finishes its queue and leaves; the next one is of our version."""
        if older_daemon(self.paths) is None:
            return
        with contextlib.suppress(NoDaemon, VoxError):
            self.call("POST", "/stop", {"when": "drained"})
            self._is_retired = True


def older_daemon(paths: Paths) -> DaemonUnavailable | None:
    """The error of what a daemon of an older version cannot do; None: that is not its version."""
    _, version = read_pid_file(paths)
    if version is None or version == __version__ or not _is_older(version, __version__):
        return None
    return DaemonUnavailable(
        f"the daemon is still of vox {version}", "to replace it: vox daemon restart"
    )


def read_pid_file(paths: Paths) -> tuple[int | None, str | None]:
    """PID and version in the PID file, None for what it does not say.

    Says nothing about whether that process is alive. Where no PID stands, no version is believed
    either: a daemon that seems older than we are is told to leave.
    """
    try:
        with open(paths.pid_path, encoding="utf-8") as file:
            pid, version, *_ = [*file.read().split(), "", ""]
    except (OSError, ValueError):
        return None, None
    return (int(pid), version or None) if pid.isdecimal() else (None, None)


def _body(request: Request) -> dict[str, Any]:
    """The body of `POST /speak`. It lacks what the request leaves to the daemon's defaults."""
    given = {name: getattr(request, name) for name in REQUEST_FIELDS}
    return {
        OPTIONS[name].key if name in OPTIONS else name: value
        for name, value in given.items()
        if value is not None
    }


def _of(source: str | None) -> dict[str, str] | None:
    """The body that names whose jobs are meant."""
    return None if source is None else {"source": source}


def _target(job_id: str) -> str:
    """The job's path in the API. Raises UnknownJob for what names no job."""
    job_id = job_id.strip().lower()
    if recency(job_id) is None and not (job_id and set(job_id) <= set(ID_ALPHABET)):
        raise UnknownJob(f"there is no job {job_id!r}")
    return f"/jobs/{job_id}"


def _socket_elsewhere(paths: Paths) -> str | None:
    """The socket of the daemon that drains this queue, if it listens at another place than ours.

    It does if it was started under another XDG_RUNTIME_DIR, for example by cron or over ssh.
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


def obstacles_in(health: dict[str, Any]) -> list[str]:
    """See `Jobs.obstacles`; `health` is the answer of `/health` or `/status`."""
    from ..source_notes import notes_on

    queue = health["queue"]
    found = [PAUSED] if queue["paused"] else []
    found += notes_on(queue["paused_sources"], queue["muted_sources"])
    return found + ([NO_DEVICE] if health["audio"].get("state") == "waiting" else [])


def goes_on(job_id: str) -> WaitTimeout:
    return WaitTimeout(f"job {job_id} goes on", f"wait for it: vox wait {job_id}")


def _does_not_answer() -> VoxError:
    return DaemonUnavailable(
        "the daemon does not answer", "end it: vox daemon stop --now; or see: vox daemon logs"
    )


def _stopped(job_id: str) -> DaemonStopped:
    return DaemonStopped(
        f"the daemon was stopped; job {job_id} stays in the queue",
        f"it is spoken once a daemon runs again: vox wait {job_id}",
    )


def _not_loaded(data: dict[str, Any], backend: str) -> VoxError:
    error = from_dict(data)
    if not isinstance(error, DaemonLeaving):
        return error
    return DaemonUnavailable(
        f"the daemon was stopped while it loaded {backend}", f"again: vox daemon warm {backend}"
    )


def _is_older(version: str, than: str) -> bool:
    def parts(text: str) -> list[int]:
        return [int(part) for part in text.split(".") if part.isdigit()]

    return parts(version) < parts(than)


def is_too_new(error: VoxError) -> bool:
    """Whether that is a daemon's answer to what it does not know yet."""
    return any(words in error.message for words in _TOO_NEW)


def error_in(data: Any) -> VoxError:
    """The error in a problem document (RFC 9457) of the API."""
    if isinstance(data, dict) and "code" in data:
        return from_dict({**data, "message": data.get("detail") or data.get("title")})
    return DaemonUnavailable(f"the daemon answered: {str(data)[:200]}")
