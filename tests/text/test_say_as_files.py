"""The files of respelled words: the user's own, and a team's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from vox.config import KEYS, Config
from vox.errors import BadConfig
from vox.paths import get_paths
from vox.text import say_as_files
from vox.text.say_as import SayAs
from vox.text.say_as_entry import entry

FILE = """\
# for us all
title = "ours"

# acronyms
[[say_as]]
word = "WCAG"  # the guidelines
say = "W C A G"

# names
[[say_as]]
word = "Nguyen"
say = "Nwin"
lang = "en"

# the end
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "say-as.toml"


def add(path: Path, word: str, say: str, lang: str | None = None) -> None:
    say_as_files.add(str(path), f"{path}.lock", entry(word, say, lang))


def remove(path: Path, word: str, *scope: str | None) -> list[str]:
    gone = say_as_files.remove(str(path), f"{path}.lock", word, *scope)
    return [each.say for each in gone]


def loaded(path: Path, *shared: say_as_files.Source) -> SayAs:
    return say_as_files.load(str(path), shared, str(path.with_name("config.toml")))


def says(say_as: SayAs) -> list[tuple[str, str]]:
    return [(each.word, each.say) for each in say_as.entries]


def test_comments_survive_whatever_is_added_and_removed(path: Path) -> None:
    path.write_text(FILE)
    add(path, "WCAG", "Wikack")
    assert path.read_text() == FILE.replace("W C A G", "Wikack")
    add(path, "GIF", "jif", "en")
    assert says(loaded(path))[2:] == [("GIF", "jif")]
    assert remove(path, "WCAG") == ["Wikack"]
    assert remove(path, "GIF") == ["jif"]
    assert remove(path, "Nguyen", "de", None) == []
    assert remove(path, "Nguyen", "en", None) == ["Nwin"]
    kept = [line for line in path.read_text().splitlines() if line]
    assert kept == ["# for us all", 'title = "ours"', "# acronyms", "# names", "# the end"]


def test_a_list_on_one_line_is_changed_as_well(path: Path) -> None:
    path.write_text('say_as = [{word = "a", say = "b"}, {word = "c", say = "d"}]  # short\n')
    add(path, "e", "f")
    assert remove(path, "c") == ["d"]
    assert says(loaded(path)) == [("a", "b"), ("e", "f")]
    assert "# short" in path.read_text()


def test_a_word_may_have_an_entry_for_each_language(path: Path) -> None:
    for lang in (None, "en", "de"):
        add(path, "a", f"in {lang}", lang)
    assert remove(path, "a", "en", None) == ["in en"]
    assert remove(path, "a") == ["in None", "in de"]


def test_files_are_heeded_in_their_order_and_found_beside_the_settings(path: Path) -> None:
    add(path, "a", "own")
    team = path.with_name("team.toml")
    team.write_bytes(b'\xef\xbb\xbf[[say_as]]\nword = "a"\nsay = "team"\n')
    home = path.with_name("home.toml")
    add(home, "a", "home")
    found = loaded(path, "team.toml", {"word": "a", "say": "config"}, "~/home.toml")
    assert [say for _, say in says(found)][:3] == ["own", "team", "config"]
    assert [each.source for each in found.entries][1] == str(team)
    assert "/home.toml" in found.troubles[0]
    assert "~" not in found.troubles[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no file"),
        ("x = [", "is not valid TOML"),
        (b"\xff", "is not valid TOML"),
        ("[say_as]\nx = 1", "write [[say_as]] for [say_as]"),
        ('[[say-as]]\nword = "a"\nsay = "b"', "write [[say_as]] for [say-as]"),
        ('[[say_as]]\nword = "a"', "'say' is missing; an entry has word, say, lang, backend"),
        ('[[say_as]]\nword = "a"\nsay = 1', "'say' is not a text; an entry has"),
        ('[[say_as]]\nword = "a"\nsay = "b"\nlan = "en"', "is left out: it has no field 'lan'"),
        ('say_as = ["a"]', "it has no fields"),
        ('[[say_as]]\nword = "/(/"\nsay = "b"', "is not a valid regular expression"),
        ('[[say_as]]\nword = "a"\nsay = "b"\nlang = "english"', "is not a language tag"),
    ],
)
def test_what_makes_no_sense_is_told_and_the_rest_counts(
    path: Path, content: str | bytes | None, told: str
) -> None:
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        path.with_name("team.toml").write_bytes(data)
    found = loaded(path, "team.toml", {"word": "c", "say": "d"})
    assert says(found) == [("c", "d")]
    (trouble,) = found.troubles
    assert told in trouble


def test_a_file_that_may_not_be_read_is_told(path: Path) -> None:
    (path.with_name("team.toml")).mkdir()
    assert "cannot read" in loaded(path, "team.toml").troubles[0]


def test_a_broken_file_is_left_as_it_is(path: Path) -> None:
    path.write_text("x = [")
    for change in (lambda: add(path, "a", "b"), lambda: remove(path, "a")):
        with pytest.raises(BadConfig, match="is not valid TOML"):
            change()
    assert path.read_text() == "x = ["


def test_two_that_add_at_once_lose_nothing(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.text.test_say_as_files import add\n"
        "for n in range(10): add(Path(sys.argv[1]), f'{sys.argv[2]}{n}', 'x')"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), name], cwd=Path(__file__).parents[2]
        )
        for name in ("a", "b")
    ]
    assert [each.wait() for each in both] == [0, 0]
    assert {word for word, _ in says(loaded(path))} == {f"{c}{n}" for c in "ab" for n in range(10)}


def test_files_are_read_again_when_they_change(path: Path) -> None:
    shared: Sequence[say_as_files.Source] = ()

    def config() -> Config:
        return Config({name: key.default for name, key in KEYS.items()} | {"say_as": shared})

    paths = get_paths()
    live = say_as_files.LiveSayAs(paths, config)
    assert says(live()) == []
    add(Path(paths.say_as_path), "a", "b")
    first = live()
    assert says(first) == [("a", "b")]
    assert live() is first
    shared = (str(path),)
    assert len(live().troubles) == 1
    add(path, "c", "d")
    assert says(live()) == [("a", "b"), ("c", "d")]
    os.remove(path)
    assert says(live()) == [("a", "b")]
