"""Gathers what is known of the live jobs and has `forecast` say what is foreseen of them.

Knows the job table, the spools, the player, the worker and the measured rates. Decides nothing.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from ..audio.player import Player
from ..audio.spool import SpoolDir
from ..config import Config
from ..errors import VoxError
from ..hosts.pool import Pool
from ..jobs import Job
from ..outlook import Outlook
from ..queue.outlooks import ENTRY_COLUMNS, LiveEntry, in_order_of_hearing
from ..queue.store import Store
from ..voices.catalog import Catalog
from .forecast import Making, Scene, Track, expected_s, forecast, outlook
from .rates import Pace, Rates, Voice, voice_of
from .sizes import Sizes

CHEAP_S = 0.02
"""A forecast that took longer to make, because thousands of jobs wait, holds for a while ..."""
COSTLY = 10.0
"""... of so many times as long."""
FEW = 20
"""With no more jobs in line, whoever adds one is told all that is foreseen of it. With more a
forecast holds so long for those who add jobs, however quickly it was made."""
NEW_S = 0.25
"""And at least so long: programs hand in hundreds of jobs at once."""


class EngineOutlooks:
    """`Outlooks` of who drains the queue."""

    def __init__(
        self,
        store: Store,
        player: Player,
        spools: SpoolDir,
        pool: Pool,
        catalog: Catalog,
        config: Callable[[], Config],
        rates: Rates,
        making: Callable[[str], Making | None],
        pace_there: Callable[[str, str | None, str | None, Pace], Pace],
        waits_for: Callable[[str], str | None],
        sizes: Sizes,
    ) -> None:
        """`making`: what is done for a job now (see `Worker.making`). `pace_there`: a pace as it
        is where the jobs of a model are made (see `Placement.pace`). `waits_for`: see `Outlook`.
        """
        self._store = store
        self._player = player
        self._spools = spools
        self._pool = pool
        self._catalog = catalog
        self._config = config
        self._rates = rates
        self._making = making
        self._pace_there = pace_there
        self._waits_for = waits_for
        self._sizes = sizes
        self._lock = threading.Lock()
        self._last: dict[str, Outlook] = {}
        self._orders: list[tuple[bool, int, int]] = []
        """Of the jobs that it is about, and of those that came since, sorted."""
        self._made_at = self._holds_until = self._holds_for_new_until = 0.0

    def of(self, job: Job) -> Outlook:
        if not job.is_live:
            return self.at_once(job)
        if (position := self._position_of_new(job)) is not None:
            return replace(self.at_once(job), position=position)
        found, passed_s = self._known()
        if job.id in found:
            return found[job.id].after(passed_s)
        # It came just now, behind thousands.
        return replace(self.at_once(job), position=self._position(job))

    def of_all(self) -> Mapping[str, Outlook]:
        found, passed_s = self._known()
        return {job_id: each.after(passed_s) for job_id, each in found.items()}

    def at_once(self, job: Job) -> Outlook:
        if not job.is_live:
            return Outlook(made=job.heard)
        waits_for = self._waits_for(job.id) if job.state == "queued" else None
        if waits_for is not None or job.started_at is None:
            return Outlook(phase="waiting", waits_for=waits_for, made=job.heard)
        scene = self._scene()
        entry, voice = _entry_of(job), voice_of(self._catalog, job)
        track = self._track(entry, scene, voice, self._pace(entry, voice))
        track.expected_s = expected_s(track, scene)
        return outlook(track, scene)

    def _position_of_new(self, job: Job) -> int | None:
        """Of a job that came since the forecast, behind many, as long as that holds for it."""
        if job.id in self._last or time.monotonic() >= self._holds_for_new_until:
            return None
        return self._position(job)

    def _position(self, job: Job) -> int:
        with self._lock:
            at = bisect.bisect_left(self._orders, job.order)
            if self._orders[at : at + 1] != [job.order]:
                self._orders.insert(at, job.order)
            return at + 1

    def _known(self) -> tuple[dict[str, Outlook], float]:
        """The forecast, and how old it is."""
        with self._lock:
            if time.monotonic() >= self._holds_until:
                began = time.thread_time()
                self._last, self._made_at = self._forecast(), time.monotonic()
                took_s = time.thread_time() - began
                over = self._made_at + COSTLY * took_s
                self._holds_until = over if took_s > CHEAP_S else self._made_at
                self._holds_for_new_until = self._made_at
                if len(self._last) > FEW:
                    self._holds_for_new_until = max(over, self._made_at + NEW_S)
            return self._last, time.monotonic() - self._made_at

    def _forecast(self) -> dict[str, Outlook]:
        line = in_order_of_hearing(self._store.outline())
        self._sizes.look(line)
        self._orders = sorted(entry.order for entry in line)
        scene = self._scene()
        voices: dict[tuple[str | float | None, ...], tuple[Voice, Pace]] = {}
        """Of thousands of jobs most have the same."""
        tracks = []
        waits_for = {entry.id: self._waits_for(entry.id) for entry in line}
        for entry in line:
            key = entry.backend, entry.model, entry.voice, entry.lang, entry.speed
            if key not in voices:
                voice = voice_of(self._catalog, entry)
                voices[key] = voice, self._pace(entry, voice)
            is_held = entry.is_held or waits_for[entry.id] is not None
            held = entry._replace(is_held=is_held)
            tracks.append(self._track(held, scene, *voices[key]))
        found = forecast(tracks, scene)
        for job_id, what in waits_for.items():
            if what is not None:
                found[job_id] = replace(found[job_id], waits_for=what, left_s=None)
        return found

    def _pace(self, entry: LiveEntry, voice: Voice) -> Pace:
        pace = self._rates.of(voice, entry.speed)
        try:
            pace = self._pace_there(entry.backend, entry.model, entry.voice, pace)
            tempo = self._catalog.info(entry.backend).tempo(entry.speed)
        except VoxError:  # the backend is gone
            return pace
        return pace._replace(work=pace.work * tempo)  # so much more is made than is heard

    def _track(self, entry: LiveEntry, scene: Scene, voice: Voice, pace: Pace) -> Track:
        track = Track(entry, self._sizes.get(entry.id), pace, voice.model, made=entry.heard)
        track.encoding = self._rates.encoding(entry.output)
        if entry.started_at is not None:
            self._add_audio(track)
        if entry.id == scene.sounding:
            track.heard_s = max(0.0, track.heard_s - scene.behind_s)
        return track

    def _add_audio(self, track: Track) -> None:
        entry = track.entry
        track.making = self._making(entry.id)
        place = self._player.place(entry.id)
        made = self._spools.peek(entry.id)
        if made is not None:
            track.made, track.made_s = made.utterances, made.audio_s
            track.whole_s, track.is_complete = made.whole_s, made.is_complete
        if place is not None:
            track.is_in_line = True
            track.heard_s, track.is_interrupted = place
        elif entry.state == "speaking":  # the player has played all of it
            track.heard_s = track.made_s

    def _scene(self) -> Scene:
        player, config = self._player, self._config()
        return Scene(
            sounding=player.current,
            can_sound=not player.is_paused and player.absence is None,
            pause_s=float(config["pause_s"]),
            lookahead_s=float(config["lookahead_s"]),
            behind_s=player.behind_s,
            loaded=self._pool.loaded,
        )


def _entry_of(job: Job) -> LiveEntry:
    return LiveEntry(*(getattr(job, name) for name in ENTRY_COLUMNS))
