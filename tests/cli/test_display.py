"""What a terminal shows: the line of progress, and text that fits its columns."""

from __future__ import annotations

import io
from typing import Any

import pytest

from vox.cli.install_progress import InstallProgress
from vox.cli.output import duration, megabytes, one_line, shortened, text_width
from vox.cli.progress import View

QUEUED: dict[str, Any] = {
    "state": "queued",
    "position": 3,
    "utterances": None,
    "heard": 0,
    "output": None,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def job(state: str, **fields: Any) -> dict[str, Any]:
    return {**QUEUED, "state": state, "position": 0, **fields}


def test_the_line_follows_the_job_from_the_queue_to_its_last_sentence() -> None:
    view = View()
    lines = [
        view.after("starting", {"id": "x"}),
        view.after("state", QUEUED),
        view.after("progress", {"id": "x", "position": 2, "queue_length": 5}),
        view.after("state", job("preparing")),
        view.after(
            "progress", {"id": "x", "loading": "loading qwen: 12 of 88 MB", "fraction": 0.1}
        ),
        view.after("progress", {"id": "x", "loading": None, "fraction": None}),
        view.after("state", job("speaking", utterances=7, heard=0)),
        view.after("progress", job("speaking", utterances=7, heard=6)),
        view.after("progress", job("speaking", utterances=7, heard=7)),
        view.after("state", job("done", utterances=7, heard=7)),
    ]
    assert lines == [
        "starting the daemon",
        "position 3",
        "position 2 of 5",
        "preparing",
        "loading qwen: 12 of 88 MB",
        "preparing",
        "speaking 1 of 7",
        "speaking 7 of 7",
        "speaking 7 of 7",
        "speaking 7 of 7",
    ]


def test_the_line_says_paused_while_speech_is_but_of_a_file_how_it_grows() -> None:
    view = View()
    view.after("state", QUEUED)
    assert view.after("progress", {"id": "x", "paused": True}) == "paused"
    assert view.after("progress", {"id": "x", "position": 1, "queue_length": 1}) == "paused"
    assert view.after("state", job("preparing")) == "paused"
    assert view.after("progress", {"id": "x", "paused": False}) == "preparing"
    view.after("progress", {"id": "x", "paused": True})
    written = job("preparing", output="/tmp/x.mp3", utterances=3, heard=1)
    assert view.after("state", written) == "writing x.mp3: 2 of 3"


def test_the_line_names_the_file_that_is_written() -> None:
    view = View()
    written = job("preparing", output="/tmp/x.mp3", utterances=3, heard=1)
    assert view.after("state", written) == "writing x.mp3: 2 of 3"


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
        ("red \x1b[31m", 10, "red ?[31m"),
    ],
)
def test_a_text_is_shortened_to_columns_not_characters(text: str, width: int, shown: str) -> None:
    assert shortened(text, width) == shown
    assert text_width(shown) <= width


def test_nothing_that_a_terminal_obeys_is_printed_of_a_text() -> None:
    assert one_line("a\x1b]0;title\x07b\u202ec\udcff") == "a?]0;title?b?c?"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (0.4, "0 s"), (89, "89 s"), (120, "2 min"), (7500, "2 h 05 min"), (3e5, "3 d")],
)
def test_durations_are_for_people(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_sizes_are_for_people() -> None:
    assert [megabytes(size) for size in (None, 0.4, 999, 4400)] == ["-", "0 MB", "999 MB", "4.4 GB"]


def test_an_installation_in_a_pipe_tells_each_step_once() -> None:
    stream = io.StringIO()
    with InstallProgress(stream) as progress:
        for megabyte in range(50):
            progress.show(f"downloading model.onnx: {megabyte} of 50 MB", megabyte / 50)
        progress.show("checking", None)
    assert stream.getvalue() == "downloading model.onnx: 0 of 50 MB\nchecking\n"


def test_an_installation_on_a_terminal_keeps_its_steps_and_draws_a_bar_over_itself() -> None:
    stream = Terminal()
    with InstallProgress(stream) as progress:
        progress.show("installing toy: 1.0 GB of 2.0 GB free", None)
        progress.show("downloading toy: 1 of 2 MB", 0.5)
        progress.show("downloading toy: 2 of 2 MB", 1.0)
        progress.show("unpacking", None)
    shown = [line.rpartition("\x1b[K")[2] for line in stream.getvalue().split("\n")]
    assert shown == ["installing toy: 1.0 GB of 2.0 GB free", "unpacking", ""]
    assert "[############............] downloading toy: 1 of 2 MB" in stream.getvalue()
