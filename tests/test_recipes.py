"""The blocks of docs/recipes.md, each run by the program that it is for.

A stand-in for `vox` writes down with what it was called; one recipe calls the real one.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import CHECKOUT, Vox, read_terminal

RECIPES = CHECKOUT / "docs" / "recipes.md"
TIMEOUT_S = 60.0
STAND_IN = """#!{python} -S
import json, os, sys
said = "" if os.isatty(0) else sys.stdin.read()
line = json.dumps({{"arguments": sys.argv[1:], "stdin": said}}) + "\\n"
os.write(os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), line.encode())
"""


def block(opening: str) -> str:
    """The block that begins with that line."""
    found = re.search(
        rf"^```{re.escape(opening)}\n(.*?)^```$", RECIPES.read_text("utf-8"), re.M | re.S
    )
    assert found is not None, opening
    return found[1]


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}")


class Calls:
    """What the stand-in for vox was called with, call by call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "calls"
        script = folder / "vox"
        script.write_text(STAND_IN.format(python=sys.executable, path=str(self._path)))
        script.chmod(0o755)
        self.environ = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "VOX_SAY_AFTER": "0",
        }

    def all(self) -> list[dict[str, Any]]:
        text = self._path.read_text() if self._path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait(self, count: int) -> list[dict[str, Any]]:
        """Those calls, once there are so many."""
        deadline = time.monotonic() + TIMEOUT_S
        while len(calls := self.all()) < count:
            assert time.monotonic() < deadline, f"only {calls}"
            time.sleep(0.02)
        return calls

    def texts(self, count: int) -> list[str]:
        """What they were to say, each in the words after `--`."""
        return [call["arguments"][-1] for call in self.wait(count)]


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path)


class Shell:
    """An interactive shell on a terminal."""

    def __init__(self, command: list[str], environ: dict[str, str], cwd: Path) -> None:
        self._control, terminal = pty.openpty()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environ,
            cwd=cwd,
        )
        os.close(terminal)
        self.shown = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self.shown = read_terminal(self._control)

    def type(self, line: str) -> None:
        os.write(self._control, line.encode() + b"\n")

    def end(self) -> None:
        try:
            self.type("exit")
            self._process.wait(TIMEOUT_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(TIMEOUT_S)


Start = Callable[..., Shell]


@pytest.fixture
def start(calls: Calls) -> Iterator[Start]:
    shells: list[Shell] = []

    def start(*command: str) -> Shell:
        shells.append(Shell([*command], calls.environ, calls.folder))
        return shells[-1]

    yield start
    for shell in shells:
        shell.end()


def check_shell(shell: Shell, calls: Calls) -> None:
    """Each command is announced by its name alone and how it ended.

    Nothing is said of an empty line, nor of what was ended with Ctrl-C.
    """
    shell.type("")
    shell.type("sh -c 'exit 3'")
    first = calls.wait(1)[0]
    assert first["arguments"][:-1] == ["--async", "--source", "shell", "--"]
    assert re.fullmatch(r"sh failed with 3 after \d+ seconds", first["arguments"][-1])
    shell.type("sh -c 'exit 130'")
    shell.type("true secret")
    assert re.fullmatch(r"true finished after \d+ seconds", calls.texts(2)[1])


@needs("setsid", "bash")
def test_bash_says_how_a_command_ended(calls: Calls, start: Start) -> None:
    Path(calls.folder, ".bashrc").write_text(block("bash"))
    shell = start("bash", "--noprofile", "-i")
    check_shell(shell, calls)
    # Nor is $? changed for the next command.
    shell.type("sh -c 'exit 7'")
    shell.type("test $? = 7")
    said = sorted(calls.texts(4)[2:])  # each is a process of its own
    assert said[0].startswith("sh failed with 7")
    assert said[1].startswith("test finished")


@needs("setsid", "zsh")
def test_zsh_says_how_a_command_ended(calls: Calls, start: Start) -> None:
    Path(calls.folder, ".zshrc").write_text(block("zsh"))
    check_shell(start("zsh", "-i"), calls)


@needs("setsid", "fish")
def test_fish_says_how_a_command_ended(calls: Calls, start: Start) -> None:
    folder = Path(calls.folder, ".config/fish/conf.d")
    folder.mkdir(parents=True)
    Path(folder, "vox.fish").write_text(block("fish"))
    check_shell(start("fish", "-i"), calls)


@needs("make")
def test_make_says_what_was_made(calls: Calls) -> None:
    rule = "good:\n\t@true\nbad:\n\t@exit 5\n"
    Path(calls.folder, "Makefile").write_text(rule + block("make"))

    def make(target: str) -> int:
        command = ["make", "-s", target]
        return subprocess.run(command, cwd=calls.folder, env=calls.environ, check=False).returncode

    assert make("spoken-good") == make("good") == 0
    assert make("spoken-bad") == make("bad") == 2
    assert [call["arguments"] for call in calls.wait(2)] == [
        ["--async", "--", "good is done"],
        ["--async", "--priority", "high", "--", "bad failed"],
    ]


def commit(folder: Path, environ: dict[str, str], subject: str) -> None:
    """The first commit of a repository with the recipe's hook."""

    def git(*arguments: str) -> None:
        options = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *options, *arguments], cwd=folder, env=environ, check=True)

    git("init", "-q")
    hook = folder / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(block("sh"))
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    git("commit", "-q", "--allow-empty", "-m", f"{subject}\n\nAnd why.")


@needs("git")
def test_a_commit_is_said_by_its_subject(calls: Calls) -> None:
    subject = '-x: "quoted" $(touch harm) `touch harm`'
    commit(calls.folder, calls.environ, subject)
    assert calls.wait(1) == [{"arguments": ["--async", "--", subject], "stdin": ""}]
    assert not Path(calls.folder, "harm").exists()


@pytest.mark.slow
@needs("git")
def test_the_real_vox_keeps_whose_commit_it_was(vox: Vox, calls: Calls, sound: object) -> None:
    folder = calls.folder / "kettle"
    folder.mkdir()
    script = calls.folder / "vox"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(vox.command)} "$@"\n')
    environ = {**os.environ, "PATH": calls.environ["PATH"]}
    commit(folder, environ, "The kettle boils")
    (job,) = vox.jobs()
    assert (job["text"], job["source"]) == ("The kettle boils", "kettle")
    vox.until(job["id"], "done")


class Tmux:
    """A tmux server of our own, with the recipe as its configuration."""

    def __init__(self, calls: Calls) -> None:
        self._environ = calls.environ
        self._socket = str(calls.folder / "tmux")
        config = calls.folder / "tmux.conf"
        config.write_text(block("tmux").replace("monitor-silence 60", "monitor-silence 1"))
        size = ["-x", "80", "-y", "24"]
        self("-f", str(config), "new-session", "-d", *size, "-n", "two words", "cat")

    def __call__(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        done = subprocess.run(
            command,
            env=self._environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
        )
        assert done.stderr == ""
        return done.stdout


@pytest.fixture
def tmux(calls: Calls) -> Iterator[Tmux]:
    server = Tmux(calls)
    yield server
    server("kill-server")


@needs("tmux")
def test_tmux_says_that_a_window_is_quiet(tmux: Tmux, calls: Calls) -> None:
    arguments = calls.wait(1)[0]["arguments"]
    assert arguments[:4] == ["--async", "--replace", "tmux", "--"]
    assert arguments[4:] == ["window", "two words", "is", "quiet"]


@needs("tmux")
def test_tmux_says_the_selection_and_the_buffer(tmux: Tmux, calls: Calls) -> None:
    tmux("setw", "-g", "monitor-silence", "0")
    tmux("send-keys", "Some words", "Enter")
    deadline = time.monotonic() + TIMEOUT_S
    while tmux("capture-pane", "-p").count("Some words") < 2:  # typed, and by cat
        assert time.monotonic() < deadline
        time.sleep(0.02)
    tmux("copy-mode")
    for command in ("history-top", "select-line"):
        tmux("send-keys", "-X", command)
    tmux("send-keys", "S")
    said = [call for call in calls.wait(1) if call["stdin"]]
    assert [call["stdin"].strip() for call in said] == ["Some words"]
    for key, called in (("S", "vox --async --replace tmux"), ("X", "vox stop")):
        assert called in tmux("list-keys", "-T", "prefix", key)


def test_cron_says_it_with_its_own_small_environment(calls: Calls) -> None:
    path, line = block("crontab").splitlines()
    assert path.startswith("PATH=/home/you/.local/bin:")
    environ = {
        "PATH": path.removeprefix("PATH=").replace("/home/you/.local/bin", str(calls.folder)),
        "HOME": str(calls.folder),
        "SHELL": "/bin/sh",
    }
    command = line.split(maxsplit=5)[5]
    subprocess.run(["/bin/sh", "-c", command], env=environ, check=True)
    (call,) = calls.wait(1)
    assert call["arguments"][-1] == "Stand-up in ten minutes."


def unit_files(folder: Path) -> dict[str, Path]:
    """The recipe's units, where systemd looks for them."""
    files = {}
    for name in re.findall(r"^```ini (\S+)$", RECIPES.read_text("utf-8"), re.M):
        files[name] = folder / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_text(block(f"ini {name}"))
    return files


def test_systemd_says_which_unit_failed(calls: Calls, tmp_path: Path) -> None:
    unit = unit_files(tmp_path / "units")["vox-failed@.service"].read_text()
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)
    assert command is not None
    bin_dir = tmp_path / ".local" / "bin"
    bin_dir.mkdir(parents=True)
    Path(bin_dir, "vox").symlink_to(calls.folder / "vox")
    # No shell has to do with it: systemd's words are told apart as a shell's here.
    words = shlex.split(command[1].replace("%h", str(tmp_path)).replace("%i", "backup"))
    subprocess.run(words, env=calls.environ, stdin=subprocess.DEVNULL, check=True)
    assert calls.texts(1) == ["backup failed"]


@needs("systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Of a unit that has none of its own, too, and of the one that says so not again."""
    folder = tmp_path / "units"
    unit_files(folder)
    bin_dir = tmp_path / ".local" / "bin"
    bin_dir.mkdir(parents=True)
    Path(bin_dir, "vox").symlink_to("/bin/true")
    Path(folder, "backup.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/false\n")
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "SYSTEMD_UNIT_PATH": f"{folder}:",
    }
    command = ["systemd-analyze", "--user", "verify", str(folder / "backup.service")]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs("vim")
def test_vim_says_the_selection_and_the_line_and_stops(calls: Calls) -> None:
    version = subprocess.run(["vim", "--version"], capture_output=True, text=True, check=True)
    if "+job" not in version.stdout:
        pytest.skip("this vim has no +job")
    recipe, text = calls.folder / "recipe.vim", calls.folder / "text.txt"
    recipe.write_text(block("vim"))
    text.write_text("The first line.\nThe second 'line'.\nThe third.\n")
    for keys, count in ((r"ggVj\\v", 1), (r"G\\vv", 2), (r"\\vs", 3)):
        command = ["vim", "-Nu", "NONE", "-i", "NONE", "-es", "-S", str(recipe), str(text)]
        command += ["-c", f'exe "normal {keys}"', "-c", "qa!"]
        subprocess.run(
            command, env=calls.environ, stdin=subprocess.DEVNULL, check=False, timeout=TIMEOUT_S
        )
        calls.wait(count)
    selection, line, stop = calls.all()
    assert selection["stdin"] == "The first line.\nThe second 'line'.\n"
    assert selection["arguments"] == ["--async", "--replace", "vim", "--source", "vim"]
    assert line["stdin"] == "The third."
    assert stop["arguments"] == ["stop"]
