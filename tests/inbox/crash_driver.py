"""Kills inboxes at random instants, or after each step; run by `test_crash` as its own process.

Everything is imported once and each inbox is forked off, so that a life lasts milliseconds and
not the time of an interpreter's start. Prints JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

# Before the forks, which would import it each.
import watchdog.observers.inotify  # noqa: F401

import vox.backends.hibari  # noqa: F401
from tests.inbox.rig import Rig
from vox.files import rename_new
from vox.inbox.claims import forget_record
from vox.inbox.folders import Folders, write_durably
from vox.jobs import Job, State
from vox.paths import get_paths
from vox.queue.broker import Broker
from vox.queue.recovery import recover
from vox.queue.store import Store

LONGEST_LIFE_S = 0.25
SUBFOLDER = "hibari"
FAILING = {f"Text {number}." for number in range(7, 1000, 50)}


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
    """Write files in bursts, by copying and by renaming in turn."""
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
    """Ends queued jobs in order; records [what, id, text] before and after each."""

    def __init__(self, rig: Rig, heard_path: Path) -> None:
        super().__init__(daemon=True)
        self.rig = rig
        self.heard = heard_path.open("a")
        self.looks = 0
        self.is_told_to_stop = False

    def stop(self) -> None:
        self.is_told_to_stop = True
        self.join()

    def run(self) -> None:
        while not self.is_told_to_stop:
            for job_id in self.rig.store.queued_ids():
                job = self.rig.store.get(job_id)
                self._note("begins", job)
                end: State = "failed" if job.text in FAILING else "done"
                if self.rig.store.change(job.id, ("queued",), end, error="for a reason"):
                    self._note("ended", job)
            self.looks += 1
            time.sleep(0.002)

    def _note(self, what: str, job: Job) -> None:
        self.heard.write(json.dumps([what, job.id, job.text]) + "\n")
        self.heard.flush()


def live(heard_path: Path, settle_s: float = 0.03) -> tuple[Rig, Speaker]:
    rig = Rig(settle_s=settle_s)
    recover(rig.store, rig.broker)
    speaker = Speaker(rig, heard_path)
    speaker.start()
    rig.inbox.start()
    return rig, speaker


def live_to_the_end(heard_path: Path, settle_s: float = 0.03) -> dict[str, Any]:
    rig, speaker = live(heard_path, settle_s)
    deadline = time.monotonic() + 60
    while rig.inbox.is_busy or rig.inbox.describe()["working"] or rig.store.count_live():
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    speaker.stop()
    rig.close()
    heard = [json.loads(line) for line in heard_path.read_text().splitlines()]
    return {"heard": heard, "described": rig.inbox.describe()}


def clear_history() -> None:
    """As `vox history clear` does when no daemon is up."""
    store = Store(get_paths().db_path)
    store.forgetting.clear()
    store.close()


# -- at random instants ------------------------------------------------------------------------


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
            clear_history()
    os.waitpid(writer, 0)
    print(json.dumps(live_to_the_end(heard_path)))


# -- after each step ---------------------------------------------------------------------------

STEPS = {
    function.__name__
    for function in (
        *(rename_new, write_durably, forget_record, Folders.make),
        *(Store.add, Store.forget_cleared, Broker.send),
    )
}
"""What changes the disk: the thread is killed after each of these functions returns."""

STEP_FILES = {
    "a.txt": "Text a.",
    "b" * 251 + ".txt": "Text b.",
    f"{SUBFOLDER}/c.txt": "Text c.",
    "d.txt": "Text 7.",  # One of FAILING.
    "e.txt": "...",
    "f.txt": "---\noutput: f.wav\n---\nText f.",
}


def die_after(steps: int, speaker: Speaker) -> Callable[[FrameType, str, Any], None]:
    """A profile function that kills this process after so many steps of the inbox's thread."""
    left = steps

    def profile(frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal left
        is_ours = f"{os.sep}vox{os.sep}" in frame.f_code.co_filename
        if event != "return" or not is_ours or frame.f_code.co_name not in STEPS:
            return
        left -= 1
        if left == 0:
            # Give the speaker the time to end what was just queued.
            before, deadline = speaker.looks, time.monotonic() + 5
            while speaker.looks < before + 2 and time.monotonic() < deadline:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGKILL)

    return profile


def killed_after(steps: int, heard_path: Path) -> bool:
    """Live until the given step; False if there was no such step."""
    pid = os.fork()
    if pid == 0:
        try:
            rig = Rig(settle_s=0.0)
            recover(rig.store, rig.broker)
            speaker = Speaker(rig, heard_path)
            speaker.start()
            threading.setprofile(die_after(steps, speaker))
            rig.inbox.start()
            threading.setprofile(None)
            while not rig.inbox.describe()["last_scan_at"]:
                time.sleep(0.005)
            while rig.inbox.is_busy or rig.inbox.describe()["working"]:
                time.sleep(0.005)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def main_steps(base: Path, *, clears: bool) -> None:
    reports = []
    for steps in range(1, 1000):
        home = base / str(steps)
        os.environ["VOX_HOME"] = str(home)
        inbox = home / "inbox"
        (inbox / SUBFOLDER).mkdir(parents=True)
        for name, text in STEP_FILES.items():
            (inbox / name).write_text(text)
        was_killed = killed_after(steps, home / "heard")
        if clears:
            clear_history()
        reports.append({"steps": steps, "home": str(home)} | live_to_the_end(home / "heard", 0.0))
        if not was_killed:
            break
    print(json.dumps(reports))


if __name__ == "__main__":
    if sys.argv[1] == "steps":
        main_steps(Path(sys.argv[2]), clears=sys.argv[3] == "clears")
    else:
        random.seed(int(sys.argv[3]))
        main(int(sys.argv[1]), int(sys.argv[2]))
