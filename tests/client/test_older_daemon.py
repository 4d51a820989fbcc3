"""After an update a daemon of the version before may still run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import Vox
from vox.errors import DaemonUnavailable


@pytest.fixture
def older(vox: Vox) -> Vox:
    """One whose daemon says that it is of an older version."""
    vox.ok("daemon", "start")
    Path(vox.paths.pid_path).write_text(f"{vox.pid}\n0.0.9\n")
    return vox


def test_what_an_older_daemon_does_not_know_is_answered_with_what_to_do(older: Vox) -> None:
    with pytest.raises(DaemonUnavailable) as caught:
        older.client.call("GET", "/what-comes-later")
    assert caught.value.line == (
        "the daemon is still of vox 0.0.9; to replace it: vox daemon restart"
    )


def test_a_route_that_our_own_daemon_lacks_is_no_sign_of_an_older_one(vox: Vox) -> None:
    vox.ok("daemon", "start")
    with pytest.raises(Exception, match="Not Found") as caught:
        vox.client.call("GET", "/what-comes-later")
    assert "still of vox" not in str(caught.value)


def test_the_next_text_has_an_older_daemon_leave(older: Vox) -> None:
    before = older.pid
    job_id = older.ok("-b", "scripted", "-o", str(older.home / "x.wav"), "hello", "--json")
    assert '"done"' in job_id
    older.ok("-b", "scripted", "-o", str(older.home / "y.wav"), "hello")
    assert older.pid != before
