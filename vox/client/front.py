"""Jobs of the daemon if one is up, else of the job table. Starts a daemon if a job needs one.

The one place that falls back from `remote` to `local`. On the way to the first sound: `local`, and
all that it needs, is imported only where no daemon is up.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    DaemonDied,
    DaemonStopped,
    DaemonUnavailable,
    StorageDamaged,
    WaitTimeout,
)
from ..jobs import AS_IT_WAS, EVERY_JOB, Changes, Request, Wanted, new_id
from ..paths import Paths
from ..quick.begun import Begun
from .jobs import ANSWER_TIMEOUT_S, Growth, Job, Jobs, NoDaemon, OnEvent, ignore
from .remote import Remote, goes_on

if TYPE_CHECKING:
    from .local import Local
    from .sound import SoundAhead

T = TypeVar("T")

PASSING = ("--idle-timeout=0",)
"""The arguments of a daemon that leaves as soon as the queue is empty."""
MAX_DEATHS = 10
"""How often a daemon is started again for one job: more often than one that kills it is tried."""
STARTING_S = 2.0
"""How long a daemon may take to listen, from when the call that started it has ended."""
POLL_S = 0.02


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Import numpy without the threads of its linear algebra, which we do not use.

    They take half of the time of its import. Programs that we start do not inherit this.
    """
    name = "OPENBLAS_NUM_THREADS"
    if name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


class Front:
    """`Jobs` wherever they are. `follow` starts a daemon if the job needs one; so does `submit`
    or `replay` of a job that is not followed.

    A job of a light backend needs none: it is spoken in this process while it is followed.
    """

    def __init__(
        self,
        paths: Paths,
        on_note: Callable[[str], None] = lambda _note: None,
        before_speaking_here: Callable[[], None] = lambda: None,
        speaks_here: bool = True,
        begun: dict[tuple[str, str], Begun] | None = None,
    ) -> None:
        """`on_note`: called with a sentence that the user should read.

        `before_speaking_here`: called before sound libraries are loaded into this process.
        `speaks_here`: a light job may be spoken in this process; if not, a daemon speaks it.
        `begun`: requests that the daemon was sent already, by method and target.
        """
        self.paths = paths
        self._remote = Remote(paths, begun)
        self._kept_local: Local | None = None
        self._on_note = on_note
        self._before_speaking_here = before_speaking_here
        self._speaks_here = speaks_here
        self._is_prepared = False
        self._spoken_here: set[str] = set()
        self._bound: set[str] = set()
        """Jobs that were made here to be followed: they do not outlive this process."""
        self._written: set[str] = set()
        """Those of them whose text is written here."""

    @property
    def _local(self) -> Local:
        if self._kept_local is None:
            from .local import Local

            self._kept_local = Local(self.paths, self._on_note)
        return self._kept_local

    def close(self) -> None:
        """Release what a job needs that was submitted and will not be followed."""
        if self._kept_local is not None:
            self._kept_local.close()

    def _ask(self, question: Callable[[Jobs], T]) -> T:
        try:
            return question(self._remote)
        except NoDaemon:
            return question(self._local)

    # -- jobs: see `Jobs` --------------------------------------------------------------------

    def submit(
        self, request: Request, is_followed: bool = True, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Job:
        # Chosen here, so that a request whose answer was lost can be made again.
        request.id = request.id or new_id()
        return self._noted(self._submit(request, is_followed, timeout_s), is_followed)

    def _submit(self, request: Request, is_followed: bool, timeout_s: float) -> Job:
        try:
            return self._remote.submit(request, is_followed, timeout_s)
        except NoDaemon:
            pass
        sound = self._open_sound_ahead(request) if is_followed else None
        try:
            self._local.sound = sound
            with _one_blas_thread():
                job = self._local.submit(request, is_followed)
            return self._see_to(job, is_followed)
        except BaseException:
            if sound is not None:
                sound.close()
            raise

    def _open_sound_ahead(self, request: Request) -> SoundAhead | None:
        """Open the device while the job is made, if it seems that it is heard in this process."""
        is_heard = not (request.output or request.is_open)
        if request.backend is None or not is_heard or not self._speaks_here:
            return None
        from ..backends import registry

        if not self._local.is_light(request.backend, request.model):
            return None
        from .sound import SoundAhead

        self._prepare_to_speak()
        return SoundAhead(self.paths, registry.get(request.backend).info.sample_rate)

    def write(self, job_id: str, at: int, text: str) -> Growth:
        self._written.add(job_id)
        return self._ask(lambda jobs: jobs.write(job_id, at, text))

    def end(self, job_id: str) -> None:
        self._ask(lambda jobs: jobs.end(job_id))

    def release(self, job_id: str) -> None:
        """See `Local.release`. By the table, whatever becomes of the daemon now."""
        self._local.release(job_id)

    def replay(self, job_id: str, is_followed: bool = True, changes: Changes = AS_IT_WAS) -> Job:
        try:
            job = self._remote.replay(job_id, is_followed, changes)
        except NoDaemon:
            job = self._see_to(self._local.replay(job_id, is_followed, changes), is_followed)
        return self._noted(job, is_followed)

    def _noted(self, job: Job, is_followed: bool) -> Job:
        if is_followed:
            self._bound.add(job["id"])
        return job

    def _see_to(self, job: Job, is_followed: bool) -> Job:
        """Make sure that this process or a daemon speaks the job, which is in the table."""
        if job["exit_code"] is not None:
            return job  # its source is muted
        is_light = self._local.is_light(job["backend"], job["model"])
        # Not of an open text: others are to be heard while it is silent.
        if is_light and is_followed and not job["open"] and self._speaks_here:
            self._prepare_to_speak()
            self._spoken_here.add(job["id"])
        elif is_light:
            self._start_passing_daemon()
        elif not is_followed:
            self._start_daemon(wait=False)
        return job

    def _prepare_to_speak(self) -> None:
        if not self._is_prepared:
            self._is_prepared = True
            self._before_speaking_here()

    def follow(
        self,
        job_id: str,
        on_event: OnEvent = ignore,
        timeout_s: float | None = None,
        bind: bool = False,
    ) -> Job:
        """As `Jobs.follow`; calls `on_event` with `starting` before it starts a daemon.

        A job that was made here is released if it goes on.
        """
        try:
            return self._follow(job_id, on_event, timeout_s, bind)
        except (WaitTimeout, DaemonStopped):
            if job_id in self._bound:
                self.release(job_id)
                if job_id in self._written:
                    self.end(job_id)
            raise

    def _follow(self, job_id: str, on_event: OnEvent, timeout_s: float | None, bind: bool) -> Job:
        if job_id in self._spoken_here:
            self._spoken_here.remove(job_id)
            return self._follow_here(job_id, on_event, timeout_s)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        deaths = 0
        while True:
            try:
                left = None if deadline is None else deadline - time.monotonic()
                return self._remote.follow(job_id, on_event, left, bind)
            except NoDaemon as exc:
                args: tuple[str, ...] = ()
                # A damaged database is put right by the next daemon.
                with contextlib.suppress(StorageDamaged):
                    job = self._local.get(job_id)
                    if job["exit_code"] is not None:
                        return job  # No reason to start a daemon.
                    if self._local.is_light(job["backend"], job["model"]):
                        args = PASSING
                deaths += 1
                if deaths > MAX_DEATHS:
                    raise DaemonUnavailable("the daemon keeps crashing") from exc
                on_event("starting", {"id": job_id})
                try:
                    self._start_daemon(wait=True, deadline=deadline, extra_args=args)
                except TimeoutError:
                    raise goes_on(job_id) from None
                except DaemonDied:
                    pass  # one more death; another caller's daemon may be up by now

    def _follow_here(self, job_id: str, on_event: OnEvent, timeout_s: float | None) -> Job:
        try:
            return self._local.follow(job_id, on_event, timeout_s)
        finally:
            if self._local.queue():
                self._start_passing_daemon()

    def get(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        return self._ask(lambda jobs: jobs.get(job_id, timeout_s))

    def queue(self) -> list[Job]:
        return self._ask(lambda jobs: jobs.queue())

    def history(self, limit: int | None = None, wanted: Wanted = EVERY_JOB) -> Iterator[Job]:
        try:
            yield from self._remote.history(limit, wanted)
        except NoDaemon:  # raised before the first job or not at all
            yield from self._local.history(limit, wanted)

    def stats(self) -> dict[str, Any]:
        return self._ask(lambda jobs: jobs.stats())

    def cancel(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        return self._ask(lambda jobs: jobs.cancel(job_id, timeout_s))

    def cancel_all(self, source: str | None = None) -> list[Job]:
        return self._ask(lambda jobs: jobs.cancel_all(source))

    def clear(self, older_than_s: float | None = None) -> int:
        return self._ask(lambda jobs: jobs.clear(older_than_s))

    def is_paused(self) -> bool:
        return self._ask(lambda jobs: jobs.is_paused())

    def obstacles(self) -> list[str]:
        return self._ask(lambda jobs: jobs.obstacles())

    def skip(self) -> Job | None:
        return self._ask_speaker(lambda jobs: jobs.skip())

    def move(self, steps: int) -> Job:
        return self._ask_speaker(lambda jobs: jobs.move(steps))

    def pause(self, source: str | None = None) -> None:
        self._tell_every_speaker(lambda jobs: jobs.pause(source))

    def resume(self, source: str | None = None) -> None:
        is_told = self._tell_every_speaker(lambda jobs: jobs.resume(source))
        if not is_told and self._local.queue() and not self._a_call_speaks:
            self._start_daemon(wait=False)

    def mute(self, source: str, is_muted: bool) -> None:
        self._tell_every_speaker(lambda jobs: jobs.mute(source, is_muted))

    @property
    def _a_call_speaks(self) -> bool:
        """Whether a call drains the queue; if a daemon is up, that does."""
        from ..files import is_locked

        return is_locked(self.paths.consumer_lock_path)

    def _tell_every_speaker(self, change: Callable[[Jobs], None]) -> bool:
        """Tell the daemon or, through the table, whoever speaks next. True if a daemon is up."""
        try:
            change(self._remote)
            return True
        except NoDaemon:
            change(self._local)
        try:
            change(self._remote)  # It may have read the table just before, and come up since.
            return True
        except NoDaemon:
            return False

    def _ask_speaker(self, question: Callable[[Jobs], T]) -> T:
        """Ask the daemon, and wait for one that is just starting: it alone has a loudspeaker."""
        from ..files import is_locked

        deadline = time.monotonic() + STARTING_S
        is_expected = False
        while True:
            try:
                return question(self._remote)
            except NoDaemon:
                is_there = is_locked(self.paths.lock_path)
            if not is_there and self._a_call_speaks:
                break
            # Jobs in the queue: whoever made them may have started a daemon a moment ago.
            is_expected = is_expected or is_there or bool(self._local.queue())
            if not is_expected or time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        if is_there:
            raise DaemonUnavailable("the daemon is starting or exiting", "try again in a moment")
        return question(self._local)

    # -- the daemon --------------------------------------------------------------------------

    def _start_daemon(
        self, wait: bool, deadline: float | None = None, extra_args: tuple[str, ...] = ()
    ) -> None:
        """Raises as `spawn_daemon`."""
        from .spawn import spawn_daemon

        spawn_daemon(self.paths, wait=wait, deadline=deadline, extra_args=extra_args)

    def _start_passing_daemon(self) -> None:
        """It speaks what is queued and leaves: a light backend is no reason to stay."""
        self._start_daemon(wait=False, extra_args=PASSING)
