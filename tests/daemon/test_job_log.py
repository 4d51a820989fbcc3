"""What the log says of jobs, and that it says nothing of their texts."""

from __future__ import annotations

import pytest

from tests.running import Vox


def lines_of(vox: Vox, job_id: str) -> list[str]:
    return [line.partition(": job ")[2] for line in vox.log().splitlines() if job_id in line]


@pytest.mark.usefixtures("sound")
def test_the_begin_and_the_end_of_each_job_are_in_the_log(vox: Vox) -> None:
    vox.ok("daemon", "start")
    done = vox("-b", "scripted", "--json", "1 secret").json()["id"]
    failed = vox("-b", "scripted", "--json", "[crash] secret").json()["id"]
    vox.ok("pause")
    cancelled = vox.ok("-b", "scripted", "--async", "2 secret")
    vox.ok("cancel", cancelled)
    begins, ends = lines_of(vox, done)
    assert begins == f"{done} begins: scripted, normal priority, by cli"
    assert ends.startswith(f"{done} done: ") and "s of speech, the first sound after " in ends
    assert f"{failed} failed: " in "".join(lines_of(vox, failed))
    assert lines_of(vox, cancelled)[-1] == f"{cancelled} cancelled"
    of_jobs = [line for line in vox.log().splitlines() if "job_log" in line]
    assert of_jobs and "secret" not in "".join(of_jobs)
