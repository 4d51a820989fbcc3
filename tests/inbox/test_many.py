"""Ten thousand files at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inbox.rig import Rig, wait_until
from vox.jobs import Request

COUNT = 10_000


@pytest.mark.slow
def test_ten_thousand_files_become_as_many_jobs_in_order_while_others_get_in_between(
    new_rig: Callable[..., Rig],
) -> None:
    rig = new_rig()
    rig.set("max_queue", COUNT + 1000)
    rig.inbox.stop()
    arrived = {}
    for number in reversed(range(COUNT)):
        path = rig.folder / f"{number:05}.txt"
        path.write_text(f"Number {number}.")
        arrived[path.name] = (path.stat().st_ctime_ns, path.name)
    began = time.monotonic()
    rig.restart()
    wait_until(rig.store.count_live)
    waits_s = []
    while rig.inbox.is_busy:
        before = time.monotonic()
        rig.submitter.submit(Request(text="Meanwhile.", priority="high"))
        waits_s.append(time.monotonic() - before)
        rig.inbox.describe()
        time.sleep(0.05)
    took_s = time.monotonic() - began
    print(f"{COUNT} files in {took_s:.1f} s; others waited at most {max(waits_s):.2f} s")
    names = [str(job.source_name) for job in rig.jobs() if job.via == "inbox"]
    assert names == sorted(arrived, key=arrived.__getitem__)
    assert rig.inbox.describe()["working"] == COUNT
    # Nobody waits for more than a small part of it.
    assert len(waits_s) > 10 and max(waits_s) < took_s / 4

    spoken = [job for job in rig.jobs() if job.via == "inbox"]
    for job in spoken[:300]:
        rig.end(job)
    wait_until(lambda: rig.inbox.describe()["done"] == 300)
    assert len(os.listdir(Path(rig.folder) / "done")) == 300
