"""Events stop, the folder vanishes, access is refused: errors are shown, and it recovers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.inbox.rig import Rig, wait_until
from vox.inbox.inbox import POLL_S

RARELY_S = 600


def drop(rig: Rig, text: str) -> None:
    (rig.folder / f"{text}.txt").write_text(text)


def test_an_event_alone_is_enough(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(scan_s=RARELY_S)
    assert rig.inbox.describe()["watching"] == "events"
    drop(rig, "Hello")
    rig.wait_jobs(1)
    assert rig.activity


def test_a_scan_alone_is_enough(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(polling=True)
    assert rig.inbox.describe()["watching"] == "polling"
    drop(rig, "Hello")
    rig.end(rig.wait_jobs(1)[0])
    rig.wait_tree("done/Hello.txt")


@pytest.mark.slow
def test_polling_can_be_chosen_while_it_runs(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(scan_s=RARELY_S)
    for polling, watching in ((True, "polling"), (False, "events")):
        rig.set("inbox.polling", polling)
        wait_until(lambda expected=watching: rig.inbox.describe()["watching"] == expected)  # type: ignore[misc]
        drop(rig, watching)
        wait_until(lambda expected=watching: expected in rig.texts())  # type: ignore[misc]


def test_a_folder_removed_and_made_again_is_watched_again(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(scan_s=RARELY_S)
    shutil.rmtree(rig.folder)
    wait_until(
        lambda: rig.error == f"there is no folder {rig.folder}; it will be created again soon"
    )
    assert not rig.folder.exists()  # Whoever makes it again finds none of ours in the way.
    rig.folder.mkdir()
    drop(rig, "Hello")
    rig.wait_jobs(1)
    wait_until(lambda: rig.error is None and rig.inbox.describe()["watching"] == "events")
    drop(rig, "World")
    rig.end(rig.wait_jobs(2)[1])
    wait_until((rig.folder / "done/World.txt").exists)


def test_what_lies_below_is_made_again_only_when_it_is_needed(new_rig: Callable[..., Rig]) -> None:
    """A user who removes the folder from below upwards must find it empty in the end."""
    rig = new_rig(scan_s=RARELY_S)
    scanned_at = rig.inbox.describe()["last_scan_at"]
    for name in ("done", "failed", ".work"):
        (rig.folder / name).rmdir()
    wait_until(lambda: rig.inbox.describe()["last_scan_at"] != scanned_at)
    assert list(rig.folder.iterdir()) == []
    drop(rig, "Hello")
    rig.end(rig.wait_jobs(1)[0])
    wait_until((rig.folder / "done/Hello.txt").exists)


def test_a_folder_that_stays_away_is_made_again(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(scan_s=1)
    shutil.rmtree(rig.folder)
    wait_until(lambda: rig.error)
    wait_until((rig.folder / "done").is_dir)
    drop(rig, "Hello")
    rig.wait_jobs(1)


@pytest.mark.slow
def test_a_folder_moved_away_and_replaced_is_watched_in_its_place(
    new_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = new_rig(scan_s=RARELY_S)
    rig.folder.rename(tmp_path / "moved")
    rig.folder.mkdir()
    drop(rig, "Hello")
    rig.wait_jobs(1)
    (tmp_path / "moved/Ignored.txt").write_text("Ignored")
    drop(rig, "World")
    assert [job.text for job in rig.wait_jobs(2)] == ["Hello", "World"]


def test_a_subfolder_removed_and_made_again_is_watched_again(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(scan_s=RARELY_S)
    for number in range(3):
        (rig.folder / "hibari").mkdir()
        (rig.folder / "hibari/a.txt").write_text(f"Number {number}")
        rig.wait_jobs(number + 1)
        (rig.folder / "hibari").rmdir()
    assert rig.texts() == ["Number 0", "Number 1", "Number 2"] and rig.error is None


def test_a_link_to_a_folder_may_be_the_inbox_itself(home: Path, tmp_path: Path) -> None:
    (tmp_path / "synced").mkdir()
    (home / "speak").symlink_to(tmp_path / "synced")
    with Rig(path=str(home / "speak")) as rig:
        drop(rig, "Hello")
        rig.end(rig.wait_jobs(1)[0])
        wait_until((tmp_path / "synced/done/Hello.txt").exists)


def test_another_folder_can_be_chosen_while_it_runs(rig: Rig, tmp_path: Path) -> None:
    drop(rig, "Hello")
    (first,) = rig.wait_jobs(1)
    rig.set("inbox.path", tmp_path / "new")
    rig.inbox.scan_soon()
    wait_until((tmp_path / "new/done").is_dir)
    (tmp_path / "new/World.txt").write_text("World")
    rig.end(rig.wait_jobs(2)[1])
    wait_until((tmp_path / "new/done/World.txt").exists)
    rig.end(first)
    rig.wait_tree("done/Hello.txt")


def test_what_was_claimed_and_no_job_goes_back_when_another_folder_is_chosen(
    new_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = new_rig(settle_s=5.0)
    rig.inbox.stop()
    (rig.folder / ".work/abcdef__a.txt").write_text("Hello")
    rig.restart()
    wait_until(lambda: rig.inbox.describe()["pending"])
    rig.set("inbox.path", tmp_path / "new")
    rig.inbox.scan_soon()
    rig.wait_tree("a.txt")
    wait_until(lambda: rig.inbox.describe()["pending"] == 0)


def test_switched_off_it_takes_nothing_and_switched_on_again_it_does(rig: Rig) -> None:
    rig.set("inbox.enabled", False)
    wait_until(lambda: rig.inbox.describe()["watching"] == "off")
    drop(rig, "Hello")
    rig.inbox.scan_soon()
    assert not rig.inbox.is_busy
    rig.set("inbox.enabled", True)
    rig.wait_jobs(1)


def test_a_chosen_folder_is_not_made_with_its_parents(home: Path) -> None:
    """They may be on a disk that is not mounted now."""
    with Rig(path=str(home / "disk/inbox")) as rig:
        assert rig.error == f"there is no folder {home / 'disk'}; create it, or mount its disk"
        assert not rig.inbox.is_busy
        assert not (home / "disk").exists()


def test_a_link_in_place_of_done_is_refused(home: Path, tmp_path: Path) -> None:
    (home / "inbox").mkdir()
    (home / "inbox/done").symlink_to(tmp_path)
    with Rig() as rig:
        wait_until(lambda: "done is not a folder" in str(rig.error))


@pytest.mark.slow
def test_a_link_that_comes_in_place_of_done_is_refused_until_it_is_gone(
    new_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = new_rig(scan_s=RARELY_S)
    (rig.folder / "done").rmdir()
    (rig.folder / "done").symlink_to(tmp_path)
    drop(rig, "Hello")
    wait_until(lambda: "done is not a folder" in str(rig.error))
    (rig.folder / "done").unlink()
    rig.end(rig.wait_jobs(1)[0])
    wait_until((rig.folder / "done/Hello.txt").exists)
    wait_until(lambda: rig.error is None)


def test_files_dropped_while_the_process_was_frozen_and_events_overflowed_are_all_taken(
    new_rig: Callable[..., Rig],
) -> None:
    """More events occur than the system keeps unread."""
    if not os.path.exists("/proc/sys/fs/inotify/max_queued_events"):
        pytest.skip("there is no inotify")
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip(f"a queue of {limit} events is too long to make it overflow")
    rig = new_rig(scan_s=RARELY_S)
    writer = """
import os, signal, sys
folder, parent, noise = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.kill(parent, signal.SIGSTOP)
try:
    for number in range(noise):
        path = os.path.join(folder, f"noise{number}.md")
        open(path, "w").close()
        os.unlink(path)
    for number in range(50):
        with open(os.path.join(folder, f"{number:03}.txt"), "w") as file:
            file.write(f"Number {number}")
finally:
    os.kill(parent, signal.SIGCONT)
"""
    arguments = [str(rig.folder), str(os.getpid()), str(limit // 2)]
    subprocess.run([sys.executable, "-c", writer, *arguments], check=True, timeout=120)
    assert len(rig.wait_jobs(50)) == 50


# -- as somebody who is not root ---------------------------------------------------------------


class Nobody:
    """An inbox in an unprivileged process."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.inbox.unprivileged", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )

    def describe(self) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def wait(self, what: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def look() -> object:
            found.update(self.describe())
            return what(found)

        try:
            wait_until(look, limit_s=30)
        except AssertionError:
            pytest.fail(f"it says {found}")
        return found

    def close(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0


@pytest.fixture
def nobody(home: Path) -> Iterator[Callable[..., Nobody]]:
    with ExitStack() as stack:

        def start(*arguments: str) -> Nobody:
            made = Nobody(*arguments)
            stack.callback(made.close)
            return made

        yield start


@pytest.mark.slow
def test_a_read_only_inbox_is_an_error_that_is_shown_and_mends(
    home: Path, nobody: Callable[..., Nobody]
) -> None:
    inbox = home / "inbox"
    for name in ("done", "failed", ".work"):
        (inbox / name).mkdir(parents=True)
    (inbox / "a.txt").write_text("Hello")
    inbox.chmod(0o555)
    process = nobody("0", "settle_s=0.1")
    found = process.wait(lambda found: found["error"])
    assert found["error"] == "cannot take a.txt: Permission denied"
    assert (found["pending"], found["texts"]) == (1, [])
    inbox.chmod(0o777)
    found = process.wait(lambda found: found["texts"] and found["error"] is None)
    assert found["texts"] == ["Hello"]


def test_an_inbox_that_cannot_be_made_ready_is_an_error_that_is_shown(
    home: Path, nobody: Callable[..., Nobody]
) -> None:
    (home / "inbox").mkdir()
    (home / "inbox").chmod(0o555)
    found = nobody("0").wait(lambda found: found["error"])
    assert f"cannot write {home}/inbox/.work: Permission denied" in found["error"]


def test_an_unreadable_file_fails_with_the_reason(
    home: Path, nobody: Callable[..., Nobody]
) -> None:
    (home / "inbox").mkdir()
    (home / "inbox/a.txt").write_text("Secret")
    (home / "inbox/a.txt").chmod(0)
    nobody("0", "settle_s=0.1").wait(lambda found: found["failed"])
    note = (home / "inbox/failed/a.txt.error.txt").read_text()
    assert "Why: the file cannot be read: Permission denied" in note


def test_without_inotify_it_looks_by_itself_and_says_so(
    home: Path, nobody: Callable[..., Nobody]
) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("there is no inotify")
    if os.getuid() != 0:
        pytest.skip("using up this user's inotify instances would disturb others")
    process = nobody("100000", "settle_s=0.1")
    found = process.wait(lambda found: found["note"])
    assert found["watching"] == "polling" and found["error"] is None
    assert found["note"] == (
        f"no file system events (inotify instance limit reached): scanning every {POLL_S:g} s"
    )
    (home / "inbox/a.txt").write_text("Hello")
    process.wait(lambda found: found["texts"] == ["Hello"])


def test_a_stopped_inbox_leaves_no_thread_behind(new_rig: Callable[..., Rig]) -> None:
    before = set(threading.enumerate())
    rig = new_rig()
    rig.inbox.stop()
    assert set(threading.enumerate()) <= before
