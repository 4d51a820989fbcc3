"""What is read without the parser is read as the parser would."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vox.text.markdown import spoken
from vox.text.markdown_simple import simple

PARTS = (
    "word|Word|a_b|_a|12|3.5|**bold**|**bold|*it*|*a b*|*a:*|**a.**|`code`|`a_b`|`--option`|``|*|"
    "**|_|.|,|:|!| (|)|/|.txt|\n|\nLine|:b|==| = |#|{#id}|é|世界|x|\\|&amp;|<b>|[a](b)"
    "|~~|$|$5|'s|\u00a0|-"
).split("|")
SOURCES = st.tuples(
    st.sampled_from(["", "- ", "* ", "# ", "## ", "1. ", "12) ", "-  "]),
    st.lists(st.sampled_from(PARTS) | st.just(" "), min_size=1, max_size=8).map("".join),
).map(lambda parts: "".join(parts).strip())


@pytest.mark.slow
@settings(max_examples=200)
@given(SOURCES.filter(simple), st.booleans())
def test_it_is_read_as_the_parser_reads_it(source: str, sure: bool) -> None:
    # A comment is not read, and is nothing for `simple`.
    assert spoken(source, "announce", "en", sure) == spoken(
        f"{source}\n\n<!-- -->", "announce", "en", sure
    )


@pytest.mark.parametrize(
    "source",
    [
        "- an item",
        "# A title",
        "3. Run `vox say` **now**.",
        "*Note:* two\nlines",
        "plain words",
        "It is $5 or $6",
    ],
)
def test_what_is_frequent_is_simple(source: str) -> None:
    assert simple(source)


@pytest.mark.parametrize(
    "source",
    ["- [ ] task", "# A title #", "- a\n- b", "a [link](b)", "**a *b**", "*a*.txt", "a\n=="],
)
def test_what_may_mean_more_is_not(source: str) -> None:
    assert simple(source) is None
