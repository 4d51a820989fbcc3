"""What would be said of a text, without saying it: for `vox say-as test`.

Needs no daemon and makes no job.
"""

from __future__ import annotations

from ..config import LiveConfig
from ..engine.submit import Submitter
from ..jobs import Request
from ..paths import Paths
from ..queue.tasks import TableTasks
from ..text.say_as_files import LiveSayAs
from ..text.speakable import pieces
from ..voices.catalog import Catalog
from .jobs import Job
from .local import open_store


def said(paths: Paths, request: Request) -> tuple[Job, list[str]]:
    """The job that the request would make, and the utterances that its backend would get.

    Raises as `Jobs.submit`.
    """
    config = LiveConfig(paths.config_path)
    with open_store(paths) as store:
        submitter = Submitter(
            store,
            TableTasks(store, lambda _job_id: None),
            Catalog(paths, config),
            config,
            say_as=LiveSayAs(paths, config),
        )
        job = submitter.check(request)
        texts = [piece.text for piece in pieces(job.text, submitter.reading(job))]
        return job.to_dict(), texts
