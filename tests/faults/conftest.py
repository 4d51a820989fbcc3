"""Fixtures of the faults: a home with books, a case's chance, and what a failing case leaves."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from .audit import audit, describe
from .chance import SEED_VARIABLE, Chance, choose_seed, is_soak
from .home import FAILURES_DIR, Home

CASE_TIMEOUT_S = 150
CHECK_SHARE = 3
"""A run of all tests draws one of so many cases."""
_HERE = Path(__file__).parent
_HOME = pytest.StashKey[Home]()
_LEFT = pytest.StashKey[str]()
"""What there is to say of the home of a case that failed."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mine = [item for item in items if item.path.is_relative_to(_HERE)]
    if len(mine) < len(items) and not is_soak():
        drawn = Chance(choose_seed(), "cases").sample(mine, -(-len(mine) // CHECK_SHARE))
        left_out = [item for item in mine if item not in drawn]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in mine:
        item.add_marker(pytest.mark.slow)  # together they take minutes
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(CASE_TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and item.path.is_relative_to(_HERE):
        again = f"{SEED_VARIABLE}={choose_seed()} python -m pytest '{item.nodeid}'"
        report.sections.append(("the same case again", again))
        if _HOME in item.stash:
            _look_at(item, item.stash[_HOME])
        if _LEFT in item.stash:
            report.sections.append(("home", item.stash[_LEFT]))
    return report


def _look_at(item: pytest.Item, home: Home) -> None:
    """Note, once, what the failed case leaves, while it is there."""
    if _LEFT not in item.stash:
        told = "\n".join(f"{name}: {value}" for name, value in describe(home).items())
        item.stash[_LEFT] = _keep(home) + told


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
        if not made.is_audited and _LEFT not in request.node.stash:
            audit(made)
    except BaseException:
        _look_at(request.node, made)
        raise
    finally:
        made.end_everything()
        del request.node.stash[_HOME]
