"""How a job's text is read: with the job's options, the settings, and what its backend can do."""

from __future__ import annotations

from typing import cast

from ..config import Config
from ..jobs import Job
from ..text.say_as import SayAs
from ..text.speakable import Format, Reading
from ..voices.catalog import Catalog
from ..voices.choice import DEFAULT_LANG


def reading_of(job: Job, catalog: Catalog, config: Config, say_as: SayAs) -> Reading:
    """The reading of a job whose backend and voice are chosen. Raises UnknownBackend."""
    info = catalog.info(job.backend)
    return Reading(
        lang=_language(job, catalog),
        backend=job.backend,
        format=cast(Format, job.format or config["format"]),
        speak_code=config["speak_code"],
        emoji=config["emoji"],
        reads=frozenset(info.reads),
        say_as=say_as,
        max_chars=info.max_chars,
    )


def _language(job: Job, catalog: Catalog) -> str:
    """The language that is spoken: the job's, its voice's, or the backend's only one."""
    languages = catalog.info(job.backend).languages
    if job.lang:
        return job.lang
    if len(languages) == 1:
        return languages[0]
    if job.voice:
        clone = catalog.clone(job.voice)
        own = [clone.lang] if clone else []
        own += [v.lang for v in catalog.voices(job.backend, clones=False) if v.name == job.voice]
        if found := next(filter(None, own), None):
            return found
    return DEFAULT_LANG
