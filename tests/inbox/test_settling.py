"""When a file has settled. Time is an argument."""

from __future__ import annotations

import os

import pytest

from vox.inbox.settling import EMPTY_S, SettlingFiles

WALL = 1_700_000_000.0


def info(
    mtime: float = WALL, size: int = 5, inode: int = 1, arrived: float = WALL
) -> os.stat_result:
    fields = (0o100644, inode, 7, 1, 0, 0, size, mtime, mtime, arrived)
    return os.stat_result(
        fields,
        {"st_mtime_ns": int(mtime * 1e9), "st_ctime_ns": int(arrived * 1e9), "st_mtime": mtime},
    )


def names_due(files: SettlingFiles, now: float, settle_s: float = 1.0) -> list[str]:
    due, _ = files.due(settle_s, now, WALL + now)
    return [file.path for file in due]


def test_a_file_is_due_once_it_was_seen_unchanged_for_the_whole_time() -> None:
    files = SettlingFiles()
    files.update({"a": info()}, set(), now=0.0)
    assert files.due(1.0, 0.9, WALL + 0.9) == ([], 1.0)
    assert names_due(files, 1.0) == ["a"]


@pytest.mark.parametrize(
    "changed", [info(size=6), info(mtime=WALL + 0.5), info(inode=2)], ids=["size", "mtime", "inode"]
)
def test_any_change_begins_the_time_anew(changed: os.stat_result) -> None:
    files = SettlingFiles()
    files.update({"a": info()}, set(), now=0.0)
    assert files.update({"a": changed}, set(), now=0.9)
    assert names_due(files, 1.8) == []
    assert names_due(files, 1.9) == ["a"]


def test_once_closed_the_time_counts_from_the_last_write_and_not_from_when_we_looked() -> None:
    files = SettlingFiles()
    files.update({"a": info(mtime=WALL)}, {"a"}, now=0.5)
    assert names_due(files, 0.9) == []
    assert names_due(files, 1.0) == ["a"]


def test_an_empty_file_is_waited_for_until_its_writer_has_closed_it() -> None:
    files = SettlingFiles()
    files.update({"a": info(size=0)}, set(), now=0.0)
    assert names_due(files, EMPTY_S) == []
    assert names_due(files, EMPTY_S + 1) == ["a"]
    files.update({"a": info(size=0)}, {"a"}, now=60.0)
    assert names_due(files, 60.0) == ["a"]


def test_an_empty_file_that_is_found_old_needs_no_more_time_than_others() -> None:
    files = SettlingFiles()
    files.update({"a": info(size=0, mtime=WALL - EMPTY_S)}, set(), now=0.0)
    assert names_due(files, 0.9) == []
    assert names_due(files, 1.0) == ["a"]


def test_an_old_file_that_is_moved_in_is_due_at_once() -> None:
    files = SettlingFiles()
    files.update({"a": info(mtime=WALL - 100)}, {"a"}, now=0.0)
    assert names_due(files, 0.0) == ["a"]


def test_an_old_file_that_is_only_found_has_to_settle() -> None:
    files = SettlingFiles()
    files.update({"a": info(mtime=WALL - 100)}, set(), now=0.0)
    assert names_due(files, 0.9) == []


def test_a_closed_file_from_the_future_counts_from_when_it_was_seen() -> None:
    files = SettlingFiles()
    files.update({"a": info(mtime=WALL + 3600)}, {"a"}, now=0.0)
    assert names_due(files, 0.9) == []
    assert names_due(files, 1.0) == ["a"]


def test_a_file_that_is_gone_is_forgotten() -> None:
    files = SettlingFiles()
    files.update({"a": info()}, set(), now=0.0)
    assert not files.update({}, set(), now=0.5)
    files.update({"a": info()}, set(), now=0.9)
    assert names_due(files, 1.5) == []


def test_the_order_is_that_of_arrival_and_then_of_names() -> None:
    files = SettlingFiles()
    found = {"b": info(arrived=2.0), "c": info(arrived=1.0), "a": info(arrived=2.0)}
    files.update(found, set(), now=0.0)
    assert names_due(files, 1.0) == ["c", "a", "b"]


def test_a_settled_file_lets_one_that_came_before_it_go_first() -> None:
    files = SettlingFiles()
    files.update({"first": info(arrived=1.0, inode=1)}, set(), now=0.0)
    both = {"first": info(arrived=1.0, inode=1), "second": info(WALL - 9, arrived=2.0, inode=2)}
    files.update(both, {"second"}, now=0.4)
    assert files.due(1.0, 0.5, WALL + 0.5)[0] == []
    assert names_due(files, 1.0) == ["first", "second"]


def test_a_slow_writer_holds_nobody_up_for_long() -> None:
    files = SettlingFiles()
    for tenth in range(17):
        found = {"slow": info(size=tenth, arrived=1.0), "b": info(arrived=2.0, inode=2)}
        files.update(found, set(), now=tenth / 10)
    assert names_due(files, 1.6) == ["b"]


def test_what_could_not_be_taken_is_tried_later() -> None:
    files = SettlingFiles()
    files.update({"a": info(), "b": info(arrived=WALL + 1, inode=2)}, set(), now=0.0)
    files.postpone("a", 6.0)
    assert files.due(1.0, 5.0, WALL + 5)[1] == 6.0
    assert names_due(files, 5.0) == ["b"]
    assert names_due(files, 6.0) == ["a", "b"]
