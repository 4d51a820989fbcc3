"""Turns a request into a durable job: checks it, adds the defaults, stores the job, sends its task.

The API, the inbox and a client without a daemon all submit here. So bad input gets the same
message everywhere, and nothing is accepted that cannot be spoken.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Literal

from ..audio import files
from ..config import Config
from ..errors import (
    BadInput,
    BadOption,
    EmptyText,
    IdTaken,
    JobNotLive,
    NotAvailable,
    QueueFull,
    StorageError,
)
from ..jobs import (
    ADAPTER_OPTIONS,
    AS_IT_WAS,
    ID_ALPHABET,
    ID_LENGTH,
    INTERRUPT,
    LAST,
    OPTIONS,
    PAUSED,
    PRIORITIES,
    SPEECH_OPTIONS,
    Changes,
    Job,
    Request,
)
from ..queue.store import Store
from ..queue.tasks import Sender, task_priority
from ..source_notes import muted_note, paused_note
from ..text.clean import check
from ..text.say_as import SayAs
from ..text.scripts import language_of, written_in
from ..text.speakable import Reading, pieces
from ..voices.catalog import Catalog
from ..voices.choice import ignored, resolve, unspoken_scripts
from ..voices.wish import Resolved, Wish
from . import marks
from .muting import is_muted
from .reading import reading_of

_WISHED = tuple(f.name for f in fields(Wish) if f.name in OPTIONS)
"""The options that decide who speaks."""

_OF_SOURCE = ("backend", "voice", "lang")
"""Those of them that the settings may have for one source."""


def _check_interrupt(request: Request, interrupts: bool) -> None:
    """Raises BadOption for what contradicts it."""
    if interrupts and request.priority:
        raise BadOption("interrupt and priority exclude each other", "choose one", "interrupt")
    if interrupts and (request.output or request.sink not in (None, "play")):
        raise BadOption("interrupt is for what is heard, not for a file", field="interrupt")


def _was_heard_whole(job: Job) -> bool:
    if job.state == "done":
        return job.first_audio_at is not None  # else its source was muted
    return job.utterances is not None and job.heard >= job.utterances


def _undecided(request: Request, options: dict[str, Any]) -> str | None:
    """See `Job.undecided`."""
    if not request.is_open or options["lang"] or options["voice"]:
        return None
    return options["backend"] or ""


def _priority(options: dict[str, Any]) -> int:
    return INTERRUPT if options["interrupt"] else PRIORITIES[options["priority"] or "normal"]


Drop = Callable[[str], object]
"""Called with the id of a job that has ended and is to be worked on no more."""


AGAIN_S = 600.0
"""A caller that lost the answer asks again within that time."""


def check_id(value: str | None) -> str:
    """The id that the caller chose, checked; "" if it chose none. Raises BadOption."""
    if value is None:
        return ""
    if len(value) != ID_LENGTH or not set(value) <= set(ID_ALPHABET):
        raise BadOption(f"id {value!r} must be {ID_LENGTH} of {ID_ALPHABET}", field="id")
    return value


def _checked_output(path: str | None) -> str | None:
    """Its absolute path. Raises BadOutput."""
    output = os.path.abspath(path) if path else None
    if output:
        files.check_output(output)
    return output


def _wish(text: str, options: dict[str, Any], source: str, config: Config) -> Wish:
    """Who is to speak the text, as far as the request, its source and the settings say."""
    return Wish(
        **{name: options[name] for name in _WISHED},
        default_backend=config["backend"],
        default_voice=config["voice"],
        default_lang=config["lang"],
        source_table=f"sources.{source}",
        **{f"source_{name}": config.of_source(source, name) for name in _OF_SOURCE},
        text_lang=language_of(text),
    )


class Submitter:
    """Takes requests in. Any thread may submit."""

    def __init__(
        self,
        store: Store,
        tasks: Sender,
        catalog: Catalog,
        config: Callable[[], Config],
        drop: Drop = lambda _job_id: None,
        clock: Callable[[], float] = time.time,
        obstacles: Callable[[], Sequence[str]] = tuple,
        say_as: Callable[[], SayAs] = SayAs,
    ) -> None:
        """`drop`: called with the id of a job that a newer one has replaced.

        `obstacles`: notes on what keeps jobs from being heard now.
        """
        self.store = store
        self._tasks = tasks
        self._catalog = catalog
        self._config = config
        self._drop = drop
        self._clock = clock
        self._obstacles = obstacles
        self._say_as = say_as

    def submit(self, request: Request) -> Job:
        """Make a job of the request; see `submit_many`.

        A request that is made again, with its id, returns its job. An id that another job has
        is replaced by a new one: ids are short, and the history is long.
        """
        try:
            return self._submit_once(request)
        except IdTaken:  # by a process that got the lock too, because its file was removed
            return self._submit_once(request)

    def _submit_once(self, request: Request) -> Job:
        job = self.check(request)
        with self.store.in_order():
            if job.id and (known := self.store.find(job.id)):
                if self._is_again(known, job, request):
                    return known
                job.id = ""
            self._take_in([job])
        return job

    def _is_again(self, known: Job, job: Job, request: Request) -> bool:
        """Whether `job`, with the id of the job `known`, is that one, asked for once more.

        Options that the request left open do not tell them apart: the settings may have changed.
        """
        chosen = [name for name in SPEECH_OPTIONS if getattr(request, name) is not None]
        names = {"sink", "output", "priority", "replace_key", "text", *chosen}
        if (known.private or known.unkept) and not known.is_live:
            names -= {"text", "style"}
        is_recent = self._clock() - known.created_at < AGAIN_S
        return is_recent and all(getattr(known, name) == getattr(job, name) for name in names)

    def submit_many(self, requests: Sequence[Request]) -> list[Job]:
        """Make jobs of all requests, in order, or of none. They survive a power cut.

        Raises BadInput (IdTaken if a request's id is), NotAvailable, QueueFull, StorageError.
        """
        jobs = [self.check(request) for request in requests]
        with self.store.in_order():
            self._take_in(jobs)
        return jobs

    def _take_in(self, jobs: list[Job]) -> None:
        """The caller holds `Store.in_order`: of two jobs with one key, one must see the other."""
        held = self.store.paused_sources()
        for job in jobs:
            if job.sink == "play":
                self._note_obstacles(job, job.source in held)
        waiting = [job for job in jobs if job.is_live]
        self._check_room(len(waiting) - self.store.count_replaced_by(jobs))
        replaced: list[str] = []
        self.store.add(jobs, replaced.append)
        # The jobs are accepted. If the disk fails now, the engine's housekeeping does the rest.
        with contextlib.suppress(StorageError):
            for job_id in replaced:
                self._drop(job_id)
        with contextlib.suppress(StorageError):
            ready = [job for job in waiting if job.sink != "play" or job.source not in held]
            self._tasks.send([(job.id, task_priority(job)) for job in ready])

    def _note_obstacles(self, job: Job, is_held: bool) -> None:
        """Tell what keeps the job from being heard; one of a muted source is done."""
        if is_muted(job, self._config()) and not job.is_open:
            job.state, job.finished_at = "done", self._clock()
            job.notes.append(muted_note(job.source))
            if job.private:
                job.notes = [job.discreet(note) for note in job.notes]
                job.text = ""  # as of any private job that has ended
            return
        obstacles = self._obstacles()
        job.notes += [each for each in obstacles if each != PAUSED or not job.is_assistive]
        if is_held:
            job.notes.append(paused_note(job.source))

    def replay(
        self,
        job_id: str,
        has_audio: Callable[[str], bool],
        caller: str | None = None,
        changes: Changes = AS_IT_WAS,
    ) -> Job:
        """A new job with the text, the voice and the options of an ended one.

        `last` is the newest job that was heard or, to go on, that was cut off. `has_audio` tells
        whether the audio of a job is kept; if not, it is synthesized again. Raises UnknownJob,
        AmbiguousId, JobNotLive, and as `submit_many`.
        """
        old = self._ended(job_id, changes.goes_on)
        if old.private:
            raise BadInput(f"job {old.id} is private: neither its text nor its audio is kept")
        options = {name: getattr(old, name) for name in SPEECH_OPTIONS}
        output = _checked_output(changes.output)
        options["speed"] = OPTIONS["speed"].check(changes.speed) or old.speed
        kept = self._kept(old, options["speed"], has_audio)
        if kept is None:
            self._catalog.check_ready(old.backend, old.model)
        job = Job(
            id="",
            text=old.text,
            **options,
            source=old.source,
            via="replay",
            source_name=(kept or old).id,
            caller=caller,
            sink="file" if output else "play",
            output=output,
            umask=changes.umask,
        )
        if changes.goes_on:
            job.heard = job.heard_at_attempt = old.heard
        with self.store.in_order():
            self._take_in([job])
        return job

    def _ended(self, job_id: str, goes_on: bool) -> Job:
        """The job that is to be spoken again, or that is to go on."""
        history = self.store.history
        if job_id.strip().lower() == LAST:
            return history.last_cut_off() if goes_on else history.last_heard()
        job = self.store.get(job_id)
        if job.is_live:
            raise JobNotLive(
                f"job {job.id} is still {job.state}", f"wait for it: vox wait {job.id}"
            )
        if goes_on and job.sink != "play":
            raise JobNotLive(f"job {job.id} was not spoken", f"to hear it: vox replay {job.id}")
        if goes_on and _was_heard_whole(job):
            raise JobNotLive(
                f"job {job.id} was heard to its end", f"to hear it again: vox replay {job.id}"
            )
        return job

    def _kept(self, old: Job, speed: float, has_audio: Callable[[str], bool]) -> Job | None:
        """The job whose kept audio a replay is made of; None: there is none.

        A replay of a replay, at another speed, is made of what was synthesized: it is not stretched
        twice.
        """
        kept: Job | None = None
        job: Job | None = old
        while job is not None:
            if has_audio(job.id):
                kept = job
                if job.speed == speed:
                    break
            name = job.source_name if job.via == "replay" else None
            job = self.store.find(name) if name else None
        return kept

    def _check_room(self, count: int) -> None:
        """Raises QueueFull if there is no room for so many more."""
        waiting, most = self.store.count_live(), self._config()["max_queue"]
        if waiting + count > most:
            raise QueueFull(f"the queue is full: {waiting} jobs wait (max_queue is {most})")

    def check(self, request: Request) -> Job:
        """The job that the request asks for, not stored yet. Raises as `submit_many`."""
        config = self._config()
        check(request.text, limit=config["max_text"])
        text = request.text if request.is_open else request.text.strip()
        options = {name: each.check(getattr(request, name)) for name, each in OPTIONS.items()}
        _check_interrupt(request, options["interrupt"])
        if request.unkept and request.private is None:
            options["private"] = True
        source = options["source"] or request.via
        for name in ("speed", "volume", "format", "priority"):
            if options[name] is None:
                options[name] = config.of_source(source, name)
        for name in ("speed", "volume", "format"):
            if options[name] is None:
                options[name] = config[name]
        output = _checked_output(request.output)
        resolved = resolve(self._catalog, _wish(text, options, source, config))
        speech = {name: options[name] for name in SPEECH_OPTIONS}
        speech |= {"backend": resolved.backend, "voice": resolved.voice, "lang": resolved.lang}
        job = Job(
            id=check_id(request.id),
            text=text,
            **speech,
            priority=_priority(options),
            source=source,
            via=request.via,
            source_name=request.source_name,
            caller=request.caller,
            sink=request.sink or ("file" if output else "play"),
            output=output,
            is_open=request.is_open,
            undecided=_undecided(request, options),
            unkept=bool(request.unkept),
            umask=request.umask,
            marks=marks.checked(request, text),
            replace_key=request.replace or None,
            expires_at=self._clock() + options["expires_s"] if options["expires_s"] else None,
            notes=self._notes(text, resolved, options, config),
        )
        if not job.is_open and next(pieces(text, self.reading(job)), None) is None:
            raise EmptyText
        return job

    def reading(self, job: Job) -> Reading:
        """How the job's text is read."""
        return reading_of(job, self._catalog, self._config(), self._say_as())

    def _notes(
        self, text: str, resolved: Resolved, options: dict[str, Any], config: Config
    ) -> list[str]:
        """What the user should know although the request is accepted."""
        given = {name: options[name] for name in ADAPTER_OPTIONS}
        notes = [*resolved.notes, *ignored(self._catalog, resolved, options["model"], **given)]
        notes += [*self._left_out(text, resolved), *self._say_as().troubles]
        if config.trouble:
            notes.append(f"{config.trouble}; the earlier settings are in force until it is fixed")
        return notes

    def _left_out(self, text: str, resolved: Resolved) -> list[str]:
        """A note on letters that belong to no language of the voice, which does not speak them."""
        if text.isascii():
            return []
        speaks, scripts = unspoken_scripts(self._catalog, resolved)
        strange = written_in(text, scripts)
        return [f"{speaks}: it may leave out {strange!r}"] if strange else []

    def stands_for(self, name: str) -> Literal["backend", "clone"] | None:
        """What a name is the name of: a backend, or a voice that was cloned; None: neither."""
        try:
            self._catalog.info(name)
        except NotAvailable:
            return None if self._catalog.clone(name) is None else "clone"
        return "backend"
