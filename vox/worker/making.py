"""Synthesizes requests. Each is an utterance; its sound goes to the client as it comes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from dataclasses import replace

from .. import __version__
from ..backends.base import Clone, Utterance
from ..errors import HostCrashed, HostTimeout, JobFailed, NotAvailable, VoxError
from ..fleet.checks import MAX_LINE
from ..fleet.clones import KeptClones
from ..fleet.failures import OF_THE_UTTERANCE
from ..fleet.requests import MAX_NOTES, NotOurs, Request, utterance_of
from ..hosts import sound_checks
from ..hosts.pool import Pool
from ..voices.catalog import Catalog
from .leases import Lease, Leases, Revoked
from .slots import Slots
from .sound import Sound

log = logging.getLogger(__name__)


class Tally:
    """What a worker has done so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.audio_s = 0.0
        self.synthesis_s = 0.0
        self._lock = threading.Lock()

    def add(self, audio_s: float, synthesis_s: float) -> None:
        with self._lock:
            self.requests += 1
            self.audio_s += audio_s
            self.synthesis_s += synthesis_s


class Maker:
    """Called by the threads of the queue's consumer."""

    def __init__(
        self, worker_id: str, leases: Leases, slots: Slots, catalog: Catalog, clones: KeptClones
    ) -> None:
        self.tally = Tally()
        self._worker_id = worker_id
        self._leases = leases
        self._slots = slots
        self._catalog = catalog
        self._clones = clones

    def make(self, request: Request) -> None:
        """Synthesize the request. Raises nothing: failures are answers too."""
        with self._leases.holding(request) as lease:
            try:
                self._make(lease)
            except Revoked:
                log.debug("request %s: no longer wanted", request.id)
            except VoxError as exc:
                if not lease.is_revoked:  # else its host was stopped
                    self._fail(lease, exc)
            except Exception as exc:
                at = traceback.extract_tb(exc.__traceback__)[-1]
                log.error("request %s failed in %s, line %s", request.id, at.filename, at.lineno)
                self._fail(lease, JobFailed(f"the worker failed: {type(exc).__name__}"))

    def refuse(self, request_id: str, why: str) -> None:
        """Answer what is no request. Raises nothing."""
        with self._leases.holding(Request(request_id, "", "", "", "")) as lease:
            self._fail(lease, _not_understood(why))

    def _fail(self, lease: Lease, error: VoxError) -> None:
        what = error.message
        if isinstance(error, OF_THE_UTTERANCE):
            # A backend's message may quote the text, and the log belongs to somebody else.
            is_of_host = isinstance(error, HostCrashed | HostTimeout)
            what = what.partition(":")[0] if is_of_host else error.code
        log.warning("request %s: %s", lease.request.id, what)
        with contextlib.suppress(Revoked):
            lease.send({"event": "error", "worker": self._worker_id, "error": error.to_dict()})

    def _make(self, lease: Lease) -> None:
        request = lease.request
        self._check_served(request)
        try:
            utterance = utterance_of(request)
        except NotOurs as exc:
            raise _not_understood(str(exc)) from exc
        if request.clone is not None:
            path = self._clones.path(request.clone.digest)
            if path is None:
                lease.send({"event": "need-clone"})
                return
            ref = request.clone
            utterance = replace(
                utterance, clone=Clone(ref.digest[:12], path, ref.transcript, ref.lang)
            )
        with self._slots.taking(request.backend, request.model) as pool:
            self._say(lease, utterance, pool)

    def _check_served(self, request: Request) -> None:
        """Raises NotAvailable unless the request is for a model that this worker serves."""
        if self._slots.lanes.get(request.lane) != (request.backend, request.model):
            raise NotAvailable(f"the worker does not serve {request.lane}")

    def _say(self, lease: Lease, utterance: Utterance, pool: Pool) -> None:
        request = lease.request
        name = self._catalog.host_of(request.backend)
        settings = self._slots.settings(request.backend, request.model)

        def show_loading(text: str, fraction: float | None) -> None:
            # One that nobody waits for any more is loaded all the same: the next will need it.
            with contextlib.suppress(Revoked):
                lease.send({"event": "loading", "text": text[:MAX_LINE], "fraction": fraction})

        wish = replace(utterance, text="")
        host = pool.acquire(name, settings, show_loading, wish)
        began, sound = time.monotonic(), Sound(lease)
        try:
            if request.text is not None:
                chunks = sound_checks.synthesize(host, utterance, lease.check)
                with lease.stopping(host.cancel), contextlib.closing(chunks):
                    for samples, sample_rate in chunks:
                        sound.add(samples, sample_rate)
                    sound.flush()
            notes, cut_off = host.take_notes(), request.text is not None and host.cut_off
        finally:
            pool.release(host)
        lease.check()
        self.tally.add(sound.audio_s, time.monotonic() - began)
        notes = [note[:MAX_LINE] for note in notes[:MAX_NOTES]]
        end = {"event": "end", "worker": self._worker_id, "cut_off": cut_off, "notes": notes}
        lease.send(end)


def _not_understood(why: str) -> JobFailed:
    """A newer vox may have sent it, though it speaks our protocol."""
    return JobFailed(
        f"vox {__version__} does not understand the request: {why}", "update vox on both machines"
    )
