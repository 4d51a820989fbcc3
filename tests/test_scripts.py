"""The scripts in contrib: what they promise that can be seen without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path
    for folder in ("contrib", ".ci")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout without an environment."""
    root = tmp_path / "a checkout"
    shutil.copytree(ROOT / "contrib", root / "contrib")
    return root


def run(
    script: Path, *arguments: str, cwd: Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(script), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_finds_nothing_and_the_script_is_executable(script: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")  # of the group dev
    done = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert os.access(script, os.X_OK)


def test_setup_refuses_an_unknown_option_in_one_line(copy: Path, tmp_path: Path) -> None:
    done = run(copy / "contrib/setup", "--verbose", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "setup: usage: contrib/setup [--dev]\n"


def test_setup_leaves_a_folder_that_is_no_environment_alone(copy: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep me")
    done = run(copy / "contrib/setup", cwd=tmp_path, VOX_VENV=str(mine))
    assert done.returncode == 1
    assert done.stderr.startswith(f"setup: {mine} is not an environment of Python; move it away")
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]


def closing_lines(copy: Path, home: Path, path: str) -> list[str]:
    """What setup says at its end; the environment it made is a stand-in."""
    command = home / "env/bin/vox"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    functions = copy / "functions"
    text = (copy / "contrib/setup").read_text().removesuffix('main "$@"\n')
    functions.write_text(f"{text}\nvenv=$HOME/env\nlink_command\n")
    done = run(functions, cwd=home, PATH=f"{path}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr.splitlines()


def test_setup_ends_with_what_to_type(copy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    link = home / ".local/bin/vox"
    ready, hint = closing_lines(copy, home, "/nowhere")
    assert ready == f'setup: ready: {home}/env/bin/vox "Hello."'
    assert f"source {home}/env/bin/activate" in hint and f"put {link.parent} on your PATH" in hint
    assert not link.parent.exists()
    # In an activated environment, and where there is a link.
    assert closing_lines(copy, home, f"{home}/env/bin") == ['setup: ready: vox "Hello."']
    assert closing_lines(copy, home, str(link.parent)) == ['setup: ready: vox "Hello."']
    assert link.resolve() == home / "env/bin/vox"
    # Where that name is another's.
    link.unlink()
    link.write_text("#!/bin/sh\n")
    other, ready, hint = closing_lines(copy, home, str(link.parent))
    assert other.endswith("it stays as it is") and "/env/bin/vox" in ready
    assert hint.endswith("env/bin/activate")


def test_ci_runs_the_check_and_nothing_else() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        'exec bash "$(dirname "${BASH_SOURCE[0]}")/../contrib/check"'
    ]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """An environment whose programs only write down how they are called, into `calls`."""
    venv = tmp_path / "tools"
    (venv / "bin").mkdir(parents=True)
    for name in ("ruff", "mypy", "python"):
        program = venv / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"{venv}/calls"\n')
        program.chmod(0o755)
    return venv


def test_before_a_commit_runs_what_lint_runs(copy: Path, tools: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / ".pre-commit-config.yaml", copy)
    for git in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *git], cwd=copy, check=True)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "VOX_VENV": str(tools),
    }

    def calls_of(*command: str | Path) -> tuple[int, list[str]]:
        (tools / "calls").unlink(missing_ok=True)
        done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, check=False)
        return done.returncode, (tools / "calls").read_text().splitlines()

    hook = (sys.executable, "-m", "pre_commit", "run", "--all-files")
    code, calls = calls_of(copy / "contrib/check", "--lint")
    assert code == 0
    assert [call.split()[0] for call in calls] == ["ruff", "ruff", "mypy", "python"]
    assert calls_of(*hook) == (0, calls)
    (tools / "bin/mypy").write_text("#!/bin/sh\nexit 1\n")
    assert calls_of(*hook) == (1, calls[:2])


def test_lint_without_an_environment_says_how_to_make_one(copy: Path, tmp_path: Path) -> None:
    done = run(copy / "contrib/check", "--lint", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("has no ruff; run contrib/setup --dev\n")


def test_soak_tells_each_case_and_fails_with_what_it_kept(copy: Path, tools: Path) -> None:
    (copy / "tests/faults").mkdir(parents=True)
    (tools / "bin/python").write_text(
        '#!/bin/sh\ncase "$*" in *--collect-only*) echo tests/faults/test_a.py::test_b;;'
        ' *) sleep 1; echo "seed $VOX_TEST_FAULTS_SEED fell"; exit 1;; esac\n'
    )
    environ = {"VOX_VENV": str(tools), "TMPDIR": str(tools)}
    done = run(copy / "contrib/soak", "0", cwd=copy, **environ)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1].startswith("soak: 0 passed, 0 failed")
    assert run(copy / "contrib/soak", "2x", cwd=copy, **environ).returncode == 1
    # An hour that is over after the first case.
    script = (copy / "contrib/soak").read_text().replace("minutes * 60", "minutes")
    (copy / "contrib/soak").write_text(script)
    done = run(copy / "contrib/soak", "1", cwd=copy, **environ)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    _, outcome, _, _, seed, case = line.split()
    assert (outcome, case) == ("FAILED", "test_a.py::test_b")
    (kept,) = tools.glob("vox-soak-*/*.txt")
    assert kept.read_text() == f"seed {seed} fell\n"
    assert done.stderr.splitlines()[-1] == f"soak: what failed is kept in {kept.parent}"
