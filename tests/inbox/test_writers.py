"""Real programs write into the inbox in their own ways; each text becomes one complete job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from tests.inbox.rig import Rig, wait_until
from vox.jobs import Job

SLOW_WRITER = """
import sys, time
with open(sys.argv[1], "ab", buffering=0) as file:
    for byte in sys.argv[2].encode():
        file.write(bytes([byte]))
        time.sleep(0.1)
"""

REOPENING_WRITER = """
import sys, time
for byte in sys.argv[2].encode():
    with open(sys.argv[1], "ab") as file:
        file.write(bytes([byte]))
    time.sleep(0.1)
"""


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=60)


def since(job: Job, began: float) -> float:
    return job.created_at - began


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A complete text on the inbox's file system, older than any `settle_s`."""
    path = tmp_path / "text.txt"
    path.write_text("It is on the shelf.")
    os.utime(path, (time.time() - 500, time.time() - 500))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("program", [SLOW_WRITER, REOPENING_WRITER], ids=["open", "reopening"])
def test_a_slow_writer_is_waited_for(new_rig: Callable[..., Rig], program: str) -> None:
    rig = new_rig(settle_s=1.0)
    run(sys.executable, "-c", program, rig.folder / "slow.txt", "It takes its time.")
    assert rig.wait_jobs(1)[0].text == "It takes its time."


def test_a_file_that_stays_empty_while_its_text_is_made_is_waited_for(rig: Rig) -> None:
    """As a shell makes it for `slow-command > slow.txt`."""
    with (rig.folder / "slow.txt").open("w") as file:
        wait_until(lambda: rig.inbox.describe()["pending"])
        (rig.folder / "other.txt").write_text("Meanwhile.")
        rig.end(rig.wait_jobs(1)[0])
        rig.wait_tree("done/other.txt", "slow.txt")
        file.write("It took its time.")
    assert rig.wait_jobs(2)[1].text == "It took its time."


def test_a_copied_file_is_taken_soon_after_it_has_settled_and_no_sooner(
    new_rig: Callable[..., Rig], elsewhere: Path
) -> None:
    rig = new_rig(settle_s=1.0)
    written_at = {}
    for number in range(5):
        path = rig.folder / f"{number}.txt"
        run("cp", elsewhere, path)
        written_at[path.name] = path.stat().st_mtime
    waits_s = [since(job, written_at[str(job.source_name)]) for job in rig.wait_jobs(5)]
    assert min(waits_s) >= 1.0 and median(waits_s) < 1.5


def test_a_file_moved_in_whole_needs_no_time_to_settle(
    new_rig: Callable[..., Rig], elsewhere: Path
) -> None:
    rig = new_rig(settle_s=5.0)
    began = time.time()
    run("mv", elsewhere, rig.folder)
    (job,) = rig.wait_jobs(1)
    assert since(job, began) < 0.2 * 5.0


def test_what_is_moved_in_right_after_another_was_taken_is_not_held_up(
    new_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    """watchdog waits half a second for the other half of a move, such as our claim of a file."""
    rig = new_rig(settle_s=5.0)
    waits_s = []
    for number in range(6):
        path = tmp_path / f"{number}.txt"
        path.write_text(f"Number {number}.")
        os.utime(path, (0, 0))
        began = time.time()
        path.rename(rig.folder / path.name)
        waits_s.append(since(rig.wait_jobs(number + 1)[-1], began))
    assert min(waits_s[1:]) < 0.3


@pytest.mark.slow
def test_many_single_drops_in_a_row_are_each_taken_soon(new_rig: Callable[..., Rig]) -> None:
    """Our own renames must not delay the events of later files."""
    rig = new_rig(settle_s=1.0)
    began = {}
    for number in range(15):
        path = rig.folder / f"{number}.txt"
        path.write_text(f"Number {number}.")
        began[path.name] = path.stat().st_mtime
        wait_until(lambda n=number: len(rig.jobs()) > n - 5)  # type: ignore[misc]
        time.sleep(0.1)
    assert median(since(job, began[str(job.source_name)]) for job in rig.wait_jobs(15)) < 1.5


def test_a_file_moved_from_another_file_system_is_taken_whole(rig: Rig) -> None:
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == rig.folder.stat().st_dev:
        pytest.skip("there is no other file system to move from")
    text = "far " * 50_000
    source = Path(f"/dev/shm/vox-test-{os.getpid()}.txt")
    source.write_text(text)
    try:
        run("mv", source, rig.folder)
    finally:
        source.unlink(missing_ok=True)
    assert rig.wait_jobs(1)[0].text == text.strip()


def vim(path: Path, *commands: str) -> None:
    """Edit a file in vim's ex mode, which vim-tiny has too."""
    program = shutil.which("vim") or shutil.which("vim.tiny") or shutil.which("vi")
    if program is None:
        pytest.skip("vim is not installed (apt-get install vim-tiny)")
    script = "\n".join([*commands, "wq", ""])
    # In this mode its exit status says whether anything was printed, not how it went.
    command = [program, "-u", "NONE", "-es", str(path)]
    subprocess.run(command, check=False, input=script.encode(), timeout=60)


def test_vim_writes_one_job(rig: Rig) -> None:
    vim(rig.folder / "note.txt", "a", "Written by vim.", ".")
    (job,) = rig.wait_jobs(1)
    assert job.text == "Written by vim."
    rig.wait_settled()
    assert rig.tree() == [f".work/{job.id}__note.txt"]


def test_vim_rewrites_a_file_by_way_of_a_backup_and_it_is_one_job(
    new_rig: Callable[..., Rig],
) -> None:
    rig = new_rig(settle_s=1.0)
    path = rig.folder / "note.txt"
    path.write_text("First.\n")
    vim(path, "set backup backupcopy=no", "a", "Second.", ".")
    assert rig.wait_jobs(1)[0].text == "First.\nSecond."


def test_an_editors_atomic_save_is_one_job_with_the_last_text(rig: Rig) -> None:
    for text in ("First.", "Second.", "Third."):
        temporary = rig.folder / ".note.txt.tmp-Xy12"
        temporary.write_text(text)
        temporary.rename(rig.folder / "note.txt")
    assert rig.wait_jobs(1)[0].text == "Third."
    rig.wait_settled()
    assert len(rig.jobs()) == 1


@pytest.mark.parametrize("options", [["-a"], ["-a", "--inplace"]], ids=["rsync", "inplace"])
def test_rsync_brings_a_folder_in(rig: Rig, tmp_path: Path, options: list[str]) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed (apt-get install rsync)")
    source = tmp_path / "source"
    source.mkdir()
    for number in range(5):
        (source / f"{number}.txt").write_text(f"Text {number}. " * 20_000)
    run("rsync", *options, f"{source}/", rig.folder)
    jobs = rig.wait_jobs(5)
    for job in jobs:
        assert job.text == (source / str(job.source_name)).read_text().strip()


def test_a_file_removed_before_it_settled_is_nothing(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(settle_s=5.0)
    path = rig.folder / "a.txt"
    path.write_text("Never mind.")
    wait_until(lambda: rig.inbox.describe()["pending"])
    path.unlink()
    rig.wait_settled()
    assert rig.jobs() == [] and rig.error is None


def test_a_file_replaced_before_it_settled_is_one_job_with_the_new_text(
    new_rig: Callable[..., Rig], elsewhere: Path
) -> None:
    rig = new_rig(settle_s=5.0)
    (rig.folder / "text.txt").write_text("Old.")
    wait_until(lambda: rig.inbox.describe()["pending"])
    elsewhere.rename(rig.folder / "text.txt")
    assert rig.wait_jobs(1)[0].text == "It is on the shelf."


def test_a_file_written_again_after_it_was_taken_is_another_job(rig: Rig) -> None:
    path = rig.folder / "a.txt"
    path.write_text("First.")
    rig.wait_jobs(1)
    path.write_text("Second.")
    jobs = rig.wait_jobs(2)
    assert [job.text for job in jobs] == ["First.", "Second."]
    for job in jobs:
        rig.end(job)
    rig.wait_tree("done/a-2.txt", "done/a.txt")
    assert (rig.folder / "done/a.txt").read_text() == "First."
    assert (rig.folder / "done/a-2.txt").read_text() == "Second."


def test_what_is_no_regular_file_stays_where_it_is(rig: Rig) -> None:
    (rig.folder / "passwd.txt").symlink_to("/etc/passwd")
    (rig.folder / "dangling.txt").symlink_to(rig.folder / "gone")
    (rig.folder / "folder.txt").mkdir()
    (rig.folder / "other").mkdir()
    (rig.folder / "other/a.txt").write_text("Not for us.")
    os.mkfifo(rig.folder / "pipe.txt")
    (rig.folder / "a.txt").write_text("Only this.")
    rig.end(rig.wait_jobs(1)[0])
    rig.wait_tree("dangling.txt", "done/a.txt", "other/a.txt", "passwd.txt", "pipe.txt")
    rig.wait_settled()
    assert rig.texts() == ["Only this."] and rig.error is None


ODD_NAMES = [
    *(b"with spaces.txt", b"new\nline.txt", "emoji \N{GRINNING FACE}.txt".encode(), b"-rf.txt"),
    *(b"--help.TXT", b"caf\xe9.txt", b"quote\"'$(id)`.txt", b"back\\slash.txt", b"__.txt"),
    *(b"a" * 251 + b".txt", "\N{SNOWMAN}".encode() * 83 + b"ab.txt", b"abcdef__twice.txt"),
    b"\xff" * 251 + b".txt",
]


def test_files_of_odd_names_are_spoken_and_keep_their_names(rig: Rig) -> None:
    folder = os.fsencode(rig.folder)
    for number, name in enumerate(ODD_NAMES):
        with open(os.path.join(folder, name), "w") as file:
            file.write(f"Text {number}.")
    jobs = rig.wait_jobs(len(ODD_NAMES))
    assert {job.source_name for job in jobs} == {
        name.decode("utf-8", "backslashreplace") for name in ODD_NAMES
    }
    for job in jobs[::2]:
        rig.end(job)
    for job in jobs[1::2]:
        rig.end(job, "failed", error="it broke; mend it")
    wait_until(lambda: sum(rig.inbox.describe()[key] for key in ("done", "failed")) == len(jobs))
    spoken, failed = (os.listdir(os.path.join(folder, where)) for where in (b"done", b"failed"))
    notes = {name for name in failed if name.endswith(b".error.txt")}
    assert sorted({*spoken, *failed} - notes) == sorted(ODD_NAMES)
    assert len(notes) == len(jobs[1::2])
    assert os.listdir(os.path.join(folder, b".work")) == []
    assert len(rig.inbox.retry()) == len(jobs[1::2])
    assert os.listdir(os.path.join(folder, b"failed")) == []


def test_files_that_arrive_together_are_queued_by_arrival_and_then_by_name(rig: Rig) -> None:
    for name in ("c", "a", "b"):
        path = rig.folder / f".{name}"
        path.write_text(name)
        os.utime(path, (0, 0))
    arrived = {}
    for name in ("c", "a", "b"):
        path = (rig.folder / f".{name}").rename(rig.folder / f"{name}.txt")
        arrived[name] = path.stat().st_ctime_ns
    rig.wait_jobs(3)
    assert rig.texts() == sorted("abc", key=lambda name: (arrived[name], name))
