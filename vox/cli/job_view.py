"""How a live job looks to people: what becomes of it now, when it is heard, how far it is.

From the job's JSON object to words. Reads no clock: `aged` makes an object that is some seconds old
say what is true now.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..jobs import NO_DEVICE, PAUSED
from ..source_notes import paused_note
from .output import clock

Job = dict[str, Any]


def aged(job: Job, age_s: float) -> Job:
    """The job as it is `age_s` later if nothing happens but that time passes."""
    later = dict(job)
    phase, left_s = job.get("phase"), job.get("left_s")
    if job.get("starts_in_s") is not None:
        later["starts_in_s"] = max(0.0, job["starts_in_s"] - age_s)
    if left_s is not None and (phase == "speaking" or writes_file(job)):
        later["left_s"] = max(0.0, left_s - age_s)
    if phase == "speaking" and job.get("heard_s") is not None:
        # What is not made yet is not heard either: it stands still at the end.
        later["heard_s"] = job["heard_s"] + (age_s if left_s is None else min(age_s, left_s))
    return later


def has_clock(job: Job) -> bool:
    """Whether its words change while nothing happens."""
    phase = job.get("phase")
    is_running = phase == "speaking" or (writes_file(job) and job.get("left_s") is not None)
    return phase is not None and (is_running or job.get("starts_in_s") is not None)


def writes_file(job: Job) -> bool:
    return bool(job.get("output"))


def is_silent(notes: Sequence[str]) -> bool:
    """Whether nothing is heard now. `notes`: see `Jobs.obstacles`."""
    return PAUSED in notes or NO_DEVICE in notes


def is_all_made(job: Job) -> bool:
    """Whether all audio of a file is made, and only the file itself is being written."""
    return writes_file(job) and job.get("phase") == "making" and job.get("fraction") == 1.0


def held(job: Job, notes: Sequence[str]) -> Job:
    """The job as people see it while that keeps it from being heard."""
    if writes_file(job) or not job.get("phase"):
        return job
    if paused_note(job["source"]) in notes:
        return {**job, "phase": "paused", "starts_in_s": None}
    if job["phase"] == "speaking" and is_silent(notes):
        return {**job, "phase": "paused" if PAUSED in notes else "waiting"}
    return job


def phase_of(job: Job) -> str:
    """`waiting`, `loading 43 %`, `making 24/767`, `ready`, `speaking 5/27`, `paused 5/27`.

    `waiting for a worker` if that keeps it from being made. Of a file of which all is made
    `writing`; of one that has ended, its state.
    """
    phase, total = job.get("phase"), job["utterances"]
    if phase == "waiting" and job.get("waits_for"):
        return f"waiting for {job['waits_for'].partition(':')[0]}"
    if phase == "loading" and job["loading"] is not None:
        return f"loading {percent(job['loading'])}"
    if is_all_made(job):
        return "writing"
    if phase == "making" and total:
        return f"making {job['made']}/{total}"
    is_begun = phase == "speaking" or (phase == "paused" and job["state"] == "speaking")
    if is_begun and total:
        return f"{phase} {sentence(job)}"
    return str(phase or job["state"])


def phase_and_reason(job: Job) -> str:
    """As `phase_of`, and why it waits: `waiting for a worker (no worker serves qwen)`."""
    phase = phase_of(job)
    reason = (job.get("waits_for") or "").partition(": ")[2].partition(";")[0]
    return f"{phase} ({reason})" if reason and job.get("phase") == "waiting" else phase


def sentence(job: Job) -> str:
    """ "5/27": which utterance is heard now, of how many."""
    return f"{min(job['heard'] + 1, job['utterances'])}/{job['utterances']}"


def percent(fraction: float) -> str:
    # Rounded down: only what is at its end has 100 %.
    return f"{int(100 * fraction)} %"


def when(job: Job) -> str:
    """`now`, `0:42`, `~1:10` if that is predicted; of a file `31 %, 0:21 left`; "": unknown."""
    if job.get("phase") == "speaking":
        return "now"
    if writes_file(job):
        is_part = job.get("fraction") and not is_all_made(job)
        share = [percent(job["fraction"])] if is_part else []
        return ", ".join([*share, *_left(job)])
    return starts_in(job)


def starts_in(job: Job) -> str:
    """ "0:42" if all before it is made, "~1:10" if that is predicted, "" if nobody knows."""
    if job.get("starts_in_s") is None:
        return ""
    return ("" if job["starts_in_is_exact"] else "~") + clock(job["starts_in_s"])


def written(job: Job) -> str:
    """How far a file is: `31 %, 238/767, 0:21 left`; `writing, 0:03 left` once all is made."""
    if is_all_made(job):
        return ", ".join(["writing", *_left(job)])
    share = [percent(job["fraction"])] if job.get("fraction") is not None else []
    count = [f"{job['made']}/{job['utterances']}"] if job["utterances"] else []
    return ", ".join([*share, *count, *_left(job)])


def _left(job: Job) -> list[str]:
    left_s = job.get("left_s")
    return [] if left_s is None else [f"{clock(left_s)} left"]


def heard(job: Job) -> str:
    """How far the ear is: `0:12 / 0:58, sentence 5/27`; `0:12 / ~0:58` before all is made."""
    parts = []
    if job.get("heard_s") is not None:
        total_s = job["heard_s"] + (job["left_s"] or 0.0)
        about = "" if job["fraction"] == 1.0 else "~"
        parts.append(f"{clock(job['heard_s'])} / {about}{clock(total_s)}")
    if job["utterances"]:
        parts.append(f"sentence {sentence(job)}")
    return ", ".join(parts) or "speaking"


def in_line(job: Job) -> str:
    """Its place: `2nd in line, starts in 0:42`."""
    place = f"{ordinal(job['position'])} in line"
    return f"{place}, starts in {starts}" if (starts := starts_in(job)) else place


def ordinal(number: int) -> str:
    """ "1st", "2nd", "11th"."""
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"


def of_file(job: Job, text: str) -> str:
    """What becomes of a file, with its name: `book.mp3 31 %, 0:21 left`, `book.mp3: writing`."""
    has_share = job.get("phase") == "making" and not is_all_made(job)
    return os.path.basename(str(job["output"])) + (" " if has_share else ": ") + text
