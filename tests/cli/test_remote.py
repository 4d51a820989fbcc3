"""A server's words are heard on the laptop: a real sshd, and two homes for the two machines."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import CHECKOUT, TIMEOUT_S, Call, Result, Vox
from tests.sound import Recorder, SoundServer
from tests.ssh_server import HOST, SshServer, until
from vox.mcp.caller import Caller
from vox.mcp.tools import BY_NAME
from vox.paths import get_paths
from vox.ssh.config_file import ConfigFile, Forward

HERE = "or speak here: vox --here TEXT\n"
AWAY = f"vox: the laptop is away (no connection from it); log in again, {HERE}"
ASLEEP = f"vox: the laptop does not answer (asleep?); wake it, {HERE}"
NO_VOX = (
    "vox: the laptop is connected, but vox does not run there; on the laptop: vox service install; "
    + HERE
)


class World:
    """A laptop, and a server that it hears."""

    def __init__(self, laptop: Vox, server: SshServer) -> None:
        self.laptop, self.server = laptop, server
        self.config = ("--ssh-config", str(server.config))

    @contextlib.contextmanager
    def calling(self, *args: str, **environ: str) -> Iterator[Call]:
        """vox on the server, which is ended with the block."""
        call = Call(
            [sys.executable, "-m", "vox", *args],
            env={**os.environ, **self.server.environ, **environ},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self.server.folder,
        )  # fmt: skip
        with call:
            try:
                yield call
            finally:
                call.kill()

    def __call__(self, *args: str, **environ: str) -> Result:
        with self.calling(*args, **environ) as call:
            out, err = call.communicate(timeout=TIMEOUT_S)
        return Result(call.returncode, out, err)

    def sent(self, text: str) -> str:
        """The id of the newest job with that text, once the laptop works on it."""
        found: list[str] = []

        def is_sent() -> bool:
            found[:] = [job["id"] for job in self.laptop.jobs() if job["text"] == text]
            return bool(found)

        until(is_sent, f"{text} is sent")
        self.laptop.until(found[-1], "preparing", "speaking")
        return found[-1]

    def remote(self, *args: str) -> Result:
        """`vox remote` on the laptop."""
        return self.laptop("remote", *args, *self.config)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def world(sound_server: SoundServer, folder: Path) -> Iterator[World]:
    """One whose sshd keeps stale sockets, as they do by themselves."""
    (folder / "server").mkdir()
    (folder / "laptop").mkdir()
    server = SshServer(folder / "server")
    laptop = Vox(folder / "laptop")
    laptop.environ["VOX_HOME"] = str(folder / "laptop")
    (folder / "laptop" / "config.toml").write_text('backend = "scripted"\n')
    world = World(laptop, server)
    try:
        result = world.remote(HOST)
        assert result.code == 0, result
        yield world
        # Nothing was ever spoken on the server.
        assert not (server.vox_home / "run" / "daemon.pid").exists()
    finally:
        laptop.stop()
        server.stop()


@pytest.fixture
def connected(world: World) -> Iterator[World]:
    """A login holds the way to the laptop."""
    login = world.server.connect()
    yield world
    login.kill()
    login.wait()
    for path in world.server.sockets():
        path.unlink()


# -- vox remote ------------------------------------------------------------------------------


def test_it_tells_what_it_did_and_twice_is_once(world: World) -> None:
    files = [world.server.config, world.server.folder / "vox.conf"]
    before = [path.read_bytes() for path in files]
    result = world.remote(HOST)
    assert result.code == 0
    assert result.out == (
        f"unchanged {files[1]}, included by {files[0]}\n"
        f"log in on {HOST} again, and it is heard here; to try it: vox remote test {HOST}\n"
    )
    assert "StreamLocalBindUnlink yes" in result.err
    assert [path.read_bytes() for path in files] == before
    assert world.server.sockets() == []
    (there,) = (each["socket"] for each in json.loads(world.remote("list", "--json").out))
    assert there == f"{world.server.runtime_dir}/vox-remote-%L.sock"
    assert world.remote("list").out == f"{HOST}\t{there}\theard\n"


@pytest.mark.slow
def test_a_test_speaks_a_sentence_and_leaves_nothing(world: World) -> None:
    for _ in range(2):
        result = world.remote("test", HOST)
        assert (result.code, result.err) == (0, "")
        assert result.out == f"this machine hears {HOST}\n{HOST} was heard\n"
    job = world.laptop.jobs()[-1]
    assert (job["text"], job["source"]) == (f"Hello from {HOST}.", f"{HOST}:shell")
    assert world.server.sockets() == []


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("me@",), "vox: 'me@' is no server; name it as you do for ssh: vox remote [USER@]HOST"),
        (
            ("x y@h",),
            "vox: 'x y@h' is no server; name it as you do for ssh: vox remote [USER@]HOST",
        ),
        (("a b",), "vox: 'a b' is no server; name it as you do for ssh: vox remote [USER@]HOST"),
        (("test", "nowhere"), "vox: nowhere is not heard here; to hear it: vox remote nowhere"),
        (("remove", "nowhere"), "vox: nowhere is not heard here; to hear it: vox remote nowhere"),
    ],
)
def test_what_is_no_server_is_one_clear_line(
    world: World, args: tuple[str, ...], line: str
) -> None:
    assert world.remote(*args) == Result(2, "", f"{line}\n")


def test_a_server_that_cannot_be_reached_changes_nothing(world: World) -> None:
    before = world.server.config.read_bytes()
    world.server.config.write_bytes(before + b"Host gone\n    HostName 127.0.0.1\n    Port 1\n")
    try:
        result = world.remote("gone")
    finally:
        world.server.config.write_bytes(before)
    assert result.code == 3
    assert result.err.endswith("vox: cannot log in with ssh: gone; try: ssh gone\n")
    assert "gone" not in (world.server.folder / "vox.conf").read_text()


def test_a_server_that_is_gone_can_be_taken_out(world: World) -> None:
    config = ConfigFile(str(world.server.config))
    config.put(Forward("127.0.0.1.gone", "127.0.0.1.gone", "/run/x.sock", "/run/y.sock"))
    result = world.remote("remove", "127.0.0.1.gone")
    assert (result.code, result.out) == (0, "removed 127.0.0.1.gone\n")
    assert "still expects a laptop; there: rm -r" in result.err
    assert list(config.forwards()) == [HOST]


# -- on the server ---------------------------------------------------------------------------


def test_words_on_the_server_are_heard_on_the_laptop(
    connected: World, sound_server: SoundServer
) -> None:
    with Recorder() as recorder:
        since = time.monotonic()
        code, out, err = connected.server.run("cd / && vox 'From afar.'")
        assert (code, out, err) == (0, "", "")
        recorder.wait_for_sound(since=since)
    job = connected.laptop.jobs()[-1]
    assert (job["text"], job["state"], job["via"]) == ("From afar.", "done", "remote")
    assert job["source"] == f"{HOST}:shell"


@pytest.mark.slow
def test_it_is_as_if_the_laptop_s_daemon_were_here(connected: World) -> None:
    laptop = connected.laptop
    assert connected("--source", "repo", "One.") == Result(0, "", "")
    assert laptop.jobs()[-1]["source"] == f"{HOST}:repo"
    job_id = connected("--async", "[until go] Two.").out.strip()
    assert laptop.job(job_id)["state"] != "done"
    Path(laptop.home, "go").touch()
    assert connected("wait", job_id) == Result(0, "", "")
    assert laptop.job(job_id)["state"] == "done"
    unknown = connected("-v", "nobody", "Three.")
    assert unknown.code == 4
    assert unknown.err.startswith("vox: on the laptop: ")
    late = connected("--timeout", "0.2s", "[until never] Four.")
    assert late.code == 7
    assert connected("stop").out == "1 job cancelled\n"
    shown = connected("--json", "Five.").json()
    assert (shown["state"], shown["source"].partition(":")[0]) == ("done", HOST)


def test_a_stream_is_heard_there_too(connected: World) -> None:
    code, _, err = connected.server.run("(echo One.; echo Two.) | vox --stream")
    assert (code, err) == (0, "")
    assert connected.laptop.jobs()[-1]["text"] == "One.\nTwo.\n"
    refused = connected("--stream", "--async", "-f", "/etc/hostname")
    assert refused.code == 2
    assert "leave --async out" in refused.err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_call_that_is_ended_takes_its_job_along(connected: World, signum: int) -> None:
    text = f"[until never] {signum:d}"
    with connected.calling(text) as call:
        job_id = connected.sent(text)
        call.send_signal(signum)
        call.communicate(timeout=TIMEOUT_S)
    assert connected.laptop.until(job_id, "cancelled")["state"] == "cancelled"


def test_a_pause_on_the_laptop_is_told(connected: World) -> None:
    connected.laptop.ok("pause")
    try:
        result = connected("--async", "Later.")
    finally:
        connected.laptop.ok("resume")
    assert result.err == "vox: speech is paused; to resume: vox resume\n"


def test_assistants_on_the_server_are_heard_on_the_laptop(connected: World) -> None:
    turn = {"session_id": "1", "cwd": "/srv/api", "last_assistant_message": "All tests pass."}
    environ = {**os.environ, **connected.server.environ}
    subprocess.run(
        [sys.executable, "-m", "vox", "hook", "claude:Stop"],
        env=environ, input=json.dumps(turn), text=True, check=True, cwd=connected.server.folder,
    )  # fmt: skip

    def sources() -> list[str]:
        return [job["source"] for job in connected.laptop.jobs()]

    until(lambda: f"{HOST}:api" in sources(), "the hook's job is there")

    async def report(_passed_s: float, _message: str) -> None: ...

    caller = Caller(
        get_paths(environ), "claude", report, lambda: False, environ=connected.server.environ
    )
    speak = BY_NAME["speak"]
    made = speak.run(caller, speak.checked({"text": "By a tool.", "wait": False}))
    assert isinstance(made, dict)
    assert connected.laptop.job(made["id"])["source"] == f"{HOST}:claude"


@pytest.mark.slow
def test_files_and_what_is_to_be_spoken_here_are_made_on_the_server(connected: World) -> None:
    count = len(connected.laptop.jobs())
    path = connected.server.folder / "made.wav"
    assert connected("-b", "say", "-o", str(path), "A file.").code == 0
    assert path.exists()
    for here in (connected("--here", "-b", "nobody", "x"),
                 connected("-b", "nobody", "x", VOX_REMOTE="never"),
                 connected("-b", "nobody", "x", SSH_CONNECTION="")):  # fmt: skip
        assert here.code == 4
        assert "on the laptop" not in here.err
    assert len(connected.laptop.jobs()) == count


def test_the_doctor_on_the_server_says_whether_the_laptop_answers(world: World) -> None:
    mute = {"PULSE_SERVER": "unix:/nowhere"}
    away = world("doctor", **mute)
    assert away.code == 1
    assert f"FAIL  laptop: {AWAY.removeprefix('vox: ')}" in away.out
    login = world.server.connect()
    try:
        found = world("doctor", **mute)
    finally:
        login.kill()
        login.wait()
        for path in world.server.sockets():
            path.unlink()
    assert found.code == 0, found
    assert "OK    laptop: it answers; what is sent from here is heard there\n" in found.out
    assert "NOTE  sound: " in found.out


# -- the laptop is not there -----------------------------------------------------------------


def test_what_a_killed_login_left_is_removed_and_the_next_one_leads_home(world: World) -> None:
    login = world.server.connect()
    login.kill()
    login.wait()
    assert len(world.server.sockets()) == 1
    assert world.server.run("vox Hello.") == (3, "", AWAY)
    assert world.server.sockets() == []
    assert world("Hello.") == Result(3, "", AWAY)
    assert world.server.run("vox Hello.")[0] == 0
    for path in world.server.sockets():
        path.unlink()


@pytest.mark.slow
def test_a_laptop_that_sleeps_is_not_waited_for(world: World) -> None:
    login = world.server.connect()
    try:
        login.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert world("Hello.") == Result(3, "", ASLEEP)
        assert time.monotonic() - began < 30
        login.send_signal(signal.SIGCONT)
        assert world("Hello again.") == Result(0, "", "")
    finally:
        login.kill()
        login.wait()
        for path in world.server.sockets():
            path.unlink()


@pytest.mark.slow
def test_a_laptop_without_a_daemon_says_so_until_it_is_back(connected: World) -> None:
    laptop = connected.laptop
    with connected.calling("[until never] Words.") as call:
        job_id = connected.sent("[until never] Words.")
        laptop.kill_daemon()
        assert call.communicate(timeout=TIMEOUT_S) == ("", NO_VOX)
        assert call.returncode == 3
    assert connected("Hello.") == Result(3, "", NO_VOX)
    laptop.ok("cancel", job_id)
    laptop.ok("daemon", "start")
    until(lambda: connected("Hello.").code == 0, "it is heard again")


@pytest.mark.slow
def test_a_login_takes_the_place_of_a_stale_one_where_sshd_may_remove_it(
    world: World, folder: Path
) -> None:
    (folder / "other").mkdir()
    other = World(world.laptop, SshServer(folder / "other", removes_stale_sockets=True))
    try:
        result = other.remote(HOST)
        assert (result.code, "StreamLocalBindUnlink" in result.err) == (0, False)
        login = other.server.connect()
        login.kill()
        login.wait()
        until(lambda: other("Hello.").code == 3, "the login has ended")
        other.server.connect()
        assert other("Hello.") == Result(0, "", "")
    finally:
        other.server.stop()
        world.remote(HOST)


def test_removed_is_as_before(world: World) -> None:
    server = world.server
    assert (server.home / ".local/state/vox/remote").is_dir()
    result = world.remote("remove", HOST)
    assert result == Result(0, f"removed {HOST}\n", "")
    assert server.config.read_text().startswith("# A user's own.\n")
    assert not (server.folder / "vox.conf").exists()
    assert not (server.home / ".local/state/vox/remote").exists()
    assert "remote_hosts" not in (world.laptop.home / "config.toml").read_text()
    until(lambda: not os.path.exists(world.laptop.paths.remote_socket_path(HOST)), "it is closed")
    assert world.remote("list").out == "none; to hear a server: vox remote [USER@]HOST\n"
    # On the server vox is what it was before, also in an ssh session.
    assert "laptop" not in world("-b", "nobody", "x").err


def test_help_and_completion_know_it(world: World) -> None:
    assert "[USER@]HOST" in world.laptop.ok("remote", "--help")
    assert "--here" in world.laptop.ok("--help")
    assert CHECKOUT.joinpath("docs", "remote.md").exists()
