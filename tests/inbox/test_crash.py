"""A watcher that is killed at any instant: each file ends in one place, each text is one job."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.inbox.crash_driver import name_of, text_of

KILLS, FILES = 200, 500


def tree(folder: Path) -> dict[str, str]:
    """Relative path to content, of every file below."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_after_200_kills_every_file_is_in_one_place_and_every_text_was_one_job(home: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    run = subprocess.run(
        [sys.executable, "-m", "tests.inbox.crash_driver", str(KILLS), str(FILES), str(seed)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        timeout=240,
    )
    report = json.loads(run.stdout)
    found = tree(home / "inbox")
    notes = {path for path in found if path.endswith(".error.txt")}
    files = {path: text for path, text in found.items() if path not in notes}

    where = Counter(Path(path).parts[0] for path in files)
    assert where.keys() == {"done", "failed"}, report["described"]
    contents = Counter(files.values())
    assert contents == Counter(text_of(number) for number in range(FILES))
    names = Counter(path.partition("/")[2] for path in files)
    assert names == Counter(name_of(number) for number in range(FILES))
    assert len(notes) == where["failed"]

    ids: dict[str, set[str]] = {}
    for job_id, text in report["heard"]:
        ids.setdefault(text, set()).add(job_id)
    speakable = [number for number in range(FILES) if text_of(number) != "..."]
    assert ids.keys() == {f"Text {number}." for number in speakable}
    assert [text for text, several in ids.items() if len(several) > 1] == []
