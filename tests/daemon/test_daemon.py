"""When a daemon leaves: how long it may be idle, and who keeps it up."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vox.config import LiveConfig
from vox.daemon.daemon import Daemon
from vox.daemon.own_files import OwnFiles
from vox.daemon.tcp import Tcp
from vox.paths import get_paths

Make = Callable[..., Daemon]


@pytest.fixture
def make(home: Path) -> Iterator[Make]:
    """A daemon that does not run, with these lines of settings."""
    with contextlib.ExitStack() as stack:

        def made(*settings: str, idle_timeout_s: float | None = None) -> Daemon:
            (home / "config.toml").write_text("\n".join(settings))
            paths = get_paths({"VOX_HOME": str(home)})
            listener = stack.enter_context(socket.socket())
            config = LiveConfig(paths.config_path, {})
            own_files = OwnFiles(paths, lock=-1)
            daemon = Daemon(paths, config, own_files, listener, lambda notes: None, idle_timeout_s)
            stack.callback(daemon.engine.close)
            return daemon

        yield made


def test_the_idle_timeout_follows_the_settings_while_it_is_up(make: Make, home: Path) -> None:
    daemon = make("idle_timeout = 77")
    assert daemon.idle_timeout_s == 77
    (home / "config.toml").write_text("idle_timeout = 8")
    assert daemon.idle_timeout_s == 8


def test_without_residence_it_leaves_at_once_when_idle(make: Make) -> None:
    assert make("daemon = false").idle_timeout_s == 0


def test_an_inbox_that_stays_keeps_it_up_for_ever(make: Make) -> None:
    assert make("idle_timeout = 8", "inbox.stay = true").idle_timeout_s == -1


def test_an_inbox_that_is_off_keeps_nobody_up(make: Make) -> None:
    daemon = make("idle_timeout = 8", "inbox.stay = true", "inbox.enabled = false")
    assert daemon.idle_timeout_s == 8


def test_what_it_was_started_with_beats_the_setting(make: Make) -> None:
    assert make("idle_timeout = 8", idle_timeout_s=3).idle_timeout_s == 3


@pytest.mark.parametrize("setting", ["http", "wyoming"])
@pytest.mark.parametrize("started_with", [None, 0.0])
def test_one_that_serves_tcp_stays_until_that_is_unset(
    make: Make, home: Path, started_with: float | None, setting: str
) -> None:
    left_s = 8.0 if started_with is None else started_with
    daemon = make("idle_timeout = 8", f'{setting} = "127.0.0.1:7777"', idle_timeout_s=started_with)
    assert (daemon.idle_timeout_s, daemon.stays_for) == (left_s, [])  # it does not serve it yet
    served = Tcp("127.0.0.1:7777", error="somebody has the port")
    if setting == "http":
        daemon._tcp = served
    else:
        daemon._wyoming.tcp = served
    assert (daemon.idle_timeout_s, daemon.stays_for) == (-1, [setting])
    assert daemon.config().idle_timeout_s == 8  # of the models
    (home / "config.toml").write_text("idle_timeout = 8")
    assert (daemon.idle_timeout_s, daemon.stays_for) == (left_s, [])


def test_one_that_nobody_can_find_any_more_leaves_when_idle(make: Make, home: Path) -> None:
    daemon = make("idle_timeout = 77")
    (home / "run").touch()
    while not daemon._own_files.are_lost:
        assert daemon.idle_timeout_s == 77
        daemon._own_files.look()
    assert daemon.idle_timeout_s == 0


def test_told_to_leave_once_drained_it_does_not_wait(make: Make) -> None:
    daemon = make("idle_timeout = -1", idle_timeout_s=3)
    daemon.stop_when_drained()
    assert daemon.idle_timeout_s == 0


@pytest.mark.parametrize(("state", "is_touched"), [("done", True), ("speaking", False)])
def test_a_job_that_ends_keeps_it_up_for_another_while(
    make: Make, state: str, is_touched: bool
) -> None:
    daemon = make()
    made_at = time.monotonic()
    daemon.bus.publish("state", "x", {"state": state, "audio_s": None, "unkept": False})
    assert (daemon.idle_s < time.monotonic() - made_at) == is_touched


def test_its_address_on_tcp_is_described_before_it_listens(make: Make) -> None:
    assert make().http == {"address": None, "error": None}
