"""A spool's index: JSON lines that say which part of the audio counts.

One line has the sample rate, one follows for each complete utterance, the last says that the job's
audio is complete. Before the sample rate there are only utterances without audio. Each line is
written after the audio that it is about, so that what a crash cut off is never taken for whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Segment:
    """One complete utterance: its index and its frames."""

    index: int
    start_frame: int
    end_frame: int
    is_unsaid: bool = False
    """It was left out, because the voice could not say it; it has no frames."""


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def rate_line(sample_rate: int) -> bytes:
    return _line({"sample_rate": sample_rate})


def segment_line(segment: Segment) -> bytes:
    entry: dict[str, Any] = {
        "index": segment.index,
        "frames": [segment.start_frame, segment.end_frame],
    }
    return _line(entry | {"unsaid": True} if segment.is_unsaid else entry)


COMPLETE_LINE = _line({"complete": True})


@dataclass(slots=True)
class Index:
    """What an index file says, as far as it can be trusted."""

    sample_rate: int | None
    segments: list[Segment]
    is_complete: bool
    good_bytes: int
    """The length of the part that can be trusted; what follows is to be cut off."""

    @classmethod
    def read(cls, path: str, frames_on_disk: int) -> Index:
        """Read up to the first line that is torn, contradicts its predecessor, or lacks its audio.

        A file that is not there is an empty one. Raises OSError.
        """
        found = cls(None, [], False, 0)
        try:
            with open(path, "rb") as file:
                lines = file.read().split(b"\n")[:-1]  # what follows the last newline is torn
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                accepted = found._accept(json.loads(line), frames_on_disk)
            except (ValueError, TypeError, KeyError, AttributeError):
                break
            if not accepted:
                break
            found.good_bytes += len(line) + 1
        return found

    def _accept(self, entry: dict[str, Any], frames_on_disk: int) -> bool:
        if self.is_complete:
            return False
        if "sample_rate" in entry:
            rate, is_first = int(entry["sample_rate"]), self.sample_rate is None
            if is_first and rate > 0:
                self.sample_rate = rate
            return is_first and rate > 0
        if entry.get("complete"):
            self.is_complete = self.sample_rate is not None
            return self.is_complete
        start_frame, end_frame = map(int, entry["frames"])
        is_unsaid = entry.get("unsaid") is True
        segment = Segment(int(entry["index"]), start_frame, end_frame, is_unsaid)
        begins = self.segments[-1].end_frame if self.segments else 0
        ends = 0 if self.sample_rate is None else frames_on_disk
        if not begins <= segment.start_frame <= segment.end_frame <= ends:
            return False
        self.segments.append(segment)
        return True
