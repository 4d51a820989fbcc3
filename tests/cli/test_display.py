"""What a terminal shows: the line of progress, and text that fits its columns."""

from __future__ import annotations

import io
import sys
import threading
import time
from typing import Any

import pytest
from rich.cells import cell_len

from vox.cli import backends, voices
from vox.cli.install_progress import InstallProgress
from vox.cli.job_view import ordinal, phase_and_reason, phase_of, when
from vox.cli.output import (
    clock,
    duration,
    fields,
    shortened,
    table,
)
from vox.cli.progress import Progress, View
from vox.printable import one_line
from vox.sizes import file_size, megabytes

QUEUED: dict[str, Any] = {
    "id": "x",
    "state": "queued",
    "phase": "waiting",
    "backend": "qwen",
    "open": False,
    "loading": None,
    "fraction": None,
    "made": 0,
    "heard": 0,
    "utterances": None,
    "heard_s": None,
    "left_s": None,
    "position": 3,
    "starts_in_s": None,
    "starts_in_is_exact": False,
    "output": None,
}
NOW = "Chapter 1. The house stood on a slight rise just on the edge of the village."


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def job(phase: str, **fields: Any) -> dict[str, Any]:
    states = {"waiting": "queued", "speaking": "speaking"}
    state = states.get(phase, "preparing")
    return {**QUEUED, "state": state, "phase": phase, "position": 1, **fields}


def line(*events: tuple[str, dict[str, Any]], width: int = 79) -> str:
    """The line after these events."""
    view = View()
    for name, data in events:
        view.take(name, data)
    return view.text(width)


def test_the_line_follows_the_job_from_the_queue_to_its_last_sentence() -> None:
    view = View(Clock())
    place = {"id": "x", "position": 2, "starts_in_s": 42.0, "starts_in_is_exact": True, "now": NOW}
    speaking = {"utterances": 27, "fraction": 1.0, "heard_s": 0.0, "left_s": 58.0}
    events = [
        ("starting", {"id": "x"}),
        ("state", QUEUED),
        ("progress", place),
        ("progress", {"id": "x", "position": 1, "starts_in_s": None, "now": None}),
        ("progress", {"id": "x", "step": "loading qwen", "loading": 0.439}),
        ("progress", {"id": "x", "step": "downloading qwen: 12 of 88 MB", "loading": 0.1}),
        ("progress", {"id": "x", "step": None, "loading": None}),
        ("state", job("making", utterances=27)),
        ("state", job("making", utterances=27, starts_in_s=3.2)),
        ("state", job("speaking", **speaking)),
        ("progress", job("speaking", **speaking | {"heard": 4, "heard_s": 12.0, "left_s": 46.0})),
        ("progress", job("speaking", **speaking | {"heard": 27, "heard_s": 58.0, "left_s": 0.0})),
    ]
    lines = []
    for name, data in events:
        view.take(name, data)
        lines.append(view.text(79))
    assert lines == [
        "starting the daemon",
        "3rd in line",
        '2nd in line, starts in 0:42 (now: "Chapter 1. The house stood on a slight…")',
        "1st in line",
        "loading qwen 43 %",
        "downloading qwen: 12 of 88 MB",
        "1st in line",
        "making 0/27",
        "making 0/27, starts in ~0:03",
        "0:00 / 0:58, sentence 1/27",
        "0:12 / 0:58, sentence 5/27",
        "0:58 / 0:58, sentence 27/27",
    ]


def test_the_clock_of_the_line_goes_on_between_the_events_and_never_past_the_end() -> None:
    clock = Clock()
    view = View(clock)
    view.take("state", job("ready", position=2, starts_in_s=2.0, starts_in_is_exact=True))
    assert (view.has_clock, view.text(79)) == (True, "2nd in line, starts in 0:02")
    clock.now_s = 1.0
    assert view.text(79) == "2nd in line, starts in 0:01"
    clock.now_s = 9.0
    assert view.text(79) == "2nd in line, starts in 0:00"
    view.take("state", job("speaking", heard_s=1.0, left_s=9.0, fraction=0.5))
    clock.now_s = 12.0
    assert view.text(79) == "0:04 / ~0:10"
    view.take("progress", {"id": "x", "paused": True})
    clock.now_s = 50.0
    assert (view.has_clock, view.text(79)) == (False, "paused")
    view.take("progress", {"id": "x", "paused": False})
    clock.now_s = 51.0
    assert view.text(79) == "0:05 / ~0:10"
    clock.now_s = 99.0
    assert view.text(79) == "0:10 / ~0:10"


def test_the_line_says_paused_while_speech_is_but_of_a_file_how_it_grows() -> None:
    paused = ("progress", {"id": "x", "paused": True})
    goes_on = ("progress", {"id": "x", "paused": False})
    assert line(("state", QUEUED), paused) == "paused"
    assert line(("state", QUEUED), paused, ("progress", {"id": "x", "position": 2})) == "paused"
    assert line(paused, ("state", job("making"))) == "paused"
    assert line(paused, goes_on, ("state", job("making"))) == "making"
    book = job("making", output="/b/book.mp3", made=238, utterances=767, fraction=0.3141, left_s=21)
    assert line(paused, ("state", book)) == "book.mp3 31 %, 238/767, 0:21 left"
    is_made = {**book, "made": 767, "fraction": 1.0}
    assert line(("state", is_made)) == "book.mp3: writing, 0:21 left"


def test_the_line_of_a_file_says_what_it_waits_for() -> None:
    book = {"output": "/b/book.mp3", "left_s": 90.0}
    assert line(("state", job("waiting", position=2, **book))) == "book.mp3: 2nd in line"
    loading = ("progress", {"id": "x", "step": "loading qwen", "loading": None})
    assert line(("state", job("loading", **book)), loading) == "book.mp3: loading qwen"
    assert line(("state", job("making", **book)), ("starting", {})) == "starting the daemon"
    begun = job("making", position=2, fraction=0.0, **book)
    assert line(("state", begun)) == "book.mp3 0 %, 1:30 left"


def test_a_stream_that_is_silent_waits_for_more_of_its_text() -> None:
    parked = job("waiting", open=True, heard=2)
    assert line(("state", parked)) == "waiting for more of the text"
    waiting = ("progress", {"id": "x", "waiting_for": "a sound device"})
    assert line(("state", job("ready")), waiting) == "waiting for a sound device"


def test_a_job_without_workers_says_so_and_why() -> None:
    why = "a worker: no worker serves qwen"
    waiting = job("waiting", position=3, waits_for=why)
    assert line(("state", waiting)) == f"waiting for {why}"
    book = job("waiting", waits_for=why, output="/b/book.mp3")
    assert line(("state", book)) == f"book.mp3: waiting for {why}"
    assert phase_of(waiting) == "waiting for a worker"
    assert phase_and_reason(waiting) == "waiting for a worker (no worker serves qwen)"
    assert phase_and_reason(job("waiting")) == phase_of(job("waiting"))
    assert line(("state", waiting), ("state", job("making"))) == "making"


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (30, "2nd in line, starts in ~0:42"),
        (49, "2nd in line, starts in ~0:42"),
        (50, '2nd in line, starts in ~0:42 (now: "\u4f60\u597d\u4e16\u754c\u4f60…")'),
        (20, "2nd in line, starts…"),
    ],
)
def test_the_line_quotes_what_is_heard_now_where_there_is_room(width: int, shown: str) -> None:
    now = "\u4f60\u597d\u4e16\u754c" * 20
    asked = line(("state", job("waiting", position=2, starts_in_s=42.0, now=now)), width=width)
    assert asked == shown
    assert cell_len(asked) <= width


def test_places_are_told_as_people_count() -> None:
    told = [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)]
    places = "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th"
    assert told == places.split()


@pytest.mark.parametrize(
    ("fields", "phase", "when_heard"),
    [
        ({"phase": "waiting"}, "waiting", ""),
        ({"phase": "waiting", "starts_in_s": 70.2}, "waiting", "~1:10"),
        ({"phase": "loading", "loading": 0.435, "starts_in_s": 5}, "loading 43 %", "~0:05"),
        ({"phase": "loading"}, "loading", ""),
        ({"phase": "making", "made": 24, "utterances": 767}, "making 24/767", ""),
        ({"phase": "making", "made": 24}, "making", ""),
        ({"phase": "ready", "starts_in_s": 42, "starts_in_is_exact": True}, "ready", "0:42"),
        ({"phase": "speaking", "heard": 4, "utterances": 27}, "speaking 5/27", "now"),
        ({"phase": "speaking", "heard": 27, "utterances": 27}, "speaking 27/27", "now"),
        (
            {"phase": "making", "made": 2, "output": "x", "fraction": 0.31, "left_s": 21},
            "making",
            "31 %, 0:21 left",
        ),
        (
            {"phase": "making", "made": 3, "output": "x", "utterances": 3, "fraction": 1.0}
            | {"left_s": 21},
            "writing",
            "0:21 left",
        ),
        ({"phase": None, "state": "done"}, "done", ""),
    ],
)
def test_the_queue_s_words_for_a_job(fields: dict[str, Any], phase: str, when_heard: str) -> None:
    shown = {**QUEUED, **fields}
    assert (phase_of(shown), when(shown)) == (phase, when_heard)


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 10, "short"),
        ("exactly 10", 10, "exactly 10"),
        ("one more: 11", 10, "one more:\u2026"),
        ("\u4f60\u597d\u4e16\u754c", 8, "\u4f60\u597d\u4e16\u754c"),
        ("\u4f60\u597d\u4e16\u754c", 7, "\u4f60\u597d\u4e16\u2026"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("a\nb\tc  d", 10, "a b c d"),
        ("red \x1b[31m", 12, r"red \x1b[31m"),
    ],
)
def test_a_text_is_shortened_to_columns_not_characters(text: str, width: int, shown: str) -> None:
    assert shortened(text, width) == shown
    assert cell_len(shown) <= width


WIDE_TABLES = {
    "backends": (
        backends.HEADER,
        backends.SPARE,
        [
            "qwen-native",
            "not installed",
            "4.4 GB",
            "cuda",
            "de en es fr +6",
            "9",
            "sentence",
            "clone, style, gender, speed 0.5-2.5",
            "Qwen3-TTS on torch: ten languages, nine voices",
        ],
    ),
    "voices": (
        voices.HEADER,
        voices.SPARE,
        [
            "sr_RS-serbski_institut-medium",
            "qwen-native",
            "chr-US-qaaa-x-west",
            "female",
            "default, not installed",
            "youthful, Beijing; also speaks the other languages",
        ],
    ),
    "paths": (("clone", "audio"), (), ["me", "/home/someone/" + "folder/" * 20]),
}


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("name", WIDE_TABLES)
def test_a_table_fits_the_terminal_and_keeps_its_names(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, spare, row = WIDE_TABLES[name]
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    table(header, [row, [""] * len(row)], spare=spare)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert max(map(cell_len, lines)) < columns
    assert lines[1].startswith(row[0] + " ")
    if columns == 200:
        assert [cell for cell in row if cell not in lines[1]] == []


def test_a_table_that_fits_is_left_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "15")
    monkeypatch.setenv("NO_COLOR", "1")
    table(("name", "n", "text"), [("a", "10", "hi")], numbers=(1,), spare=(1,))
    assert stream.getvalue() == "name   n  text\na     10  hi\n"


def test_a_table_uses_the_width_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "13")
    monkeypatch.setenv("NO_COLOR", "1")
    table(("a", "middle", "n"), [("b", "exact6", "1")])
    table(("a", "middle", "n"), [("b", "another", "1")])
    whole, cut = "a  middle  n\nb  exact6  1\n", "a  middle  n\nb  anoth…  1\n"
    assert stream.getvalue() == whole + cut


def test_the_meaning_of_a_setting_goes_on_in_further_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "31")
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [("speed", "1", "speaking rate, from 0.25 to 4"), ("lang", "-", "language")]
    table(("setting", "value", "meaning"), rows, is_whole=True)
    assert stream.getvalue().splitlines() == [
        "setting  value  meaning",
        "speed    1      speaking rate,",
        "                from 0.25 to 4",
        "lang     -      language",
    ]


def test_a_text_is_data_not_markup_and_no_command_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = "[red]not red[/red] :smile: 12 https://example.org \x1b[31m\x07"
    table(("id", "text"), [("x", text)])
    header, line = stream.getvalue().splitlines()
    assert header.startswith("\x1b[1mid")
    assert line == "x   [red]not red[/red] :smile: 12 https://example.org \\x1b[31m\\x07"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_nothing_is_bold_where_nobody_wants_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    for columns in (30, 200):
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("COLUMNS", str(columns))
        table(("id", "text"), [("x", "y" * 300)])
        text = "y" * (columns - 1 - len("id  ") - 1)
        assert stream.getvalue() == f"id  text\nx   {text}\u2026\n"


def test_a_long_value_breaks_between_words_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = "/a-folder" * 8
    pairs = [("audio", f"no sound device; see {path} or run: vox doctor"), ("x", "")]
    monkeypatch.setenv("COLUMNS", "30")
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        fields(pairs)
        lines = stream.getvalue().splitlines()
        if stream.isatty():
            assert lines[:2] == ["audio  no sound device; see", " " * 7 + path]
            assert lines[2:] == [" " * 7 + "or run: vox doctor", "x"]
        else:
            assert lines == [f"audio  {pairs[0][1]}", "x"]


def test_programs_get_whole_cells_and_a_header_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for is_named, header in ((False, ""), (True, "a\tb\n")):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        table(("a", "b"), [("x" * 300, "y")], spare=(1,), is_named=is_named)
        assert stream.getvalue() == header + "x" * 300 + "\ty\n"


def test_nothing_that_a_terminal_obeys_is_printed_of_a_text() -> None:
    assert one_line("a\x1b]0;title\x07b\u202ec\udcff") == r"a\x1b]0;title\x07b\u202ec\udcff"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (0.4, "0 s"), (89, "89 s"), (120, "2 min"), (7500, "2 h 05 min"), (3e5, "3 d")],
)
def test_durations_are_for_people(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_sizes_are_for_people() -> None:
    assert [megabytes(size) for size in (None, 0.4, 999, 4400)] == ["-", "0 MB", "999 MB", "4.4 GB"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0:00"),
        (0.4, "0:00"),
        (41.6, "0:42"),
        (59.7, "1:00"),
        (1699, "28:19"),
        (3722, "1:02:02"),
    ],
)
def test_a_clock_shows_minutes_and_hours_alone_if_there_are_any(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"), (999, "999 bytes"), (1_000, "1 kB"), (999_499, "999 kB"),
        (999_500, "1.0 MB"), (12_840_000, "12.8 MB"), (999_960_000, "1.0 GB"),
    ],
)  # fmt: skip
def test_a_file_s_size_has_the_unit_that_people_read(size: int, shown: str) -> None:
    assert file_size(size) == shown


def test_an_installation_in_a_pipe_tells_each_step_once() -> None:
    stream = io.StringIO()
    with InstallProgress(stream) as progress:
        for megabyte in range(50):
            progress.show(f"downloading model.onnx: {megabyte} of 50 MB", megabyte / 50)
        progress.show("checking", None)
    assert stream.getvalue() == "downloading model.onnx: 0 of 50 MB\nchecking\n"


def test_an_installation_on_a_terminal_keeps_its_steps_and_draws_a_bar_over_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    with InstallProgress(stream) as progress:
        progress.show("installing toy: 1.0 GB of 2.0 GB free", None)
        progress.show("downloading [red]toy\x1b[0m: 1 of 2 MB", 0.5)
        progress.show("downloading [red]toy\x1b[0m: 2 of 2 MB", 1.0)
        progress.show("unpacking", None)
    shown = [line.rpartition("\x1b[2K")[2] for line in stream.getvalue().split("\n")]
    assert shown == ["installing toy: 1.0 GB of 2.0 GB free", "unpacking", "\x1b[?25h\r"]
    bar = "\u2501"
    assert f"{bar * 20}{' ' * 20} downloading [red]toy\\x1b[0m: 1 of 2 MB" in stream.getvalue()
    assert f"{bar * 40} downloading [red]toy\\x1b[0m: 2 of 2 MB" in stream.getvalue()


def test_an_installation_on_a_dumb_terminal_is_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with InstallProgress(stream) as progress:
        progress.show("downloading toy: 1 of 2 MB", 0.5)
        progress.show("downloading toy: 2 of 2 MB", 1.0)
        progress.show("unpacking", None)
    assert stream.getvalue() == "downloading toy: 1 of 2 MB\nunpacking\n"


def test_no_event_waits_for_a_terminal_that_takes_nothing() -> None:
    """As one does that was stopped with Ctrl-S."""
    goes_on, is_held = threading.Event(), threading.Event()

    class Held(Terminal):
        def write(self, text: str) -> int:
            is_held.set()
            goes_on.wait(20)
            return len(text)

    with Progress(Held(), delay_s=0.0) as progress:
        progress.on_event("state", QUEUED)
        assert is_held.wait(20)
        before = time.monotonic()
        progress.on_event("state", job("making"))
        assert time.monotonic() - before < 5
        goes_on.set()
