"""Text as terminals, editors and word processors leave it, and what remains of it to be said."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.text.clean import Cleaner, cleaned
from vox.text.terminal import ERASE

ESC = "\x1b"
ST = ESC + "\\"


def said(text: str) -> str:
    return "".join(cleaned(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("A\u030angstro\u0308m", "\u00c5ngstr\u00f6m"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "\ud55c\uae00"),
        ("e\u0323\u0302", "\u1ec7"),
        ("Donau\xaddampf\xadschiff", "Donaudampfschiff"),
        ("zero\u200bwidth, word\u2060joiner", "zerowidth, wordjoiner"),
        ("\ufeffone\ufefftwo", "onetwo"),
        ("\u200fright\u200e \u202ato\u202c \u2066left\u2069", "right to left"),
        ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
        ("👩\u200d💻 works", "👩\u200d💻 works"),
        ("one\r\ntwo\x0bthree\u2028four", "one\ntwo\nthree\nfour"),
        ("tab\there\x07", "tab\there"),
    ],
)
def test_what_is_not_seen_is_not_said(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{ESC}[31mred{ESC}[0m {ESC}[1;38;5;208mbold{ESC}[m", "red bold"),
        (f"{ESC}[38:2::255:0:0mtrue colour{ESC}[0m", "true colour"),
        ("\x9b1mstrong\x9b0m", "strong"),
        (f"{ESC}[?25lhidden{ESC}[?25h{ESC}[2 qshape{ESC}[!p", "hiddenshape"),
        (f"{ESC}[200~pasted{ESC}[201~", "pasted"),
        (f"one{ESC}[10Ctwo", "one two"),
        (f"one{ESC}[5;1Htwo{ESC}[2Jthree", "one\ntwo\nthree"),
        (f"{ESC}]0;a title\x07text", "text"),
        (f"{ESC}]2;a title{ST}text", "text"),
        ("\x9d2;a title\x9ctext", "text"),
        (f"{ESC}]52;c;aGVsbG8={ST}text", "text"),
        (f"see {ESC}]8;;https://a.example/x{ST}the page{ESC}]8;;{ST}.", "see the page."),
        (f"see {ESC}]8;id=1;file:///x\x07the file{ESC}]8;;\x07.", "see the file."),
        (f"{ESC}]133;A{ST}prompt{ESC}]1337;File=name=eA==:AAAA\x07", "prompt"),
        (f"{ESC}Pq#0;2;0;0;0~~{ST}picture", "picture"),
        (f"{ESC}_Gf=24;AAAA{ST}{ESC}^private{ST}{ESC}Xstring{ST}text", "text"),
        (f"{ESC}Ptmux;{ESC}{ESC}]52;c;eA==\x07{ST}text", "text"),
        (f"{ESC}7saved{ESC}8 {ESC}=keys{ESC}> {ESC}cnew", "saved keys \nnew"),
        (f"{ESC}(Bline{ESC})0 drawing{ESC}%G", "line drawing"),
        (f"a match{ESC}[m{ESC}[K in a line", "a match in a line"),
    ],
)
def test_escape_sequences_are_left_out_whole(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{ESC}[31", ""),
        (f"text{ESC}", "text"),
        (f"one{ESC}[3\ntwo", "one\ntwo"),
        (f"one{ESC}[31ü two", "oneü two"),
        (f"{ESC}]0;no end\nthe next line", "no end\nthe next line"),
        (f"{ESC}]8;;https://a.b\nthe next line", "\nthe next line"),
        (f"{ESC}Pno end\nthe next line", "no end\nthe next line"),
        (f"{ESC}{ESC}[31mtwice", "twice"),
        (f"{ESC}]0;cut{ESC}[31m off", "cut off"),
        (f"{ESC} \x07text", " text"),
        (f"{ESC}\x07text", "text"),
    ],
)
def test_broken_escape_sequences_swallow_no_text(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b\bbo\bol\bld\bd", "bold"),
        ("b\bb\bb\bbold", "bold"),
        ("_\bu_\bn_\bd_\be_\br", "under"),
        ("u\b_n\b_der", "under"),
        ("_\bb\bbo", "bo"),
        ("foo\b\b\b___", "foo"),
        ("___\b\b\bfoo", "foo"),
        ("é\béa", "éa"),
        ("e\u0301\be\u0301a", "éa"),
        ("teh\b\bhe", "the"),
        ("helo\blo", "hello"),
        ("12%\b\b\b34%\b\b\b56%", "56%"),
        ("abc\b \b\b \bx", "ax "),
        ("abc\b\b\x1b[Kx", "ax "),
        ("abc\x1b[2Dx", "axc"),
        ("\b\bstart", "start"),
        ("end\b", "end"),
    ],
)
def test_overstrike_and_backspaces_are_said_as_they_are_seen(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10%\r20%\rDone", "Done"),
        ("10%\r20%\rDone\r\nNext", "Done\nNext"),
        ("Loading, please wait. 10%\rLoading, please wait. 20%\rDone.\nNext", "Done.\nNext"),
        ("one\r\r\ntwo\r", "one\ntwo"),
        ("10%\r\x1b[K20%\r\x1b[KDone", "Done"),
        ("10%\r\x1b[K\nNext", "\nNext"),
        ("10%\x1b[2K\x1b[1GDone", "Done"),
        ("10%\x1b[1G20%\x1b[0GDone", "Done"),
        ("10%\r   \rDone", "Done"),
        ("kept\n10%\rDone\n", "kept\nDone\n"),
        ("⠋ work\r⠙ work\r✔ worked\n", "✔ worked\n"),
    ],
)
def test_of_a_line_its_last_state_is_said(text: str, expected: str) -> None:
    assert said(text) == expected


def test_what_was_given_out_of_a_growing_line_is_called_back() -> None:
    cleaner = Cleaner()
    assert cleaner.feed("10%") + cleaner.feed("\r") == "10"
    assert cleaner.feed("Done!") + cleaner.finish() == "%" + ERASE + "Done!"


CONTROLS = f"{ESC} [ ] 0; 8;; 31m K 2K D \\ \a \x9b \x9c \x9d P ( \b _".split(" ")
LETTERS = "a b e 1 世 ؟ \u0301 \u0323 \u1100 \u1161 \u11a8 \u200b \u200d \xad \u0bc6 \u0bbe".split(
    " "
)
PARTS = st.sampled_from([*CONTROLS, *LETTERS, "\r", "\n", " "])


@given(st.lists(PARTS, max_size=60).map("".join), st.data())
def test_where_a_text_is_cut_makes_no_difference(text: str, data: st.DataObject) -> None:
    whole = Cleaner()
    expected = whole.feed(text) + whole.finish()
    cleaner = Cleaner()
    assert "".join([*map(cleaner.feed, text), cleaner.finish()]) == expected
    places = st.lists(st.integers(0, len(text)), max_size=5).map(sorted)
    cuts = [0, *data.draw(places), len(text)]
    cleaner = Cleaner()
    parts = [text[start:end] for start, end in itertools.pairwise(cuts)]
    assert "".join([*map(cleaner.feed, parts), cleaner.finish()]) == expected


@given(st.lists(PARTS | st.characters(exclude_categories=["Cs"]), max_size=60).map("".join))
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    clean = said(text)
    assert said(clean) == clean


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]) | st.just("\n"), max_size=80))
def test_no_letter_is_lost(text: str) -> None:
    assert said(text) == unicodedata.normalize("NFC", text)
