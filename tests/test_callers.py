"""Whether the process that waits for a job is gone: said only where it is certain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from vox.callers import is_gone, me

from .processes import Process

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="how Linux names a process")
OTHER_BOOT = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.end()


def me_but(**parts: str) -> str:
    """The name of this process with other parts."""
    names = ("system", "pid", "start", "pid_space", "time_space", "boot")
    return ":".join({**dict(zip(names, me().split(":"), strict=True)), **parts}.values())


def test_a_process_is_there_as_long_as_it_runs(process: Process) -> None:
    assert not is_gone(process.name)
    process.end()
    assert is_gone(process.name)


def test_a_killed_process_is_gone_though_its_parent_has_not_asked(process: Process) -> None:
    process.kill()
    assert is_gone(process.name)


def test_a_stopped_process_is_there(process: Process) -> None:
    process.pause()
    assert not is_gone(process.name)


def test_this_process_is_there_under_the_same_name_each_time() -> None:
    assert me() == me()
    assert not is_gone(me())


def test_a_name_fits_into_a_url() -> None:
    assert len(me()) < 200
    assert not set(me()) & set(" &?#%+/")


@on_linux
def test_another_process_with_the_same_pid_is_not_the_caller() -> None:
    assert is_gone(me_but(start="1"))


@on_linux
def test_what_was_before_the_boot_is_gone() -> None:
    assert is_gone(me_but(boot=OTHER_BOOT))


@on_linux
@pytest.mark.parametrize("space", ["pid_space", "time_space"])
def test_a_process_of_other_namespaces_is_not_judged(space: str) -> None:
    assert not is_gone(me_but(start="1", **{space: "1"}))
    # A container may name the boot otherwise.
    assert not is_gone(me_but(start="1", boot=OTHER_BOOT, **{space: "1"}))


@on_linux
@pytest.mark.parametrize("proc", [(), ("--mount-proc",)])
def test_a_process_in_a_container_is_not_judged_from_outside(proc: tuple[str, ...]) -> None:
    unshare = ("unshare", "--user", "--map-root-user", "--pid", "--fork", *proc)
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to make namespaces")
    process = Process(*unshare)
    assert not is_gone(process.name)
    process.leave()
    assert not is_gone(process.name)


@on_linux
@pytest.mark.parametrize("pid", ["-1", "0", str(10**30), "../self"])
def test_a_pid_that_none_can_have_is_not_judged(pid: str) -> None:
    assert not is_gone(me_but(pid=pid))


@pytest.mark.parametrize("name", ["connection", "4711", "", "linux", "linux:1", "macos:x", "a:1:1"])
def test_what_is_no_name_of_ours_is_not_judged(name: str) -> None:
    assert not is_gone(name)
