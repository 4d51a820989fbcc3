"""Completion in shells that have really loaded it, and the installation of its script."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Vox
from vox.jobs import Job
from vox.queue.store import Store

SHELLS = ("bash", "zsh", "fish")
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
START = {
    "bash": "bash --noprofile --rcfile {home}/.bashrc -i",
    "zsh": "zsh -d -i",
    "fish": "fish --private",
}
DEADLINE_S = 30.0


class Terminal:
    """A shell in tmux."""

    def __init__(self, folder: Path, environ: dict[str, str], command: str) -> None:
        self._tmux = ["tmux", "-L", f"vox-{os.getpid()}", "-f", os.devnull]
        variables = [f"{name}={value}" for name, value in environ.items()]
        start = shlex.join(["env", *variables, "sh", "-c", f"exec {command}"])
        self._call("new-session", "-d", "-x", "100", "-y", "30", "-c", str(folder), start)

    def _call(self, *args: str) -> str:
        done = subprocess.run([*self._tmux, *args], capture_output=True, text=True, check=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        self._call("send-keys", *keys)

    def until(self, shown: str, is_there: bool = True) -> str:
        """Wait until that is on the screen, or is not; returns the screen."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            screen = self._call("capture-pane", "-p")
            if (shown in screen) == is_there:
                return screen
            assert time.monotonic() < deadline, f"{shown!r}, {is_there}:\n{screen}"
            time.sleep(0.05)

    def clear(self, typed: str) -> None:
        """Empty the line. Not by Ctrl-C, which may take with it what is typed next."""
        self.press("C-u")
        self.until(typed, is_there=False)

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._call("kill-server")


@pytest.fixture
def home_of_user(vox: Vox, tmp_path: Path) -> Path:
    """A user's home, with `vox` on the path, a file, and jobs."""
    program = tmp_path / "bin" / "vox"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vox "$@"\n')
    program.chmod(0o755)
    (tmp_path / ".bashrc").write_text(f"PS1='$ '\n. {BASH_COMPLETION}\n")
    (tmp_path / ".zshrc").write_text("PS1='$ '\n")
    (tmp_path / "notebook.txt").write_text("A note.")
    with contextlib.closing(Store(vox.paths.db_path)) as store:
        store.add([Job(id="3ended", state="done", text="Ended, or: was it?", backend="hibari")])
        store.add([Job(id="4waits", state="queued", text="It waits.", backend="hibari")])
    return tmp_path


def environ_of(vox: Vox, home: Path) -> dict[str, str]:
    return {
        **vox.environ,
        "VOX_HOME": str(vox.home),
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "XDG_DATA_HOME": "",
        "XDG_CONFIG_HOME": "",
        "ZDOTDIR": str(home),
        "EDITOR": "",
    }


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, vox: Vox, home_of_user: Path) -> Iterator[Terminal]:
    """A shell for which completion was installed."""
    shell = request.param
    missing = [name for name in (shell, "tmux") if shutil.which(name) is None]
    if missing or (shell == "bash" and not BASH_COMPLETION.exists()):
        pytest.skip(f"{', '.join(missing) or 'bash-completion'} is not here")
    environ = environ_of(vox, home_of_user)
    vox.ok("completion", shell, "--install", "--yes", env=environ)
    terminal = Terminal(home_of_user, environ, START[shell].format(home=home_of_user))
    try:
        terminal.press("expr 6 '*' 7000", "Enter")
        terminal.until("42000")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.slow
def test_a_real_shell_completes_what_is_typed(terminal: Terminal, vox: Vox) -> None:
    for typed, completed in [
        ("vox hist", "vox history"),
        ("vox -f note", "vox -f notebook.txt"),
        ("vox -o x.wav -f note", "vox -o x.wav -f notebook.txt"),
        ("vox -b hibari -v hear", "vox -b hibari -v heart"),
        ("vox replay 3", "vox replay 3ended"),
        ("vox replay la", "vox replay last"),
        ("vox cancel 4", "vox cancel 4waits"),
        ("vox config set format mark", "vox config set format markdown"),
        ("vox help history sh", "vox help history show"),
    ]:
        terminal.press(typed)
        terminal.until(typed)
        terminal.press("Tab")
        screen = terminal.until(completed)
        assert "Traceback" not in screen and "rror" not in screen
        terminal.clear(completed)
    assert not vox.client.is_up()


def complete(vox: Vox, line: str, **options: object) -> list[str]:
    """What is offered for the last word of the line, with the kind of each."""
    words = line.split(" ")
    environ = {
        "_VOX_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    answer = vox(env=environ, **options)
    assert answer.err == ""
    return answer.out.split()


def test_jobs_are_offered_where_they_can_be_used(vox: Vox, home_of_user: Path) -> None:
    assert complete(vox, "vox replay ") == ["plain,last", "plain,3ended"]
    assert complete(vox, "vox cancel ") == ["plain,4waits"]
    assert complete(vox, "vox wait 4") == ["plain,4waits"]
    assert complete(vox, "vox history show ") == ["plain,last", "plain,4waits", "plain,3ended"]
    assert "plain,cli" in complete(vox, "vox history --source ")


def test_values_of_settings_are_offered(vox: Vox) -> None:
    assert complete(vox, "vox config set daemon ") == ["plain,true", "plain,false"]
    assert complete(vox, "vox config set emoji d") == ["plain,drop"]
    assert complete(vox, "vox config set backend hib") == ["plain,hibari"]
    assert complete(vox, "vox config set backends.hibari.voice hear") == ["plain,heart"]
    assert complete(vox, "vox config set inbox.path /t") == ["dir,/t"]
    assert complete(vox, "vox config set speed ") == []
    assert complete(vox, "vox config set placement ") == [
        "plain,auto",
        "plain,local",
        "plain,remote",
    ]
    assert complete(vox, "vox config set workers o") == ["plain,off"]


def test_files_are_left_to_the_shell(vox: Vox) -> None:
    for line in ("vox -f x", "vox -o x", "vox clone add bob x"):
        assert complete(vox, line) == ["file,x"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_installed_once_and_removed_again(
    vox: Vox, home_of_user: Path, shell: str
) -> None:
    environ = environ_of(vox, home_of_user)
    zshrc = home_of_user / ".zshrc"
    before = zshrc.read_text()
    told = vox.ok("completion", shell, "--install", "--yes", env=environ)
    path = Path(told.split(" is written")[0])
    assert path.read_text().strip() == vox.ok("completion", shell)
    assert f"to undo: vox completion --uninstall {shell}" in told
    installed = zshrc.read_text()
    assert "is up to date" in vox.ok("completion", shell, "--install", "--yes", env=environ)
    assert zshrc.read_text() == installed
    assert "is removed" in vox.ok("completion", shell, "--uninstall", env=environ)
    assert (path.exists(), zshrc.read_text()) == (False, before)
    assert "does not exist" in vox.ok("completion", shell, "--uninstall", env=environ)


def test_without_consent_the_zshrc_is_left_alone(vox: Vox, home_of_user: Path) -> None:
    environ = {**environ_of(vox, home_of_user), "SHELL": "/bin/zsh"}
    before = (home_of_user / ".zshrc").read_text()
    told = vox.ok("completion", "--install", env=environ)
    assert "or use --yes:\nfpath=(" in told
    assert (home_of_user / ".zshrc").read_text() == before


@pytest.mark.parametrize(
    ("args", "shell", "told"),
    [
        ((), "", "name a shell: bash, zsh, fish"),
        (("--install",), "/bin/tcsh", "'tcsh'"),
        (("--install", "--uninstall", "bash"), "", "exclude each other"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    vox: Vox, args: tuple[str, ...], shell: str, told: str
) -> None:
    result = vox("completion", *args, env={"SHELL": shell})
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert told in result.err


def test_a_file_of_somebody_else_is_kept(vox: Vox, home_of_user: Path) -> None:
    environ = environ_of(vox, home_of_user)
    path = home_of_user / ".config" / "fish" / "completions" / "vox.fish"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    for flag in ("--install", "--uninstall"):
        assert vox("completion", "fish", flag, env=environ).code == 2
    assert path.read_text() == "mine"
