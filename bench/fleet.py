"""A fleet on one machine: how far workers, clients and their Redis server go, by simulation.

    python -m bench.fleet [--workers 1,2,4,8,16] [--clients 1,10,50,200] [--many 1000]
                          [--seconds S] [--card NAME] [--json FILE]

Redis, workers (`vox worker` with hosts) and clients (sessions) are real; the model is a script that
sleeps as long as a card takes. Where the processor is busy, the machine is measured, not the
design: each line says how busy it was. docs/scale.md says what came of it. Linux only; needs
redis-server.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from .fleet_machines import Card, Fleet, Went
from .instance import machine, markdown

CARDS = {
    card.name: card
    for card in (
        # Measured by others, on the cards that are named: see docs/scale.md.
        Card("qwen-4090", first_s=0.156, x_realtime=4.78),
        Card("qwen-t4", first_s=0.901, x_realtime=1.07),
        Card("voxtream-3090", first_s=0.063, x_realtime=5.78),
    )
}
SENTENCE_S = 4.0
WORD_S = 0.4
LOAD = 0.6
"""How busy the workers are while clients speak now and then."""
LEASE_S = 10.0
PROCESSES = 2
"""That the clients are in."""
REQUESTS = 40
FAIR_AFTER = 3
"""Fairness is told where a client had time for so many sentences."""


@dataclass
class Row:
    """One line of a table: what was done, and how it went."""

    mode: str
    workers: int
    clients: int
    sentence_s: float
    went: Went

    @property
    def jobs_per_minute(self) -> float:
        return self.went.audio_s / self.sentence_s / self.went.seconds * 60

    def first_s(self, share: float) -> tuple[float, bool]:
        """The time to the first sound that this share did not exceed; False: it was longer."""
        heard = [(s, True) for each in self.went.clients for s in each["first_s"]]
        waits = [(s, False) for each in self.went.clients for s in each["waits_s"]]
        # Who has waited longer than others until they heard something counts as later than they.
        everything = sorted(heard + waits)
        if not everything:
            return math.nan, True
        return everything[min(len(everything) - 1, math.ceil(share * len(everything)) - 1)]

    @property
    def shares(self) -> list[float]:
        return [float(each["audio_s"]) for each in self.went.clients]

    @property
    def fairness(self) -> float:
        """Jain's index of what the clients got: 1 if all got the same, 1/n if one got all."""
        total, squares = sum(self.shares), sum(each * each for each in self.shares)
        return total * total / (len(self.shares) * squares) if squares else math.nan

    @property
    def worst_to_best(self) -> float:
        most = max(self.shares, default=0.0)
        return min(self.shares) / most if most else math.nan

    @property
    def errors(self) -> int:
        return sum(len(each["errors"]) for each in self.went.clients)


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.card = CARDS[options.card]
        self.rows: list[Row] = []
        self.first_sounds: dict[str, list[float]] = {}
        self._options = options

    def run(self) -> None:
        for workers in self._options.workers:
            with Fleet(workers, PROCESSES, LEASE_S) as fleet:
                fleet.warm_up()
                self.first_sounds = self.first_sounds or fleet.first_sounds(REQUESTS)
                for clients in self._options.clients:
                    fleet.have_clients(clients)
                    self._go(fleet, "speak", workers, clients)
                self._go(fleet, "read_aloud", workers, 1)
                self._now_and_then(fleet, workers, clients)
                if workers == max(self._options.workers):
                    self._go(fleet, "share", workers, clients, sentence_s=WORD_S)
                    if self._options.many:
                        self._rest(fleet, workers, self._options.many)

    def _rest(self, fleet: Fleet, workers: int, clients: int) -> None:
        """Many clients that do nothing, and then a little."""
        seconds = self._options.seconds
        fleet.have_clients(clients)
        time.sleep(2 * seconds)  # until they rest
        self.rows.append(Row("rest", workers, clients, SENTENCE_S, fleet.rest(seconds)))
        self._now_and_then(fleet, workers, clients)

    def _now_and_then(self, fleet: Fleet, workers: int, clients: int) -> None:
        every_s = clients * self.card.job_s(SENTENCE_S) / (workers * LOAD)
        self._go(fleet, "speak_now_and_then", workers, clients, every_s=every_s)

    def _go(
        self,
        fleet: Fleet,
        mode: str,
        workers: int,
        clients: int,
        sentence_s: float = SENTENCE_S,
        **options: float,
    ) -> None:
        print(f"{mode}: {workers} workers, {clients} clients   ", end="\r", file=sys.stderr)
        text = self.card.text(sentence_s)
        went = fleet.go(mode, clients, text, self._options.seconds, **options)
        self.rows.append(Row(mode, workers, clients, sentence_s, went))

    def of(self, mode: str) -> list[Row]:
        return [row for row in self.rows if row.mode == mode]

    def efficiency(self, row: Row) -> float:
        """What so many workers make, beside so many times what one makes, for as many clients.

        Not a number where the clients decide how much is made.
        """
        if row.mode not in ("speak", "read_aloud"):
            return math.nan
        alone = [
            each.jobs_per_minute
            for each in self.of(row.mode)
            if each.workers == 1 and each.clients == row.clients
        ]
        return row.jobs_per_minute / (row.workers * alone[0]) if alone and alone[0] else math.nan


def table(bench: Bench, mode: str) -> str:
    header = (
        "workers,clients,jobs a minute,of so many times one,first sound p50,p99,fairness,"
        "worst to best,machine,Redis,Redis' memory,connections,requests/s,in,out,errors"
    ).split(",")
    cores = os.cpu_count() or 1
    rows = []
    for row in bench.of(mode):
        went = row.went
        is_told = went.audio_s / row.sentence_s >= FAIR_AFTER * row.clients
        rows.append(
            [
                str(row.workers),
                str(row.clients),
                f"{row.jobs_per_minute:,.0f}",
                _number(bench.efficiency(row)),
                _first(row.first_s(0.5)),
                _first(row.first_s(0.99)),
                _number(row.fairness if is_told else math.nan),
                _number(row.worst_to_best if is_told else math.nan),
                f"{100 * went.machine_cpu_s / went.seconds / cores:.0f} %",
                f"{100 * went.redis_cpu_s / went.seconds:.1f} %",
                f"{went.peak_bytes / 1e6:.1f} MB",
                f"{went.connections:,}",
                f"{went.requests / went.seconds:,.0f}",
                f"{went.in_bytes / went.seconds / 1e6:.2f} MB/s",
                f"{went.out_bytes / went.seconds / 1e6:.2f} MB/s",
                str(row.errors),
            ]
        )
    return markdown(header, rows)


def costs(bench: Bench) -> str:
    """Processor time and bytes for a second of sound, where most was made."""
    rows = []
    for row in bench.of("speak"):
        went, audio_s = row.went, row.went.audio_s
        if row.clients != max(each.clients for each in bench.of("speak")) or not audio_s:
            continue
        rows.append(
            [
                str(row.workers),
                f"{1000 * went.workers_cpu_s / audio_s:.1f} ms",
                f"{1000 * went.clients_cpu_s / audio_s:.1f} ms",
                f"{1000 * went.redis_cpu_s / audio_s:.2f} ms",
                f"{went.scripts_us:.0f} us",
                f"{went.requests / audio_s:.1f}",
                f"{went.in_bytes / audio_s / 1000:.0f} kB",
                f"{went.out_bytes / audio_s / 1000:.0f} kB",
            ]
        )
    header = "workers,worker and host,client,Redis,a script,requests,in,out".split(",")
    return markdown(header, rows)


def median_and_most(values_ms: Sequence[float]) -> str:
    most = sorted(values_ms)[int(0.99 * len(values_ms))]
    return f"{statistics.median(values_ms):.2f} ms (p99 {most:.1f} ms)"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _first(found: tuple[float, bool]) -> str:
    seconds, is_known = found
    if math.isnan(seconds):
        return ""
    return f"{'' if is_known else '> '}{1000 * seconds:,.0f} ms"


def _counts(text: str) -> list[int]:
    return sorted(int(each) for each in text.split(","))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("bench.fleet", description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=_counts, default=[1, 2, 4, 8, 16])
    parser.add_argument("--clients", type=_counts, default=[1, 10, 50, 200])
    parser.add_argument("--many", type=int, default=1000, help="clients at rest; 0: leave it out")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each line")
    parser.add_argument("--card", choices=CARDS, default="qwen-4090")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    bench = Bench(options)
    bench.run()
    card = bench.card
    print(f"{machine()}; {options.seconds:g} s a line, sentences of {SENTENCE_S:g} s of sound")
    first_ms = 1000 * card.first_s
    print(f"{card.name}: {card.x_realtime} x real time, first sound after {first_ms:.0f} ms")
    for where, values_ms in bench.first_sounds.items():
        print(f"first sound, warm, {where}: {median_and_most(values_ms)}")
    for mode, title in TITLES.items():
        if bench.of(mode):
            print(f"\n{title}\n\n{table(bench, mode)}")
    if bench.of("speak"):
        print(f"\nA second of sound costs, with most clients\n\n{costs(bench)}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(row) for row in bench.rows], file)


TITLES = {
    "speak": "Each client has one sentence after the other made",
    "share": "Each has one word after the other made, and one has as many at once as are workers",
    "read_aloud": "One client has one long text made",
    "speak_now_and_then": f"Clients speak now and then, and the workers are busy for {LOAD:.0%}",
    "rest": "Clients do nothing",
}

if __name__ == "__main__":
    main()
