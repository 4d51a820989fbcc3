"""Which jobs files become, and where the files go when these end."""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from tests.inbox.rig import Rig, wait_until
from vox.errors import StorageError
from vox.inbox.claims import claim
from vox.inbox.file_jobs import FileJobs
from vox.inbox.folders import Folders, make_inside
from vox.inbox.settling import signature
from vox.jobs import Job, Request


def drop(rig: Rig, name: str, content: str | bytes) -> Path:
    """Put a file into the inbox in one step, old enough to be taken at once."""
    path = rig.folder / name
    path.parent.mkdir(exist_ok=True)
    hidden = rig.folder / ".dropping"
    hidden.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(hidden, (0, 0))
    return hidden.rename(path)


def why(rig: Rig, name: str) -> str:
    """The reason in the note about a file that failed, once both are there."""
    note = rig.folder / "failed" / f"{name}.error.txt"
    wait_until(lambda: note.exists() and (rig.folder / "failed" / name).exists())
    lines = note.read_text().splitlines()
    assert lines[0] == f"{os.path.basename(name)} was not spoken."
    return next(line.removeprefix("Why: ") for line in lines if line.startswith("Why: "))


def test_a_job_of_the_inbox_says_so_and_names_the_file(rig: Rig) -> None:
    drop(rig, "shopping list.txt", "Milk.\r\nBread.\r\n")
    (job,) = rig.wait_jobs(1)
    assert (job.source, job.via) == ("inbox", "inbox")
    assert job.source_name == "shopping list.txt"
    assert (job.text, job.sink, job.state) == ("Milk.\r\nBread.", "play", "queued")
    wait_until(lambda: rig.broker.pending() == [job.id])
    assert rig.tree() == [f".work/{job.id}__shopping list.txt"]


def test_once_spoken_the_file_is_in_done_with_what_it_held(rig: Rig) -> None:
    drop(rig, "a.txt", "Milk.\r\n")
    rig.end(rig.wait_jobs(1)[0])
    rig.wait_tree("done/a.txt")
    assert (rig.folder / "done/a.txt").read_bytes() == b"Milk.\r\n"


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("failed", "it broke; see: vox daemon logs", "it broke; see: vox daemon logs"),
        ("cancelled", "skipped", "it was skipped"),
        ("expired", "it was not spoken in time", "it was not spoken in time"),
    ],
)
def test_a_job_that_ends_otherwise_puts_the_file_into_failed_with_the_reason(
    rig: Rig, state: str, error: str, said: str
) -> None:
    drop(rig, "a.txt", "Milk.")
    (job,) = rig.wait_jobs(1)
    rig.end(job, state, error=error)
    assert why(rig, "a.txt") == said
    rig.wait_tree("failed/a.txt", "failed/a.txt.error.txt")
    assert f"vox history show {job.id}" in (rig.folder / "failed/a.txt.error.txt").read_text()


@pytest.mark.parametrize(
    "content",
    [
        "Grüße.".encode(),
        codecs.BOM_UTF8 + "Grüße.".encode(),
        codecs.BOM_UTF16_LE + "Grüße.".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Grüße.".encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with bom", "utf-16-le", "utf-16-be"],
)
def test_unicode_in_its_usual_encodings_is_read(rig: Rig, content: bytes) -> None:
    drop(rig, "a.txt", content)
    assert rig.wait_jobs(1)[0].text == "Grüße."


BAD = {
    "empty": (b"", "no text to speak"),
    "blank": (b" \n\t\n", "no text to speak"),
    "punctuation": (b"... --- !!!", "no text to speak"),
    "latin-1": ("Grüße".encode("latin-1"), "the text is not valid UTF-8: byte 3 is 0xfc"),
    "nul": (b"a\0b", "the text has NUL bytes: it looks like binary"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0", "byte 1 is 0x89; it is binary: a PNG image"),
    "unmarked": ("Hello.".encode("utf-16-le"), "it is UTF-16 without a byte order mark"),
    "no end": (b"---\nvoice: heart\nHi.", "the header, which begins with 'voice: heart', does not"),
    "unknown key": (b"---\ncolour: red\n---\nHi.", "unknown key 'colour'"),
    "no value": (b"---\nvoice:\n---\nHi.", "voice has no value"),
    "speed": (b"---\nspeed: 9\n---\nHi.", "speed '9' must be a number from 0.25 to 6"),
    "volume": (b"---\nvolume: nan\n---\nHi.", "volume 'nan' must be a number from 0 to 5"),
    "priority": (b"---\npriority: soon\n---\nHi.", "priority 'soon' must be high, normal or low"),
    "expires": (b"---\nexpires: -1\n---\nHi.", "expires '-1' must be a number above 0"),
    "backend": (b"---\nbackend: nosuch\n---\nHi.", "no backend is called 'nosuch'"),
    "voice": (b"---\nvoice: nosuch\n---\nHi.", "no voice is called 'nosuch'"),
    "model": (b"---\nmodel: big\n---\nHi.", "hibari has no models to choose from"),
    "lang": (b"---\nlang: 12\n---\nHi.", "12"),
    "gender": (b"---\ngender: cat\n---\nHi.", "gender 'cat' must be female or male"),
    "not installed": (b"---\nbackend: voxtream\n---\nHi.", "voxtream"),
    "only a header": (b"---\nspeed: 1\n---\n", "no text to speak"),
}


def test_bad_files_fail_each_with_its_reason_and_good_ones_beside_them_are_spoken(
    rig: Rig,
) -> None:
    for name, (content, _) in BAD.items():
        drop(rig, f"{name}.txt", content)
        drop(rig, f"good {name}.txt", f"Good, {name}.")
    assert {job.source_name for job in rig.wait_jobs(len(BAD))} == {
        f"good {name}.txt" for name in BAD
    }
    for name, (content, said) in BAD.items():
        assert said in why(rig, f"{name}.txt")
        assert (rig.folder / f"failed/{name}.txt").read_bytes() == content
        if name != "lang":
            assert "What to do: " in (rig.folder / f"failed/{name}.txt.error.txt").read_text()
    wait_until(lambda: rig.inbox.describe()["failed"] == len(BAD))
    assert rig.error is None


def test_what_a_terminal_would_obey_in_a_name_is_spelled_out_in_the_note(rig: Rig) -> None:
    drop(rig, "new\nline\x1b[31m.txt", "...")
    note = rig.folder / "failed/new\nline\x1b[31m.txt.error.txt"
    wait_until(note.exists)
    assert note.read_text().splitlines()[0] == r"new\nline\x1b[31m.txt was not spoken."


def test_a_file_over_the_size_limit_fails(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(max_bytes=10)
    drop(rig, "fits.txt", "Ten bytes.")
    drop(rig, "long.txt", "Eleven bytes")
    assert why(rig, "long.txt") == "the file has 12 bytes; 10 are the limit"
    assert [job.source_name for job in rig.wait_jobs(1)] == ["fits.txt"]


def test_a_header_sets_what_the_flags_would(rig: Rig) -> None:
    header = (
        "---\nbackend: hibari\nvoice: heart\nlang: en-US\nspeed: 1.5\nvolume: 2\n"
        "priority: high\nexpires: 60\nreplace: door\nstyle: calm\n---\n"
    )
    drop(rig, "a.txt", header + "Hello.")
    (job,) = rig.wait_jobs(1)
    assert (job.backend, job.voice, job.lang) == ("hibari", "heart", "en-US")
    assert (job.speed, job.volume, job.priority, job.style) == (1.5, 2.0, 10, "calm")
    assert (job.replace_key, job.text) == ("door", "Hello.")
    assert job.expires_at is not None and 0 < job.expires_at - job.created_at <= 60


def test_files_that_replace_each_other_do_so_though_they_arrive_together(rig: Rig) -> None:
    rig.inbox.stop()
    for number in range(3):
        drop(rig, f"{number}.txt", f"---\nreplace: door\n---\nNumber {number}.")
    rig.restart()
    jobs = rig.wait_jobs(3)
    wait_until(lambda: len(rig.store.live()) == 1)
    assert rig.store.live()[0].id == jobs[-1].id
    rig.end(jobs[-1])
    wait_until(lambda: len(rig.tree("failed")) == 4)


# -- output ------------------------------------------------------------------------------------


def test_an_output_lies_in_done_and_never_takes_a_name_that_is_in_use(rig: Rig) -> None:
    (rig.folder / "done/x.wav").write_bytes(b"precious")
    for number in range(2):
        drop(rig, f"{number}.txt", "---\noutput: x.wav\n---\nHello.")
        rig.wait_jobs(number + 1)
    drop(rig, "sub.txt", "---\noutput: sub/x.mp3\n---\nHello.")
    outputs = [os.path.relpath(str(job.output), rig.folder) for job in rig.wait_jobs(3)]
    assert outputs == ["done/x-2.wav", "done/x-3.wav", "done/sub/x.mp3"]
    assert {job.sink for job in rig.jobs()} == {"file"}


def test_an_output_that_waits_keeps_its_name_over_a_restart(rig: Rig) -> None:
    drop(rig, "1.txt", "---\noutput: x.wav\n---\nHello.")
    rig.wait_jobs(1)
    rig.restart()
    drop(rig, "2.txt", "---\noutput: x.wav\n---\nHello.")
    outputs = {os.path.basename(str(job.output)) for job in rig.wait_jobs(2)}
    assert outputs == {"x.wav", "x-2.wav"}


@pytest.mark.parametrize(
    "output",
    [
        *("/tmp/x.wav", "../x.wav", "../../x.wav", "sub/../../x.wav", "link/x.wav"),
        *(".", "..", "x/", "../done-not/x.wav", "a\0b.wav", "x.exe", "x", "~/x.wav"),
        f"{'x' * 252}.wav",
    ],
)
def test_an_output_anywhere_else_fails_the_file(rig: Rig, tmp_path: Path, output: str) -> None:
    (rig.folder / "done/link").symlink_to(tmp_path)
    drop(rig, "a.txt", f"---\noutput: {output}\n---\nHello.")
    assert why(rig, "a.txt")
    assert rig.jobs() == [] and list(tmp_path.iterdir()) == []


# -- subfolders --------------------------------------------------------------------------------


def test_a_subfolder_named_like_a_backend_picks_it_and_keeps_its_files_apart(rig: Rig) -> None:
    drop(rig, "hibari/a.txt", "Hello.")
    (job,) = rig.wait_jobs(1)
    assert (job.backend, job.source_name) == ("hibari", "hibari/a.txt")
    rig.end(job)
    rig.wait_tree("done/hibari/a.txt")


def test_a_subfolders_backend_that_is_not_installed_fails_the_file_and_retry_puts_it_back(
    rig: Rig,
) -> None:
    drop(rig, "voxtream/a.txt", "Hello.")
    assert "voxtream" in why(rig, "voxtream/a.txt")
    for _ in range(2):
        assert rig.inbox.retry() == ["voxtream/a.txt"]
        why(rig, "voxtream/a.txt")
        wait_until(lambda: rig.inbox.describe()["failed"] == 1)


def test_a_subfolder_named_like_a_clone_picks_that_voice(rig: Rig, home: Path) -> None:
    clone = home / "voices/auntie"
    clone.mkdir(parents=True)
    (clone / "reference.wav").write_bytes(b"RIFF")
    (clone / "voice.toml").write_text("")
    drop(rig, "auntie/a.txt", "Hello.")
    assert "auntie" in why(rig, "auntie/a.txt")  # No installed backend can clone.


def test_a_header_goes_before_the_subfolder(rig: Rig) -> None:
    drop(rig, "voxtream/a.txt", "---\nbackend: hibari\n---\nHello.")
    assert rig.wait_jobs(1)[0].backend == "hibari"


def test_a_new_subfolder_is_watched_from_then_on(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(settle_s=2.0)
    (rig.folder / "hibari").mkdir()
    rig.wait_settled()
    # Only an event can tell that it was moved in whole.
    drop(rig, "hibari/a.txt", "Hello.")
    wait_until(rig.jobs, limit_s=1.0)


# -- again -------------------------------------------------------------------------------------


def test_a_failed_file_that_is_moved_back_is_spoken_again(rig: Rig) -> None:
    drop(rig, "a.txt", "Hello.")
    rig.end(rig.wait_jobs(1)[0], "failed", error="it broke")
    assert why(rig, "a.txt") == "it broke"
    (rig.folder / "failed/a.txt").rename(rig.folder / "a.txt")
    rig.end(rig.wait_jobs(2)[1])
    wait_until((rig.folder / "done/a.txt").exists)


def test_a_done_file_that_is_moved_back_is_spoken_again(rig: Rig) -> None:
    drop(rig, "a.txt", "Hello.")
    rig.end(rig.wait_jobs(1)[0])
    rig.wait_tree("done/a.txt")
    (rig.folder / "done/a.txt").rename(rig.folder / "a.txt")
    rig.end(rig.wait_jobs(2)[1])
    rig.wait_tree("done/a.txt")


def test_retry_puts_all_that_failed_back_without_overwriting_and_without_notes(rig: Rig) -> None:
    for name in ("a.txt", "b.txt", "notes.error.txt"):
        drop(rig, name, "...")
        why(rig, name)
    rig.inbox.stop()
    drop(rig, "a.txt", "Another.")
    assert rig.inbox.retry() == ["a-2.txt", "b.txt", "notes.error.txt"]
    assert rig.tree() == ["a-2.txt", "a.txt", "b.txt", "notes.error.txt"]


def test_a_file_that_fails_anew_while_retry_is_at_it_keeps_its_new_reason(rig: Rig) -> None:
    drop(rig, "a.txt", "...")
    why(rig, "a.txt")

    def wait_for_it(frame: FrameType, event: str, _arg: object) -> None:
        if event == "return" and frame.f_code.co_name == "move_in":
            sys.setprofile(None)
            wait_until((rig.folder / "failed/a.txt").exists)

    sys.setprofile(wait_for_it)
    try:
        assert rig.inbox.retry() == ["a.txt"]
    finally:
        sys.setprofile(None)
    assert "no text to speak" in why(rig, "a.txt")


def test_a_file_that_cannot_be_moved_back_keeps_its_reason(rig: Rig) -> None:
    drop(rig, "hibari/a.txt", "...")
    why(rig, "hibari/a.txt")
    (rig.folder / "hibari").rmdir()
    (rig.folder / "hibari").write_text("In the way.")
    with pytest.raises(StorageError, match="hibari"):
        rig.inbox.retry()
    assert "no text to speak" in why(rig, "hibari/a.txt")


def test_the_same_name_failing_twice_keeps_both_files_and_both_reasons(rig: Rig) -> None:
    drop(rig, "a.txt", "...")
    why(rig, "a.txt")
    drop(rig, "a.txt", "---\nspeed: 9\n---\nHi.")
    wait_until((rig.folder / "failed/a-2.txt").exists)
    assert rig.tree("failed") == [
        *("a-2.txt", "a-2.txt.error.txt", "a.txt", "a.txt.error.txt"),
    ]
    assert "no text to speak" in (rig.folder / "failed/a.txt.error.txt").read_text()


# -- restarts ----------------------------------------------------------------------------------


def test_what_was_dropped_while_nobody_watched_is_taken_in_by_the_next_once_it_settled(
    new_rig: Callable[..., Rig],
) -> None:
    rig = new_rig(settle_s=0.5)
    rig.inbox.stop()
    for name in ("b", "a"):
        drop(rig, f"{name}.txt", name)
    began = time.time()
    rig.restart()
    for job in rig.wait_jobs(2):
        assert job.created_at - began >= 0.5  # Not known to be whole, so it has to settle.


def test_what_came_after_the_last_look_is_known_to_a_daemon_that_leaves(rig: Rig) -> None:
    """Files that cannot be submitted do not count: the next daemon could not submit them either."""
    (rig.folder / "other").mkdir()
    (rig.folder / "other/a.txt").write_text("Not for us.")
    rig.inbox.stop()
    assert not rig.inbox.has_new()
    drop(rig, "hibari/a.txt", "Hello.")
    assert rig.inbox.has_new()
    rig.set("inbox.enabled", False)
    assert not rig.inbox.has_new()


def end_while_away(rig: Rig, clear: bool) -> Job:
    drop(rig, "a.txt", "Hello.")
    (job,) = rig.wait_jobs(1)
    rig.inbox.stop()
    rig.end(job)
    if clear:
        rig.store.forgetting.clear()
    assert rig.tree() == [f".work/{job.id}__a.txt"]
    return job


@pytest.mark.parametrize("clear", [False, True], ids=["kept", "cleared"])
def test_a_job_that_ended_while_nobody_watched_gets_its_file_out_of_work(
    rig: Rig, clear: bool
) -> None:
    end_while_away(rig, clear)
    rig.restart()
    rig.wait_tree("done/a.txt")
    rig.wait_settled()
    assert len(rig.jobs()) == (0 if clear else 1)


def test_a_claim_that_never_became_a_job_becomes_one(rig: Rig) -> None:
    rig.inbox.stop()
    (rig.folder / ".work/abcdef__a.txt").write_text("Hello.")
    rig.restart()
    (job,) = rig.wait_jobs(1)
    assert (job.id, job.source_name) == ("abcdef", "a.txt")


def test_a_claimed_file_whose_id_is_another_jobs_by_now_gets_another_one(rig: Rig) -> None:
    rig.inbox.stop()
    rig.submitter.submit(Request(text="Somebody else's.", id="abcdef"))
    (rig.folder / ".work/abcdef__a.txt").write_text("Hello.")
    rig.restart()
    _, job = rig.wait_jobs(2)
    assert (job.text, job.source_name) == ("Hello.", "a.txt")


def test_a_file_whose_id_becomes_another_jobs_before_it_is_submitted_goes_back_into_the_inbox(
    rig: Rig,
) -> None:
    rig.inbox.stop()
    folders = Folders(str(rig.folder))
    jobs = FileJobs(folders, rig.config, rig.submitter, rig.store)
    paths = [drop(rig, f"{number}.txt", f"Number {number}.") for number in range(3)]
    claims = [claim(folders, jobs.new_id(), str(path), "") for path in paths]
    rig.submitter.submit(Request(text="Somebody else's.", id=claims[1].id))
    settled = [signature(os.lstat(each.path)) for each in claims]
    assert jobs.submit(list(zip(claims, settled, strict=True))) == ([], [])
    assert jobs.submitted.keys() == {claims[0].id, claims[2].id}
    assert rig.texts() == ["Somebody else's.", "Number 0.", "Number 2."]
    assert paths[1].read_text() == "Number 1."


# -- the queue ---------------------------------------------------------------------------------


def test_when_the_queue_is_full_files_wait_in_the_folder_until_there_is_room(rig: Rig) -> None:
    rig.set("max_queue", 3)
    rig.submitter.submit(Request(text="Somebody else's."))
    rig.inbox.stop()
    for number in range(5):
        drop(rig, f"{number}.txt", f"Number {number}.")
    rig.restart()
    wait_until(lambda: rig.store.count_live() == 3)
    assert rig.tree()[2:] == ["2.txt", "3.txt", "4.txt"] and rig.error is None
    for _ in range(6):
        rig.end(wait_until(rig.store.live)[0])
    assert rig.texts() == ["Somebody else's.", *(f"Number {number}." for number in range(5))]
    rig.wait_tree(*(f"done/{number}.txt" for number in range(5)))


def test_retention_removes_only_what_has_been_in_done_for_longer(
    new_rig: Callable[..., Rig],
) -> None:
    rig = new_rig(keep_done_days=1)
    drop(rig, "a.txt", "An old file, spoken just now.")
    rig.end(rig.wait_jobs(1)[0])
    rig.wait_tree("done/a.txt")
    rig.restart()
    wait_until(lambda: rig.inbox.describe()["last_scan_at"])
    assert rig.tree() == ["done/a.txt"]
    rig.set("inbox.keep_done_days", 1e-9)
    rig.restart()
    rig.wait_tree()


def test_folders_are_made_inside_and_never_through_a_link(tmp_path: Path) -> None:
    done, outside = tmp_path / "done", tmp_path / "outside"
    outside.mkdir()
    assert make_inside(str(done), "") == str(done)
    assert make_inside(str(done), "a/b") == str(done / "a" / "b")
    assert (done / "a" / "b").is_dir()
    (done / "link").symlink_to(outside)
    for subfolder in ("link", "link/b"):
        with pytest.raises(NotADirectoryError):
            make_inside(str(done), subfolder)
    assert not list(outside.iterdir())
