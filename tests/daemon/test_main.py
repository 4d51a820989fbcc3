"""What a daemon says to whoever started it, and its log."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vox.daemon.main import StartReport
from vox.errors import BadConfig
from vox.paths import get_paths


def reported(report: StartReport, read_end: int) -> str:
    with os.fdopen(read_end) as pipe:
        return pipe.read()


def test_a_start_is_reported_once() -> None:
    read_end, write_end = os.pipe()
    report = StartReport(write_end)
    report.send_notes(["moved aside"])
    report.send_error(BadConfig("too late"))
    assert [json.loads(line) for line in reported(report, read_end).splitlines()] == [
        {"notes": ["moved aside"]}
    ]


def test_a_start_that_failed_is_reported_with_the_error() -> None:
    read_end, write_end = os.pipe()
    report = StartReport(write_end)
    report.send_error(BadConfig("wrong", "mend it"))
    error = json.loads(reported(report, read_end))["error"]
    assert (error["code"], error["message"], error["hint"]) == ("bad-config", "wrong", "mend it")


def test_nobody_waits_for_a_daemon_of_a_service_manager() -> None:
    StartReport(None).send_notes()


@pytest.mark.parametrize("what", ["the file", "the folder", "another file"])
def test_a_log_that_was_removed_is_made_again(home: Path, what: str) -> None:
    paths = get_paths({"VOX_HOME": str(home)})
    code = (
        "import logging, os, sys; from vox.daemon.main import set_up_log;"
        "from vox.paths import get_paths; set_up_log(get_paths(), 'info');"
        "print('ready', flush=True); sys.stdin.readline();"
        "logging.info('again'); os.write(2, b'printed')"
    )
    os.makedirs(paths.log_dir)
    with (
        open(paths.log_path, "ab") as log,
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        if what == "the folder":
            shutil.rmtree(paths.log_dir)
        else:
            os.rename(paths.log_path, f"{paths.log_path}.old")
        if what == "another file":
            Path(paths.log_path).write_text("begun by another process\n")
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait() == 0
    text = Path(paths.log_path).read_text()
    assert "again" in text and text.endswith("printed")
    assert ("begun by another" in text) == (what == "another file")
    assert stat.S_IMODE(os.stat(paths.log_path).st_mode) == 0o600
