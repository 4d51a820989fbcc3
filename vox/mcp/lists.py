"""The tools that only tell something: queue, status, history, what was missed, voices.

Each takes a `Caller` and the checked arguments.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

from ..client.status import line_of_workers
from ..client.status import status as status_of
from ..errors import BadOption
from ..jobs import ENDED, STATES, Wanted
from ..source_notes import muted_note
from .answers import Answer, Job, brief, doing, jobs_listed, line, sent
from .arguments import Options, option
from .caller import Caller

SOURCE = option("Only of this source.", max_length=100, is_name=True)
LIMIT = option("At most so many, 20 if not given.", kind=float, low=1, high=100)
SINCE = option("Made since: 2h (ago), yesterday, 2026-11-29.", max_length=100)
USUAL_LIMIT = 20
VOICES_LIMIT = 50
MISSED_SINCE = "12h"
MOST_LOOKED_AT = 2_000
"""Jobs of the history among which what was missed is looked for."""
NOTHING_MISSED = "nothing was missed"

HISTORY: Options = {
    "search": option("Found in the text."),
    "source": SOURCE,
    "state": option("In this state.", choices=STATES),
    "since": SINCE,
    "limit": LIMIT,
}
VOICES: Options = {
    "backend": option("Only of this backend."),
    "lang": option("Only those that speak it, best first; en or de-AT."),
    "search": option("In the name or the description."),
    "limit": LIMIT.changed(help=f"At most so many, {VOICES_LIMIT} if not given."),
}


def _limit(asked: dict[str, Any], usual: int = USUAL_LIMIT) -> int:
    return usual if asked["limit"] is None else int(asked["limit"])


def _moment(since: str | None) -> float | None:
    """Raises BadOption."""
    if since is None:
        return None
    from ..durations import moment

    try:
        return moment(since, time.time())
    except ValueError as exc:
        raise BadOption(str(exc), field="since") from None


def queue(caller: Caller, asked: dict[str, Any]) -> Answer:
    wanted = asked["source"]
    jobs = [job for job in caller.jobs.queue() if wanted in (None, job["source"])]
    limit, notes = _limit(asked), caller.jobs.obstacles()
    more = [f"{len(jobs) - limit} more"] if len(jobs) > limit else []
    listed = jobs_listed(jobs[:limit], "nothing is being said", "; ".join([*more, *notes]))
    return listed._replace(data={**listed.data, "total": len(jobs), "notes": notes})


def status(caller: Caller, asked: dict[str, Any]) -> Answer:
    if asked["id"]:
        job = caller.jobs.get(asked["id"])
        if job["state"] in ENDED:
            return sent(job)._replace(is_error=False)
        return Answer(f"{job['id']}: {doing(job)}", brief(job))
    found = status_of(caller.paths)
    now, following, failure = found["now"], found["next"], found["last_failure"]
    workers = line_of_workers(found.get("workers"))
    models = [
        " ".join(filter(None, [each["backend"], each["model"]])) for each in found["loaded_models"]
    ]
    lines = [
        *found["obstacles"],
        *(f"now: {line(job)}" for job in now),
        *([] if now else ["nothing is being said"]),
        *([f"next: {line(following)}"] if following else []),
        f"{found['waiting']} wait; models loaded: {', '.join(models) or 'none'}",
        *([f"workers: {workers}"] if workers else []),
        *([f"last failure: {line(failure)}"] if failure else []),
        *([] if found["running"] else ["no daemon runs; speak starts one"]),
    ]
    data = {
        "running": found["running"],
        "notes": found["obstacles"],
        "now": [*map(brief, now)],
        "next": following and brief(following),
        "waiting": found["waiting"],
        "models": models,
        "workers": found["workers"] if workers else None,
        "last_failure": failure and brief(failure),
    }
    return Answer("\n".join(lines), data)


def history(caller: Caller, asked: dict[str, Any]) -> Answer:
    states = (asked["state"],) if asked["state"] else ()
    wanted = Wanted(asked["search"], states, asked["source"], _moment(asked["since"]))
    return jobs_listed(caller.jobs.history(_limit(asked), wanted), "nothing found")


def missed(caller: Caller, asked: dict[str, Any]) -> list[Job]:
    """What was to be heard and was not, newest first; not what somebody cancelled.

    What was said again since then is not missed any more.
    """
    since = _moment(asked["since"] or MISSED_SINCE)
    wanted = Wanted(source=asked["source"], since=since)
    again: set[str] = set()
    found = []
    for job in caller.jobs.history(MOST_LOOKED_AT, wanted):
        if job["via"] == "replay":
            again.add(job["source_name"])
        elif job["id"] not in again and _is_missed(job):
            found.append(job)
    return found[: _limit(asked)]


def _is_missed(job: Job) -> bool:
    if job["output"] or job["private"]:
        return False
    is_muted = job["state"] == "done" and muted_note(job["source"]) in job["notes"]
    return is_muted or job["state"] in ("expired", "failed")


def listed_missed(jobs: list[Job]) -> Answer:
    return jobs_listed(jobs, NOTHING_MISSED, "to hear it: catch_up with speak, or replay with id")


def voices(caller: Caller, asked: dict[str, Any]) -> Answer:
    from ..voices.choice import voices_for

    catalog, backend, lang = caller.catalog, asked["backend"], asked["lang"]
    found = voices_for(catalog, lang, backend) if lang else catalog.voices(backend)
    sought = (asked["search"] or "").lower()
    fitting = [each for each in found if sought in f"{each.name} {each.description}".lower()]
    fitting.sort(key=lambda each: not each.installed)
    shown = fitting[: _limit(asked, VOICES_LIMIT)]
    lines = []
    for each in shown:
        about = [each.backend, each.lang, each.gender, "clone" if each.is_clone else ""]
        about += ["" if each.installed else "not installed"]
        lines.append(f"{each.name} ({', '.join(filter(None, about))})")
    if len(fitting) > len(shown):
        lines.append(f"{len(fitting) - len(shown)} more: ask with backend, lang or search")
    data = [
        {
            "name": each.name,
            "backend": each.backend,
            "lang": each.lang,
            "gender": each.gender,
            "installed": each.installed,
            "is_clone": each.is_clone,
        }
        for each in shown
    ]
    return Answer("\n".join(lines) or "no voices found", {"voices": data, "total": len(fitting)})


_OF_BACKEND = (
    *("name", "summary", "ready", "on_workers", "languages", "voices", "clone", "style", "error"),
)


def backends(caller: Caller, _asked: dict[str, Any]) -> Answer:
    found = [
        {name: each[name] for name in _OF_BACKEND if name in each}
        for each in caller.catalog.describe()
    ]
    lines = []
    for each in found:
        can = [name for name in ("clone", "style") if each.get(name)]
        state = each["error"] or ("ready" if each["ready"] else "not installed")
        if each.get("on_workers"):
            state = "on workers"
        lines.append("; ".join([f"{each['name']}: {state}", each.get("summary", ""), *can]))
    return Answer("\n".join(lines), {"backends": found})


def clones(caller: Caller, _asked: dict[str, Any]) -> Answer:
    found = [
        {"name": each.name, "lang": each.lang, "has_transcript": each.transcript is not None}
        for each in caller.catalog.clones.list()
    ]
    names = ", ".join(str(each["name"]) for each in found)
    return Answer(names or "no clones yet", {"clones": found})


def some_history(caller: Caller) -> list[Job]:
    """The newest of the history, for the resource."""
    return [*map(brief, itertools.islice(caller.jobs.history(USUAL_LIMIT), USUAL_LIMIT))]
