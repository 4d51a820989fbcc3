"""Kills a watcher again and again while files arrive; run by `test_crash` as a process of its own.

Everything is imported once and each watcher is forked off, so that a life lasts milliseconds and
not the time of an interpreter's start. Prints one JSON object: how often it killed, and what the
speaker of each life saw: [job id, text] in order.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import vox.backends.hibari
import watchdog.observers.inotify  # noqa: F401 - imported before the forks
from tests.inbox.rig import Rig
from vox.paths import get_paths
from vox.queue.recovery import recover
from vox.queue.store import Store

LONGEST_LIFE_S = 0.25
SUBFOLDER = "hibari"


def name_of(number: int) -> str:
    stem = f"{number:03}"
    if number % 10 == 1:
        stem += "\N{SNOWMAN}" * 80
    return f"{SUBFOLDER}/{stem}.txt" if number % 10 == 2 else f"{stem}.txt"


def text_of(number: int) -> str:
    if number % 25 == 3:
        return "..."  # Nothing to speak: it fails without a job.
    header = "---\nspeed: 1.5\n---\n" if number % 10 == 4 else ""
    return f"{header}Text {number}."


def write_all(folder: Path, count: int, seconds: float) -> None:
    """Copy-like and rename-like writers by turns, in bursts."""
    (folder / SUBFOLDER).mkdir()
    for number in range(count):
        path = folder / name_of(number)
        if number % 2:
            path.write_text(text_of(number))
        else:
            hidden = folder / f".{number}.part"
            hidden.write_text(text_of(number))
            hidden.rename(path)
        if number % 5 == 0:
            time.sleep(random.uniform(0, 10 * seconds / count))


class Speaker(threading.Thread):
    """Ends queued jobs in order; writes down each before it touches it."""

    def __init__(self, rig: Rig, heard_path: Path) -> None:
        super().__init__(daemon=True)
        self.rig = rig
        self.heard = heard_path.open("a")

    def run(self) -> None:
        ends = ("done", "done", "failed", "cancelled")
        while True:
            for job_id in self.rig.store.queued_ids():
                job = self.rig.store.get(job_id)
                self.heard.write(json.dumps([job.id, job.text]) + "\n")
                self.heard.flush()
                end = ends[len(job.text) % 4] if "00" in job.text else "done"
                self.rig.store.change(job.id, ("queued",), end, error="for a reason")  # type: ignore[arg-type]
            time.sleep(0.01)


def live(heard_path: Path) -> Rig:
    rig = Rig(settle_s=0.03)
    recover(rig.store, rig.broker)
    rig.watcher.start()
    Speaker(rig, heard_path).start()
    return rig


def one_life(heard_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            live(heard_path)
            time.sleep(60)
        finally:
            os._exit(3)
    time.sleep(random.uniform(0, LONGEST_LIFE_S))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "it died before it was killed"


def main(kills: int, files: int) -> None:
    paths = get_paths()
    folder, heard_path = Path(paths.inbox_dir), Path(paths.data_dir) / "heard"
    folder.mkdir(parents=True)
    writer = os.fork()
    if writer == 0:
        write_all(folder, files, seconds=kills * LONGEST_LIFE_S / 2)
        os._exit(0)
    for number in range(kills):
        one_life(heard_path)
        if number % 20 == 19:
            # As `vox history clear` does without a daemon, at the worst of times.
            store = Store(paths.db_path)
            store.clear()
            store.close()
    os.waitpid(writer, 0)
    rig = live(heard_path)
    deadline = time.monotonic() + 60
    while rig.watcher.is_busy or rig.watcher.describe()["working"] or rig.store.count_live():
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    described = rig.watcher.describe()
    rig.watcher.stop()
    heard = [json.loads(line) for line in heard_path.read_text().splitlines()]
    print(json.dumps({"kills": kills, "heard": heard, "described": described}))


if __name__ == "__main__":
    random.seed(int(sys.argv[3]))
    main(int(sys.argv[1]), int(sys.argv[2]))
