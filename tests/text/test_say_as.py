"""Words that the user has respelled: where an entry matches, and which one counts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.errors import BadOption, UnknownLanguage
from vox.text.say_as import SayAs
from vox.text.say_as_entry import check_speed, entry
from vox.text.speakable import Reading, pieces


def said(text: str, *words: tuple[str, ...], lang: str = "en", backend: str = "hibari") -> str:
    """What is said of the text. `words`: (word, what is said, language, backend)."""
    say_as = SayAs([entry(*word[:2], *(part or None for part in word[2:])) for word in words])
    return "".join(part for part, _ in say_as.parts(text, lang, backend))


WCAG = ("WCAG", "W C A G")


@pytest.mark.parametrize(
    ("word", "text", "wanted"),
    [
        # Case: one in lower case is for all, one with capitals for what is written so.
        (("nginx", "X"), "nginx Nginx NGINX", "X X X"),
        (("US", "X"), "US us Us", "X us Us"),
        (("Polish", "X"), "Polish polish", "X polish"),
        (("iOS", "X"), "iOS IOS", "X IOS"),
        (("naïve", "X"), "naïve NAÏVE Naïve naive", "X X X naive"),
        (("straße", "X"), "Straße STRASSE", "X X"),
        (("ёлка", "X"), "Ёлка ёлка ёлками", "X X ёлками"),
        # Whole words.
        (
            WCAG,
            "WCAG2 aWCAG WCAG_x (WCAG) WCAG-based",
            "WCAG2 aWCAG WCAG_x (W C A G) W C A G-based",
        ),
        (("don", "X"), "don don't don’t Don's", "X don't don’t X's"),
        (("t", "X"), "t don't", "X don't"),
        (("API", "X"), "l'API d’API", "l'X d’X"),
        (("C", "X"), "C C++ C# C.", "X C++ C# X."),
        (("C++", "X"), "C++ C C++11 (C++)", "X C X 11 (X)"),
        ((".NET", "dot net"), ".NET ASP.NET", "dot net ASP dot net"),
        (("O'Brien", "X"), "O'Brien O’Brien O'Briens", "X X O'Briens"),
        (("New York", "X"), "New York New\nYork New  Yorker", "X X New  Yorker"),
        (("e-mail", "X"), "E-Mail e‑mail mail", "X X mail"),
        (("42", "X"), "42 42.5 3.42 1,42 142 42.", "X 42.5 3.42 1,42 142 X."),
        (("US", "X"), "US$5 US", "US$5 X"),
        (("&", "and"), "R&D A & B", "R and D A and B"),
        # Scripts without spaces between words.
        (("東京", "とうきょう"), "東京に行く", "とうきょうに行く"),
        (("AI", "エーアイ"), "生成AIの話", "生成エーアイの話"),
        (("서울", "X"), "서울은 크다", "X은 크다"),
        (("हिन्दी", "X"), "हिन्दी हिन्दीभाषा", "X हिन्दीभाषा"),
        # Possessive and plural.
        (WCAG, "WCAG's WCAG’s WCAGs WCAGS", "W C A G's W C A G’s W C A G's WCAGS"),
        (("SQL", "sequel"), "SQLs", "sequels"),
        (("as", "X"), "as ass", "X ass"),
        # Not in addresses, unless it is the whole of one.
        (("github", "X"), "github https://github.com/github a@github.com", None),
        (("me@x.org", "X"), "me@x.org, you@x.org", "X, you@x.org"),
        # Patterns.
        ((r"/v(\d+)\.(\d+)/", r"version \1 point \2"), "v1.2 V1.2", "version 1 point 2 V1.2"),
        ((r"/v(?P<n>\d+)/i", r"version \g<n>"), "V3", "version 3"),
        ((r"/\bx\b/", ""), "a x b", "a  b"),
        (("/usr", "user"), "/usr /user", "user /user"),
    ],
)
def test_an_entry_matches_whole_words_in_the_case_a_person_expects(
    word: tuple[str, str], text: str, wanted: str | None
) -> None:
    assert said(text, word) == (wanted or text.replace("github", "X", 1))


@pytest.mark.parametrize(
    ("text", "words", "wanted"),
    [
        ("New York City", [("New York", "1"), ("New York City", "2"), ("York", "3")], "2"),
        ("Polish polish", [("polish", "1"), ("Polish", "2")], "2 1"),
        ("WCAG's", [("WCAG", "1"), ("WCAG's", "2")], "2"),
        ("WCAG", [("/[A-Z]+/", "1"), ("WCAG", "2")], "2"),
        ("WCAG", [("WCAG", "1"), ("WCAG", "2")], "1"),
        ("WCAG", [("WCAG", "1"), ("WCAG", "2", "en")], "2"),
        ("WCAG", [("WCAG", "1", "en"), ("WCAG", "2", "en-US")], "2"),
        ("WCAG", [("WCAG", "1", "en-US"), ("WCAG", "2", "", "hibari")], "2"),
        ("WCAG", [("WCAG", "1", "", "hibari"), ("WCAG", "2", "en", "hibari")], "2"),
        ("WCAG", [("WCAG", "1", "de"), ("WCAG", "2", "en-GB"), ("WCAG", "3", "", "say")], "WCAG"),
        ("ab12", [("/[a-z]+1/", "1"), ("/b12/", "2")], "12"),
        ("colors", [("/color/", "culler")], "cullers"),
        ("b12", [("/a+/", "1"), ("/b12/", "2")], "2"),
    ],
)
def test_of_several_entries_the_longest_counts_then_the_most_specific_then_the_first(
    text: str, words: list[tuple[str, ...]], wanted: str
) -> None:
    assert said(text, *words, lang="en-US") == wanted


def test_an_entry_for_a_language_is_for_its_regions_too() -> None:
    for lang, is_respelled in [("en", True), ("EN_us", True), ("en-GB", True), ("de", False)]:
        assert said("x", ("x", "1", "en"), lang=lang) == ("1" if is_respelled else "x")
    assert said("x", ("x", "1", "zh"), lang="cmn") == "1"
    assert said("x", ("x", "1", "en-GB"), lang="en") == "x"


def test_what_is_respelled_is_final_and_is_not_respelled_again() -> None:
    say_as = SayAs([entry("a", "b c"), entry("b", "d")])
    assert say_as.parts("a, b.", "en", "") == [
        ("b c", True),
        (", ", False),
        ("d", True),
        (".", False),
    ]


@pytest.mark.parametrize(
    ("word", "say", "told"),
    [
        ("", "x", "the word is empty; give a word, or a /pattern/"),
        (" \n", "x", "the word is empty"),
        ("//", "x", "the word is empty"),
        ("/(a/", "x", "/(a/ is not a valid regular expression: missing )"),
        ("/(a", "x", "the pattern /(a has no / at its end; write /.../"),
        ("/a*/", "x", "/a*/ also matches the empty text; write + for *"),
        ("/a/", r"\1", "there is no group \\1 in /a/"),
        ("/a/", r"\g<b>", "there is no group \\g<b> in /a/"),
        ("a" * 201, "x", "word has 201 characters; 200 are the limit"),
        ("a", "x" * 1001, "say has 1,001 characters; 1,000 are the limit"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_in_one_line(
    word: str, say: str, told: str
) -> None:
    with pytest.raises(BadOption) as caught:
        entry(word, say)
    assert caught.value.line.startswith(told)


def test_a_language_must_be_one() -> None:
    with pytest.raises(UnknownLanguage):
        entry("a", "b", "english")
    assert entry("a", "b", "EN_us").lang == "en-US"


@pytest.mark.parametrize("word", ["/(a|aa)+$/", "/(x+x+)+y/"])
def test_a_pattern_that_takes_too_long_is_refused_and_never_holds_up_a_text(word: str) -> None:
    slow = entry(word, "x")
    with pytest.raises(BadOption, match="takes too long on some texts"):
        check_speed(slow)
    say_as = SayAs([slow, entry("b", "c")])
    for _ in range(50):  # it is left out from the first time on
        parts = say_as.parts(f"b {'ax' * 2000} {'x' * 3000} {'a' * 3000}! b", "en", "")
    assert (parts[0], parts[-1]) == (("c", True), ("c", True))
    assert [word in note for note in say_as.slow("en", "")] == [True]


def test_ordinary_patterns_are_quick_enough() -> None:
    for word in [r"/\bv(\d+)(?:\.(\d+))*/", r"/(?:\d+,)*\d+ USD/i", "/[A-Z]{2,}/", "/a.*b/"]:
        check_speed(entry(word, "x"))


ENTRIES = [entry(*WCAG), entry("new york", "x"), entry("C++", "y"), entry(r"/q\d+/", "z")]


@given(st.text())
def test_a_text_without_entries_is_unchanged_and_no_text_is_lost(text: str) -> None:
    assert SayAs().parts(text, "en", "") == [(text, False)]
    kept = iter(text)
    for part, is_final in SayAs(ENTRIES).parts(text, "en", ""):
        assert is_final or all(char in kept for char in part)


@given(st.text(alphabet="ab '+#", max_size=30))
def test_a_word_that_is_said_as_it_is_written_changes_nothing(text: str) -> None:
    say_as = SayAs([entry(word, word) for word in ("a", "ab", "b b", "a+", "a'b")])
    parts = say_as.parts(text, "en", "")
    assert "".join(part for part, _ in parts).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "part", ["The WCAG and New York. ", "a", "WCAG@", "New ", "é q12 ", "x://", "'s", "東京"]
)
def test_the_time_grows_as_the_text_does(part: str) -> None:
    say_as = SayAs([*ENTRIES, *(entry(f"word{n}", "x") for n in range(500))])
    say_as.parts("a é", "en", "")

    def took_s(length: int) -> float:
        text = (part * length)[:length]
        start = time.thread_time()
        say_as.parts(text, "en", "")
        return time.thread_time() - start

    least = min(took_s(40_000) for _ in range(5))
    assert min(took_s(160_000) for _ in range(3)) < 12 * least + 0.05


def test_respelling_is_part_of_what_is_said() -> None:
    reading = Reading(say_as=SayAs([entry(*WCAG)]))
    assert [piece.text for piece in pieces("The WCAG's rules. All is done.", reading)] == [
        "The W C A G's rules.",
        "All is done.",
    ]
