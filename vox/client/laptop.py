"""Jobs of the laptop from which we are logged in: its daemon, behind a socket that ssh forwards.

`vox remote` writes the forward, on the laptop, and leaves a folder on the server, here, that says
so. What may be asked over it is little: see `api.remote_hosts`. Never is anything spoken by this
machine instead, which may stand in a rack. Imported only where that folder or VOX_SOCKET is.
"""

from __future__ import annotations

import contextlib
import glob
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..config import load
from ..errors import BadInput, DaemonUnavailable, VoxError, WaitTimeout
from ..jobs import Request
from ..paths import Paths
from ..quick.place import laptops_dir, may_be_elsewhere
from . import http
from .jobs import ANSWER_TIMEOUT_S, Growth, Job, NoDaemon, OnEvent, ignore
from .remote import Remote, error_in, is_too_new

LOOK_S = 2.0
"""How long it may take in all to find a laptop that answers."""
SILENT_S = 20.0
"""A laptop that follows a job says something every 2 s; one that says nothing so long is asleep."""
MOST_RETURNS = 10
"""How often a job is followed again after the connection to it was lost."""
HERE = "or speak here: vox --here TEXT"


def find(paths: Paths, environ: Mapping[str, str] = os.environ) -> Laptop | None:
    """The laptop on which speech is heard; None: it is heard here.

    Raises BadConfig, and DaemonUnavailable if no laptop answers.
    """
    if not may_be_elsewhere(environ):
        return None
    named = environ.get("VOX_SOCKET")
    if not named:
        where = load(paths.config_path, environ)["remote"]
        is_over_ssh = bool(environ.get("SSH_CONNECTION"))
        if where == "never" or not (where == "always" or is_over_ssh):
            return None
    places = [named] if named else _sockets(environ)
    failure: DaemonUnavailable | None = None
    for place in places:
        found = trouble_with(place, LOOK_S / len(places))
        if found is None:
            return Laptop(paths, place)
        failure = found if failure is None or isinstance(failure, _Away) else failure
    raise failure or _Away()


class _Away(DaemonUnavailable):
    """No connection from a laptop."""

    def __init__(self) -> None:
        super().__init__("the laptop is away (no connection from it)", f"log in again, {HERE}")


def trouble_with(place: str, limit_s: float) -> DaemonUnavailable | None:
    """Why the daemon behind a forwarded socket does not answer; None: it does.

    A socket whose connection has ended is removed: it would keep the next one from being made.
    """
    try:
        with http.request(place, "GET", "/ping", timeout_s=limit_s) as answer:
            if answer.status < 400:
                return None
            return DaemonUnavailable(f"{place} does not lead to vox")
    except http.Refused as exc:
        if isinstance(exc.__cause__, ConnectionRefusedError):
            _remove(place)
        return _Away()
    except TimeoutError:
        return DaemonUnavailable("the laptop does not answer (asleep?)", f"wake it, {HERE}")
    except http.Dropped:
        return DaemonUnavailable(
            "the laptop is connected, but vox does not run there",
            f"on the laptop: vox service install; {HERE}",
        )


def _sockets(environ: Mapping[str, str]) -> list[str]:
    """Where laptops may be connected, the newest first: that is the one we came with."""
    folders = [environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"]
    patterns = [os.path.join(glob.escape(each), "vox-remote-*.sock") for each in folders if each]
    patterns.append(os.path.join(glob.escape(laptops_dir(environ)), "*.sock"))
    found: dict[str, float] = {}
    for place in (place for pattern in patterns for place in glob.glob(pattern)):
        with contextlib.suppress(OSError):
            info = os.lstat(place)
            if stat.S_ISSOCK(info.st_mode) and info.st_uid == os.getuid():
                found[os.path.realpath(place)] = info.st_mtime
    return sorted(found, key=lambda place: -found[place])


def _remove(place: str) -> None:
    with contextlib.suppress(OSError):
        if os.lstat(place).st_uid == os.getuid():
            os.unlink(place)


class Laptop(Remote):
    """`Jobs`, as far as a laptop lets a server ask."""

    def __init__(self, paths: Paths, place: str) -> None:
        """`place`: the socket's path."""
        super().__init__(paths)
        self.place = place
        self._written: set[str] = set()
        """Jobs whose text is written here."""

    def close(self) -> None:
        """There is nothing to release."""

    def release(self, job_id: str) -> None:
        """A laptop lets a job go on whose caller stops waiting."""

    def _request(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> http.Answer:
        return http.request(self.place, method, target, body, timeout_s or SILENT_S)

    def _result(self, ask: Callable[[], http.Answer]) -> Any:
        """As `Remote._result`, but raises DaemonUnavailable where that raises NoDaemon."""
        try:
            with ask() as answer:
                data = answer.json()
        except (http.Refused, http.Dropped, TimeoutError) as exc:
            raise self._lost() from exc
        if answer.status < 400:
            return data
        raise self._to_raise(error_in(data))

    def _items(self, method: str, target: str, body: dict[str, Any] | None = None) -> Iterator[Job]:
        yield from self.call(method, target, body)

    def _lost(self) -> DaemonUnavailable:
        """Why there is no answer."""
        lost = DaemonUnavailable("the connection to the laptop was lost", f"try again, {HERE}")
        return trouble_with(self.place, LOOK_S) or lost

    def _to_raise(self, error: VoxError) -> Exception:
        if is_too_new(error):
            return DaemonUnavailable(
                "vox on the laptop is older than here, and does not know this", "update it there"
            )
        error.message = f"on the laptop: {error.message}"
        return error

    def _retire_older(self) -> None:
        """The laptop's daemon is not ours to end."""

    def submit(
        self,
        request: Request,
        is_followed: bool = True,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Job:
        """As `Jobs.submit`. Raises BadInput also for what a laptop does not do for a server."""
        if request.is_open and not is_followed:
            raise BadInput("the laptop speaks a stream only while you wait", "leave --async out")
        return super().submit(request, is_followed, timeout_s)

    def write(self, job_id: str, at: int, text: str) -> Growth:
        self._written.add(job_id)
        return super().write(job_id, at, text)

    def follow(
        self,
        job_id: str,
        on_event: OnEvent = ignore,
        timeout_s: float | None = None,
        bind: bool = False,
    ) -> Job:
        """As `Jobs.follow`; raises DaemonUnavailable if the laptop goes away."""
        for _ in range(MOST_RETURNS):
            try:
                return super().follow(job_id, on_event, timeout_s, bind)
            except NoDaemon:
                # Its daemon died, and may be up again: then the job goes on.
                if (trouble := trouble_with(self.place, LOOK_S)) is not None:
                    raise trouble from None
            except WaitTimeout:
                if timeout_s is None:
                    raise self._lost() from None
                if job_id in self._written:
                    self.end(job_id)
                raise
        raise self._lost()

    def queue(self) -> list[Job]:
        raise BadInput("the queue is on the laptop", "name the jobs, or look there: vox queue")
