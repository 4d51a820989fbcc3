"""`--private`: neither text nor audio is kept once a job has ended, however it ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import Vox
from vox.client.local import Local
from vox.jobs import Request

SECRET = "my xylophone password."


def files(vox: Vox) -> list[Path]:
    """All below the home, of which a running daemon may delete some meanwhile."""
    return [Path(folder, name) for folder, _, names in os.walk(vox.home) for name in names]


def holding(vox: Vox, secret: bytes = b"xylophone") -> list[Path]:
    """The files of this vox, also the log, in which the secret is."""
    found = []
    for path in files(vox):
        with contextlib.suppress(OSError):  # a socket, or one that was deleted just now
            if secret in path.read_bytes():
                found.append(path)
    return found


def audio_of(vox: Vox, job_id: str) -> list[Path]:
    return [path for path in files(vox) if path.name.startswith(f"{job_id}.")]


def wait_until_erased(vox: Vox, job_id: str) -> None:
    end = time.monotonic() + 60
    while holding(vox) or audio_of(vox, job_id):
        assert time.monotonic() < end, (holding(vox), audio_of(vox, job_id))
        time.sleep(0.05)


@pytest.fixture
def scripted(register: Callable[[str], None]) -> None:
    register("scripted")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "code"),
    [(SECRET, 0), ("[silent] " + SECRET, 1), (SECRET + "\n\n[silent] xylophone.", 0)],
)
def test_nothing_is_left_of_a_private_job(
    vox: Vox, scripted: None, tmp_path: Path, text: str, code: int
) -> None:
    vox.ok("daemon", "start")
    output = str(tmp_path / "out.wav")
    said = vox("-b", "scripted", "--private", "--style", "as a xylophone", "-o", output, text)
    assert said.code == code, said.err
    assert "xylophone" not in said.err
    (job,) = vox.jobs()
    wait_until_erased(vox, job["id"])
    assert (job["text"], job["private"]) == ("", True)
    assert vox.ok("history").endswith("\t(private)")
    assert vox.ok("history", "--search", "xylophone") == ""
    assert vox.ok("history", "show", job["id"]).endswith("(private)")
    exported = vox("history", "export")
    assert '"text": ""' in exported.out
    assert exported.err.strip() == f"vox: {job['id']} is private: its text is not kept"
    replayed = vox("replay", job["id"])
    assert replayed.code == 2
    assert "is private: neither its text nor its audio is kept" in replayed.err
    assert replayed.err.count("\n") == 1
    for event in vox.client.call("GET", "/jobs"):
        assert "xylophone" not in str(event)


def test_a_light_private_job_is_erased_by_its_own_call(vox: Vox, tmp_path: Path) -> None:
    vox.ok("-q", "-b", "say", "--private", "-o", str(tmp_path / "out.wav"), SECRET)
    (job,) = vox.jobs()
    assert holding(vox) == []
    assert audio_of(vox, job["id"]) == []
    assert not any((vox.home / "cache").glob("utterances/*"))


@pytest.mark.slow
def test_one_that_was_cancelled_or_whose_daemon_died_is_erased_at_the_next_start(
    vox: Vox, tmp_path: Path
) -> None:
    local = Local(vox.paths)
    first, second = (
        local.submit(Request(text=f"{name} {SECRET}", backend="say", private=True))["id"]
        for name in ("One", "Two")
    )
    (vox.home / "cache" / "spool").mkdir(parents=True, exist_ok=True)
    for job_id in (first, second):
        (vox.home / "cache" / "spool" / f"{job_id}.pcm").write_bytes(b"\0" * 100)
    assert vox.ok("history").count("xylophone") == 2
    vox.ok("cancel", "--all")
    assert vox.ok("history").count("(private)") == 2
    vox.ok("daemon", "start")
    for job_id in (first, second):
        wait_until_erased(vox, job_id)


@pytest.mark.slow
def test_a_private_file_of_the_inbox_stays_and_is_spoken_once(
    vox: Vox, scripted: None, tmp_path: Path
) -> None:
    vox.ok("inbox", "on")
    file = Path(vox.ok("inbox")) / "note.txt"
    file.write_text(f"---\nprivate: true\nbackend: scripted\noutput: note.wav\n---\n{SECRET}\n")
    vox.ok("daemon", "start")
    end = time.monotonic() + 60
    while not (file.parent / "done" / "note.txt").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    (job,) = vox.jobs()
    assert (job["private"], job["text"], job["state"]) == (True, "", "done")
    while [path.name for path in holding(vox)] != ["note.txt"]:
        assert time.monotonic() < end, holding(vox)
        time.sleep(0.05)


def test_a_private_request_that_comes_again_is_the_same_job(vox: Vox, tmp_path: Path) -> None:
    vox.ok("daemon", "start")
    body = {
        "text": SECRET,
        "backend": "hibari",
        "private": True,
        "id": "abcdef",
        "output": str(tmp_path / "out.wav"),
    }
    first = vox.client.call("POST", "/speak", body)
    assert first["state"] == "done"
    assert vox.client.call("POST", "/speak", body)["id"] == first["id"]
    assert len(vox.jobs()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "[fail no phonemes for xylophone]",  # an error that quotes without quotes
        "[noise] xylophone",
        "[noise] [crash] xylophone",
    ],
)
def test_what_a_library_says_of_a_private_text_is_not_kept(
    vox: Vox, scripted: None, tmp_path: Path, text: str
) -> None:
    vox.ok("daemon", "start")
    output = str(tmp_path / "out.wav")
    said = vox("-b", "scripted", "--private", "--style", "as a xylophone", "-o", output, text)
    assert "xylophone" not in said.err
    (job,) = vox.jobs()
    wait_until_erased(vox, job["id"])
    for words in (b"noise on standard output", b"on descriptor 1", b"something terrible"):
        assert holding(vox, words) == []
    vox("-b", "scripted", "-o", output, "[noise] Loud.")  # the log is what it was
    assert len(holding(vox, b"noise on standard output")) == 1
