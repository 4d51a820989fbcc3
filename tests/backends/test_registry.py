"""The registry. Only it and the adapters know the names of the built-in backends."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.backends import registry
from vox.backends.base import Backend, Info
from vox.bootstrap import vox_dir

FOLDER = Path(vox_dir())
EXAMPLES = {
    (
        "cli/habits.py",
        "say",
    ),  # a word that is typed
    ("cli/habits.py", "vox {words}, or vox -b say {words}"),
    ("api/schemas.py", "hibari"),  # in the API's documentation
    ("text/say_as_entry.py", "say"),  # a key of the entries that respell words
    ("text/say_as_files.py", "say"),
    ("speechd/speaker.py", "say"),  # what a screen reader hears if nothing else can speak
    # Qwen Code, an assistant:
    ("agents/catalog.py", "qwen"),
    ("agents/catalog.py", ".qwen"),
    ("agents/catalog.py", "restart qwen"),
    ("hooks/agents.py", "qwen"),
}

# `say` is also a word: it means the backend only on its own or after -b.
_NAMES = "|".join({*registry.BUILT_IN, "espeak-ng", "espeak"} - {"say"})
WIRED = re.compile(rf"(?<![\w-])({_NAMES})(?![\w-])|\A(-b )?say\Z|-b say\b|backend say\b")


def strings(source: str) -> Iterator[str]:
    """The string constants of a module, without docstrings."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            yield node.value


def test_no_name_of_a_backend_is_wired_outside_the_backends() -> None:
    found = {
        (str(path.relative_to(FOLDER)), text)
        for path in FOLDER.rglob("*.py")
        if FOLDER / "backends" not in path.parents
        for text in strings(path.read_text(encoding="utf-8"))
        if WIRED.search(text)
    }
    assert found == EXAMPLES


@pytest.mark.parametrize("text", ["say", "qwen", "-b say", "run: vox backends install voxtream"])
def test_a_wired_name_is_found(text: str) -> None:
    assert WIRED.search(text)
    assert list(strings(f'"""kokoro"""\nx = f"{text}"\n')) == [text]
    assert not WIRED.search("nothing to say in ")


def test_a_backend_may_use_the_environment_of_another() -> None:
    elsewhere = "qwen" if registry.on_apple_silicon() else "qwen-native"
    assert registry.environment_of("qwen") == elsewhere
    assert registry.environment_of("hibari") == "hibari"
    assert registry.environment_of("gone") == "gone"


@pytest.mark.parametrize("backend", [None, "hibari", "say"])
def test_choosing_who_speaks_imports_one_adapter_and_looks_for_no_others(
    backend: str | None,
) -> None:
    code = (
        "import sys; from vox.config import load; from vox.paths import get_paths\n"
        "from vox.voices.catalog import Catalog; from vox.voices.choice import ignored, resolve\n"
        "from vox.voices.wish import Wish; from vox.backends import registry\n"
        "config = load('/dev/null', {}); catalog = Catalog(get_paths(), lambda: config)\n"
        f"who = resolve(catalog, Wish(backend={backend!r}))\n"
        "assert ignored(catalog, who) == []\n"
        "assert catalog.info(who.backend).light == (who.backend == 'say')\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "adapters = {spec.partition(':')[0] for spec in registry.BUILT_IN.values()}\n"
        "print(*sorted(adapters & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"vox.backends.{backend or 'hibari'}"]


def test_a_package_counts_as_there_only_where_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tool(Backend):
        info = Info(name="tool", summary="", package="some_tool", license="MIT")

    (tmp_path / "some_tool").mkdir()
    (tmp_path / "some_tool" / "__init__.py").touch()
    with monkeypatch.context() as with_path:
        with_path.syspath_prepend(str(tmp_path))
        assert Tool.importable()
    assert not Tool.importable()
