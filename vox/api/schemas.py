"""The API's bodies and answers, with limits and examples, as `/docs` shows them."""

from __future__ import annotations

import functools
import re
from http import HTTPStatus
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    create_model,
    model_validator,
)

from .. import jobs
from ..outlook import Phase

_JOB_ID = rf"^[{jobs.ID_ALPHABET}]{{{jobs.ID_LENGTH}}}$"
_NO_NUL = r"^[^\x00]*$"
_PATTERNS = {"model": _NO_NUL, "output": r"^/[^\x00]*$"}
"""What texts must match that the other ways in make match: they take relative paths too."""
NAME_LIMIT = 1_000


class NullIsAbsent(BaseModel):
    """A body in which null, for any field that may be left out, is as if it were."""

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {k: value for k, value in given.items() if value is not None or k not in known}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler.resolve_ref_schema(handler(schema))
        for name, field in found["properties"].items():
            if name not in found.get("required", ()):
                found["properties"][name] = _or_null(field)
        return found


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field, which may be null as well."""
    null = {"type": "null"}
    if null in field.get("anyOf", ()):
        return field
    about: dict[str, Any] = {
        key: field.pop(key) for key in ("title", "description", "default") if key in field
    }
    return {"anyOf": [field, null], **about}


class Body(NullIsAbsent):
    """Takes exactly what the schema says: no other fields, no number as text, no `true` for 1."""

    model_config = ConfigDict(extra="forbid", strict=True)


_NUMBER = r"[0-9]{1,9}(\.[0-9]{1,9})?"
_UNIT = r"([mM][sS]|[sSmMhHdDwW])"
_SPAN = rf"^-?({_NUMBER}|{_NUMBER} ?{_UNIT}( ?{_NUMBER} ?{_UNIT})*)$"
_SPAN_LIMIT = 100


def _span(option: jobs.Option) -> Any:
    """Seconds or a time span, or null. Raises BadOption, which says what it may be."""

    def check(value: Any) -> float | None:
        if isinstance(value, str) and (len(value) > _SPAN_LIMIT or not re.fullmatch(_SPAN, value)):
            raise option.refusal(value)
        found: float | None = option.check(value)
        return found

    text = {"type": "string", "pattern": _SPAN, "maxLength": _SPAN_LIMIT}
    shape = {"anyOf": [{"type": "number"}, text, {"type": "null"}]}
    return Annotated[Any, BeforeValidator(check), WithJsonSchema(shape)]


def _schema(name: str, option: jobs.Option) -> tuple[Any, Any]:
    """The type and the field of one option of a request."""
    kind: Any = _REQUEST_TYPES[name]
    bounds: dict[str, Any] = {"max_length": option.max_length, "pattern": _PATTERNS.get(name)}
    if option.choices:
        kind, bounds = Literal[option.choices] | None, {}
    elif option.is_span:
        kind, bounds = _span(option), {}
    elif option.kind is float:
        bounds = {"gt" if option.above else "ge": option.low, "le": option.high}
    elif option.kind is bool:
        bounds = {}
    about = option.help if option.schema_help is None else option.schema_help
    return kind, Field(None, description=about, **bounds)


_umask = Field(
    None,
    ge=0,
    le=0o777,
    description="The permissions that a new `output` file is not given, as a process's umask.",
)
_REQUEST_TYPES = get_type_hints(jobs.Request)
_speak_fields: Any = {option.key: _schema(name, option) for name, option in jobs.OPTIONS.items()}
_SpeakOptions: Any = create_model(
    "SpeakOptions",
    __base__=Body,
    text=(str, Field(description="What is to be spoken.")),
    **_speak_fields,
)


class Mark(Body):
    """A place in the text."""

    name: str = Field(max_length=jobs.MARK_CHARS)
    at: int = Field(ge=0, description="Characters of `text` before it.")


class Speak(_SpeakOptions):  # type: ignore[misc]  # made of jobs.OPTIONS
    """A request to speak. A field that is left out follows the settings (`vox config show`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "The build is finished."},
                {"text": "Guten Tag!", "lang": "de", "priority": "high", "async": True},
            ]
        },
    )

    id: str | None = Field(
        None,
        pattern=_JOB_ID,
        description="Your own id for the job: a request that is repeated within 10 minutes makes "
        "no second job. The job gets another id if one with this id had other words or options.",
    )
    is_async: bool = Field(
        False, alias="async", description="Answer 202 at once instead of after the job was heard."
    )
    via: jobs.Sender = Field("api", description="Which program of vox's own sends it, else `api`.")
    caller: str | None = Field(
        None,
        max_length=NAME_LIMIT,
        description="With `async`: the process that waits for the job all the same, as vox names "
        "its own. Once it is gone the job is cancelled. Only the control socket heeds this.",
    )
    source_name: str | None = Field(None, max_length=NAME_LIMIT)
    is_open: bool = Field(
        False,
        alias="open",
        description="With `async` and `caller`: more of the text comes with `POST /jobs/ID/text`, "
        "and `text` may be empty. Over TCP, see `WS /v1/audio/stream`.",
    )
    umask: int | None = _umask
    unkept: bool = Field(
        False,
        description="Once it has ended the job is gone, from the history and the statistics too; "
        "and it is `private`, unless that is false. What the utterance cache has is used. With "
        "`interrupt` it is as a screen reader needs it: heard although speech is paused, unless "
        "its source is; and what it interrupted goes on once its source was silent for a moment.",
    )

    marks: list[Mark] | None = Field(
        None,
        max_length=jobs.MOST_MARKS,
        description="Places in the text. An event `mark` with the `id` of the job and the `name` "
        "tells once when each is heard. For a whole text that is not written to a file.",
    )

    def to_request(self) -> jobs.Request:
        values: dict[str, Any] = self.model_dump(exclude={"is_async"})
        for name, option in jobs.OPTIONS.items():
            values[name] = values.pop(option.key)
            if values[name] == "":
                values[name] = None
        if not self.is_async:
            values["caller"] = jobs.CONNECTION
        return jobs.Request(**values)


_replay_fields: Any = {name: _schema(name, jobs.OPTIONS[name]) for name in ("speed", "output")}
_ReplayOptions: Any = create_model("ReplayOptions", __base__=Body, **_replay_fields)


class Replay(_ReplayOptions):  # type: ignore[misc]  # made of jobs.OPTIONS
    """What is to be different when the job is spoken again. What is left out is as it was."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"speed": 1.5}]})

    umask: int | None = _umask

    def to_changes(self) -> jobs.Changes:
        return jobs.Changes(**self.model_dump())


class MoreText(Body):
    """What follows the first `offset` characters of a text that is still being written."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"offset": 0, "text": "Hello. "}, {"end": True}]}
    )

    offset: int = Field(0, ge=0, le=1_000_000_000)
    text: str = Field("", description="What is there already is not added again.")
    end: bool = Field(False, description="No more will come.")


class Grown(BaseModel):
    length: int = Field(description="Characters that are there: the next `offset`.")
    open: bool = Field(description="Whether more is taken.")


_Backend = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT, pattern=_NO_NUL)]
_warm_fields: Any = {
    name: _schema(name, jobs.OPTIONS[name]) for name in ("model", "voice", "keep_alive")
}
_WarmOptions: Any = create_model(
    "WarmOptions",
    __base__=Body,
    backend=(_Backend, Field(description="See `GET /backends`.")),
    **_warm_fields,
)


class Warm(_WarmOptions):  # type: ignore[misc]  # made of jobs.OPTIONS
    """The model to load. What is left out is as a request of the backend has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"backend": "hibari"}, {"backend": "hibari", "keep_alive": "30m"}]
        }
    )

    stream: bool = Field(
        False,
        description="Answer with server-sent events: `progress` while it loads, then `loaded` "
        "with the model, or `error`.",
    )


class Unload(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"backend": "hibari"}]})

    backend: _Backend | None = Field(None, description="All backends if it is left out.")


class Stop(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{}, {"now": True}, {"when": "drained"}]}
    )

    now: bool = Field(default=False, description="Do not finish the current job.")
    when: Literal["drained"] | None = Field(
        default=None, description="`drained`: only once the queue is empty."
    )


_SOURCE: Any = Field(min_length=1, max_length=jobs.OPTIONS["source"].max_length)


def _name(given: str) -> str:
    """The source's name. Raises BadOption: one without a name would stand for all jobs."""
    option = jobs.OPTIONS["source"]
    name: str = option.check(given)
    if not name:
        raise option.refusal(given, "a name")
    return name


_Source = Annotated[str, _SOURCE, AfterValidator(_name)]


class OfSource(Body):
    """Whose jobs are meant."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"source": "my-app"}]})

    source: _Source | None = Field(None, description="All jobs if it is left out.")


class OneSource(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "my-app"}]})

    source: _Source


class CustomVoice(BaseModel):
    """OpenAI's way to name a custom voice."""

    id: str = Field(max_length=NAME_LIMIT)


class Speech(NullIsAbsent):
    """As OpenAI's clients send it. Unknown fields are ignored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "tts-1", "input": "The build is finished.", "voice": "alloy"},
                {"model": "hibari", "input": "Hello.", "voice": "heart", "response_format": "wav"},
            ]
        }
    )

    model: str = Field("", max_length=NAME_LIMIT, pattern=_NO_NUL, description="A backend of ours, "
                       "BACKEND/MODEL, or one of OpenAI's names.")  # fmt: skip
    input: str = Field(description="What is to be spoken.")
    voice: Annotated[str, Field(max_length=NAME_LIMIT)] | CustomVoice | None = Field(
        None, description="A voice of ours, BACKEND/VOICE, or one of OpenAI's names."
    )
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float | None = Field(
        None, ge=jobs.OPTIONS["speed"].low, le=jobs.OPTIONS["speed"].high, strict=True
    )
    stream_format: Literal["audio", "sse"] = "audio"
    instructions: str | None = Field(
        None,
        max_length=jobs.OPTIONS["style"].max_length,
        description="How to speak, for backends that support it.",
    )
    lang: str | None = Field(
        None, max_length=jobs.OPTIONS["lang"].max_length, description="Beyond OpenAI's: BCP 47."
    )
    fresh: bool | None = Field(None, strict=True, description="Beyond OpenAI's: see `POST /speak`.")
    keep_alive: _span(jobs.OPTIONS["keep_alive"]) = Field(  # type: ignore[valid-type]  # is a call
        None, description="Beyond OpenAI's: see `POST /speak`."
    )


# -- answers ---------------------------------------------------------------------------------


_JOB_TYPES = get_type_hints(jobs.Job)
_job_fields: Any = {jobs.OPTIONS[name].key: (_JOB_TYPES[name], ...) for name in jobs.SPEECH_OPTIONS}
_JobOptions: Any = create_model("JobOptions", **_job_fields)


class Job(_JobOptions):  # type: ignore[misc]  # made of jobs.OPTIONS
    """A job. Times are ISO 8601 UTC; an unknown value is null."""

    id: str
    state: jobs.State
    text: str
    open: bool = Field(description="Its text is still being written; `text` is what has come.")
    priority: str
    source: str = Field(description="Who sent it: a name, such as a repository's or a program's.")
    via: jobs.Via = Field(description="Which way it came.")
    source_name: str | None
    created_at: str
    started_at: str | None
    first_audio_at: str | None
    finished_at: str | None
    expires_at: str | None
    audio_s: float | None = Field(description="Length of the speech in seconds.")
    wait_s: float | None = Field(description="Seconds from the request to the first sound.")
    attempts: int
    heard: int = Field(description="Utterances that were heard to the end.")
    utterances: int | None
    unsaid: int = Field(
        description="Utterances that the voice could not say. They were left out: see `notes`."
    )
    made_on: str | None = Field(description="The workers that made some of it; null: none did.")
    error: str | None
    error_code: str | None
    exit_code: int | None = Field(description="Exit status of a command that waits for the job.")
    output: str | None
    replace: str | None
    unkept: bool = Field(description="Once it has ended it is gone.")
    notes: list[str]
    phase: Phase | None = Field(
        description="What a live job does: `waiting`; `loading` its model; `making` its audio; "
        "`ready`, which is all made that is needed, and waits to be heard; `speaking`."
    )
    waits_for: str | None = Field(
        description="What it waits for besides its turn: a worker on another machine."
    )
    loading: float | None = Field(description="How much of its model is loaded, 0 to 1.")
    made: int = Field(description="Utterances that are synthesized.")
    fraction: float | None = Field(description="How much of it is made, 0 to 1.")
    made_s: float | None = Field(description="Seconds of audio that are made.")
    expected_s: float | None = Field(description="Seconds of audio in all: predicted, then exact.")
    heard_s: float | None = Field(description="Seconds of audio that were heard.")
    left_s: float | None = Field(
        description="Seconds of audio that are still to be heard; of a file: until it is written."
    )
    position: int | None = Field(description="Its place in the order of hearing, from 1.")
    starts_in_s: float | None = Field(
        description="Seconds until its first sound; null: it sounds, or that cannot be known."
    )
    starts_in_is_exact: bool = Field(description="False: `starts_in_s` is predicted.")


class Problem(BaseModel):
    """RFC 9457 problem details, and what to do about it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    field: str | None = None


class LoadedModel(BaseModel):
    model_config = ConfigDict(extra="allow")

    backend: str
    model: str | None
    device: str | None
    dtype: str | None
    engine: str | None = Field(description="How it computes, where that can differ.")
    notes: list[str] = Field(description="What its first caller was told, e.g. of a fallback.")
    state: str
    idle_s: float
    keep_alive_s: float | None = Field(
        description="How long it stays when idle; -1: forever; null: as long as its worker says."
    )
    expires_at: str | None = Field(description="When it is unloaded; null: not while it is used.")
    memory_mb: float | None
    vram_mb: float | None


class Unloaded(BaseModel):
    unloaded: list[LoadedModel] = Field(description="As they were before.")
    busy: list[str] = Field(description="Backends whose model is unloaded after its jobs.")


class QueueCounts(BaseModel):
    model_config = ConfigDict(extra="allow")

    queued: int | None
    preparing: int | None
    speaking: int | None
    paused: bool
    paused_sources: list[str]
    muted_sources: list[str]


class Sums(BaseModel):
    jobs: int
    heard_s: float = Field(description="Seconds of their audio that were heard.")
    written_s: float = Field(description="Seconds of audio that went into files and streams.")
    saved_load_s: float = Field(description="What loading would have taken without warm models.")
    saved_synthesis_s: float = Field(
        description="What it took once to make the utterances that came from the cache."
    )


class NamedSums(Sums):
    name: str


class Period(Sums):
    backends: list[NamedSums] = Field(description="The most jobs first.")
    sources: list[NamedSums]


class Stats(BaseModel):
    """Of ended jobs that were made in the last 7 or 30 days, and of all that are kept."""

    last_7_days: Period = Field(alias="7d")
    last_30_days: Period = Field(alias="30d")
    all: Period


class WorkerCounts(BaseModel):
    """The workers on other machines (`vox worker`)."""

    server: str | None = Field(description="Their Redis server; null: no workers are set.")
    reachable: bool
    reason: str | None = Field(description="Why the server cannot be used.")
    protocol: int = Field(description="What this vox speaks.")
    count: int = Field(description="Workers that requests may go to.")
    busy: int = Field(description="Those of them that synthesize now.")
    incompatible: int = Field(description="Workers that speak another one: nothing goes there.")


class Worker(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    protocol: int
    compatible: bool = Field(description="It speaks our protocol, so requests may go to it.")
    version: str
    machine: str
    device: str
    concurrency: int = Field(description="Requests that it can make at once.")
    busy: int = Field(description="Requests that it makes now.")
    backends: list[str]
    lanes: list[str] = Field(description="The models that it serves: BACKEND or BACKEND/MODEL.")
    warm: list[str] = Field(description="Those of them that are loaded.")
    failing: list[str] = Field(description="Those that could not be loaded a short time ago.")
    load_s: dict[str, float] = Field(description="How long loading took, by lane.")
    requests: int = Field(description="That it made so far.")
    audio_s: float = Field(description="Seconds of speech in them.")
    synthesis_s: float = Field(description="Seconds that it took to make that.")
    x_realtime: float | None = Field(description="Seconds of speech per second of synthesis.")
    seen_s: float = Field(description="Seconds since it was last heard of.")


class Workers(WorkerCounts):
    workers: list[Worker]


class Health(BaseModel):
    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "degraded", "stopping"]
    version: str
    pid: int
    uptime: float = Field(description="Seconds.")
    idle_timeout_s: float = Field(description="-1: it does not leave when it is idle.")
    stays_for: list[str] = Field(description="The settings because of which it stays.")
    loaded_models: list[LoadedModel]
    keep_errors: dict[str, str] = Field(
        description="Why a model of the setting `keep` is not loaded, by its backend."
    )
    vram_usage: dict[str, float | None]
    queue: QueueCounts
    database: dict[str, Any] = Field(
        description="`error`: what is wrong with it, or null. `damaged_files`: earlier ones, kept."
    )
    audio: dict[str, Any]
    inbox: dict[str, Any]
    http: dict[str, str | None]
    wyoming: dict[str, str | None] = Field(
        description="As `http`; `announced_as` in the network, or why it is `not_announced`."
    )
    workers: WorkerCounts


class Status(Health):
    now: list[Job] = Field(
        description="What is heard, or else made for the ear, and what is made for no ear."
    )
    next: Job | None = Field(description="The first of the other live jobs.")
    waiting: int = Field(description="How many others there are.")
    last_failure: Job | None = Field(description="The newest job that failed.")


class Readiness(BaseModel):
    ready: bool
    checks: dict[str, str]


class Voice(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str
    backend: str
    lang: str | None
    gender: str | None


class Backend(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str
    ready: bool
    error: str | None


class Model(BaseModel):
    id: str
    name: str
    object: str
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: str
    data: list[Model]


class NamedVoice(BaseModel):
    id: str
    name: str
    backend: str | None
    lang: str | None
    gender: str | None


class VoiceList(BaseModel):
    voices: list[NamedVoice]


class Cleared(BaseModel):
    cleared: int


class Skipped(BaseModel):
    skipped: Job | None


class Steps(Body):
    """How far to go."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"n": 3}]})

    n: Annotated[int, Field(ge=1, le=jobs.MOST_STEPS, description="So many sentences.")] = 1


class Paused(BaseModel):
    paused: bool
    source: str | None = Field(None, description="The source that is meant, if it is one alone.")


class Muted(BaseModel):
    muted: bool
    source: str


class Stopping(BaseModel):
    stopping: bool


@functools.cache
def _problem_schema() -> dict[str, Any]:
    return Problem.model_json_schema()


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for the schema."""
    content = {"application/problem+json": {"schema": _problem_schema()}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }
