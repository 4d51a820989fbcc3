"""The languages of texts that are still being written: their first letters tell them.

Until these come the job is that of a text without letters. Then it may be that somebody else is to
speak it.
"""

from __future__ import annotations

from ..errors import VoxError
from ..jobs import SPEECH_OPTIONS, Job, Request
from ..queue.store import Store
from .submit import Submitter


class StreamLanguages:
    """Decides once for each stream."""

    def __init__(self, store: Store, submitter: Submitter) -> None:
        self._store = store
        self._submitter = submitter

    def is_changed(self, job: Job, text: str) -> bool:
        """Whether the text tells that the job, as it was taken, is to be spoken otherwise.

        Then the table has how. `text`: what has come of it. Raises StorageError.
        """
        if job.undecided is None or not any(map(str.isalpha, text)):
            return False
        wanted = self._wanted(job, text)
        speaker = {name: getattr(wanted, name) for name in ("backend", "voice", "lang")}
        is_other = any(getattr(job, name) != value for name, value in speaker.items())
        self._store.note(job.id, undecided=None, **(speaker if is_other else {}))
        job.undecided = None
        return is_other

    def _wanted(self, job: Job, text: str) -> Job:
        """The job that the same request makes of this text."""
        options = {name: getattr(job, name) for name in SPEECH_OPTIONS}
        options |= {"backend": job.undecided or None, "voice": None, "lang": None}
        request = Request(text=text, is_open=True, source=job.source, via=job.via, **options)
        try:
            return self._submitter.check(request)
        except VoxError:
            return job  # It was accepted, with who speaks it now.
