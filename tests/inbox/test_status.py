"""The inbox's status and `retry` from its folder alone, without a daemon."""

from __future__ import annotations

from pathlib import Path

from tests.inbox.rig import Rig
from vox.config import load, set_value
from vox.inbox.status import inbox_dir, retry, status
from vox.paths import get_paths


def test_the_folder_is_in_the_data_folder_unless_another_is_chosen(home: Path) -> None:
    paths = get_paths()
    assert inbox_dir(paths, load(paths.config_path)) == str(home / "inbox")
    set_value(paths.config_path, "inbox.path", "~/Speak")
    assert inbox_dir(paths, load(paths.config_path)) == str(Path("~/Speak").expanduser())


def test_without_a_folder_there_is_nothing_and_that_is_said(home: Path) -> None:
    paths = get_paths()
    found = status(paths, load(paths.config_path))
    assert found["error"] == f"there is no folder {home / 'inbox'}"
    assert [found[key] for key in ("pending", "working", "done", "failed")] == [0, 0, 0, 0]
    assert retry(paths, load(paths.config_path)) == []


def test_what_lies_where_is_counted(home: Path) -> None:
    paths = get_paths()
    inbox = home / "inbox"
    for name in (
        *("a.txt", "b.TXT", "picture.png", ".hidden.txt", "piper/c.txt"),
        *(".work/abcdef__x.txt", ".work/.abcdef.json", "done/d.txt", "done/piper/e.txt"),
        *("done/d.wav", "failed/f.txt", "failed/f.txt.error.txt", "failed/piper/g.txt"),
        *("failed/own.error.txt", "failed/own.error.txt.error.txt", "failed/stale.txt.error.txt"),
    ):
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_text("")
    found = status(paths, load(paths.config_path))
    assert [found[key] for key in ("pending", "working", "done", "failed")] == [3, 1, 2, 3]
    assert (found["watching"], found["error"]) == ("off", None)
    assert retry(paths, load(paths.config_path)) == ["f.txt", "own.error.txt", "piper/g.txt"]
    assert status(paths, load(paths.config_path))["failed"] == 0


def test_a_running_inbox_has_the_same_keys(rig: Rig) -> None:
    found = status(rig.paths, rig.config())
    assert rig.inbox.describe().keys() == found.keys()
