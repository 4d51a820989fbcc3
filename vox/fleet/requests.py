"""What crosses the network: requests to synthesize, and answers. JSON and raw PCM, never pickle.

Whoever can reach the server can write to it, so both sides check all that they read.
"""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from ..backends.base import HIGHEST_RATE, LOWEST_RATE, Utterance
from .checks import Fits, is_name, is_number, is_text, line_of

TIERS = 2
"""0: for the ear; 1: files. A worker takes from the next tier when the one before is empty."""
MAX_PRIORITY = 4095
MAX_TEXT = 100_000
"""Characters of one utterance."""
MAX_PCM = 64 * 1024
"""Bytes of one chunk: a longer one is sent in parts."""
MAX_HEADER = 64 * 1024
MAX_DEPTH = 20
"""Depth of nested tables and lists."""
MAX_NOTES = 10

Event = Literal["loading", "begun", "chunk", "end", "error", "need-clone", "lost", "back"]


class NotOurs(ValueError):
    """What was read is invalid."""


@dataclass(frozen=True, slots=True)
class CloneRef:
    """A cloned voice, named by the SHA-256 of its recording."""

    digest: str
    transcript: str | None = None
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One utterance to synthesize, or only a model to load (`text` is None)."""

    id: str
    """Of this attempt: `session:number.attempt`."""
    client: str
    """Clients share the workers fairly."""
    session: str
    lane: str
    backend: str
    model: str | None = None
    text: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    """The fields of `Utterance` besides the text and the clone."""
    clone: CloneRef | None = None
    tier: int = 0
    priority: int = 0
    seq: int | None = None
    """The place in the client's queue of an earlier attempt; None: at its end."""
    avoid: Sequence[str] = ()
    """Workers that leave it to others for a while."""

    @property
    def cost(self) -> int:
        """How much of the workers' time it takes, in characters."""
        return max(1, len(self.text or ""))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, data: Any) -> Request:
        """Raises NotOurs."""
        fields = _checked(data, _REQUEST)
        clone = fields.pop("clone", None)
        try:
            ref = CloneRef(**_checked(clone, _CLONE)) if clone is not None else None
            return cls(**fields, clone=ref)
        except TypeError as exc:
            raise NotOurs(str(exc)) from exc


class Answer(NamedTuple):
    """One entry of a client's stream."""

    request_id: str
    seq: int
    """Counts the answers of one worker to one request from 0; -1: not a worker's."""
    header: dict[str, Any]
    pcm: bytes

    @property
    def event(self) -> Event:
        found: Event = self.header["event"]
        return found


def said_of(utterance: Utterance) -> dict[str, Any]:
    """What a request says of an utterance besides its text and clone."""
    return {name: getattr(utterance, name) for name in _SAID}


def utterance_of(request: Request) -> Utterance:
    """The utterance of a request, without its clone. Raises NotOurs."""
    return Utterance(request.text or "", **_checked(dict(request.said), _SAID))


def answer_of(fields: Mapping[bytes, bytes]) -> Answer:
    """An entry of a stream: all that its event is to have, and no more. Raises NotOurs."""
    try:
        request_id, seq = fields[b"u"].decode(), int(fields[b"s"])
        raw, pcm = fields[b"h"], fields[b"d"]
        if len(raw) > MAX_HEADER:
            raise NotOurs("a header that is too long")
        header = json.loads(raw)
    except NotOurs:
        raise
    except (KeyError, ValueError, RecursionError) as exc:
        raise NotOurs("an invalid answer") from exc
    event = header.get("event") if isinstance(header, dict) else None
    wanted = _ANSWERS.get(event) if isinstance(event, str) else None
    if wanted is None:
        raise NotOurs("an invalid answer")
    told = _checked({name: header.get(name) for name in wanted}, wanted)
    if event == "chunk":
        _check_sound(pcm)
    elif pcm:
        raise NotOurs(f"sound in an answer '{event}'")
    return Answer(request_id, seq, {"event": event, **_shown(told)}, pcm)


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    """The fields of an answer, its words such that they can be stored and shown."""
    if "text" in told:
        fraction = told["fraction"]
        is_sensible = fraction is not None and 0 <= fraction <= 1
        return {"text": line_of(told["text"]), "fraction": fraction if is_sensible else None}
    if "notes" in told:
        return {**told, "notes": [line_of(note) for note in told["notes"]]}
    if "error" in told:
        given = {name: told["error"].get(name) for name in ("code", "message", "hint")}
        error = {name: line_of(text) for name, text in given.items() if isinstance(text, str)}
        return {**told, "error": error}
    return told


def _check_sound(pcm: bytes) -> None:
    """Raises NotOurs unless it can be played."""
    if not pcm or len(pcm) > MAX_PCM or len(pcm) % 4:
        raise NotOurs(f"a chunk of {len(pcm)} bytes")
    # The sum of so many of the largest floats is still finite as a double.
    if not math.isfinite(sum(array("f", pcm))):
        raise NotOurs("samples that are not finite")


def _checked(data: Any, fields: Mapping[str, Fits]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise NotOurs("something that is not an object")
    for name, value in data.items():
        fits = fields.get(name)
        if fits is None or not fits(value):
            raise NotOurs(f"an invalid value of {str(name)[:40]!r}")
    return dict(data)


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _is_between(low: int, high: int) -> Fits:
    return lambda value: type(value) is int and low <= value <= high


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_lines(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) <= MAX_NOTES
    return is_list and all(isinstance(line, str) for line in value)


def _is_plain(value: Any) -> bool:
    """A table of options."""
    if not isinstance(value, dict) or not _is_shallow(value, MAX_DEPTH):
        return False
    try:
        return len(json.dumps(value, ensure_ascii=False).encode()) <= MAX_HEADER
    except UnicodeEncodeError:
        return False


def _is_shallow(value: Any, most: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most > 0 and all(_is_shallow(each, most - 1) for each in parts)


_DIGEST = re.compile(r"[0-9a-f]{64}")
_SAID: dict[str, Fits] = {
    "voice": _or_none(is_name),
    "lang": _or_none(is_name),
    "speed": lambda value: is_number(value) and 0 < value <= 10,
    "style": _or_none(is_text(MAX_TEXT)),
    "gender": _or_none(is_name),
    "private": _is_flag,
    "options": _is_plain,
}
_CLONE: dict[str, Fits] = {
    "digest": lambda value: isinstance(value, str) and bool(_DIGEST.fullmatch(value)),
    "transcript": _or_none(is_text(MAX_TEXT)),
    "lang": _or_none(is_name),
}
_REQUEST: dict[str, Fits] = {
    "id": is_name,
    "client": is_name,
    "session": is_name,
    "lane": is_name,
    "backend": is_name,
    "model": _or_none(is_name),
    "text": _or_none(is_text(MAX_TEXT)),
    "said": _is_plain,
    "clone": _or_none(lambda value: isinstance(value, dict)),
    "tier": _is_between(0, TIERS - 1),
    "priority": _is_between(-MAX_PRIORITY, MAX_PRIORITY),
    "seq": _or_none(_is_between(0, 2**53)),
    "avoid": lambda value: isinstance(value, list | tuple) and all(map(is_name, value)),
}
_ANSWERS: dict[str, dict[str, Fits]] = {
    "loading": {"text": lambda value: isinstance(value, str), "fraction": _or_none(is_number)},
    "begun": {"worker": is_name},
    "chunk": {"sample_rate": _is_between(LOWEST_RATE, HIGHEST_RATE)},
    "end": {
        "worker": is_name,
        "cut_off": _is_flag,
        "notes": _are_lines,
    },
    "error": {"worker": is_name, "error": lambda value: isinstance(value, dict)},
    "need-clone": {},
    "lost": {"worker": is_name},
    "back": {"worker": is_name},
}
