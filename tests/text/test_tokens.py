"""What is technical in a text: how each kind is read, and what is left alone."""

from __future__ import annotations

import subprocess
import sys
import time

import emoji as emojis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vox.text import kinds
from vox.text.emojis import name
from vox.text.tokens import spoken
from vox.text.words import LANGUAGES


def said(text: str, lang: str = "en", reads: tuple[str, ...] = (), emoji: str = "name") -> str:
    return spoken(text, lang, frozenset(reads), emoji)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://docs.python.org/3/library/re.html.", "See link to docs.python.org."),
        ("(https://www.example.com/a_(b))", "(link to example.com)"),
        ("www.example.com, please", "link to example.com, please"),
        ("s3://bucket/key.csv", "link to bucket"),
        ("ftp://ftp.gnu.org!", "link to ftp.gnu.org!"),
        ("http://localhost:8080/x", "link to localhost port 8080"),
        ("http://127.0.0.1", "link to 127 dot 0 dot 0 dot 1"),
        ("https://[::1]:443/", "link to colon colon 1 port 443"),
        ("https://user:secret@example.com/", "link to example.com"),
        ("http://xn--mnchen-3ya.de", "link to münchen.de"),
        ("file:///etc/hosts", "slash etc slash hosts"),
        ("link to https://example.com/", "link to example.com"),
        ("https://docs.rs/serde", "link to docs.rs"),
        ("github.com/user/repo", "github.com slash user slash repo"),
        ("localhost:8080", "localhost port 8080"),
        ("10.0.0.1:80", "10 dot 0 dot 0 dot 1 port 80"),
        ("10.0.0.0/8", "10 dot 0 dot 0 dot 0 slash 8"),
        ("2001:db8::1", "2 0 0 1 colon d b 8 colon colon 1"),
        ("00:1a:2b:3c:4d:5e", "0 0, 1 a, 2 b, 3 c, 4 d, 5 e"),
        ("jane.doe@example.com", "jane dot doe at example dot com"),
        ("mailto:a-b_c+d@x.org?subject=Hi", "a dash b underscore c plus d at x dot org"),
        ("git@github.com:user/repo.git", "git at github dot com colon user slash repo dot git"),
        ("@jane_doe and @types/node", "at jane doe and at types slash node"),
    ],
)  # fmt: skip
def test_an_address_is_said_so_that_it_can_be_written_down(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/usr/local/bin", "slash usr slash local slash bin"),
        ("~/notes.txt", "tilde slash notes dot txt"),
        ("./a/b.py", "dot slash a slash b dot py"),
        ("../up/x.c", "dot dot slash up slash x dot c"),
        (r"C:\Users\me\x.txt", "C colon backslash Users backslash me backslash x dot txt"),
        (r"\\server\share\x.doc", "backslash server backslash share backslash x dot doc"),
        ("src/main.rs:42", "src slash main dot rs line 42"),
        ("src/main.rs:42:7", "src slash main dot rs line 42 column 7"),
        ("tests/test_a.py::test_b", "tests slash test a dot py, test b"),
        ("*.txt and .gitignore", "star dot txt and dot gitignore"),
        ("README.md, main.py", "readme dot md, main dot py"),
        ("my_file-v2.tar.gz", "my file-v2 dot tar dot gz"),
        ("src/components/", "src slash components slash"),
        ("2024-report.pdf", "2024 report dot pdf"),
        ("$HOME/bin", "dollar HOME slash bin"),
        ("a/getUserName.ts", "a slash get user name dot ts"),
    ],
)
def test_a_path_is_said_with_its_separators(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v2.0.1", "version 2 point 0 point 1"),
        ("version v2.0", "version 2 point 0"),
        ("Python 3.11.4", "Python 3 point 11 point 4"),
        ("Python 3.11, not 3.11", "Python 3 point 11, not 3.11"),
        ("1.0.0-rc.1", "1 point 0 point 0 rc 1"),
        ("2.0.0+build5", "2 point 0 point 0 plus build 5"),
        ("1.0b3", "1 point 0 beta 3"),
        ("Ubuntu 22.04", "Ubuntu 22 point 0 4"),
        ("numpy==1.26.4", "numpy equals 1 point 26 point 4"),
        ("pytest-7.4.2", "pytest 7 point 4 point 2"),
        ("2.x", "2 point x"),
    ],
)
def test_a_version_is_said_number_by_number(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("commit a18334c.", "commit a 1 8 3 3 4 c."),
        ("(7f3e9c2)", "(7 f 3 e 9 c 2)"),
        ("commit deadbeef", "commit d e a d b e e f"),
        ("commit 1234567", "commit 1 2 3 4 5 6 7"),
        ("d3b07384d113edec49eaa6238ad5ff00", "d 3 b 0 7 3 8 and so on"),
        ("sha256:9f86d081884c7d659a2feaa0c55ad015", "sha256: 9 f 8 6 d 0 8 and so on"),
        ("550e8400-e29b-41d4-a716-446655440000", "5 5 0 e 8 4 0 0 and so on"),
        ("0xff", "0 x f f"),
    ],
)
def test_a_hash_is_spelt(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserName", "get user name"),
        ("HTTPServer", "HTTP server"),
        ("parseHTTPResponse", "parse HTTP response"),
        ("snake_case", "snake case"),
        ("MAX_RETRY_COUNT", "max retry count"),
        ("API_KEY", "API key"),
        ("__init__", "dunder init"),
        ("_private", "underscore private"),
        ("os.path.join", "os dot path dot join"),
        ("foo_bar()", "foo bar"),
        ("--dry-run -v", "dash dash dry run dash v"),
        ("--format=json", "dash dash format equals json"),
        ("$JAVA_HOME", "dollar java home"),
        ("#HelloWorld", "hashtag hello world"),
        ("#12", "number 12"),
        ("a -> b", "a to b"),
        ("x != y && z >= 5", "x is not equal to y and z is greater than or equal to 5"),
        ("Q & A", "Q and A"),
        ("Q  &  A", "Q and A"),
        ("C++ and C#", "C plus plus and C sharp"),
        ("Windows™", "Windows"),
        ("© 2024", "copyright 2024"),
        ("w/ milk, w/o sugar", "with milk, without sugar"),
    ],
)
def test_a_name_in_code_is_said_as_words(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "and/or, km/h, 1/2, he/she/they, TCP/IP, 24/7, I/O",
        "state-of-the-art",
        "McDonald, iPhone, YouTube, JavaScript, GitHub, PhD, macOS, LaTeX, eBay, GmbH, kWh, NaCl",
        "URLs, PDFs, IDs, IPv6",
        "e.g. this, i.e. that, U.S.A. at 5 p.m.",
        "3.14 and 1.000.000 and 1.2.2024 and 12:30:45",
        "deadbeef, facade, 1234567, decade2020, 1e100000",
        "The end.Next sentence.It was good.",
        "a < b > c, $5.99, $5/month, US$ 5, AT&T, R&D",
        "Call 1-800-555-0199, -5 degrees, 10-15 minutes",
        "see example.com",
        "plain words — and a dash - here...",
    ],
)
def test_what_is_not_technical_is_left_alone(text: str) -> None:
    assert said(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Die MitarbeiterInnen.",
        "weil es 1.500 € und es 2.5 sind",
        "Vor- und Nachteile",
        "z. B. und d.h.",
    ],
)
def test_german_words_are_left_alone(text: str) -> None:
    assert said(text, "de") == text


@pytest.mark.parametrize(
    ("lang", "address", "link"),
    [
        ("de", "jane Punkt doe ät example Punkt com", "Link zu"),
        ("fr", "jane point doe arobase example point com", "lien vers"),
        ("es", "jane punto doe arroba example punto com", "enlace a"),
        ("it", "jane punto doe chiocciola example punto com", "link a"),
        ("pt-BR", "jane ponto doe arroba example ponto com", "link para"),
    ],
)
def test_the_words_are_those_of_the_language(lang: str, address: str, link: str) -> None:
    assert said("jane.doe@example.com", lang) == address
    assert said("https://example.com/x", lang) == f"{link} example.com"


def test_a_language_that_is_not_known_keeps_its_text() -> None:
    assert said("getUserName in main.py", "nl") == "getUserName in main.py"
    assert said("goed 👍", "nl") == "goed, thumbs up"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.ADDRESSES, "https://a.org jane@a.org 127.0.0.1"),
        (kinds.PATHS, "/usr/bin main.py"),
        (kinds.VERSIONS, "v2.0.1"),
        (kinds.HASHES, "commit a18334c"),
        (kinds.IDENTIFIERS, "getUserName snake_case --dry-run"),
        (kinds.EMOJI, "Great 👍"),
    ],
)
def test_what_the_backend_reads_by_itself_is_left_alone(kind: str, text: str) -> None:
    assert said(text) != text
    assert said(text, reads=(kind,)) == text


def test_emoji_are_dropped_even_if_the_backend_reads_them() -> None:
    assert said("Great 👍!", reads=kinds.KINDS, emoji="drop") == "Great!"


@pytest.mark.parametrize(
    ("text", "named", "dropped"),
    [
        ("Great 👍 job.", "Great, thumbs up, job.", "Great job."),
        ("Great job! 👍 Next.", "Great job! thumbs up. Next.", "Great job! Next."),
        ("Party 🎉🎉🎉!", "Party, party popper!", "Party!"),
        ("👍🏽 ok", "thumbs up, ok", "ok"),
        ("Text👍text", "Text, thumbs up, text", "Texttext"),
        ("Our 👨‍👩‍👧", "Our, family man woman girl", "Our"),
        ("From 🇩🇪.", "From, flag of Germany.", "From."),
        ("1️⃣ First", "1, First", "First"),
        ("✓ done", "check mark, done", "done"),
        ("I ❤️ it", "I, red heart, it", "I it"),
        ("👍", "thumbs up", ""),
        ("▪️ item", "item", "item"),
        ("(😀)", "(grinning face)", "()"),
        ("★ stays ☆", "★ stays ☆", "★ stays ☆"),
    ],
)
def test_an_emoji_is_said_by_name_or_dropped(text: str, named: str, dropped: str) -> None:
    assert said(text) == named
    assert said(text, emoji="drop") == dropped


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("de", "Gut, daumen hoch"),
        ("fr", "Gut, pouce vers le haut"),
        ("es", "Gut, pulgar hacia arriba"),
        ("it", "Gut, pollice in su"),
        ("pt", "Gut, polegar para cima"),
    ],
)
def test_an_emoji_has_its_name_in_the_language(lang: str, expected: str) -> None:
    assert said("Gut 👍", lang) == expected


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_emoji_has_a_name_that_is_text(lang: str) -> None:
    names = sorted({called for each in emojis.EMOJI_DATA if (called := name(each, lang))})
    text = ", ".join(names)
    assert said(text, lang) == text
    assert emojis.emoji_count(text) == 0


TOKENS = (
    "https://a.com/x www.b.org jane.doe@x.org @jo #Tag #42 /usr/bin ~/x.txt ./a.py C:\\Users\\me "
    "src/main.rs:42 *.txt .gitignore README.md and/or TCP/IP v2.0.1 3.11 Python 1.0.0-rc.1 1.2.3.4 "
    "a18334c commit sha256: deadbeef 0xff getUserName UserProfile snake_case __init__ _x A_B "
    "os.path.join foo() --dry-run -v $HOME -> => != >= && & = @ 👍 👍🏽 🇩🇪 1️⃣ © ™ ✓ → ❤️ § 3 "
    "1_000 ::1 localhost:80 a.com:80 2001:db8::1 ( ) , . : ; ! ? - / \\ _ * + ~ $ # link to é 日本"
).split()
texts = st.lists(
    st.one_of(
        st.sampled_from(TOKENS),
        st.sampled_from(list(" ..//\\:-_@#$*~+=<>&|()'\"0aAbZé👍→v1xf")),
        st.just(" "),
    ),
    max_size=14,
).map("".join)
plain_words = st.from_regex(r"\A(?:[A-Z]?[a-zäöüéñ]{1,12}[,.;:!?]? ){0,12}\Z")


@settings(deadline=None)
@given(texts, st.sampled_from(LANGUAGES), st.sampled_from(["name", "drop"]))
def test_what_was_said_is_not_changed_again(text: str, lang: str, emoji: str) -> None:
    once = said(text, lang, emoji=emoji)
    assert said(once, lang, emoji=emoji) == once


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_and_not_changed_again(text: str) -> None:
    once = said(text)
    assert said(once) == once


@given(plain_words, st.sampled_from(LANGUAGES))
def test_plain_words_are_not_touched(text: str, lang: str) -> None:
    assert said(text, lang) == text


@given(texts)
def test_a_text_without_anything_technical_is_told_at_once(text: str) -> None:
    """The quick look at a text misses nothing: behind a sign that it knows, all is the same."""
    if said(text) == text and "|" not in text:
        assert said(f"{text} | ") == f"{text} | "


@pytest.mark.parametrize(
    "unit",
    ["/", ".", "a.b.c", "_", "@", "getUserName", "a18334c", "a@", "--a", "http://", "1.2.", "👍",
     "::", "a->", "\\", "$", "*", "a=", "x.py ", "-", "a_", "#", "prose and more. "],
)  # fmt: skip
def test_time_grows_with_the_length_and_not_faster(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            said(text)
            best = min(best, time.process_time() - start)
        return best

    said("👍")
    assert seconds(80_000) < 5 * seconds(20_000) * 2 + 0.05


def test_the_names_of_emoji_are_loaded_when_one_is_met() -> None:
    code = """if True:
        import sys
        from vox.text.tokens import spoken
        spoken("see a@b.org", "en", set(), "name")
        assert "emoji" not in sys.modules
        spoken("👍", "en", set(), "name")
        assert "emoji" in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
