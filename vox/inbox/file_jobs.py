"""The jobs of claimed files: submitted, and moved to `done/` or `failed/` when they have ended.

A claimed file lies in `.work/` under the id of its job. After a crash at any instant that id tells
what has happened: if there is no such job, the file is still to be submitted; if there is one, it
is never submitted again. If a job that is not of the inbox has the id, the file goes back and gets
another. Which files are claimed, and when, is not decided here.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..config import Config
from ..engine.submit import Submitter
from ..errors import BadInput, BadOption, IdTaken, JobFailed, NotAvailable, VoxError
from ..files import cannot_write
from ..jobs import Request, State, new_id
from ..printable import one_line
from ..queue.store import Store
from .claims import Claim, claim_again, find_claims, forget_record, tidy_work
from .file_requests import AsRead, Changed, FileRequests, NothingLeft
from .folders import Folders, make_inside, may_have_note, move_in, note_name, shown, write_durably
from .settling import Signature
from .status import count_done, failed_files

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Submission:
    claim: Claim
    request: Request
    read: AsRead


class FileJobs:
    """For one inbox folder, and for one thread."""

    def __init__(
        self,
        folders: Folders,
        config: Callable[[], Config],
        submitter: Submitter,
        store: Store,
    ) -> None:
        self.folders = folders
        self.error: VoxError | None = None
        """Why the last `submit` failed for files that are not at fault; None if it did not."""
        self.submitted: dict[str, Claim] = {}
        """The claims whose jobs have not ended, by id; their files are still in `.work/`."""
        self.further: list[Claim] = []
        """Claims for what was written into files after their jobs had read them."""
        self.done = 0
        self.failed = 0
        self._config = config
        self._submitter = submitter
        self._store = store
        self._requests = FileRequests(folders, config, submitter)
        self._read: dict[str, AsRead] = {}
        """By id, what this process submitted."""

    def make_folders(self) -> None:
        """Make those of the folders that are missing. Raises StorageError."""
        self.folders.make(is_default=self._config()["inbox.path"] is None)

    def recover(self) -> list[Claim]:
        """Go on with what a dead daemon left in `.work/`. Returns claims that are not jobs.

        Raises OSError, StorageError.
        """
        found = find_claims(self.folders)
        tidy_work(self.folders, {claim.id for claim in found})
        jobs = {claim.id: self._store.find(claim.id) for claim in found}
        self._store.forget_cleared(keep=set(jobs))
        new = []
        for claim in found:
            job = jobs[claim.id]
            if job is None and self._store.cleared(claim.id) is None:
                new.append(claim)
                continue
            if job is not None and job.via != "inbox":
                self.put_back(claim)
                continue
            self.submitted[claim.id] = claim
            if job is not None and job.output:
                self._requests.keep_output(claim, job.output)
        self.finish_ended()
        return new

    # -- submitting -----------------------------------------------------------------------------

    def room(self) -> int:
        """How many more jobs the queue accepts."""
        return max(0, int(self._config()["max_queue"]) - self._store.count_live())

    def new_id(self) -> str:
        """An id that no job has: a claimed file with a job's id would count as that job's."""
        job_id = new_id()
        while self._store.find(job_id) is not None:
            job_id = new_id()
        return job_id

    def submit(
        self, batch: Sequence[tuple[Claim, Signature]]
    ) -> tuple[list[tuple[Claim, os.stat_result]], list[Claim]]:
        """Make jobs of claimed files, in order. Only a file that is at fault goes to `failed/`.

        Returns those that changed after they had settled, and those that are not at fault and
        cannot be submitted now (see `error`).
        """
        self.error = None
        changed: list[tuple[Claim, os.stat_result]] = []
        ready: list[_Submission] = []
        later: list[Claim] = []
        for claim, settled_as in batch:
            try:
                request, read = self._requests.read(claim, settled_as)
                # It replaces only what is a job already, so those before it are submitted first.
                if request.replace:
                    later += self._send(ready)
                    ready = []
                ready.append(_Submission(claim, request, read))
            except Changed as exc:
                changed.append((claim, exc.info))
            except NothingLeft:
                later += self._put_into_done(claim)
            except FileNotFoundError:
                forget_record(self.folders, claim.id)  # Someone moved it out of `.work/`.
            except (BadInput, NotAvailable) as exc:
                later += self._fail(claim, exc)
            except VoxError as exc:
                self.error = exc
                later.append(claim)
            except Exception as exc:
                log.exception("inbox: %s", shown(claim.name))
                error = JobFailed(f"{type(exc).__name__}: {exc}", "see: vox daemon logs")
                later += self._fail(claim, error)
        return changed, later + self._send(ready)

    def _send(self, ready: Sequence[_Submission]) -> list[Claim]:
        """Submit all. Returns the claims to be tried again."""
        if not ready:
            return []
        try:
            self._submitter.submit_many([each.request for each in ready])
        except (BadInput, NotAvailable) as exc:
            # Something changed after each was checked.
            if len(ready) > 1:
                return [claim for each in ready for claim in self._send([each])]
            if isinstance(exc, IdTaken):
                return self._take_new_id(ready[0].claim)
            return self._fail(ready[0].claim, exc)
        except VoxError as exc:
            self.error = exc
            sent = [each for each in ready if self._is_job(each.claim)]
        else:
            sent = list(ready)
        self.submitted.update((each.claim.id, each.claim) for each in sent)
        self._read.update((each.claim.id, each.read) for each in sent)
        return [each.claim for each in ready if each.claim.id not in self.submitted]

    def _take_new_id(self, claim: Claim) -> list[Claim]:
        """Put a file back whose id became another job's; returns it if that fails."""
        try:
            self.put_back(claim)
        except OSError as exc:
            self.error = cannot_write(self.folders.root, exc)
            return [claim]
        return []

    def _is_job(self, claim: Claim) -> bool:
        """True if it became a job although submitting failed halfway."""
        with contextlib.suppress(VoxError):
            job = self._store.find(claim.id)
            return job is not None and job.via == "inbox"
        return False

    # -- finishing ------------------------------------------------------------------------------

    def finish_ended(self) -> None:
        """Move the files whose jobs have ended out of `.work/`. Raises StorageError."""
        live = self._store.live_ids() if self.submitted else set()
        for job_id in [job_id for job_id in self.submitted if job_id not in live]:
            job = self._store.find(job_id)
            if job is None:
                self.finish(job_id, *(self._store.cleared(job_id) or ("done", None)))
            elif not job.is_live:
                self.finish(job_id, job.state, job.error)

    def finish(self, job_id: str, state: State, error: str | None) -> None:
        """A job has ended: if it is one of ours, move its file out of `.work/`."""
        claim = self.submitted.get(job_id)
        if claim is None:
            return
        try:
            if state == "done":
                if self._go_on(claim):
                    return
                _move(claim, self.folders.done)
                self.done += 1
            else:
                reason = error or state
                if state == "cancelled":
                    reason = "it was " + reason
                more = f"More: vox history show {job_id}"
                _move_to_failed(self.folders, claim, _note(claim, reason, more))
                self.failed += 1
        except FileNotFoundError:
            log.warning("inbox: %s was taken out of .work", shown(claim.name))
        except OSError as exc:
            log.error("inbox: cannot move %s: %s", shown(claim.name), exc)
            return  # The next scan tries again.
        self._forget(claim)

    def _go_on(self, claim: Claim) -> bool:
        """If more was written into the file since it was read, give it to a further job.

        Raises OSError.
        """
        spoken = self._requests.spoken_before_more(
            claim, self._read.get(claim.id), lambda: self._store.find(claim.id)
        )
        if spoken is None:
            return False
        log.info("inbox: %s has more than was spoken", shown(claim.name))
        self.further.append(claim_again(self.folders, self.new_id(), claim, spoken))
        self._forget(claim)
        return True

    def _put_into_done(self, claim: Claim) -> list[Claim]:
        """Move a file to `done/` for which there is no job. Returns it if that fails."""
        try:
            _move(claim, self.folders.done)
        except OSError as exc:
            self.error = cannot_write(self.folders.done, exc)
            return [claim]
        self.done += 1
        self._forget(claim)
        return []

    def _fail(self, claim: Claim, error: VoxError) -> list[Claim]:
        """Move a file that is at fault to `failed/`, with the reason. Returns it if that fails."""
        log.info("inbox: %s failed: %s", shown(claim.name), error.line)
        try:
            hint = error.hint or ("correct the header" if isinstance(error, BadOption) else "")
            more = f"What to do: {hint}" if hint else ""
            _move_to_failed(self.folders, claim, _note(claim, error.message, more))
        except OSError as exc:
            self.error = cannot_write(self.folders.failed, exc)
            return [claim]
        self.failed += 1
        self._forget(claim)
        return []

    def put_back(self, claim: Claim) -> None:
        """Move a claimed file back into the inbox. Raises OSError."""
        move_in(claim.path, os.path.join(self.folders.root, claim.subfolder), claim.name)
        self._forget(claim)

    def recount(self) -> None:
        """Count `done/` and `failed/` again, because users move files. Raises StorageError."""
        self.done = count_done(self.folders, self._config()["inbox.patterns"])
        self.failed = len(failed_files(self.folders))

    def _forget(self, claim: Claim) -> None:
        self.submitted.pop(claim.id, None)
        self._read.pop(claim.id, None)
        self._requests.forget_output(claim)
        forget_record(self.folders, claim.id)


def _move(claim: Claim, folder: str) -> None:
    folder = make_inside(folder, claim.subfolder)
    move_in(claim.path, folder, claim.name)


def _move_to_failed(folders: Folders, claim: Claim, note: bytes) -> None:
    """The note is written first: after a crash in between, the file is still in `.work/`."""
    folder = make_inside(folders.failed, claim.subfolder)
    os.lstat(claim.path)

    def write_note(name: str) -> bool:
        if not may_have_note(folder, name):
            return False
        write_durably(folders, os.path.join(folder, note_name(name)), note)
        return True

    move_in(claim.path, folder, claim.name, write_note)


def _note(claim: Claim, reason: str, more: str) -> bytes:
    lines = [f"{shown(claim.name)} was not spoken.", "", f"Why: {one_line(reason)}"]
    if more:
        lines.append(one_line(more))
    lines += ["", "To try again, move the file back into the inbox, or run: vox inbox retry", ""]
    return "\n".join(lines).encode("utf-8", "replace")
