"""The pipeline as a whole: texts that come little by little, lose nothing, and take linear time."""

from __future__ import annotations

import itertools
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vox.text.kinds import KINDS
from vox.text.speakable import Format, Reading, Speakable, pieces

AS_WRITTEN = Reading(reads=frozenset(KINDS), emoji="drop")

WORDS = (
    "Dr. Smith|He said|x|**bold|bold**|`a. B|`|[link|](http://a.b/c)|~~|_it_|*|**|Yes.|No!|"
    "the end.|Is it?|Long words here that go on without an end|and more of it, so it goes|“Hi!”|"
    "3. Oktober|e.g. Foo|世界。|你好！|é|e\u0301|👍|\x1b[31m|\x1b]0;t\x07|\u200b|…|next one|A|"
    "<b>|</b>|<!--|-->|<script>|</script>"
).split("|")
LINES = (
    "|\n|- |1. |2) |# |> |```py|```|---|===|a \\| b|\\|-\\|-\\||    code|INFO x|"
    "2026-01-01 10:00:00 a|London|key: v|  "
).split("|")
TEXTS = st.lists(
    st.sampled_from(WORDS)
    | st.sampled_from(LINES).map(lambda line: "\n" + line.replace("\\", "|"))
    | st.sampled_from([" ", "\n", "\r\n", ", ", ". "]),
    max_size=60,
).map("".join)
FORMATS = st.sampled_from(["auto", "plain", "markdown"])


def said(text: str, reading: Reading = AS_WRITTEN) -> list[str]:
    return [piece.text for piece in pieces(text, reading)]


@settings(deadline=None)
@given(TEXTS, FORMATS, st.sampled_from(["en", "de", "zh"]), st.data())
def test_a_text_that_comes_little_by_little_is_said_as_the_whole(
    text: str, kind: Format, lang: str, data: st.DataObject
) -> None:
    reading = Reading(format=kind, lang=lang, first_max=40)
    whole = list(pieces(text, reading))
    places = st.lists(st.integers(0, len(text)), max_size=8).map(sorted)
    cuts = [0, *data.draw(places), len(text)]
    for parts in (list(text), [text[start:end] for start, end in itertools.pairwise(cuts)]):
        speakable = Speakable(reading)
        fed = [piece for part in parts for piece in speakable.feed(part)]
        assert fed + speakable.finish() == whole


def test_an_end_just_behind_the_longest_first_piece_is_not_passed_over() -> None:
    text = "`B 3. Oktober. B ,  -->:  ~~`a. B ](http:/"
    speakable = Speakable(Reading(lang="zh", first_max=30))
    fed = [piece for char in text for piece in speakable.feed(char)]
    assert fed + speakable.finish() == list(pieces(text, Reading(lang="zh", first_max=30)))


LETTERS = st.characters(categories=["Ll", "Lu", "Lo", "Nd", "Zs", "Po", "Pd"]) | st.just("\n")


@settings(deadline=None)
@given(st.text(LETTERS, max_size=300), st.integers(20, 60))
def test_no_letter_of_plain_text_is_lost(text: str, max_chars: int) -> None:
    reading = Reading(
        format="plain", reads=frozenset(KINDS), emoji="drop", max_chars=max_chars, first_max=30
    )
    utterances = said(text, reading)
    assert all(0 < len(utterance) <= max_chars for utterance in utterances)
    clean = "".join(said(text, Reading(format="plain", reads=frozenset(KINDS), emoji="drop")))
    letters = [char for char in unicodedata.normalize("NFC", text) if char.isalnum()]
    assert [char for char in "".join(utterances) if char.isalnum()] == letters
    assert [char for char in clean if char.isalnum()] == letters


@settings(deadline=None)
@given(TEXTS, FORMATS)
def test_what_is_said_is_said_again_as_it_is(text: str, kind: Format) -> None:
    reading = Reading(format=kind, reads=frozenset(KINDS), emoji="drop", first_max=400)
    once = said(text, reading)
    for utterance in once:
        again = said(utterance, Reading(format="plain", reads=frozenset(KINDS), emoji="drop"))
        assert [c for c in "".join(again) if c.isalnum()] == [c for c in utterance if c.isalnum()]


def test_a_sentence_is_said_before_the_next_one_is_there() -> None:
    speakable = Speakable(AS_WRITTEN)
    assert speakable.feed("The build is finished. All the") == []
    assert [p.text for p in speakable.feed(" tests")] == ["The build is finished."]


@pytest.mark.parametrize(
    ("text", "given_out"),
    [
        ("The build is finished.", ["The build is finished."]),
        ("The build is finished\n", ["The build is finished"]),
        ("When it is finished, we", ["When it is finished,"]),
        ("- The first item, and", ["The first item,"]),
        ("There is not even a clause", []),
        ("It was Dr.", []),
        ("```\ncode that goes on.\n", []),
        ("All of `this. And", []),
        ("It is 10%\rIt is 20%, and", []),
        ("The end of it.\x1b]0;half a title. And", ["The end of it."]),
    ],
)
def test_a_writer_who_pauses_is_heard_up_to_a_clause(text: str, given_out: list[str]) -> None:
    speakable = Speakable(AS_WRITTEN)
    assert speakable.feed(text) == []
    assert [piece.text for piece in speakable.flush()] == given_out


def test_after_a_pause_the_rest_is_said() -> None:
    speakable = Speakable(AS_WRITTEN)
    fed = [*speakable.feed("When it is finished, we"), *speakable.flush()]
    fed += [*speakable.feed(" all go home."), *speakable.flush(), *speakable.finish()]
    assert [piece.text for piece in fed] == ["When it is finished,", "we all go home."]
    assert [piece.index for piece in fed] == [0, 1]


def test_a_line_that_is_written_over_is_said_once_it_ends() -> None:
    speakable = Speakable(AS_WRITTEN)
    fed = [
        piece
        for char in "10%\r20%\rIt is done.\nNext comes this."
        for piece in speakable.feed(char)
    ]
    assert [piece.text for piece in fed + speakable.finish()] == ["It is done.", "Next comes this."]


def test_the_first_piece_needs_no_more_of_a_long_text_than_of_a_short_one() -> None:
    speakable = Speakable(AS_WRITTEN)
    text = "This is the first sentence. " * 100_000
    fed = next(at for at in range(0, len(text), 8) if speakable.feed(text[at : at + 8]))
    assert fed < 60


def test_a_line_with_nothing_but_a_hard_space_is_no_line() -> None:
    assert said("A line\n\u00a0\nMore") == ["A line More"]


def test_a_long_sentence_is_heard_from_its_first_clause() -> None:
    speakable = Speakable(AS_WRITTEN)
    text = "When the build had finished, which took " + "a very long time and " * 20
    fed = next(at for at in range(len(text)) if speakable.feed(text[at]))
    assert fed < 110


def _seconds(do: Callable[[], object]) -> float:
    start = time.thread_time()
    do()
    return time.thread_time() - start


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "a ",
            "世界。",
            "(",
            " ",
            "\n",
            "e\u0301",
            "\u0301",
            "[",
            "*",
            "`",
            "\x1b",
            "\b",
            "1",
        ),
        *("# ", "\n- ", "Dr. ", "a. ", "* ", "> x\n", "|a", "```\n", "---\n", "10%\r", "👍", "<a "),
        *("b\bbo\bol\bld\bd ", "12 34.5 ", "**a** `b` ", "| a | b |\n", "x_y(a=1)\n"),
        *("\x1b]", "\u200b", "Word\n", "[a. B ", "*a. B ", "Hello there, you. "),
    ],
)
def test_the_time_grows_with_the_length_of_the_text(unit: str) -> None:
    def read(chars: int) -> Callable[[], object]:
        return lambda: sum(1 for _ in pieces(unit * (chars // len(unit)), AS_WRITTEN))

    read(1_000)()
    short = min(_seconds(read(25_000)) for _ in range(2))
    assert _seconds(read(100_000)) < 8 * short + 0.1
