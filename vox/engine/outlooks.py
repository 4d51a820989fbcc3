"""Gathers what is known of the live jobs and has `forecast` say what is foreseen of them.

Knows the job table, the spools, the player, the worker and the measured rates. Decides nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from ..audio.player import Player
from ..audio.spool import SpoolDir
from ..config import Config
from ..hosts.pool import Pool
from ..jobs import Job
from ..outlook import Outlook
from ..queue.outlooks import LiveEntry, in_order_of_hearing
from ..queue.store import Store
from ..voices.catalog import Catalog
from .forecast import Making, Scene, Track, expected_s, forecast, outlook
from .rates import Rates, Voice, speakable_chars, voice_of

SAMPLE_CHARS = 20_000
"""Of a longer text so much is counted, and taken for a sample of all."""
LOOKS = 10.0
"""A forecast that took long to make holds for so many times as long."""


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
    ) -> None:
        """`making`: what is done for a job now (see `Worker.making`)."""
        self._store = store
        self._player = player
        self._spools = spools
        self._pool = pool
        self._catalog = catalog
        self._config = config
        self._rates = rates
        self._making = making
        self._voices: dict[tuple[str | None, ...], Voice] = {}
        self._voices_for: Config | None = None
        """The settings under which these were found."""
        self._chars: dict[str, float] = {}
        """Speakable characters of the live jobs' texts."""
        self._lock = threading.Lock()
        self._last: dict[str, Outlook] = {}
        self._holds_until = 0.0

    def of(self, job: Job) -> Outlook:
        if not job.is_live:
            return self.at_once(job)
        return self._known(job.id).get(job.id) or self.at_once(job)

    def of_all(self) -> Mapping[str, Outlook]:
        return self._known()

    def at_once(self, job: Job) -> Outlook:
        if not job.is_live:
            return Outlook(made=job.heard)
        scene = self._scene()
        track = self._track(_entry_of(job))
        track.expected_s = expected_s(track, scene)
        return outlook(track, scene)

    def _known(self, wanted: str | None = None) -> dict[str, Outlook]:
        """The forecast; an earlier one if that was made just now and was costly."""
        with self._lock:
            now = time.monotonic()
            if now < self._holds_until and (wanted is None or wanted in self._last):
                return self._last
            self._last = self._forecast()
            took_s = time.monotonic() - now
            self._holds_until = time.monotonic() + LOOKS * took_s
            return self._last

    def _forecast(self) -> dict[str, Outlook]:
        line = in_order_of_hearing(self._store.outline())
        self._count_chars(line)
        return forecast([self._track(entry) for entry in line], self._scene())

    def _count_chars(self, line: list[LiveEntry]) -> None:
        """Count the characters of the texts that are new or still grow; forget the others."""
        live = {entry.id for entry in line}
        known = {job_id: count for job_id, count in self._chars.items() if job_id in live}
        new = [entry.id for entry in line if entry.is_open or entry.id not in known]
        for job_id, sample, length in self._store.samples(new, SAMPLE_CHARS):
            count = speakable_chars(sample)
            known[job_id] = count * length / len(sample) if sample else 0.0
        self._chars = known

    def _track(self, entry: LiveEntry) -> Track:
        voice = self._voice_of(entry)
        pace = self._rates.of(voice, entry.speed)
        track = Track(entry, self._chars.get(entry.id, 0.0), pace, voice.model, made=entry.heard)
        self._add_audio(track)
        return track

    def _voice_of(self, entry: LiveEntry) -> Voice:
        config = self._config()
        if config is not self._voices_for:
            self._voices, self._voices_for = {}, config
        key = entry.backend, entry.model, entry.voice, entry.lang
        if key not in self._voices:
            self._voices[key] = voice_of(self._catalog, entry)
        return self._voices[key]

    def _add_audio(self, track: Track) -> None:
        entry = track.entry
        track.making = self._making(entry.id)
        track.is_in_line = (heard_s := self._player.heard_s(entry.id)) is not None
        track.heard_s = heard_s or 0.0
        made = self._spools.peek(entry.id) if entry.started_at is not None else None
        if made is not None:
            track.made, track.made_s = made.utterances, made.audio_s
            track.whole_s, track.is_complete = made.whole_s, made.is_complete

    def _scene(self) -> Scene:
        player, config = self._player, self._config()
        return Scene(
            sounding=player.current,
            can_sound=not player.is_paused and player.absence is None,
            pause_s=float(config["pause_s"]),
            lookahead_s=float(config["lookahead_s"]),
            loaded=self._pool.loaded,
        )


def _entry_of(job: Job) -> LiveEntry:
    return LiveEntry(*(getattr(job, name) for name in LiveEntry._fields))
