"""The utterance cache on a real disk: what it keeps, what it removes, what it never believes."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vox.audio.pcm import Samples
from vox.audio.utterances import UtteranceCache
from vox.errors import StorageError

RATE = 24_000
BYTES = 20_024
"""What 10,000 frames take on the disk."""


def wave(frames: int = 10_000, level: float = 0.5) -> Samples:
    return (level * np.sin(np.arange(frames) / 20)).astype(np.float32)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> UtteranceCache:
    return UtteranceCache(str(tmp_path / "utterances"), lambda: 10 * BYTES, clock)


def names(cache: UtteranceCache) -> set[str]:
    return set(os.listdir(cache.path))


def keep(cache: UtteranceCache, *keys: str) -> None:
    """Put utterances that were used in this order."""
    for key in keys:
        cache.put(key, [wave()], RATE)
        assert cache.get(key) is not None


def test_what_is_put_is_got_back_to_the_sample(cache: UtteranceCache) -> None:
    assert cache.get("a") is None
    cache.put("a", [wave(100), wave(50, 0.9)], RATE)
    first = cache.get("a")
    assert first is not None and first.sample_rate == RATE
    assert first.samples == pytest.approx(np.concatenate([wave(100), wave(50, 0.9)]), abs=1e-4)
    # What was 16-bit once loses nothing more.
    cache.put("a", [first.samples], RATE)
    second = cache.get("a")
    assert second is not None and np.array_equal(second.samples, first.samples)


def test_files_are_for_their_owner_alone(cache: UtteranceCache) -> None:
    keep(cache, "a")
    assert stat.S_IMODE(os.stat(cache.path).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.join(cache.path, "a")).st_mode) == 0o600


def test_the_least_recently_used_are_removed_first(cache: UtteranceCache) -> None:
    first = [str(number) for number in range(10)]
    keep(cache, *first)
    assert names(cache) == set(first) and cache.usage_bytes() == 10 * BYTES
    assert cache.get("0") is not None
    keep(cache, "10")
    assert cache.usage_bytes() <= 9 * BYTES
    assert {"0", "10"} < names(cache)
    assert not {"1", "2"} & names(cache)


def test_what_other_processes_put_there_counts_as_well(
    cache: UtteranceCache, clock: Clock, tmp_path: Path
) -> None:
    keep(cache, *"0123456789")
    other = UtteranceCache(cache.path, lambda: 5 * BYTES, clock)
    keep(other, "new")
    assert other.usage_bytes() <= 5 * BYTES and "new" in names(other)


def test_what_a_killed_process_left_half_written_is_removed_in_its_turn(
    cache: UtteranceCache, clock: Clock
) -> None:
    keep(cache, "a")
    part = Path(cache.path, ".vox-0123456789abcdef.part")
    part.write_bytes(b"\0" * 9 * BYTES)
    os.utime(part, (1.0, 1.0))
    keep(UtteranceCache(cache.path, lambda: 10 * BYTES, clock), "b")
    assert names(cache) == {"a", "b"}


def test_an_utterance_that_is_larger_than_the_limit_is_not_kept(cache: UtteranceCache) -> None:
    keep(cache, "a")
    cache.put("long", [wave(200_000)], RATE)
    assert names(cache) == {"a"}


def test_no_room_at_all_turns_it_off_and_empties_it(cache: UtteranceCache) -> None:
    keep(cache, "a")
    off = UtteranceCache(cache.path, lambda: 0)
    assert off.get("a") is None
    off.evict()
    assert names(cache) == set()
    off.put("b", [wave()], RATE)
    assert names(cache) == set()


def damaged(whole: bytes) -> Iterator[bytes]:
    yield b""
    yield whole[:10]
    yield whole[:-2]
    yield whole + b"\0\0"
    yield whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    yield b"RIFF" + whole[4:]
    yield whole[:8] + b"\0" * 12  # no rate, no frames


@pytest.mark.parametrize("number", range(7))
def test_a_file_that_is_not_whole_or_not_ours_is_a_miss_and_is_removed(
    cache: UtteranceCache, number: int
) -> None:
    keep(cache, "a")
    path = Path(cache.path, "a")
    path.write_bytes(list(damaged(path.read_bytes()))[number])
    assert cache.get("a") is None
    assert names(cache) == set()
    keep(cache, "a")


def test_clear_removes_everything_or_what_was_not_used_for_long(
    cache: UtteranceCache, clock: Clock
) -> None:
    cache.clear()  # there is no folder yet
    keep(cache, "old", "said again")
    clock.now += 3600
    assert cache.get("said again") is not None
    cache.clear(1800)
    assert names(cache) == {"said again"}
    cache.clear()
    assert names(cache) == set() and cache.usage_bytes() == 0


def test_a_folder_that_cannot_be_made_costs_nothing_but_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cache = UtteranceCache(str(tmp_path / "file" / "utterances"), lambda: 10 * BYTES)
    for _ in range(2):
        cache.put("a", [wave()], RATE)
        assert cache.get("a") is None
    assert len(caplog.records) == 1


def test_what_lies_in_place_of_the_folder_is_no_unknown_error(tmp_path: Path) -> None:
    (tmp_path / "utterances").touch()
    cache = UtteranceCache(str(tmp_path / "utterances"), lambda: 10 * BYTES)
    cache.evict()
    assert cache.usage_bytes() == 0
    with pytest.raises(StorageError, match="utterances: Not a directory"):
        cache.clear()


READER = """\
import os, resource, sys
import numpy as np
from vox.audio.utterances import UtteranceCache
from vox.errors import StorageError

path, samples = sys.argv[1], np.full(10_000, 0.5, np.float32)
if os.getuid() == 0:  # to whom permissions do not apply
    os.chown(os.path.dirname(path), 12345, 12345)
    os.seteuid(12345)
cache = UtteranceCache(path, lambda: 1_000_000)
cache.put("a", [samples], 24_000)
os.chmod(path, 0o500)
cache.put("b", [samples], 24_000)
try:
    cache.clear()
except StorageError as exc:
    print(exc.line.startswith("cannot write"))
os.chmod(path, 0o700)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as if the disk were full
cache.put("c", [samples], 24_000)
print(cache.get("a") is not None, cache.get("b"), cache.get("c"), os.listdir(path))
"""


def test_a_folder_that_is_read_only_or_full_is_read_and_nothing_is_left_half_written(
    home: Path,
) -> None:
    command = [sys.executable, "-W", "error", "-c", READER, str(home / "utterances")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "True\nTrue None None ['a']\n", done.stderr
    assert done.stderr.count("\n") == 1, "one line in the log"


WRITER = """\
import sys
import numpy as np
from vox.audio.utterances import UtteranceCache

cache = UtteranceCache(sys.argv[1], lambda: 200_000)
samples = (np.arange(10_000) % 100 / 200).astype(np.float32)
for turn in range(150):
    key = str(turn % 15)
    kept = cache.get(key)
    assert kept is None or np.allclose(kept.samples, samples, atol=1e-4)
    cache.put(key, [samples], 24_000)
    if turn % 50 == 49:
        cache.clear(0.001)
"""


def test_processes_that_write_and_remove_at_once_never_get_half_an_utterance(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path / "utterances")]
    with contextlib.ExitStack() as running:
        writers = [
            running.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            for _ in range(3)
        ]
        printed = [writer.communicate(timeout=120)[1] for writer in writers]
    assert printed == ["", "", ""]
    assert UtteranceCache(str(tmp_path / "utterances"), lambda: 1).usage_bytes() <= 200_000
