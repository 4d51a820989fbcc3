"""Which names are taken, and when a file has settled; time is an argument."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vox.inbox.ready import Tracker, is_wanted

WALL = 1_700_000_000.0
TXT = ("*.txt",)


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "-a.txt", "a b.txt", "a\nb.txt", "a\udce9.txt"])
def test_names_of_the_pattern_are_wanted_in_any_case(name: str) -> None:
    assert is_wanted(name, TXT)


@pytest.mark.parametrize(
    "name",
    [
        *(".a.txt", ".a.txt.swp", ".a.txt.x8Fk2q", ".syncthing.a.txt.tmp", "~syncthing~a.txt.tmp"),
        *("~$a.txt", "#a.txt#", "a.txt~", "a.txt.part", "a.txt.crdownload", "a.txt.filepart"),
        *("a.TMP", "a.swp", ".~lock.a.txt#", "4913"),
    ],
)
def test_temporary_names_are_not_wanted_whatever_the_pattern(name: str) -> None:
    patterns = ("*.txt",) if name == "4913" else ("*",)
    assert not is_wanted(name, patterns)


def test_patterns_can_be_chosen() -> None:
    assert is_wanted("read me.MD", ("*.txt", "*.md"))
    assert not is_wanted("a.txt", ("say-*",))


def info(
    mtime: float = WALL, size: int = 5, inode: int = 1, arrived: float = WALL
) -> os.stat_result:
    fields = (0o100644, inode, 7, 1, 0, 0, size, mtime, mtime, arrived)
    return os.stat_result(
        fields,
        {"st_mtime_ns": int(mtime * 1e9), "st_ctime_ns": int(arrived * 1e9), "st_mtime": mtime},
    )


def names_due(tracker: Tracker, now: float, settle_s: float = 1.0) -> list[str]:
    due, _ = tracker.due(settle_s, now, WALL + now)
    return [seen.path for seen in due]


def test_a_file_is_due_once_it_was_seen_unchanged_for_the_whole_time() -> None:
    tracker = Tracker()
    tracker.update({"a": info()}, set(), now=0.0)
    assert tracker.due(1.0, 0.9, WALL + 0.9) == ([], 1.0)
    assert names_due(tracker, 1.0) == ["a"]


@pytest.mark.parametrize(
    "changed", [info(size=6), info(mtime=WALL + 0.5), info(inode=2)], ids=["size", "mtime", "inode"]
)
def test_any_change_begins_the_time_anew(changed: os.stat_result) -> None:
    tracker = Tracker()
    tracker.update({"a": info()}, set(), now=0.0)
    assert tracker.update({"a": changed}, set(), now=0.9)
    assert names_due(tracker, 1.8) == []
    assert names_due(tracker, 1.9) == ["a"]


def test_once_closed_the_time_counts_from_the_last_write_and_not_from_when_we_looked() -> None:
    tracker = Tracker()
    tracker.update({"a": info(mtime=WALL)}, {"a"}, now=0.5)
    assert names_due(tracker, 0.9) == []
    assert names_due(tracker, 1.0) == ["a"]


def test_an_old_file_that_is_moved_in_is_due_at_once() -> None:
    tracker = Tracker()
    tracker.update({"a": info(mtime=WALL - 100)}, {"a"}, now=0.0)
    assert names_due(tracker, 0.0) == ["a"]


def test_an_old_file_that_is_only_found_has_to_settle() -> None:
    tracker = Tracker()
    tracker.update({"a": info(mtime=WALL - 100)}, set(), now=0.0)
    assert names_due(tracker, 0.9) == []


def test_a_closed_file_from_the_future_counts_from_when_it_was_seen() -> None:
    tracker = Tracker()
    tracker.update({"a": info(mtime=WALL + 3600)}, {"a"}, now=0.0)
    assert names_due(tracker, 0.9) == []
    assert names_due(tracker, 1.0) == ["a"]


def test_a_file_that_is_gone_is_forgotten() -> None:
    tracker = Tracker()
    tracker.update({"a": info()}, set(), now=0.0)
    assert not tracker.update({}, set(), now=0.5)
    tracker.update({"a": info()}, set(), now=0.9)
    assert names_due(tracker, 1.5) == []


def test_the_order_is_that_of_arrival_and_then_of_names() -> None:
    tracker = Tracker()
    found = {"b": info(arrived=2.0), "c": info(arrived=1.0), "a": info(arrived=2.0)}
    tracker.update(found, set(), now=0.0)
    assert names_due(tracker, 1.0) == ["c", "a", "b"]


def test_a_settled_file_lets_one_that_came_before_it_go_first() -> None:
    tracker = Tracker()
    tracker.update({"first": info(arrived=1.0, inode=1)}, set(), now=0.0)
    both = {"first": info(arrived=1.0, inode=1), "second": info(WALL - 9, arrived=2.0, inode=2)}
    tracker.update(both, {"second"}, now=0.4)
    assert tracker.due(1.0, 0.5, WALL + 0.5)[0] == []
    assert names_due(tracker, 1.0) == ["first", "second"]


def test_a_slow_writer_holds_nobody_up_for_long() -> None:
    tracker = Tracker()
    for tenth in range(17):
        found = {"slow": info(size=tenth, arrived=1.0), "b": info(arrived=2.0, inode=2)}
        tracker.update(found, set(), now=tenth / 10)
    assert names_due(tracker, 1.6) == ["b"]


def test_what_could_not_be_taken_is_tried_later(tmp_path: Path) -> None:
    tracker = Tracker()
    tracker.update({"a": info(), "b": info(arrived=WALL + 1, inode=2)}, set(), now=0.0)
    tracker.postpone("a", 6.0)
    assert tracker.due(1.0, 5.0, WALL + 5)[1] == 6.0
    assert names_due(tracker, 5.0) == ["b"]
    assert names_due(tracker, 6.0) == ["a", "b"]
