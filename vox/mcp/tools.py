"""The tools: their names, descriptions and arguments, and what each does.

A tool's function runs in a thread and returns its answer, or raises VoxError. One that made a job
and is to wait for it leaves that to `waiting`. Nothing here knows the protocol. There is no tool
that writes files, changes settings or installs: what an agent reads may have been written to misuse
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import VoxError
from ..jobs import AS_IT_WAS, LAST, OPTIONS, Changes, Request
from . import lists
from .answers import Answer, Job, sent
from .arguments import Options, checked, option, schema
from .caller import Caller
from .lists import LIMIT, SINCE, SOURCE

NOT_OFFERED = ("output", "model", "keep_alive", "fresh", "format")
"""Options of a request that are for files, models and caches, not for what is said."""
SPOKEN = {each.key: name for name, each in OPTIONS.items() if name not in NOT_OFFERED}
"""The arguments of `speak` by name -> the field of the request."""

ID = option("The job's id.", max_length=100)
WAITS: Options = {
    "wait": option("Return when it was heard. Rarely needed: vox keeps the order.", kind=bool),
    "wait_s": option(
        "Longest wait, 45 if not given; the job goes on.", kind=float, low=1, high=240
    ),
}
WAIT_S = 45.0


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    run: Callable[[Caller, dict[str, Any]], Answer | Job]
    """A Job: one that was made. It is waited for if the argument `wait` says so."""
    options: Options
    required: tuple[str, ...] = ()
    only_reads: bool = False
    destroys: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        return schema(self.options, self.required)

    def checked(self, given: dict[str, Any] | None) -> dict[str, Any]:
        """Raises BadOption."""
        return checked(self.name, self.options, self.required, given)


def _speak(caller: Caller, asked: dict[str, Any]) -> Job:
    wishes = {field: asked[name] for name, field in SPOKEN.items()}
    wishes["source"] = wishes["source"] or caller.source
    request = Request(text=asked["text"], via="mcp", **wishes)
    return caller.jobs.submit(request, is_followed=asked["wait"])


def _replay(caller: Caller, asked: dict[str, Any]) -> Job:
    changes = AS_IT_WAS if asked["speed"] is None else Changes(speed=asked["speed"])
    return caller.jobs.replay(asked["id"] or LAST, asked["wait"], changes)


def _stop(caller: Caller, asked: dict[str, Any]) -> Answer:
    if asked["id"]:
        cancelled = [caller.jobs.cancel(asked["id"])]
    else:
        cancelled = caller.jobs.cancel_all(asked["source"])
    ids = [job["id"] for job in cancelled]
    text = f"cancelled: {', '.join(ids)}" if ids else "nothing was being said, and nothing waited"
    return Answer(text, {"cancelled": ids})


def _pause(caller: Caller, asked: dict[str, Any]) -> Answer:
    caller.jobs.pause(asked["source"])
    return Answer(f"{asked['source'] or 'speech'} is paused until resume", {"paused": True})


def _resume(caller: Caller, asked: dict[str, Any]) -> Answer:
    caller.jobs.resume(asked["source"])
    notes = caller.jobs.obstacles()
    text = "; ".join([f"{asked['source'] or 'speech'} is resumed", *notes])
    return Answer(text, {"paused": False, "notes": notes})


def _said_again(caller: Caller, job_id: str) -> Answer:
    """One that cannot be said, because its voice is gone for example, holds up no other one."""
    try:
        return sent(caller.jobs.replay(job_id, is_followed=False))
    except VoxError as exc:
        line = f"{job_id} cannot be said: {exc.line}"
        return Answer(line, {"id": job_id, "error": exc.to_dict()})


def _catch_up(caller: Caller, asked: dict[str, Any]) -> Answer:
    missed = lists.missed(caller, asked)
    if not asked["speak"]:
        return lists.listed_missed(missed)
    answers = [_said_again(caller, job["id"]) for job in reversed(missed)]
    text = "\n".join(answer.text for answer in answers) or lists.NOTHING_MISSED
    return Answer(text, {"jobs": [answer.data for answer in answers]})


TOOLS = (
    Tool(
        "speak",
        "Say something aloud to the user. One or two short sentences in plain words, no Markdown, "
        "code or paths. Returns at once; jobs are heard one after the other. Give voice, backend, "
        "lang, speed and volume only if the user asked for them.",
        _speak,
        {
            "text": option("What to say.", max_length=10_000_000),
            **{name: OPTIONS[field] for name, field in SPOKEN.items()},
            **WAITS,
        },
        ("text",),
    ),
    Tool(
        "stop",
        "Cancel speech: the job id, all of a source, or everything if neither is given. For when "
        "the user wants silence, or what you sent is no longer true.",
        _stop,
        {"id": ID, "source": SOURCE},
        destroys=True,
    ),
    Tool(
        "pause",
        "Pause speech until resume; jobs wait meanwhile.",
        _pause,
        {"source": SOURCE},
    ),
    Tool("resume", "Go on after pause.", _resume, {"source": SOURCE}),
    Tool(
        "queue",
        "What is being said and what waits, in the order of hearing.",
        lists.queue,
        {"source": SOURCE, "limit": LIMIT},
        only_reads=True,
    ),
    Tool(
        "status",
        "With id: what became of that job. Without: what is said now, what keeps speech from being "
        "heard, which models are loaded, what failed last.",
        lists.status,
        {"id": ID},
        only_reads=True,
    ),
    Tool(
        "history",
        "What was said, newest first.",
        lists.history,
        lists.HISTORY,
        only_reads=True,
    ),
    Tool(
        "replay",
        "Say an earlier job again, or what was heard last.",
        _replay,
        {"id": ID, "speed": OPTIONS["speed"], **WAITS},
    ),
    Tool(
        "catch_up",
        "What the user did not hear since a time: expired, muted or failed. Lists it, or says it "
        "now with speak.",
        _catch_up,
        {
            "since": SINCE.changed(help=f"{SINCE.help} Else {lists.MISSED_SINCE}."),
            "source": SOURCE,
            "limit": LIMIT,
            "speak": option("Say it, oldest first.", kind=bool),
        },
    ),
    Tool("voices", "The voices that can be used.", lists.voices, lists.VOICES, only_reads=True),
    Tool("backends", "The text-to-speech systems.", lists.backends, {}, only_reads=True),
    Tool("clones", "Voices that were cloned from recordings.", lists.clones, {}, only_reads=True),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
