"""DESIGN's "who may import whom", held against the code by reading it, and who owns which library.

Imports for type checkers alone do not count: nothing comes with them at run time.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from vox.backends.registry import BUILT_IN

ROOT = Path(__file__).parents[1]

BASICS = ("vox", "vox.errors", "vox.jobs", "vox.text", "vox.config", "vox.paths")

# Module -> what of vox it may import. The first pattern that fits counts; what a module shares a
# package with is always allowed, except where a pattern names the module itself.
MAY_IMPORT = {
    "vox": (),
    "vox.errors": (),
    "vox.jobs": BASICS,
    "vox.text": BASICS,
    "vox.config": BASICS,
    "vox.paths": BASICS,
    # Beside the client: each does one thing for it and for the daemon.
    "vox.http1": ("vox.errors",),
    "vox.tokens": ("vox.errors", "vox.paths"),
    "vox.spawn": ("vox.errors", "vox.paths", "vox.backends.bootstrap"),
    "vox.client": (*BASICS, "vox.http1", "vox.spawn", "vox.queue.offline"),
    "vox.__main__": ("vox.cli",),
    "vox.cli*": (
        *BASICS, "vox.cli*", "vox.client", "vox.spawn", "vox.tokens",
        # Only when no daemon is up.
        "vox.queue.offline", "vox.queue.foreground", "vox.audio.spool",
        # Environments, voices and clones are files; no daemon is needed for them.
        "vox.backends.catalog", "vox.backends.clones", "vox.backends.environments",
        "vox.backends.base", "vox.backends.registry", "vox.backends.languages",
        # `vox doctor` opens the device, `vox inbox` the folder.
        "vox.audio.device", "vox.inbox.*",
    ),
    "vox.daemon*": (
        *BASICS, "vox.daemon*", "vox.http1", "vox.spawn", "vox.tokens",
        "vox.audio*", "vox.backends*", "vox.hosts*", "vox.inbox*", "vox.queue*",
    ),
    # The table, Huey, recovery: they know neither sound nor models.
    "vox.queue.schema": BASICS,
    "vox.queue.events": BASICS,
    "vox.queue.damage": BASICS,
    "vox.queue.store": (
        *BASICS, "vox.queue.damage", "vox.queue.events", "vox.queue.schema",
    ),
    "vox.queue.broker": (*BASICS, "vox.queue.damage", "vox.queue.events"),
    "vox.queue.recovery": (*BASICS, "vox.queue.broker", "vox.queue.store"),
    "vox.queue.submit": (*BASICS, "vox.queue.*", "vox.backends.catalog", "vox.audio.files"),
    "vox.queue.offline": (*BASICS, "vox.queue.*", "vox.backends.catalog"),
    "vox.queue*": (
        *BASICS, "vox.queue*", "vox.audio*", "vox.hosts*",
        "vox.backends.base", "vox.backends.catalog",
    ),
    "vox.inbox*": (
        *BASICS, "vox.inbox*", "vox.queue*", "vox.backends.catalog", "vox.backends.registry",
    ),
    # The child: nothing of vox but what a backend's own environment can load.
    "vox.hosts.host": (
        "vox.errors", "vox.hosts.protocol", "vox.backends.base", "vox.backends.registry",
    ),
    "vox.hosts.protocol": ("vox.errors",),
    "vox.hosts*": (*BASICS, "vox.hosts*", "vox.backends.*"),
    # Recording and checking a clone's sample is done with vox's own resampler.
    "vox.backends.clones": (*BASICS, "vox.backends.*", "vox.audio.pcm"),
    "vox.backends*": (*BASICS, "vox.backends*"),
    "vox.audio*": ("vox.errors", "vox.paths", "vox.audio*"),
}  # fmt: skip

# Library -> the modules that may import it at all. What is not here is a backend's own package.
OWNERS = {
    "huey": ("vox.queue.broker",),
    "sqlite3": ("vox.queue.*",),
    "fastapi": ("vox.daemon.*",),
    "starlette": ("vox.daemon.*",),
    "uvicorn": ("vox.daemon.*",),
    "prometheus_client": ("vox.daemon.metrics",),
    "pydantic": ("vox.daemon.*",),
    "click": ("vox.cli*",),
    "watchdog": ("vox.inbox.*",),
    "platformdirs": ("vox.paths",),
    "tomlkit": ("vox.config", "vox.backends.clones"),
    "sentencex": ("vox.text",),
    "sounddevice": ("vox.audio.device", "vox.backends.clones"),
    "soundfile": ("vox.audio.*", "vox.backends.*"),
    "av": ("vox.audio.encoder",),
    "numpy": ("vox.audio.*", "vox.backends.*", "vox.hosts.*", "vox.queue.worker"),
    "pynvml": ("vox.hosts.memory",),
}

# What these import of the world must wait until a function needs it: they are on the way to the
# first sound, or are read in an environment that has nothing of it.
LAZY = ("vox.text", "vox.config", "vox.paths", "vox.jobs", "vox.errors", "vox.client", "vox.spawn")


@dataclass(frozen=True)
class Import:
    module: str
    imported: str
    line: int
    is_lazy: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}"


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "vox").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


@functools.cache
def imports_of(module: str) -> list[Import]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    is_package = MODULES[module].name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    return [
        Import(module, name, node.lineno, is_lazy)
        for node, is_lazy in import_nodes(tree, is_lazy=False)
        for name in names_in(node, package)
    ]


def import_nodes(
    node: ast.AST, is_lazy: bool
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, is_lazy
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from import_nodes(other, is_lazy)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from import_nodes(child, is_lazy or inside)


def names_in(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Whole module names: `from .a import b` is `a.b` if that is a module, else `a`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        parts = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parts, *filter(None, [node.module])])
    for alias in node.names:
        full = f"{base}.{alias.name}"
        yield full if full in MODULES else base


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def allowed_for(module: str) -> tuple[str, ...]:
    for pattern, allowed in MAY_IMPORT.items():
        if fnmatchcase(module, pattern):
            return allowed
    pytest.fail(f"no rule says what {module} may import: add it to the table")


def is_ours(name: str) -> bool:
    return name == "vox" or name.startswith("vox.")


@pytest.mark.parametrize("module", MODULES)
def test_imports_of_vox_follow_the_table(module: str) -> None:
    allowed = allowed_for(module)
    wrong = [
        str(found)
        for found in imports_of(module)
        if is_ours(found.imported) and not fits(found.imported, allowed)
    ]
    assert not wrong


@pytest.mark.parametrize("module", MODULES)
def test_libraries_are_imported_by_their_owners_alone(module: str) -> None:
    wrong = []
    for found in imports_of(module):
        library = found.imported.partition(".")[0]
        if library in OWNERS:
            if not fits(module, OWNERS[library]):
                wrong.append(str(found))
        elif (
            not is_ours(library)
            and library not in sys.stdlib_module_names
            # A backend's own package: nowhere but in an adapter, and not before it is needed.
            and not (module.startswith("vox.backends.") and found.is_lazy)
        ):
            wrong.append(str(found))
    assert not wrong


@pytest.mark.parametrize("module", LAZY)
def test_what_stands_on_the_way_to_the_first_sound_imports_libraries_late(module: str) -> None:
    wrong = [
        str(found)
        for found in imports_of(module)
        if found.imported.partition(".")[0] not in {*sys.stdlib_module_names, "vox"}
        and not found.is_lazy
    ]
    assert not wrong


def test_nothing_imports_the_command_line_or_the_daemon() -> None:
    wrong = [
        str(found)
        for module in MODULES
        for found in imports_of(module)
        for owner in ("vox.cli", "vox.daemon")
        if fits(found.imported, (owner, f"{owner}.*"))
        and not fits(module, (owner, f"{owner}.*", "vox.__main__"))
    ]
    assert not wrong


@pytest.mark.parametrize(
    "start", ["vox.hosts.host", *sorted({s.partition(":")[0] for s in BUILT_IN.values()})]
)
def test_what_a_host_loads_needs_nothing_but_the_standard_library(start: str) -> None:
    """A backend's environment has numpy and the backend's package, and nothing else of vox."""
    reached, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        for found in imports_of(module):
            if is_ours(found.imported):
                if not found.is_lazy and found.imported in MODULES:
                    waiting.append(found.imported)
            elif not found.is_lazy:
                assert found.imported.partition(".")[0] in {*sys.stdlib_module_names, "numpy"}, (
                    found
                )
    foreign = {
        name
        for name in reached
        if not fits(name, ("vox", "vox.errors", "vox.backends*", "vox.hosts.*"))
    }
    assert not foreign


def test_every_rule_of_the_table_is_about_a_module() -> None:
    idle = [pattern for pattern in MAY_IMPORT if not any(fnmatchcase(m, pattern) for m in MODULES)]
    assert not idle
