"""The JSON that hooks read is what the module `json` reads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.running import CHECKOUT
from vox.hooks.json_reader import parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(max_examples=50)
@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_it_reads_any_value(value: object, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    assert parse(f"\ufeff \n{text}\t") == json.loads(text)


WRONG = ["", "{", "{} {}", '{"a"', "nul", '"\x01"', '"\\x"', "[1,]", "01", "{1: 2}", "'a'"]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_it_is_refused_too_where_the_module_json_is_not_loaded() -> None:
    program = f"""\
import sys
from vox.hooks.json_reader import parse
for text in {WRONG}:
    try:
        parse(text)
    except ValueError:
        print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["refused"] * len(WRONG)
