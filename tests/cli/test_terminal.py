"""What others wrote is shown on a terminal and does nothing to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

import pytest

from tests.running import Vox, read_terminal
from vox.daemon.main import set_up_log
from vox.files import make_dir
from vox.jobs import Job
from vox.printable import one_line, printable
from vox.queue.store import Store

HOSTILE = {
    "window title": "\x1b]0;pwned\x07",
    "clipboard": "\x1b]52;c;cHduZWQ=\x07",
    "colour": "\x1b[31mred",
    "clear": "\x1b[2J\x1b[H",
    "report": "\x1b[6n\x1b[c\x1bP$qm\x1b\\",
    "one character": "\x9b31m\x9d0;pwned\x9c\x90q\x9c",
    "charset": "\x0e\x0f\x1b(0",
    "overwrite": "\rvox: all is well\x08\x08\x0b\x0c",
    "delete": "\x7f\x00\x1a",
    "another line": "\nFORGED vox: all is well\x85FORGED\u2028FORGED\u2029FORGED\r\nFORGED",
    "directions": "\u202egpj.exe\u202c\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "unseen": "\U000e0041\U000e007f\ufff9",
}
EVERYTHING = "begin " + " ".join(HOSTILE.values()) + " end"

# What vox itself does to a terminal: bold headings, and the line of progress.
_OURS = re.compile("\x1b\\[[01]?m|\r\x1b\\[K|\r\n")
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]")


def harm_in(shown: str) -> list[str]:
    """What a terminal would obey, and lines that are not ours."""
    left = _OURS.sub("\n", shown)
    return _OBEYED.findall(left) + re.findall("^FORGED.*", left, re.MULTILINE)


@pytest.fixture
def with_jobs(vox: Vox) -> Vox:
    """Jobs, ended and queued, whose every field is hostile. No daemon."""
    store = Store(vox.paths.db_path)
    for job_id, state in (("aaaaaa", "failed"), ("bbbbbb", "cancelled"), ("cccccc", "queued")):
        store.add(
            [
                Job(
                    id=job_id, state=state, text=EVERYTHING, backend=EVERYTHING, voice=EVERYTHING,
                    lang=EVERYTHING, model=EVERYTHING, style=EVERYTHING, source=EVERYTHING,
                    source_name=EVERYTHING, replace_key=EVERYTHING, output="/" + EVERYTHING,
                    error=EVERYTHING, error_code="job-failed", notes=[EVERYTHING],
                )
            ]
        )  # fmt: skip
    store.close()
    make_dir(vox.paths.log_dir)
    Path(vox.paths.log_path).write_text(EVERYTHING + "\n", newline="")
    return vox


def on_a_terminal(vox: Vox, *args: str) -> str:
    """What the command shows on a terminal, which both its outputs are."""
    control, terminal = os.openpty()
    call = vox.popen(*args, stdout=terminal, stderr=terminal)
    os.close(terminal)
    data = read_terminal(control)
    call.wait(timeout=60)
    return data.decode()


@pytest.mark.parametrize(
    "command",
    [
        "history", "history -n 0", "history --json", "history show aaaaaa",
        "history show aaaaaa --json", "queue", "queue --json", "wait aaaaaa bbbbbb",
        "wait aaaaaa --json", "cancel aaaaaa", "cancel cccccc", "cancel cccccc --json",
        "daemon logs",
    ],
)  # fmt: skip
def test_what_jobs_hold_is_shown_and_not_obeyed(with_jobs: Vox, command: str) -> None:
    shown = on_a_terminal(with_jobs, *command.split())
    harm = harm_in(shown)
    if command in (
        "history show aaaaaa",
        "daemon logs",
    ):  # a text and a file with lines of their own
        harm = [each for each in harm if not each.startswith("FORGED")]
    assert harm == []
    assert "Traceback" not in shown
    if command.endswith("--json"):
        shown = shown[min(shown.find(start) % len(shown) for start in ("[\r\n", "{\r\n")) :]
        assert json.dumps(json.loads(shown), ensure_ascii=False).count("\\u001b]0;pwned") > 0


@pytest.mark.parametrize("name", HOSTILE)
def test_arguments_come_back_in_errors_without_effect(vox: Vox, name: str) -> None:
    wish = HOSTILE[name].replace("\x00", "")
    for args in (
        ("-b", wish, "Hello"),
        ("-b", "say", "-o", wish, "Hello"),
        ("history", "show", wish),
        ("config", "set", wish, "1"),
        ("config", "set", "backend", wish),
        ("cancel", wish),
        (f"--{wish}",),
        ("-f", wish),
    ):
        assert harm_in(on_a_terminal(vox, *args)) == [], args


def test_what_an_inbox_s_files_are_called_is_not_obeyed(vox: Vox) -> None:
    vox.ok("daemon", "start")  # `retry` starts one that would outlive the test
    folder = Path(vox.ok("inbox", "path"))
    for value in HOSTILE.values():
        name = value.replace("\x00", "").replace("/", "")
        (folder / "failed" / f"name {name}.txt").touch()
    for command in ("status", "retry"):
        assert harm_in(on_a_terminal(vox, "inbox", command)) == []


def test_lists_on_a_terminal_show_texts_as_a_terminal_shows_them(vox: Vox) -> None:
    text = "\x1b[1mBold\x1b[0m and cafe\u0301\r\n10%\r100% of\tit\n\x1b]0;title\x07the end"
    with contextlib.closing(Store(vox.paths.db_path)) as store:
        store.add([Job(id="aaaaaa", text=text, backend="hibari")])
    for command in ("history", "queue"):
        assert "Bold and caf\u00e9 100% of it the end\r\n" in on_a_terminal(vox, command)
    assert "\\r" not in on_a_terminal(vox, "history", "show", "aaaaaa").replace("10%\\r", "")
    assert vox.ok("history").count(r"\x1b[1mBold\x1b[0m") == 1


def test_programs_get_a_job_s_text_as_it_is(with_jobs: Vox) -> None:
    assert with_jobs.popen("history", "show", "aaaaaa").communicate()[0].count("\x1b]0;pwned\x07")
    (job, *_) = json.loads(with_jobs.ok("history", "--json"))
    assert job["text"] == EVERYTHING


def test_the_log_has_one_harmless_line_for_each_message(
    vox: Vox, caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        set_up_log(vox.paths, "info")
        logging.getLogger("test").warning("%s", EVERYTHING)
    finally:
        for handler in set(root.handlers) - set(before):
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)
    (line,) = Path(vox.paths.log_path).read_text().splitlines()
    assert harm_in(line) == []
    assert "\\x1b]0;pwned" in line


def test_scripts_that_need_invisible_characters_stay_whole() -> None:
    family = (
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u0645\u06cc\u200c\u062e\u0648 \u3000\u65e5"
    )
    assert printable(family) == family
    assert printable("a\n\tb") == "a\n\tb"
    assert one_line("a\n\tb\x1b[m") == r"a b\x1b[m"
