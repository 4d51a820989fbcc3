"""Folders of ours that are removed under a running daemon, or replaced by something else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from .audit import audit
from .home import ANY_END, Asked, Home, remove, wait_until


def end_of(home: Home, asked: Asked) -> str:
    """How it ended: its error, or its state."""
    assert asked.id is not None, asked.error

    def find() -> str | None:
        job = home.client.call("GET", f"/jobs/{asked.id}")
        return None if job["exit_code"] is None else job["error"] or job["state"]

    wait_until(find, f"{asked.id} ends")
    return find() or ""


def replace(home: Home, folder: str, what: str) -> None:
    """Put something else in its place, also if the daemon is making the folder again."""
    while not os.path.islink(folder) and not os.path.isfile(folder):
        remove(folder)
        with contextlib.suppress(FileExistsError):
            if what == "a file":
                Path(folder).touch(exist_ok=False)
            else:
                os.symlink(folder if "circle" in what else home.home / "nowhere", folder)


def test_a_cache_that_is_removed_under_the_daemon_costs_no_job(vox: Home, sound: object) -> None:
    cache = Path(vox.paths.cache_dir)
    vox.ok("daemon", "start")
    played = vox.post("[say 0.1s] [until gone] [say 0.2s]")
    vox.until(played.id or "", "speaking")
    remove(cache)
    (vox.home / "gone").touch()
    written = vox.post("[say 0.1s] [mark half] [until gone-again] [say 0.2s]", file=True)
    wait_until((vox.home / "half").exists, "half of it is written")
    remove(cache)
    (vox.home / "gone-again").touch()
    assert (end_of(vox, played), end_of(vox, written)) == ("done", "done")
    assert end_of(vox, vox.post()) == "done"
    assert Path(vox.paths.spool_dir).is_dir() and Path(vox.paths.utterances_dir).is_dir()
    audit(vox)


@pytest.mark.parametrize("what", ["a file", "a link to nowhere", "a link in a circle"])
def test_what_lies_in_place_of_a_folder_is_one_clear_line_and_moving_it_mends_it(
    vox: Home, sound: object, what: str
) -> None:
    vox.ok("daemon", "start")
    assert end_of(vox, vox.post()) == "done"
    for folder in (vox.paths.spool_dir, vox.paths.utterances_dir):
        replace(vox, folder, what)
    asked = vox.post()
    asked.ends = ANY_END
    folder = vox.paths.spool_dir
    assert end_of(vox, asked).startswith(f"cannot write {folder}: it is not a folder; move it away")
    assert any(
        line.startswith("FAIL") and vox.paths.spool_dir in line
        for line in vox("doctor").out.splitlines()
    )
    for folder in (vox.paths.spool_dir, vox.paths.utterances_dir):
        os.unlink(folder)
    assert end_of(vox, vox.post()) == "done"
    audit(vox)
