"""What `vox history` takes when it is long, beside one that is empty.

    python -m bench.history [-n ROUNDS] [--jobs JOBS] [--without-daemon] [--at-most X]

Calls alternate, so that other load on the machine affects all alike. Exit code 1 if the median of
one is more than X times that of the empty history. The long one is made with the job table itself,
from the words of vox's own documents, and its index for the search is made before.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator

from vox.jobs import Job
from vox.paths import get_paths
from vox.queue.store import Store

from .instance import CHECKOUT, Instance, machine, markdown

CALLS = {
    "newest": [],
    "common word": ["--search", "the"],
    "rare word": ["--search", "Xylophone"],
    "no such text": ["--search", "that a job is a"],
    "two characters": ["--search", "猫車"],
    "one character": ["--search", "e"],
    "state": ["--state", "failed"],
    "state and text": ["--state", "failed", "--search", "vox"],
    "source and text": ["--source", "rare", "--search", "the"],
    "since": ["--since", "1h"],
}
AT_ONCE = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", "--rounds", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--without-daemon", action="store_true")
    parser.add_argument("--at-most", type=float, default=2.0, metavar="X")
    args = parser.parse_args()
    with Instance(os.environ) as empty, Instance(os.environ) as full:
        rate, index_s = fill(full, args.jobs)
        print(f"{machine()}; {args.jobs} jobs: {rate:,.0f}/s made, indexed in {index_s:.1f} s")
        if not args.without_daemon:
            for instance in (empty, full):
                instance.checked("daemon", "start")
        took: dict[str, list[float]] = {}
        for _ in range(args.rounds):
            took.setdefault("empty", []).append(empty.seconds(["history", "-n", "20"]))
            for name, options in CALLS.items():
                call = ["history", "-n", "20", *options]
                took.setdefault(name, []).append(full.seconds(call))
            took.setdefault("vox stats", []).append(full.seconds(["stats"]))
    floor = statistics.median(took["empty"])
    rows = []
    for name, each in took.items():
        spread = f"{min(each) * 1000:.0f} to {max(each) * 1000:.0f}"
        middle = statistics.median(each)
        rows.append((name, f"{middle * 1000:.0f}", spread, f"{middle / floor:.2f}"))
    print(markdown(("vox history", "median, ms", "from ... to", "times the empty one"), rows))
    return int(any(float(row[-1]) > args.at_most for row in rows))


def fill(instance: Instance, count: int) -> tuple[float, float]:
    """Make a long history; how many jobs a second, and the seconds that its index took."""
    store = Store(get_paths(instance.environ).db_path)
    began = time.monotonic()
    jobs = _jobs(count)
    while some := [job for _, job in zip(range(AT_ONCE), jobs, strict=False)]:
        store.add(some)
    made_s = time.monotonic() - began
    began = time.monotonic()
    while store.history.index.add_some():
        pass
    store.close()
    return count / made_s, time.monotonic() - began


def _jobs(count: int) -> Iterator[Job]:
    """Ended jobs, one a minute until a minute ago."""
    chance = random.Random(1)
    words = []
    for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        with contextlib.suppress(OSError), open(os.path.join(CHECKOUT, name)) as file:
            words += re.findall(r"[A-Za-z']+", file.read())
    now = time.time()
    for number in range(count):
        at = chance.randrange(len(words) - 40)
        text = " ".join(words[at : at + chance.randint(5, 40)])
        if number in (count // 3, count // 2):
            text += " Xylophone 猫車"
        made_at = now - 60 * (count - number)
        yield Job(
            id="",
            text=text,
            backend=("hibari", "kokoro")[number % 2],
            state="failed" if number % 1000 == 0 else "done",
            source="rare" if number % 5000 == 0 else ("shell", "my-app")[number % 2],
            created_at=made_at,
            finished_at=made_at + 5.0,
            audio_s=3.0,
        )


if __name__ == "__main__":
    sys.exit(main())
