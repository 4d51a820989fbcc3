"""Fixtures of the faults: a home with books, a case's chance, and what a failing case leaves."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from .audit import audit, describe
from .chance import SEED_VARIABLE, Chance, choose_seed
from .home import FAILURES_DIR, Home

CASE_TIMEOUT_S = 150
_HERE = Path(__file__).parent
_HAS_FAILED = pytest.StashKey[bool]()
_HOME = pytest.StashKey[Home]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(CASE_TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and item.path.is_relative_to(_HERE):
        item.stash[_HAS_FAILED] = True
        again = f"{SEED_VARIABLE}={choose_seed()} python -m pytest '{item.nodeid}'"
        report.sections.append(("the same case again", again))
        if (home := item.stash.get(_HOME, None)) is not None:
            said = "\n".join(f"{name}: {value}" for name, value in describe(home).items())
            report.sections.append(("home", _keep(home) + said))
    return report


def _keep(home: Home) -> str:
    """Keep the home where `contrib/soak` wants it; a line that says where."""
    folder = os.environ.get(FAILURES_DIR)
    if not folder:
        return ""
    kept = tempfile.mkdtemp(prefix="home-", dir=folder)
    shutil.copytree(
        home.home,
        kept,
        dirs_exist_ok=True,
        symlinks=True,
        ignore=lambda path, names: [n for n in names if not _is_plain(Path(path, n))],
    )
    return f"kept as {kept}\n"


def _is_plain(path: Path) -> bool:
    """Whether it can be copied: a socket cannot, nor a pipe."""
    return path.is_dir() or path.is_file()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Chance:
    """The case's random numbers: with the same seed the same ones."""
    return Chance(choose_seed(), request.node.name)


@pytest.fixture
def vox(request: pytest.FixtureRequest, home: Path) -> Iterator[Home]:
    """A home with books. At the end it is audited, if the case has not done so, and ended."""
    made = Home(home)
    request.node.stash[_HOME] = made
    try:
        yield made
        if not made.is_audited and not request.node.stash.get(_HAS_FAILED, False):
            audit(made)
    finally:
        made.end_everything()
