"""The marks of a job: places in its text, of which is told when they are heard."""

from __future__ import annotations

from collections.abc import Sequence

from ..audio.playback import Mark as PlayedMark
from ..errors import BadOption
from ..jobs import MARK_CHARS, MOST_MARKS, Job, Mark, Request
from ..text.speakable import Reading


def checked(request: Request, text: str) -> list[Mark]:
    """The request's marks in order, as places in the text that the job has. Raises BadOption."""
    marks = request.marks or []
    if not marks:
        return []
    if request.is_open or request.output or request.sink not in (None, "play"):
        raise BadOption("marks are for a whole text that is heard", field="marks")
    if len(marks) > MOST_MARKS:
        raise BadOption(f"{len(marks):,} marks; {MOST_MARKS:,} are the limit", field="marks")
    for mark in marks:
        name, at = mark["name"], mark["at"]
        if len(name) > MARK_CHARS:
            raise BadOption(f"a mark's name has {MARK_CHARS} characters at most", field="marks")
        if not 0 <= at <= len(request.text):
            raise BadOption(
                f"mark {name!r} is at {at}; the text has {len(request.text)} characters",
                field="marks",
            )
    before = len(request.text) - len(request.text.lstrip())
    moved = [Mark(name=mark["name"], at=max(0, mark["at"] - before)) for mark in marks]
    return sorted(moved, key=lambda mark: mark["at"])


def placed(job: Job, reading: Reading) -> Sequence[PlayedMark]:
    """The job's marks as places in what is said of its text."""
    from ..text.marks import places  # few jobs have any

    found = places(job.text, [mark["at"] for mark in job.marks], reading)
    return [PlayedMark(mark["name"], *place) for mark, place in zip(job.marks, found, strict=True)]
