"""An inbox that is killed at any instant: each file ends in one place, each text is one job."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.chance import tries
from tests.inbox.crash_driver import STEP_FILES, name_of, text_of

KILLS, FILES = tries(60, 200), tries(150, 500)


def tree(folder: Path) -> dict[str, str]:
    """Relative path to content, of every file below."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def drive(*arguments: str) -> Any:
    run = subprocess.run(
        [sys.executable, "-m", "tests.inbox.crash_driver", *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        timeout=240,
    )
    return json.loads(run.stdout)


def check(inbox: Path, expected: dict[str, str], report: dict[str, Any]) -> None:
    """Each file, with its content, in `done/` or `failed/`; a note for each that failed; one job
    for each that can be spoken."""
    found = tree(inbox)
    notes = {path for path in found if path.endswith(".error.txt")}
    files = {path: text for path, text in found.items() if path not in notes}
    where = Counter(Path(path).parts[0] for path in files)
    assert where.keys() == {"done", "failed"}, report
    assert {path.partition("/")[2]: text for path, text in files.items()} == expected
    assert len(files) == len(expected)
    assert len(notes) == where["failed"]
    assert list((inbox / ".work").iterdir()) == []

    ids: dict[str, set[str]] = {}
    for _, job_id, text in report["heard"]:
        ids.setdefault(text, set()).add(job_id)
    assert ids.keys() == {text.rpartition("---\n")[2] for text in expected.values()} - {"..."}
    assert {text: several for text, several in ids.items() if len(several) > 1} == {}
    ended = Counter(text for what, _, text in report["heard"] if what == "ended")
    assert {text: times for text, times in ended.items() if times > 1} == {}


@pytest.mark.slow
def test_after_many_kills_every_file_is_in_one_place_and_every_text_was_one_job(home: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    report = drive(str(KILLS), str(FILES), str(seed))
    check(home / "inbox", {name_of(number): text_of(number) for number in range(FILES)}, report)


@pytest.mark.slow
@pytest.mark.parametrize("clears", ["clears", "keeps"])
def test_killed_after_any_step_nothing_is_lost_or_spoken_twice(home: Path, clears: str) -> None:
    """Even if the history is cleared before the next daemon starts."""
    reports = drive("steps", str(home), clears)
    assert len(reports) > len(STEP_FILES) * 4
    for report in reports:
        check(Path(report["home"]) / "inbox", STEP_FILES, report)
