"""What is foreseen of the live jobs: phases, places, and when each is heard. A pure function.

All that it knows is in its arguments: the live jobs, what is made and heard of each, and how fast
voices speak. It goes through what will be made, one job at a time, and what one loudspeaker will
play (see `running` and `audio.line`). Seconds count from now.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..jobs import INTERRUPT
from ..outlook import Outlook, Phase
from ..queue.outlooks import LiveEntry, phase_of_row
from .rates import Pace
from .running import level
from .sizes import UTTERANCE_CHARS, Size


class Making(NamedTuple):
    """What is done for a job that is at work."""

    is_loading: bool = False
    loading: float | None = None
    is_awaiting_turn: bool = False
    """Another job is made meanwhile."""
    is_resting: bool = False
    """Enough of it is ready, or its text is still being written."""
    encoded_s: float | None = None
    """For so long its file has been written, all audio being made."""
    chars_left: float | None = None
    """Speakable characters of what is not made; None: to be estimated."""


@dataclass(slots=True)
class Track:
    """What is known of one live job, and what is found out."""

    entry: LiveEntry
    size: Size
    pace: Pace
    model: str
    """The key of its model."""
    made: int = 0
    made_s: float = 0.0
    """Seconds of audio that are made, with the utterance that is just synthesized."""
    whole_s: float = 0.0
    """Seconds of those utterances that are made whole."""
    is_complete: bool = False
    heard_s: float = 0.0
    is_in_line: bool = False
    """The player has it."""
    is_interrupted: bool = False
    """It was heard, and is to go on before others begin."""
    making: Making | None = None
    """None: it is not at work."""
    encoding: float = 0.0
    """Seconds that it takes to write a second of its audio into its file."""
    expected_s: float = field(default=0.0, init=False)
    """Seconds of audio that it has once all is made."""
    begun_in_s: float = field(default=0.0, init=False)
    """When its making begins."""
    sound_in_s: float = field(default=0.0, init=False)
    """When there is sound of it that was not heard."""
    done_in_s: float = field(default=0.0, init=False)
    """When all of it is made."""
    order: tuple[bool, int, int] = field(init=False)
    start: Start | None = field(default=None, init=False)
    """When its next sound is heard."""

    def __post_init__(self) -> None:
        self.order = self.entry.order

    @property
    def has_sound(self) -> bool:
        """There is sound of it that was not heard."""
        return self.is_complete or self.made_s > self.heard_s

    @property
    def is_at_end(self) -> bool:
        """All of it was played, and is heard in a moment."""
        return self.is_complete and self.entry.state == "speaking" and self.heard_s >= self.made_s

    @property
    def interrupts(self) -> bool:
        return self.entry.priority >= INTERRUPT


class Start(NamedTuple):
    in_s: float
    is_exact: bool


class Scene(NamedTuple):
    """What holds for all jobs."""

    sounding: str | None = None
    """The job that is heard."""
    can_sound: bool = True
    """Speech is not paused, and there is a device."""
    pause_s: float = 0.25
    """Between two utterances, and between two jobs."""
    lookahead_s: float = 120.0
    """So much is made ahead of what is heard."""
    behind_s: float = 0.0
    """From when sound is played until it is heard."""
    loaded: frozenset[str] = frozenset()
    """The keys of the models that are loaded."""


def forecast(tracks: Sequence[Track], scene: Scene) -> dict[str, Outlook]:
    """The outlooks of the live jobs by id, in the order of hearing."""
    for track in tracks:
        track.expected_s = expected_s(track, scene)
    _foresee_making(tracks, scene)
    _foresee_sound(tracks, scene)
    return {
        track.entry.id: outlook(track, scene, position)
        for position, track in enumerate(_in_order_of_hearing(tracks, scene), start=1)
    }


def _in_order_of_hearing(tracks: Sequence[Track], scene: Scene) -> list[Track]:
    """What is heard now, what will be, what is written, and at last what is held back.

    A text that is still being written and has nothing to be said keeps its place in the queue.
    """
    heard: list[Track] = []
    started: list[tuple[float, tuple[bool, int, int], Track]] = []
    others: list[Track] = []
    for track in tracks:
        if track.entry.id == scene.sounding or track.is_at_end:
            heard.append(track)
        elif track.start is not None:
            started.append((track.start.in_s, track.order, track))
        else:
            others.append(track)
    started.sort(key=lambda each: each[:2])
    others.sort(key=lambda each: (each.entry.is_held, each.order), reverse=True)
    line = heard
    for *_, coming in started:
        while others and not others[-1].entry.is_held and others[-1].order < coming.order:
            line.append(others.pop())
        line.append(coming)
    return line + others[::-1]


# -- what is made -----------------------------------------------------------------------------


def expected_s(track: Track, scene: Scene) -> float:
    """Seconds of audio that the job has once all is made."""
    if track.is_complete:
        return track.made_s
    if track.entry.audio_s is not None:
        return track.entry.audio_s
    left, utterances = _left(track)
    pauses = max(utterances - (track.made == 0), 0.0)
    return max(track.made_s, track.whole_s + left * track.pace.char_s + pauses * scene.pause_s)


def _left(track: Track) -> tuple[float, float]:
    """Speakable characters and utterances that are not made."""
    size, making, count = track.size, track.making, track.entry.utterances
    if count:
        share = max(0.0, 1.0 - track.made / count)
        known = making.chars_left if making else None
        return size.chars * share if known is None else known, count * share
    left = max(0.0, size.chars - track.whole_s / track.pace.char_s)
    if track.made:
        return left, left / UTTERANCE_CHARS
    return left, max(size.utterances, 1.0)


def _foresee_making(tracks: Sequence[Track], scene: Scene) -> None:
    """When each job is made: one at a time, in the order in which they go first."""

    def rank(track: Track) -> tuple[tuple[int, int], bool, int]:
        heard = track.entry.id == scene.sounding
        return level(track.entry, heard), track.making is None, track.entry.seq

    wanted = (track for track in tracks if not (track.is_complete or track.entry.is_held))
    unmade = sorted(wanted, key=rank)
    loaded, free_s = set(scene.loaded), 0.0
    for track in unmade:
        if track.entry.sink == "file":
            continue
        is_at_work = track.making is not None or track.is_in_line
        track.begun_in_s = 0.0 if is_at_work else free_s
        free_s = _foresee_one(track, free_s, loaded)
    files = [track for track in unmade if track.entry.sink == "file"]
    _foresee_files(files, [t for t in unmade if t.entry.sink != "file"], tracks, scene, loaded)


def _foresee_one(track: Track, free_s: float, loaded: set[str]) -> float:
    """When it has sound and is done if its making goes on at `free_s`; returns the latter."""
    pace = track.pace
    if track.model not in loaded:
        loading = track.making.loading if track.making else None
        free_s += pace.load_s * (1.0 - (loading or 0.0))
        loaded.add(track.model)
    work_s = max(0.0, track.expected_s - track.made_s) * pace.work
    track.sound_in_s = 0.0 if track.has_sound else free_s + min(pace.first_s, work_s)
    track.done_in_s = free_s + work_s
    return track.done_in_s


def _foresee_files(
    files: Sequence[Track],
    unmade: Sequence[Track],
    tracks: Sequence[Track],
    scene: Scene,
    loaded: set[str],
) -> None:
    """Files are made while enough is ready for the ear. `unmade`: what goes first."""
    if not files:
        return
    ahead_s = sum(
        max(0.0, track.made_s - track.heard_s) for track in tracks if track.entry.sink == "play"
    )
    lack_s = max(0.0, scene.lookahead_s - ahead_s)
    first_s = later_s = rate = 0.0
    for track in unmade:
        left_s = max(0.0, track.expected_s - track.made_s)
        at_once_s = left_s if track.entry.sink == "stream" else min(left_s, lack_s)
        lack_s -= min(left_s, lack_s)
        first_s += at_once_s * track.pace.work
        later_s += (left_s - at_once_s) * track.pace.work
        rate = max(rate, track.pace.work)
    own_s = 0.0
    for track in files:
        own_s = _foresee_one(track, own_s, loaded)
        needed_s = own_s + first_s
        # What is heard meanwhile is to be made again ahead of the ear.
        share = min(later_s, needed_s * rate / (1.0 - rate)) if rate < 1.0 else later_s
        track.done_in_s = needed_s + (share if scene.can_sound else 0.0)


# -- what is heard ----------------------------------------------------------------------------


def _foresee_sound(tracks: Sequence[Track], scene: Scene) -> None:
    """When each job's first sound, or its next one after an interruption, is heard."""
    for track in tracks:
        if track.entry.sink == "stream":
            track.start = Start(track.sound_in_s, track.has_sound)
    played = [track for track in tracks if track.entry.sink == "play" and not _has_no_turn(track)]
    sounding = next((track for track in played if track.entry.id == scene.sounding), None)
    gap_s = scene.pause_s if any(track.is_at_end for track in tracks) else 0.0
    now_s, is_exact = scene.behind_s, True
    if sounding is not None:
        now_s, gap_s, is_exact = _end_s(sounding, 0.0), scene.pause_s, sounding.is_complete
    for track in sorted(played, key=lambda each: each.order):
        if track.interrupts and track is not sounding:
            at_s = track.sound_in_s + scene.behind_s
            track.start = Start(at_s, track.has_sound)
            now_s += _end_s(track, at_s) - at_s + scene.pause_s
            is_exact = is_exact and track.is_complete
    waiting = [t for t in played if t is not sounding and not t.interrupts]
    _go_through(waiting, now_s, gap_s, is_exact, scene)


def _go_through(
    waiting: Sequence[Track], now_s: float, gap_s: float, is_exact: bool, scene: Scene
) -> None:
    """The loudspeaker takes the first in order of those that are begun, again and again."""
    to_come = sorted(waiting, key=lambda each: each.begun_in_s, reverse=True)
    begun: list[tuple[bool, tuple[bool, int, int], str, Track]] = []
    while begun or to_come:
        while to_come and (not begun or to_come[-1].begun_in_s <= now_s + gap_s):
            track = to_come.pop()
            heapq.heappush(begun, (not track.is_interrupted, track.order, track.entry.id, track))
        track = heapq.heappop(begun)[-1]
        at_s = max(now_s + gap_s, track.sound_in_s + scene.behind_s)
        track.start = Start(at_s, is_exact and track.has_sound)
        is_exact = is_exact and track.is_complete
        now_s, gap_s = _end_s(track, at_s), scene.pause_s


def _end_s(track: Track, at_s: float) -> float:
    """When its last sound is heard if it goes on at `at_s`."""
    return max(at_s + max(0.0, track.expected_s - track.heard_s), track.done_in_s)


def _has_no_turn(track: Track) -> bool:
    """It is held back, or nothing of its text, which is still being written, waits to be said."""
    entry = track.entry
    is_parked = entry.is_open and entry.state == "queued" and track.made_s <= track.heard_s
    return is_parked or entry.is_held or track.is_at_end


# -- what is told -----------------------------------------------------------------------------


def outlook(track: Track, scene: Scene, position: int | None = None) -> Outlook:
    """The outlook of one job."""
    is_played = track.entry.sink == "play"
    phase = phase_of(track, scene)
    start = track.start if scene.can_sound or not is_played else None
    left_s = track.expected_s - track.heard_s if is_played else _written_in_s(track)
    return Outlook(
        phase=phase,
        loading=track.making.loading if track.making and phase == "loading" else None,
        made=track.made,
        fraction=_fraction(track),
        made_s=track.made_s,
        expected_s=track.expected_s,
        heard_s=track.heard_s if is_played else None,
        left_s=max(0.0, left_s),
        position=position,
        starts_in_s=start.in_s if start else None,
        starts_in_is_exact=bool(start and start.is_exact),
    )


def _written_in_s(track: Track) -> float:
    """When what is not for the loudspeaker is done."""
    encoded_s = track.making.encoded_s if track.making else None
    return track.done_in_s + track.expected_s * track.encoding - (encoded_s or 0.0)


def _fraction(track: Track) -> float:
    if track.is_complete:
        return 1.0
    if track.entry.utterances:
        return min(1.0, track.made / track.entry.utterances)
    return min(1.0, track.whole_s / track.expected_s) if track.expected_s else 0.0


def phase_of(track: Track, scene: Scene) -> Phase:
    """What is done for the job now."""
    entry, making = track.entry, track.making
    is_between = entry.state == "speaking" and scene.sounding is None
    if scene.sounding == entry.id or track.is_at_end or is_between:
        return "speaking"
    if entry.sink == "play" and track.is_complete:
        return "ready"
    if making is None:
        return "ready" if entry.state == "speaking" else phase_of_row(entry)
    if making.is_loading:
        return "loading"
    if making.is_awaiting_turn and not track.made:
        return "waiting"
    return "ready" if making.is_resting and entry.sink == "play" else "making"
