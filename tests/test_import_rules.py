"""Which room may import which, and which modules own a library: held against the code.

Imports for type checkers alone do not count: nothing comes with them at run time.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from vox.backends.registry import BUILT_IN

ROOT = Path(__file__).parents[1]

BASICS = (
    "vox", "vox.addresses", "vox.bootstrap", "vox.callers", "vox.checks", "vox.config",
    "vox.durations", "vox.errors", "vox.extras", "vox.files", "vox.flat_json", "vox.ids",
    "vox.jobs", "vox.languages", "vox.options", "vox.outlook", "vox.paths", "vox.printable",
    "vox.log_lines", "vox.redis_url", "vox.sizes", "vox.sound_variables", "vox.source_keys",
    "vox.source_names", "vox.source_notes",
    "vox.tokens",
)  # fmt: skip
"""What every room may import; among themselves they go down only, as all files do."""


def table() -> dict[str, tuple[str, ...]]:
    """The table in ARCHITECTURE.md: a pattern of modules -> what else of vox these may import.

    A row for a single module goes before that of its room.
    """
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = text.partition("| room | may import |\n|---|---|\n")[2].partition("\n\n")[0]
    rules = {"vox.__main__": ("vox.cli",), **dict.fromkeys(BASICS, ())}
    for row in rows.splitlines():
        rooms, imported = (re.findall(r"`([\w.]+)`", cell) for cell in row.strip("|").split("|"))
        allowed = tuple(
            pattern for name in imported for pattern in (f"vox.{name}", f"vox.{name}.*")
        )
        rules |= {f"vox.{room}" if "." in room else f"vox.{room}*": allowed for room in rooms}
    return rules


# Library -> the modules that may import it at all. What is not here is a backend's own package.
OWNERS = {
    "huey": ("vox.queue.broker", "vox.fleet.storage"),
    "redis": ("vox.fleet.server", "vox.fleet.storage"),
    "sqlite3": ("vox.queue.*",),
    "fastapi": ("vox.api.*",),
    "starlette": ("vox.api.*",),
    "uvicorn": ("vox.daemon.*",),
    "h11": ("vox.daemon.connections",),
    "prometheus_client": ("vox.api.metrics",),
    "pydantic": ("vox.api.*",),
    "click": ("vox.cli*",),
    "rich": ("vox.cli.output", "vox.cli.install_progress", "vox.cli.watch"),
    "watchdog": ("vox.inbox.*",),
    "platformdirs": ("vox.paths",),
    "tomlkit": ("vox.config", "vox.text.say_as_files", "vox.voices.clones"),
    "regex": ("vox.text.say_as_entry",),
    "sentencex": ("vox.text.sentences",),
    "markdown_it": ("vox.text.markdown*",),
    "emoji": ("vox.text.emojis", "vox.text.markdown_inline"),
    "num2words": ("vox.text.figures",),
    "babel": ("vox.text.dates", "vox.text.money", "vox.text.units"),
    "sounddevice": ("vox.audio.portaudio", "vox.voices.clones"),
    "soundfile": ("vox.audio.*", "vox.backends.*", "vox.voices.clones", "vox.voices.recordings"),
    "soxr": ("vox.audio.pcm",),
    "huggingface_hub": ("vox.backends.kit.huggingface",),
    "av": ("vox.audio.encoder", "vox.audio.time_stretch", "vox.voices.recordings"),
    "numpy": (
        "vox.audio.*",
        "vox.backends.*",
        "vox.hosts.*",
        "vox.voices.clones",
        "vox.voices.recordings",
    ),
    "pynvml": ("vox.hosts.memory",),
    "mcp": ("vox.mcp.manager", "vox.mcp.server", "vox.mcp.stdio"),
    "anyio": ("vox.mcp.stdio", "vox.mcp.waiting"),
    "zeroconf": ("vox.wyoming.discovery",),
}

# What these import of the world must wait until a function needs it: they are on the way to the
# first sound, or are read in an environment that has nothing of it.
LAZY = (*BASICS, "vox.text.*", "vox.client.*", "vox.quick.*")


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
MAY_IMPORT = table()


@functools.cache
def imports_of(module: str, for_type_checkers: bool = False) -> list[Import]:
    """What it imports; what only type checkers see of it, if asked for, too."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    is_package = MODULES[module].name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    return [
        Import(module, name, node.lineno, is_lazy)
        for node, is_lazy in import_nodes(tree, False, for_type_checkers)
        for name in names_in(node, package)
    ]


def import_nodes(
    node: ast.AST, is_lazy: bool, for_type_checkers: bool
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, is_lazy
        elif (
            isinstance(child, ast.If)
            and "TYPE_CHECKING" in ast.unparse(child.test)
            and not for_type_checkers
        ):
            for other in child.orelse:
                yield from import_nodes(other, is_lazy, for_type_checkers)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from import_nodes(child, is_lazy or inside, for_type_checkers)


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


def room_of(module: str) -> str:
    """ "vox.queue" for "vox.queue.store"; a module beside the rooms is a room of its own."""
    return ".".join(module.split(".")[:2])


def allowed_for(module: str) -> tuple[str, ...]:
    room = room_of(module)
    for pattern, allowed in MAY_IMPORT.items():
        if fnmatchcase(module, pattern):
            return (*BASICS, *allowed, room, f"{room}.*")
    pytest.fail(f"{module} is in no row of the table in ARCHITECTURE.md")


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


@pytest.mark.parametrize("module", [module for module in MODULES if fits(module, LAZY)])
def test_what_stands_on_the_way_to_the_first_sound_imports_libraries_late(module: str) -> None:
    wrong = [
        str(found)
        for found in imports_of(module)
        if found.imported.partition(".")[0] not in {*sys.stdlib_module_names, "vox"}
        and not found.is_lazy
    ]
    assert not wrong


def circles() -> list[set[str]]:
    """Sets of modules that import each other, however long the way round."""
    sorter = graphlib.TopologicalSorter(
        {
            module: {
                found.imported
                for found in imports_of(module, for_type_checkers=True)
                # A package's own file is there before its modules are.
                if found.imported in MODULES and not module.startswith(f"{found.imported}.")
            }
            for module in MODULES
        }
    )
    try:
        sorter.prepare()
    except graphlib.CycleError as exc:
        return [set(exc.args[1])]
    return []


@pytest.mark.parametrize("module", [m for m in MODULES if MODULES[m].name == "__init__.py"])
def test_a_room_s_own_file_imports_nothing_of_vox_at_once(module: str) -> None:
    """So no circle goes through it, which the next test would not see."""
    at_once = [found for found in imports_of(module) if not found.is_lazy]
    assert not [str(found) for found in at_once if is_ours(found.imported)]


def test_no_circle_of_files() -> None:
    """Not even one that only a type checker goes round, or that a late import hides."""
    assert not circles()


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
        name for name in reached if not fits(name, (*BASICS, "vox.backends*", "vox.hosts.*"))
    }
    assert not foreign


def test_every_rule_of_the_table_is_about_a_module() -> None:
    idle = [pattern for pattern in MAY_IMPORT if not any(fnmatchcase(m, pattern) for m in MODULES)]
    assert not idle
