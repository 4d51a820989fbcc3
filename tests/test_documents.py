"""What the documents for those who carry on say is true: their examples run, their tree is ours."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import CHECKOUT, Vox

CONTRIBUTING = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ARCHITECTURE = (CHECKOUT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def blocks(heading: str) -> Iterator[tuple[str, str | None, str]]:
    """(path, name that it goes into or None, text) of each block of code under the heading."""
    section = CONTRIBUTING.partition(f"### ... {heading}\n")[2].partition("\n### ")[0]
    for block in re.findall(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        first, _, text = block.partition("\n")
        place = re.fullmatch(r"# (\S+?)(?:, in (\w+))?", first)
        assert place is not None, f"where does this go? {first}"
        yield place[1], place[2], text


def apply(root: Path, heading: str) -> None:
    """Put the example's files and lines into a copy of vox."""
    for path, name, text in blocks(heading):
        target = root / path
        if name is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            continue
        before = target.read_text(encoding="utf-8")
        opening = re.search(
            rf"\bclass {name}:.*?\"\"\".*?\"\"\"|\b{name}\b[^\n]*[\[{{(]", before, re.DOTALL
        )
        assert opening is not None, f"{path} has no {name}"
        at = opening.end()
        target.write_text(f"{before[:at]}\n{text}{before[at:]}", encoding="utf-8")


@pytest.fixture
def copy(vox: Vox, tmp_path: Path) -> Path:
    """A copy of vox that the command line runs."""
    shutil.copytree(
        CHECKOUT / "vox", tmp_path / "vox", ignore=shutil.ignore_patterns("__pycache__")
    )
    vox.environ["PYTHONPATH"] = str(tmp_path)
    return tmp_path


def test_the_backend_speaks_without_a_daemon(vox: Vox, copy: Path) -> None:
    apply(copy, "a backend")
    entry = (copy / "pyproject.toml").read_text().partition("\n")[2].replace('"', "")
    info = copy / "vox_beep-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vox-beep\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[vox.backends]\n{entry}")
    assert not vox.ok("-b", "beep", "-o", str(copy / "x.wav"), "one two", cwd=copy)
    assert (copy / "x.wav").stat().st_size > 2 * 0.1 * 24_000
    assert vox.pid is None


def test_the_command_prints_what_was_spoken_last(vox: Vox, copy: Path) -> None:
    apply(copy, "a command")
    vox.ok("-b", "say", "-o", str(copy / "x.wav"), "This is the last.", cwd=copy)
    assert vox.ok("last", cwd=copy) == "This is the last."
    assert "Print the text that was spoken last." in vox.ok("--help", cwd=copy)


def test_the_route_answers(vox: Vox, copy: Path) -> None:
    apply(copy, "a route")
    vox.ok("daemon", "start", cwd=copy)
    assert vox.client.call("GET", "/last") == []


def test_the_option_is_taken(vox: Vox, copy: Path) -> None:
    apply(copy, "an option of a request")
    assert "--emotion [happy|sad]" in vox.ok("--help", cwd=copy)


def test_the_setting_is_checked_and_kept(vox: Vox, copy: Path) -> None:
    apply(copy, "a setting")
    vox.ok("config", "set", "last_count", "3", cwd=copy)
    assert "last_count" in vox.ok("config", "show", cwd=copy)
    refused = vox("config", "set", "last_count", "0", cwd=copy)
    assert refused.code == 2


def test_the_architecture_names_every_file_of_every_room() -> None:
    layout = ARCHITECTURE.partition("## The rooms\n")[2].partition("\nImports go down only")[0]
    named: dict[str, set[str]] = {}
    for line in re.sub(r"\n {20,}", " ", layout).splitlines():
        if row := re.match(r"    (vox\S*?)/? +((?:\w+ ?)+)", line):
            named[row[1]] = set(row[2].split())
    there: dict[str, set[str]] = {}
    for path in sorted((CHECKOUT / "vox").rglob("*.py")):
        if not path.name.startswith("__"):
            room = path.parent.relative_to(CHECKOUT).as_posix()
            there.setdefault(room, set()).add(path.stem)
    assert named == there
