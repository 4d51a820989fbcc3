"""`vox back` and `vox next` move in what is being spoken, by sentences; `vox stop` ends it."""

from __future__ import annotations

import click

from ..client.jobs import Job
from ..jobs import MOST_STEPS
from .options import Count, json_option
from .output import count_of_jobs, say, say_json
from .speaking import open_jobs, open_speech

_COUNT = Count(1, MOST_STEPS)


@click.command()
@click.argument("count", metavar="[N]", type=_COUNT, default=1)
@json_option
def back(count: int, as_json: bool) -> None:
    """Go back a sentence in what is being spoken.

    With N, so many. Later than 1.5 s into a sentence, the first step leads to its own beginning.
    While speech is paused it stays silent, and goes on from there after `vox resume`.
    """
    _move(-count, as_json)


@click.command("next")
@click.argument("count", metavar="[N]", type=_COUNT, default=1)
@json_option
def forward(count: int, as_json: bool) -> None:
    """Go to the next sentence of what is being spoken.

    With N, so many further, at most to the first whose sound is not made yet. After the last
    sentence the job is done, and the next job comes.
    """
    _move(count, as_json)


@click.command()
@json_option
def stop(as_json: bool) -> None:
    """Cancel everything and be silent at once.

    That is all that is being spoken, written or waits. The daemon and its models stay; to stop the
    daemon: vox daemon stop
    """
    cancelled = open_speech().cancel_all()
    if as_json:
        say_json(cancelled)
    elif cancelled:
        say(f"{count_of_jobs(len(cancelled))} cancelled")
    else:
        say("nothing is being spoken, and nothing waits")


def _move(steps: int, as_json: bool) -> None:
    job = open_jobs().move(steps)
    say_json(job) if as_json else say(_place(job))


def _place(job: Job) -> str:
    heard, total = job["heard"], job["utterances"]
    if total is None:
        return f"{job['id']}: sentence {heard + 1}"
    return f"{job['id']}: " + ("its end" if heard >= total else f"sentence {heard + 1}/{total}")
