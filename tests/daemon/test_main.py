"""What a daemon says to whoever started it."""

from __future__ import annotations

import json
import os

from vox.daemon.main import StartReport
from vox.errors import BadConfig


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
