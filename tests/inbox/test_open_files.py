"""A file is spoken whole: its writer is waited for, and what is written later is not lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.inbox.rig import Rig, wait_until
from vox.inbox import writers
from vox.inbox.file_jobs import FileJobs
from vox.inbox.folders import Folders
from vox.inbox.remains import NOTHING, part_of, rest_of, spoken
from vox.inbox.status import status
from vox.inbox.writers import has_writer, still_written
from vox.jobs import Job

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")

HOLDER = """
import sys
file = open(sys.argv[1], "a")
print("open", flush=True)
for line in sys.stdin:
    file.write(line)
    file.flush()
    print("written", flush=True)
"""


class Writer:
    """A program that has a file open until it is told to leave, or is killed."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", HOLDER, path]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def _answer(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self._answer()

    def leave(self) -> None:
        self.process.communicate()


@pytest.fixture
def new_writer() -> Iterator[Callable[[Path], Writer]]:
    made: list[Writer] = []

    def new(path: Path) -> Writer:
        made.append(Writer(path))
        return made[-1]

    yield new
    for each in made:
        if each.process.returncode is None:
            each.process.kill()
            each.process.communicate()


def waits(rig: Rig, name: str) -> None:
    wait_until(lambda: name in rig.inbox.describe()["being_written"])


def end(rig: Rig, job: Job) -> None:
    """End the job in the order of a real one: its file has its place when this returns."""
    rig.end(job)
    wait_until(lambda: not (rig.folder / f".work/{job.id}__{job.source_name}").exists())


# -- the writer is waited for ------------------------------------------------------------------


@only_linux
@pytest.mark.parametrize("polling", [False, True], ids=["events", "polling"])
def test_a_program_that_pauses_is_waited_for_until_it_closes_the_file(
    new_rig: Callable[..., Rig], new_writer: Callable[[Path], Writer], polling: bool
) -> None:
    rig = new_rig(polling=polling)
    writer = new_writer(rig.folder / "a.txt")
    writer.write("First.")
    waits(rig, "a.txt")
    writer.write("Second.")
    waits(rig, "a.txt")
    assert rig.jobs() == [] and rig.tree() == ["a.txt"]
    writer.leave()
    (job,) = rig.wait_jobs(1)
    assert job.text.split() == ["First.", "Second."]
    wait_until(lambda: rig.inbox.describe()["being_written"] == [])


@only_linux
def test_a_program_that_is_killed_has_written_what_is_there(
    rig: Rig, new_writer: Callable[[Path], Writer]
) -> None:
    writer = new_writer(rig.folder / "a.txt")
    writer.write("So far.")
    waits(rig, "a.txt")
    writer.process.send_signal(signal.SIGKILL)
    assert rig.wait_jobs(1)[0].text.strip() == "So far."


@only_linux
def test_a_file_that_was_begun_before_the_daemon_is_waited_for(
    rig: Rig, new_writer: Callable[[Path], Writer]
) -> None:
    rig.inbox.stop()
    writer = new_writer(rig.folder / "a.txt")
    writer.write("First.")
    assert status(rig.paths, rig.config())["being_written"] == ["a.txt"]
    assert not rig.inbox.has_new(), "a successor could not take it either"
    rig.restart()
    waits(rig, "a.txt")
    writer.write("Second.")
    writer.leave()
    assert rig.wait_jobs(1)[0].text.split() == ["First.", "Second."]


@only_linux
def test_a_file_that_is_renamed_into_the_inbox_while_it_is_written_is_waited_for(
    rig: Rig, new_writer: Callable[[Path], Writer]
) -> None:
    writer = new_writer(rig.folder / ".a")
    writer.write("First.")
    (rig.folder / ".a").rename(rig.folder / "a.txt")
    waits(rig, "a.txt")
    writer.write("Second.")
    writer.leave()
    assert rig.wait_jobs(1)[0].text.split() == ["First.", "Second."]


@only_linux
def test_two_programs_must_both_have_closed_it(
    rig: Rig, new_writer: Callable[[Path], Writer]
) -> None:
    first, second = (new_writer(rig.folder / "a.txt") for _ in range(2))
    first.write("First.")
    first.leave()
    waits(rig, "a.txt")
    second.write("Second.")
    second.leave()
    assert rig.wait_jobs(1)[0].text.split() == ["First.", "Second."]


@only_linux
def test_a_program_that_never_closes_its_file_holds_no_other_up(
    rig: Rig, new_writer: Callable[[Path], Writer]
) -> None:
    new_writer(rig.folder / "never.txt").write("And so on.")
    waits(rig, "never.txt")
    (rig.folder / "other.txt").write_text("Another.")
    assert rig.wait_jobs(1)[0].text == "Another."
    assert "never.txt" in rig.tree()


@only_linux
def test_a_program_that_opens_the_file_as_it_is_taken_is_waited_for(rig: Rig) -> None:
    """What it writes lands in `.work/`, where the file settles anew."""
    opened: list[Any] = []

    def open_it(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code.co_name == "claim" and not opened:
            opened.append((rig.folder / "a.txt").open("a"))

    rig.inbox.stop()
    threading.setprofile(open_it)
    try:
        rig.restart()
    finally:
        threading.setprofile(None)
    (rig.folder / "a.txt").write_text("One. ")
    waits(rig, "a.txt")
    assert rig.tree()[0].startswith(".work/")
    with opened[0] as file:
        file.write("Two.")
    assert rig.wait_jobs(1)[0].text == "One. Two."


# -- what is written later ---------------------------------------------------------------------


def in_work(rig: Rig, job: Job) -> Path:
    return rig.folder / f".work/{job.id}__{job.source_name}"


def test_what_is_written_after_a_file_was_read_is_a_further_job_of_the_same_file(
    rig: Rig,
) -> None:
    (rig.folder / "a.txt").write_text("---\nspeed: 1.5\n---\nFirst.")
    for text, more in (("First.", " Second.\n"), ("Second.", "\nThird. "), ("Third.", "")):
        job = rig.wait_jobs(len(rig.jobs()) or 1)[-1]
        assert (job.text.strip(), job.speed, job.source_name) == (text, 1.5, "a.txt")
        with in_work(rig, job).open("a") as file:
            file.write(more)
        count = len(rig.jobs())
        rig.end(job)
        if more:
            rig.wait_jobs(count + 1)
    rig.wait_tree("done/a.txt")
    assert (rig.folder / "done/a.txt").read_text().endswith("First. Second.\n\nThird. ")
    rig.wait_settled()
    assert len(rig.jobs()) == 3 and rig.inbox.describe()["done"] == 1


def test_a_file_that_is_written_anew_after_it_was_read_is_spoken_anew(rig: Rig) -> None:
    (rig.folder / "a.txt").write_text("The first text.")
    (job,) = rig.wait_jobs(1)
    in_work(rig, job).write_text("Another text.")
    end(rig, job)
    assert rig.wait_jobs(2)[1].text == "Another text."


@pytest.mark.parametrize("now", ["", "First.\n\n", "\ufeffFirst.", "First. ..."])
def test_a_file_with_nothing_more_to_speak_is_done(rig: Rig, now: str) -> None:
    (rig.folder / "a.txt").write_text("First.")
    (job,) = rig.wait_jobs(1)
    in_work(rig, job).write_text(now)
    end(rig, job)
    rig.wait_tree("done/a.txt")
    rig.wait_settled()
    assert len(rig.jobs()) == 1


def test_more_that_cannot_be_spoken_fails_the_file_with_the_reason(rig: Rig) -> None:
    (rig.folder / "a.txt").write_text("First.")
    (job,) = rig.wait_jobs(1)
    with in_work(rig, job).open("ab") as file:
        file.write(b"caf\xe9")
    rig.end(job)
    rig.wait_tree("failed/a.txt", "failed/a.txt.error.txt")
    assert "not valid UTF-8" in (rig.folder / "failed/a.txt.error.txt").read_text()


@pytest.mark.parametrize("when", ["while it waits", "after it ended"])
def test_what_was_written_while_no_daemon_was_there_is_spoken(rig: Rig, when: str) -> None:
    (rig.folder / "a.txt").write_text("First.\r\n")
    (job,) = rig.wait_jobs(1)
    rig.inbox.stop()
    if when == "after it ended":
        rig.end(job)
    with in_work(rig, job).open("a") as file:
        file.write("Second.")
    rig.restart()
    if when == "while it waits":
        rig.wait_settled()
        end(rig, job)
    _, further = rig.wait_jobs(2)
    assert further.text.strip() == "Second."
    rig.inbox.stop()
    rig.end(further)
    rig.restart()
    rig.wait_tree("done/a.txt")
    assert len(rig.jobs()) == 2


def test_what_remains_when_a_daemon_leaves_is_spoken_by_the_next(rig: Rig) -> None:
    (rig.folder / "a.txt").write_text("First.")
    (job,) = rig.wait_jobs(1)
    rig.inbox.stop()
    with in_work(rig, job).open("a") as file:
        file.write(" Second.")
    jobs = FileJobs(Folders(str(rig.folder)), rig.config, rig.submitter, rig.store)
    rig.end(job)
    jobs.recover()
    (further,) = jobs.further
    assert rig.tree() == [f".work/{further.id}__a.txt"]
    rig.restart()
    assert rig.wait_jobs(2)[1].text.strip() == "Second."


@only_linux
def test_a_file_that_a_program_opened_after_it_was_read_waits_for_it_and_is_done(
    rig: Rig, new_writer: Callable[[Path], Writer]
) -> None:
    (rig.folder / "a.txt").write_text("First.")
    (job,) = rig.wait_jobs(1)
    writer = new_writer(in_work(rig, job))
    end(rig, job)
    waits(rig, "a.txt")
    writer.leave()
    rig.wait_tree("done/a.txt")
    assert len(rig.jobs()) == 1


@pytest.mark.parametrize(
    ("text", "now", "rest"),
    [
        ("One.", "One. Two.", " Two."),
        ("One.\nTwo.", "One.\r\nTwo.\r\nThree.", "\r\nThree."),
        ("One.", "Two.", "Two."),
        ("One. Two.", "One.", "One."),
        ("One.", "One.", ""),
        ("", "One.", "One."),
        ("\ud83d", "\ud83d Two.", " Two."),
    ],
)
def test_the_rest_is_what_follows_what_was_spoken(text: str, now: str, rest: str) -> None:
    assert rest_of(now, spoken(text)) == rest
    assert part_of(now, spoken(text)) + rest == now


def test_before_anything_was_spoken_all_remains() -> None:
    assert rest_of("One.", NOTHING) == "One."


# -- asking the system -------------------------------------------------------------------------


@only_linux
def test_the_system_tells_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("w"):
        assert still_written([str(path)]) == {str(path)}
    with path.open():
        assert still_written([str(path), str(tmp_path / "gone"), str(tmp_path)]) == set()


@only_linux
def test_where_the_file_system_grants_no_leases_the_processes_are_looked_through(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Hello.")
    info = path.stat()
    key = (info.st_dev, info.st_ino)
    with path.open():
        assert writers._open_in_processes([key]) == set()
    with path.open("a"):
        assert writers._open_in_processes([key]) == {key}


@only_linux
def test_a_program_that_opens_the_file_as_we_ask_does_not_end_us(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Hello.")

    @contextmanager
    def opening() -> Iterator[None]:
        is_over = threading.Event()

        def loop() -> None:
            while not is_over.is_set():
                path.open("a").close()

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    with opening(), path.open() as file:
        assert {has_writer(file.fileno()) for _ in range(2000)} <= {True, False}
