"""The spool on a real disk: what readers see, and what is left after a crash at any instant."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.audio.pcm import Samples
from vox.audio.spool import Segment, Spool, SpoolDir
from vox.errors import StorageError

RATE = 24_000


def ramp(count: int, at: float = 0.0) -> Samples:
    return (at + np.linspace(0, 0.5, count)).astype(np.float32)


def say(spool: Spool, index: int, samples: Samples) -> Segment:
    spool.begin_utterance(index)
    spool.append(samples, RATE)
    return spool.end_utterance()


@pytest.fixture
def spools(tmp_path: Path) -> SpoolDir:
    return SpoolDir(str(tmp_path / "spool"), 10_000)


def test_what_is_written_is_read_back(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    assert (spool.sample_rate, spool.frames, spool.is_complete) == (None, 0, False)
    assert say(spool, 0, ramp(100)) == Segment(0, 0, 100)
    assert say(spool, 1, ramp(50, 0.2)) == Segment(1, 100, 150)
    spool.finish()
    assert (spool.sample_rate, spool.frames, spool.is_complete) == (RATE, 150, True)
    assert spool.read(0, 100) == pytest.approx(ramp(100), abs=1e-4)
    assert len(spool.read(140, 100)) == 10
    assert len(spool.read(150, 1)) == 0


def test_files_are_for_their_owner_alone(spools: SpoolDir) -> None:
    say(spools.open("a1"), 0, ramp(10))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in Path(spools.path).iterdir()}
    assert modes == {0o600}


def test_a_complete_spool_is_whole_when_opened_again(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(100))
    assert not spools.has("a1")
    spool.finish()
    spool.close()
    assert spools.has("a1")
    again = spools.open("a1")
    assert again.is_complete and again.frames == 100 and again.sample_rate == RATE


def test_opening_a_spool_that_is_open_shares_it(spools: SpoolDir) -> None:
    writer = spools.open("a1")
    writer.begin_utterance(0)
    writer.append(ramp(100), RATE)
    reader = spools.open("a1")
    assert reader.frames == 100
    reader.close()
    writer.append(ramp(100), RATE)
    assert writer.frames == 200


@given(cut=st.integers(0, 400), torn=st.integers(0, 300))
def test_after_a_crash_the_complete_utterances_are_kept(
    tmp_path_factory: pytest.TempPathFactory, cut: int, torn: int
) -> None:
    spools = SpoolDir(str(tmp_path_factory.mktemp("spool")), 10_000)
    spool = spools.open("a1")
    for index in range(3):
        say(spool, index, ramp(50))
    spool.finish()
    spool.close()
    base = Path(spools.path, "a1")
    for extension, keep in ((".pcm", cut), (".idx", torn)):
        path = base.with_suffix(extension)
        path.write_bytes(path.read_bytes()[:keep])
    again = spools.open("a1")
    assert again.frames == 50 * len(again.segments) <= cut // 2
    assert [segment.index for segment in again.segments] == list(range(len(again.segments)))
    if cut >= 300 and torn >= 300:
        assert again.is_complete
    elif not again.is_complete:
        for index in range(len(again.segments), 3):
            say(again, index, ramp(50))
        again.finish()
    assert again.read(0, 1000) == pytest.approx(np.tile(ramp(50), 3), abs=1e-4)
    again.close()
    assert spools.has("a1")


def test_garbage_in_the_index_is_cut_off(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(50))
    spool.close()
    with Path(spools.path, "a1.idx").open("ab") as file:
        file.write(b'[1]\n{"index":null}\n\xff\xfe\n')
    again = spools.open("a1")
    assert again.frames == 50
    say(again, 1, ramp(50))
    again.finish()
    again.close()
    assert spools.has("a1")


def test_a_spool_whose_index_has_places_in_the_text_is_read(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(50))
    spool.close()
    index = Path(spools.path, "a1.idx")
    index.write_bytes(index.read_bytes().replace(b'"frames"', b'"chars":[0,10],"frames"'))
    again = spools.open("a1")
    assert again.segments == [Segment(0, 0, 50)]
    again.close()


def test_utterances_that_were_left_out_stay_done_after_a_crash(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    spool.begin_utterance(0)
    first = spool.end_utterance(is_unsaid=True)
    spool.close()
    spool = spools.open("a1")
    assert (spool.segments, spool.sample_rate, spool.frames) == ([first], None, 0)
    second = say(spool, 1, ramp(100))
    spool.begin_utterance(2)
    third = spool.end_utterance(is_unsaid=True)
    spool.finish()
    spool.close()
    spool = spools.open("a1")
    assert spool.segments == [first, second, third] and spool.is_complete
    assert first == Segment(0, 0, 0, True) and third == Segment(2, 100, 100, True)
    assert spool.utterances_before(0) == 1 and spool.utterances_before(100) == 3
    assert [spool.start_of(index) for index in range(3)] == [0, 0, 100]


def test_an_index_that_begins_with_audio_of_no_known_rate_is_not_trusted(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(100))
    spool.close()
    index = Path(spools.path, "a1.idx")
    index.write_bytes(index.read_bytes().partition(b"\n")[2])
    assert spools.open("a1").segments == []


def test_rollback_drops_the_utterance_that_was_begun(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(50))
    spool.begin_utterance(1)
    spool.append(ramp(70), RATE)
    assert spool.after_rollbacks(100, 0) == (100, 0)
    spool.rollback()
    assert spool.frames == 50
    say(spool, 1, ramp(30))
    assert spool.after_rollbacks(100, 0) == (50, 1)
    assert spool.after_rollbacks(60, 1) == (60, 1)
    assert [segment.end_frame for segment in spool.segments] == [50, 80]


def test_rollback_without_an_utterance_changes_nothing(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(50))
    spool.rollback()
    assert spool.frames == 50


def test_another_sample_rate_is_resampled_without_seams(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(10))
    spool.begin_utterance(1)

    def swelling(rate: int) -> Samples:
        """A tone without a corner where it begins, which a filter would round."""
        at_s = np.arange(rate // 10) / rate
        wave = np.sin(2 * np.pi * 100 * at_s) * np.sin(np.pi * at_s / 0.1)
        return wave.astype(np.float32)

    wave = swelling(48_000)
    for start in range(0, 4_800, 333):
        spool.append(wave[start : start + 333], 48_000)
    spool.end_utterance()
    assert spool.frames == 2_410
    assert spool.read(10, 2_400) == pytest.approx(swelling(RATE), abs=1e-3)


def test_of_a_rate_that_changes_in_an_utterance_nothing_is_lost(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    spool.begin_utterance(0)
    spool.append(np.full(1_000, 0.1, np.float32), RATE)
    spool.append(np.full(2_000, 0.2, np.float32), 2 * RATE)
    spool.append(np.full(1_000, 0.3, np.float32), RATE)
    spool.append(np.full(500, 0.4, np.float32), RATE // 2)
    spool.end_utterance()
    assert spool.frames == 4_000
    middles = [float(spool.read(at, 1)[0]) for at in (500, 1_500, 2_500, 3_500)]
    assert middles == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-3)


def test_readers_are_woken_by_audio_and_by_the_end(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    woken = threading.Event()
    spool.add_waker(woken.set)
    spool.begin_utterance(0)
    for change in (lambda: spool.append(ramp(10), RATE), spool.abandon):
        woken.clear()
        change()
        assert woken.is_set()
    assert spool.is_abandoned and not spool.is_growing
    woken.clear()
    spool.remove_waker(woken.set)
    spool.abandon()
    assert not woken.is_set()


def test_where_an_utterance_starts_is_known_once_it_is_begun(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    assert spool.start_of(0) is None
    say(spool, 0, ramp(50))
    assert (spool.start_of(0), spool.start_of(1)) == (0, None)
    spool.begin_utterance(1)
    assert spool.start_of(1) == 50


def test_utterances_are_counted_from_the_start_of_the_text(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 4, ramp(50))
    say(spool, 5, ramp(50))
    assert [spool.utterances_before(frame) for frame in (0, 49, 50, 99, 100)] == [0, 0, 5, 5, 6]


def test_a_job_without_any_sound_can_be_finished(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    spool.begin_utterance(0)
    spool.end_utterance()
    spool.finish()
    assert spool.is_complete and spool.frames == 0


def test_the_oldest_are_evicted_first_but_never_those_to_keep(spools: SpoolDir) -> None:
    for at, job_id in enumerate(["oldest", "older", "newer", "newest"]):
        spool = spools.open(job_id)
        say(spool, 0, ramp(2_000))
        spool.close()
        for extension in (".pcm", ".idx"):
            os.utime(Path(spools.path, job_id + extension), (at, at))
    assert spools.usage_bytes() > 16_000
    assert spools.evict(keep={"oldest"}) == ["older", "newer"]
    assert spools.usage_bytes() < 10_000


def test_a_reader_reads_on_after_its_spool_was_removed(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(50))
    spools.remove("a1")
    assert len(spool.read(0, 50)) == 50
    assert spools.open("a1").frames == 0


def test_a_full_disk_is_said_in_one_clear_line(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    spool.begin_utterance(0)
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, spool._pcm)  # the one way to a full disk without root
    os.close(full)
    with pytest.raises(StorageError, match="No space left"):
        spool.append(ramp(10), RATE)
    assert spool.frames == 0


def test_a_folder_that_cannot_be_made_is_said_in_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spools = SpoolDir(str(tmp_path / "file" / "spool"), 10)
    with pytest.raises(StorageError, match=r"cannot write .*/spool: .*/file is not a folder"):
        spools.open("a1")
    with pytest.raises(StorageError, match="file is not a folder"):
        spools.new_export(".wav")
    assert (spools.has("a1"), spools.usage_bytes(), spools.evict(())) == (False, 0, [])


def test_a_job_id_never_leads_out_of_the_folder(spools: SpoolDir) -> None:
    with pytest.raises(ValueError, match="not a job id"):
        spools.open("../a")


def test_a_folder_that_was_removed_is_made_again_and_open_spools_go_on(
    spools: SpoolDir, tmp_path: Path
) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(100))
    shutil.rmtree(spools.path)
    say(spool, 1, ramp(50))
    spool.finish()
    assert len(spool.read(0, 1000)) == 150
    assert (spools.has("a1"), spools.evict(())) == (False, [])
    spool.close()
    again = spools.open("a1")
    assert (again.frames, again.is_complete) == (0, False)
    os.unlink(spools.new_export(".wav"))


def test_audio_that_was_cut_off_on_disk_is_an_error_to_reader_and_writer(spools: SpoolDir) -> None:
    spool = spools.open("a1")
    say(spool, 0, ramp(100))
    os.truncate(os.path.join(spools.path, "a1.pcm"), 51)
    with pytest.raises(StorageError, match="truncated by another program"):
        spool.read(0, 100)
    spool.begin_utterance(1)
    with pytest.raises(StorageError, match="truncated"):
        spool.append(ramp(10), RATE)
    with pytest.raises(StorageError, match="truncated"):
        spool.finish()
    assert not spool.is_complete
