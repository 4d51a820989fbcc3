"""What a tool answers: a sentence for the model, and the same as data.

Texts of jobs are cut, and those of private jobs are left out: what is listed may be another
agent's. What was just sent is never repeated, for a user's assistant may take it for an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..jobs import ENDED
from ..printable import one_line

Job = dict[str, Any]

TEXT_CHARS = 80
PRIVATE = "(private)"


class Answer(NamedTuple):
    text: str
    data: dict[str, Any]
    is_error: bool = False


def shown_text(job: Job) -> str:
    """The beginning of its text, on one line."""
    if job["private"]:
        return PRIVATE
    text = one_line(job["text"][: 4 * TEXT_CHARS])
    return text if len(text) <= TEXT_CHARS else f"{text[: TEXT_CHARS - 1]}…"


_BRIEF = (
    "id", "state", "phase", "source", "via", "backend", "voice", "position", "starts_in_s",
    "audio_s", "created_at", "output", "error", "notes",
)  # fmt: skip


def brief(job: Job) -> Job:
    """The job for a list, without what is not known of it."""
    found = {name: job[name] for name in _BRIEF if job.get(name) not in (None, [])}
    return {**found, "text": shown_text(job)}


def whole(job: Job) -> Job:
    """All of the job, but for the text of a private one."""
    return {**job, "text": PRIVATE, "style": None} if job["private"] else job


def line(job: Job) -> str:
    """The job in a list: id, what becomes of it, who sent it, its text."""
    starts = f", in {_seconds(job['starts_in_s'])}" if job.get("starts_in_s") else ""
    why = f" ({job['error']})" if job["error"] else ""
    return f"{job['id']} {job.get('phase') or job['state']}{starts}{why}, {job['source']}: " + (
        shown_text(job)
    )


def jobs_listed(jobs: Iterable[Job], nothing: str, more: str = "") -> Answer:
    found = list(jobs)
    lines = [*map(line, found), *filter(None, [more])]
    return Answer("\n".join(lines) if found else nothing, {"jobs": [*map(brief, found)]})


def sent(job: Job, notes: Iterable[str] = ()) -> Answer:
    """A job that was made, or followed to its end."""
    told = [note for note in (*job["notes"], *notes) if note]
    data = brief(job) | {"notes": told}
    del data["text"]
    is_failed = job["state"] == "failed"
    return Answer("; ".join([_became(job), *told]), data, is_failed)


def still_goes_on(job: Job, waited_s: float) -> Answer:
    """A job that was waited for long enough."""
    data = {**brief(job), "waited_s": round(waited_s)}
    del data["text"]
    return Answer(f"{job['id']} goes on ({doing(job)}); go on too, or ask status with its id", data)


def _became(job: Job) -> str:
    name, state = job["id"], job["state"]
    if state == "failed":
        return f"{name} failed: {job['error']}"
    if state == "done" and job["first_audio_at"] is None:
        return f"{name} was not heard"
    if state == "done":
        return f"{name} was heard ({_seconds(job['audio_s'] or 0)})"
    if state in ENDED:
        return f"{name} was not heard: {job['error'] or state}"
    return f"queued as {name}, {doing(job)}"


def doing(job: Job) -> str:
    """What becomes of a live job now."""
    phase, position = job.get("phase"), job.get("position")
    if phase == "speaking" and job.get("heard_s") is not None:
        total = "" if job.get("left_s") is None else f" of {job['heard_s'] + job['left_s']:.0f}"
        return f"speaking, {job['heard_s']:.0f}{total} s"
    if phase == "waiting" and job.get("waits_for"):
        return f"waiting for {job['waits_for']}"
    if phase == "loading" and job.get("loading") is not None:
        return f"loading {job['backend']}, {job['loading']:.0%}"
    place = f"number {position} in line" if position and position > 1 else phase or "waiting"
    starts = job.get("starts_in_s")
    return place if starts is None else f"{place}, starts in {_seconds(starts)}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
