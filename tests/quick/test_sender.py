"""Every job names who sent it: `--source`, `VOX_SOURCE`, the git repository, the program."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.running import CHECKOUT, Vox

SAY_SENDER = "from vox.quick.sender import sender; print(sender())"
PROGRAM = f'"{sys.executable}" -c "{SAY_SENDER}"; true'
"""For a shell, which stays: it is not replaced by the last command."""


def sent_by(*command: str | Path, cwd: Path, start_new_session: bool = False) -> str:
    """What the sender is called of a call that the command makes in that folder."""
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environ, capture_output=True, text=True,
        check=True, start_new_session=start_new_session,
    )  # fmt: skip
    return done.stdout.strip()


def script(folder: Path, name: str, head: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"{head}\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_in_a_git_repository_the_sender_is_its_folder(tmp_path: Path, kind: str) -> None:
    repository = tmp_path / "my repo"
    inside = repository / "src" / "deep"
    inside.mkdir(parents=True)
    if kind == "folder":
        (repository / ".git").mkdir()
    else:  # a worktree's
        (repository / ".git").write_text("gitdir: /elsewhere/.git/worktrees/my-repo\n")
    assert sent_by("sh", "-c", PROGRAM, cwd=inside) == "my repo"
    assert sent_by("sh", "-c", f"chmod 0 '{repository}'; {PROGRAM}", cwd=inside) != ""
    repository.chmod(0o755)


def test_a_repository_s_name_is_made_printable_and_short(tmp_path: Path) -> None:
    repository = tmp_path / ("new\nline \x1b[31m" + "x" * 200)
    (repository / ".git").mkdir(parents=True)
    name = sent_by("sh", "-c", PROGRAM, cwd=repository)
    assert name == ("newline [31m" + "x" * 200)[:100]


def test_elsewhere_the_sender_is_the_program_above_the_shells(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(f"all:\n\t@{PROGRAM}\n")
    assert sent_by("make", cwd=tmp_path) == "make"
    assert sent_by("sh", "-c", "timeout 60 make; true", cwd=tmp_path) == "make"


def test_a_script_is_named_not_its_interpreter(tmp_path: Path) -> None:
    shell = script(tmp_path, "notify.sh", "#!/bin/sh", PROGRAM)
    assert sent_by(shell, cwd=tmp_path) == "notify.sh"
    assert sent_by("sh", "notify.sh", cwd=tmp_path) == "notify.sh"
    text = f"import subprocess\nsubprocess.run([{sys.executable!r}, '-c', {SAY_SENDER!r}])"
    script(tmp_path, "deploy.py", "", text)
    assert sent_by(sys.executable, "-u", "deploy.py", cwd=tmp_path) == "deploy.py"
    assert sent_by(sys.executable, "-m", "deploy", cwd=tmp_path) == "deploy"
    by_path = sent_by(sys.executable, "-c", text, cwd=tmp_path)
    assert by_path.startswith("python")


def test_whoever_types_at_a_prompt_is_the_shell(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ["PYTHONPATH"] = str(CHECKOUT)
        os.execlp("sh", "sh", "-i", "-c", f"{PROGRAM}")
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break
    os.waitpid(pid, 0)
    os.close(terminal)
    assert shown.split()[-1] == b"shell"


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    (tmp_path / ".git").mkdir()
    assert sent_by("sh", "-c", f"rmdir '{gone}'; {PROGRAM}", cwd=gone) not in ("", "gone")


@pytest.mark.slow
def test_a_job_is_sent_by_who_says_so(vox: Vox, tmp_path: Path) -> None:
    def source(*args: str, **environ: str) -> tuple[str, str]:
        vox.environ.update(environ)
        job = vox(*args, "-b", "scripted", "--json", "-o", str(tmp_path / "x.wav"), "1", "--fresh")
        return job.json()["source"], job.json()["via"]

    (tmp_path / ".git").mkdir()
    assert source("--source", "build server") == ("build server", "cli")
    assert source(VOX_SOURCE="agent 7") == ("agent 7", "cli")
    assert source("--source", "build") == ("build", "cli")
    listed = [line.split("\t")[4] for line in vox.ok("history").splitlines()]
    assert listed == ["build", "agent 7", "build server"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("two\nlines", "must be one line of printable characters"),
        ("x" * 101, "source has 101 characters; 100 are the limit"),
    ],
)
def test_a_bad_name_is_refused_in_one_line(vox: Vox, name: str, what: str) -> None:
    done = vox("--source", name, "-b", "scripted", "1")
    assert done.code == 2 and what in done.err and "Traceback" not in done.err
