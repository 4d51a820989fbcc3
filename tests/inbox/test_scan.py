"""Which names the inbox takes."""

from __future__ import annotations

import pytest

from vox.inbox.scan import is_wanted

TXT = ("*.txt",)


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "-a.txt", "a b.txt", "a\nb.txt", "a\udce9.txt"])
def test_names_of_the_pattern_are_wanted_in_any_case(name: str) -> None:
    assert is_wanted(name, TXT)


@pytest.mark.parametrize(
    "name",
    [
        *(".a.txt", ".a.txt.swp", ".a.txt.x8Fk2q", ".syncthing.a.txt.tmp", "~syncthing~a.txt.tmp"),
        *("~$a.txt", "#a.txt#", "a.txt~", "a.txt.part", "a.txt.crdownload", "a.txt.filepart"),
        *("a.TMP", "a.swp", ".~lock.a.txt#", "4913"),
    ],
)
def test_temporary_names_are_not_wanted_whatever_the_pattern(name: str) -> None:
    patterns = ("*.txt",) if name == "4913" else ("*",)
    assert not is_wanted(name, patterns)


def test_patterns_can_be_chosen() -> None:
    assert is_wanted("read me.MD", ("*.txt", "*.md"))
    assert not is_wanted("a.txt", ("say-*",))
