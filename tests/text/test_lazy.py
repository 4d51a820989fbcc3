"""Of a long text no more is read than the next pieces need."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from vox.text.speakable import Reading, pieces


class Watched(str):
    """A text that knows how far it was read."""

    read_to = 0

    def __getitem__(self, key: Any) -> str:
        if isinstance(key, slice):
            self.read_to = max(self.read_to, key.indices(len(self))[1])
        return super().__getitem__(key)


def test_the_first_pieces_of_a_long_text_are_made_of_its_beginning_alone() -> None:
    sentences = (f"This is the sentence of the number {number}. " for number in range(25_000))
    text = Watched("".join(sentences))
    made = pieces(text, Reading())
    read = []
    for _ in range(1_000):
        next(made)
        read.append(text.read_to)
    assert read[0] < 20_000
    assert read[-1] < 100_000


def test_a_plain_text_waits_for_no_import_that_it_does_not_need() -> None:
    code = (
        "import sys; from vox.text.speakable import Reading, pieces;"
        "next(pieces('A plain text, of one line.', Reading()));"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    modules = {name.decode() for name in loaded.stdout.split()}
    assert "vox.text.speakable" in modules
    assert not modules & {
        *("babel", "emoji", "markdown_it", "num2words", "regex", "sentencex"),
        *("vox.text.markdown", "vox.text.number_reader"),
    }
