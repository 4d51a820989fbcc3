"""What is measured of voices and models predicts them, and costs nothing if it cannot be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from vox.engine.rates import CHAR_S, ENCODING, MOST, Pace, Rates, Voice, speakable_chars

HEART = Voice("m", "heart", "en")
BELLA = Voice("m", "bella", "en")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "cache" / "rates.json")


def test_before_anything_is_measured_a_usual_pace_is_expected(path: str) -> None:
    rates = Rates(path)
    assert rates.of(HEART) == Pace()
    assert rates.of(HEART, speed=2.0).char_s == CHAR_S / 2.0


def test_what_was_measured_is_expected_also_after_a_restart(path: str) -> None:
    rates = Rates(path)
    rates.note_said(HEART, 1.0, chars=100, audio_s=8.0)
    rates.note_work("m", work_s=2.0, audio_s=8.0, first_s=0.3)
    rates.note_load("m", 1.5)
    rates.save()
    for known in (rates, Rates(path)):
        assert known.of(HEART) == pytest.approx(Pace(0.08, 0.25, 0.3, 1.5))
        assert known.of(BELLA).char_s == pytest.approx(0.08)  # a voice of the same model
    assert Rates(path).of(Voice("other", "heart", "en")) == Pace()


def test_a_pace_holds_for_another_speed(path: str) -> None:
    rates = Rates(path)
    rates.note_said(HEART, 2.0, chars=100, audio_s=4.0)
    assert rates.of(HEART).char_s == pytest.approx(0.08)
    assert rates.of(HEART, speed=0.5).char_s == pytest.approx(0.16)


def test_old_measurements_fade(path: str) -> None:
    rates = Rates(path)
    for _ in range(50):
        rates.note_said(HEART, 1.0, chars=1_000, audio_s=100.0)
    for _ in range(50):
        rates.note_said(HEART, 1.0, chars=1_000, audio_s=50.0)
    assert rates.of(HEART).char_s == pytest.approx(0.05, rel=0.01)


def test_nothing_said_is_no_measurement(path: str) -> None:
    rates = Rates(path)
    rates.note_said(HEART, 1.0, chars=0, audio_s=0.0)
    rates.note_work("m", work_s=1.0, audio_s=0.0, first_s=1.0)
    assert rates.of(HEART) == Pace()


@pytest.mark.parametrize(
    "found",
    [b"", b"[{", b"[]", b'{"m": 3}', b'{"m": {"chars": -1}}', b'{"m": {"chars": NaN}}', b"\xff"],
)
def test_a_damaged_file_costs_only_predictions(path: str, found: bytes) -> None:
    Path(path).parent.mkdir()
    Path(path).write_bytes(found)
    rates = Rates(path)
    assert rates.of(HEART) == Pace()
    rates.note_said(HEART, 1.0, chars=100, audio_s=8.0)
    rates.save()
    assert Rates(path).of(HEART).char_s == pytest.approx(0.08)


def test_the_file_stays_small_and_is_not_written_all_the_time(path: str) -> None:
    rates = Rates(path)
    for number in range(2 * MOST):
        rates.note_said(Voice("m", f"v{number}", ""), 1.0, chars=100, audio_s=8.0)
    rates.save(every_s=60.0)
    before = Path(path).read_bytes()
    assert len(before) < 200 * MOST
    rates.note_load("m", 1.0)
    rates.save(every_s=60.0)
    assert Path(path).read_bytes() == before
    rates.save()
    assert Path(path).read_bytes() != before


def test_a_kind_of_file_is_written_as_fast_as_before(path: str) -> None:
    rates = Rates(path)
    assert rates.encoding(None) == 0.0
    assert rates.encoding("/x/y.mp3") == ENCODING
    rates.note_encoding("/a/b.MP3", work_s=2.0, audio_s=100.0)
    assert rates.encoding("/x/y.mp3") == pytest.approx(0.02)
    assert rates.encoding("/x/y.wav") == ENCODING


def test_letters_and_digits_are_what_takes_time_to_say() -> None:
    assert speakable_chars("Up to 42 %, **bold**…") == 10
