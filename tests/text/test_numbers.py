"""Numbers become words, once and for all, whatever stands around them. See also `cases.toml`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.text.kinds import DATES, KINDS, MONEY, NUMBERS, UNITS
from vox.text.numbers import spoken

LANGUAGES = ("en", "en-GB", "de", "de-CH", "fr", "fr-CH", "es", "es-MX", "it", "pt", "pt-PT")
OTHERS = ("nl", "ru", "pl", "sv", "tr", "he", "ar", "ja", "xx", "zz-Latn", "")

# What numbers are made of and stand next to: any order of them must do.
_PARTS = (
    "1 5 12 007 1999 2026 1,234 1.234 3,14 1.1.2020 12:30 - – / : . , $ € £ ¢ % ° °C km km/h l/100 "
    "x k M ² ^ ½ a I II XIX Henry Chapter Nov Oktober mai de am der Uhr pm a.m. h th er ª º # No. "
    "+ ( ) e E10 T Z ' s mp3 v2 − ~ ± = × * _ @ Mio. million siècle secolo US$ USD R$ ¹ in ft ‰ "
    "90s | “ é ß"
).split()
texts = st.lists(st.sampled_from([*_PARTS, " ", "  ", "\u00a0", "\n"]), max_size=12).map("".join)


@given(texts | st.text(max_size=40), st.sampled_from(LANGUAGES))
def test_what_was_read_has_nothing_left_to_read(text: str, lang: str) -> None:
    said = spoken(text, lang)
    assert spoken(said, lang) == said


@given(texts | st.text(max_size=40), st.sampled_from([*LANGUAGES, *OTHERS]))
def test_no_text_in_no_language_raises(text: str, lang: str) -> None:
    assert isinstance(spoken(text, lang), str)


@given(st.text(st.characters(categories=["L", "P", "Z"], exclude_characters="IVX")))
def test_a_text_without_numbers_stays_as_it_is(text: str) -> None:
    for lang in ("en", "de", "fr"):
        assert spoken(text, lang) == text


@given(st.lists(st.sampled_from("the house stands and gardens".split())), st.integers(0))
def test_no_word_between_numbers_is_lost(words: list[str], number: int) -> None:
    said = spoken(f" {number} ".join(words), "de").split()
    assert [word for word in said if word in words] == words


@pytest.mark.parametrize("lang", ["en", "de", "fr", "es", "it", "pt"])
@pytest.mark.parametrize(
    "text",
    [
        "mp3 H2O COVID-19 B2B x86_64 utf-8 GPT-4 R2D2 3D 4K 1080p sha256 v2",
        "10.0.0.1 2.0.1 1.2.3-rc1",
        "a@b2.org C:\\dir2 snake_case_2",
        "MIX DC CD vitamin C Malcolm X LIVID",
        "I am; so do I.",
    ],
)
def test_words_with_digits_and_words_of_roman_letters_stay_as_they_are(
    text: str, lang: str
) -> None:
    assert spoken(text, lang) == text


@pytest.mark.parametrize(
    "text", ["When I met Elizabeth I was young.", "the book I read", "Chapter I wrote"]
)
def test_the_pronoun_is_no_numeral(text: str) -> None:
    assert spoken(text, "en") == text


def test_nothing_is_imported_for_a_text_without_numbers() -> None:
    code = (
        "import sys; from vox.text.numbers import spoken; spoken('I think so. When it is.', 'en');"
        "assert not {'num2words', 'babel', 'vox.text.number_reader'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kinds_that_the_backend_reads_are_left_alone() -> None:
    text = "On 2026-11-29 we ran 5 km for $5, 12 times."
    assert spoken(text, "en", frozenset(KINDS)) == text
    assert spoken(text, "en", frozenset((DATES, MONEY))) == (
        "On 2026-11-29 we ran five kilometers for $5, twelve times."
    )
    assert spoken(text, "en", frozenset((NUMBERS, UNITS))) == (
        "On November twenty-ninth, twenty twenty-six we ran 5 km for five dollars, 12 times."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pp. 12–14", "pages twelve to fourteen"),
        ("3-5 and 10 – 20", "three to five and ten to twenty"),
        ("$5–$10, €5-10", "five dollars to ten dollars, five to ten euros"),
        ("9:00–17:30", "nine o'clock to seventeen thirty"),
        ("-5-10 °C", "minus five to ten degrees Celsius"),
        ("5 -3", "five minus three"),
        ("10:30-11:45", "ten thirty to eleven forty-five"),
    ],
)
def test_a_dash_between_numbers_is_a_range_and_one_before_a_number_a_minus(
    text: str, said: str
) -> None:
    assert spoken(text, "en") == said


def test_the_order_of_day_and_month_is_that_of_the_region() -> None:
    assert spoken("5/6/2026", "en-US") == "May sixth, twenty twenty-six"
    assert spoken("5/6/2026", "en-GB") == "the fifth of June twenty twenty-six"
    assert spoken("25/6/2026", "en-US") == "June twenty-fifth, twenty twenty-six"


def test_a_date_that_does_not_exist_is_not_read_as_one() -> None:
    assert "November" not in spoken("2026-11-32", "en")
    assert "February" not in spoken("2026-02-30", "en")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("am 3. Oktober", "am dritten Oktober"),
        ("der 3. Oktober", "der dritte Oktober"),
        ("in der 3. Klasse", "in der dritten Klasse"),
        ("die 2. Auflage", "die zweite Auflage"),
        ("ein 2. Versuch", "ein zweiter Versuch"),
        ("Er hat 3. Dann ging er.", "Er hat drei. Dann ging er."),
    ],
)
def test_german_ordinals_end_as_their_article_wants(text: str, said: str) -> None:
    assert spoken(text, "de") == said


@pytest.mark.parametrize(
    ("lang", "text", "said"),
    [
        ("fr", "21 pages et 21 livres", "vingt et une pages et vingt et un livres"),
        (
            "es",
            "21 horas, 21 días, 200 páginas",
            "veintiuna horas, veintiún días, doscientas páginas",
        ),
        ("pt", "2 horas, 2 dias, 1 casa", "duas horas, dois dias, uma casa"),
        ("it", "1 casa, 1 libro, 1 ora", "una casa, un libro, un'ora"),
        ("de", "1 Minute, 1 Buch, nur 1", "eine Minute, ein Buch, nur eins"),
    ],
)
def test_numbers_agree_with_their_noun(lang: str, text: str, said: str) -> None:
    assert spoken(text, lang) == said


@pytest.mark.parametrize(
    ("lang", "text", "said"),
    [
        ("en", "chapters II and III", "chapters two and three"),
        ("en", "WWII in the XXI century", "World War two in the twenty-first century"),
        ("de", "der II. Weltkrieg", "der zweite Weltkrieg"),
        ("fr", "un Ver de terre au XXIᵉ siècle", "un Ver de terre au vingt et unième siècle"),
        ("es", "siglos XV y XVI", "siglos quince y dieciséis"),
        ("it", "Papa Giovanni XXIII", "Papa Giovanni ventitreesimo"),
        ("pt", "Pedro II e século XXI", "Pedro segundo e século vinte e um"),
    ],
)
def test_roman_numerals_are_read_as_their_language_does(lang: str, text: str, said: str) -> None:
    assert spoken(text, lang) == said


def test_a_number_that_the_library_cannot_say_is_read_digit_by_digit() -> None:
    said = spoken("9" * 400, "en")
    assert set(said.replace(",", "").split()) == {"nine"}
    assert spoken(f"{'9' * 37} is long", "en").endswith("nine nine nine nine is long")


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1,",
        "1.",
        "1-",
        "1 ",
        "1/",
        "1:",
        "$",
        "$1",
        "1$",
        "1 km ",
        "#1 ",
        "+1",
        "I ",
        "1,111",
        "½",
    ],
)
def test_twice_the_text_takes_about_twice_the_time(text: str) -> None:
    def cost_s(length: int) -> float:
        repeated = text * (length // len(text))
        return min(_timed(lambda: spoken(repeated, "en")) for _ in range(3))

    cost_s(1000)
    assert cost_s(12_000) < 6 * cost_s(6_000) + 0.01


def _timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
