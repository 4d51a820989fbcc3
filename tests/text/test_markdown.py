"""Markdown as it is read out, segment by segment, and plain text that only looks like it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vox.text.code_names import announcement, language
from vox.text.markdown import spoken
from vox.text.markdown_evidence import is_markdown


def said(source: str, lang: str = "en", speak_code: str = "announce") -> list[str]:
    return spoken(source, speak_code, lang)


MARKUP = {
    # emphasis
    "I *really* mean **it**, and _you_ __do__ too.": ["I really mean it, and you do too."],
    "***Both*** at once, ~~not~~ struck, ==marked==.": ["Both at once, not struck, marked."],
    "**Note:** read this first.": ["Note: read this first."],
    "这是**重点**内容。": ["这是重点内容。"],
    # what began or ends in another segment
    "**One.": ["One."],
    "Two** and on.": ["Two and on."],
    "~~Gone.": ["Gone."],
    "`One. Two": ["One. Two"],
    "__It is.": ["It is."],
    "*This is a note.": ["This is a note."],
    "It goes on.*": ["It goes on."],
    "<b>One.": ["One."],
    "It ends](https://example.com/a) here.": ["It ends here."],
    # code spans, links, images
    "Call `foo(*args)` or `` a`b ``.": ["Call foo(*args) or a`b."],
    "Use the `<div>` element, as in `<b>x</b>`.": ["Use the div element, as in b x /b ."],
    "See [the guide](https://example.com/a_b 'Title').": ["See the guide."],
    "See [the **bold** guide][guide], [guide][] and [it][1].": [
        "See the bold guide, guide and it."
    ],
    "See [[My page]] and [[Page#part|that *part*]].": ["See My page and that part."],
    "Go to <https://example.com> or <me@example.com>.": [
        "Go to https://example.com or me@example.com."
    ],
    "At https://example.com/_a_/__b__?x=*y* it is.": [
        "At https://example.com/_a_/__b__?x=*y* it is."
    ],
    "**https://example.com/a_b**": ["https://example.com/a_b"],
    "[](https://example.com)": ["https://example.com"],
    "![A cat](cat.png)": ["image: A cat"],
    "So![][logo] it is": ["So it is"],
    "![Screenshot 2024-01-01 at 10.00.00](x)": ["image"],
    "![](cat.png) and ![image](x) and ![cat.png](x)": ["and image and image"],
    "[![CI](https://a.b/c.svg)](https://a.b) [![Docs][d]][e]": ["image: CI, image: Docs"],
    # blocks
    "## The title ##": ["The title"],
    "# Title {#anchor}\nText.": ["Title", "Text."],
    "The title\n=========\nText.": ["The title", "Text."],
    "- one\n- two\n  goes on\n    - deeper": ["one", "two goes on", "deeper"],
    "1. first\n2. second": ["1. first", "2. second"],
    "1. first\n1. second\n1. third": ["1. first", "2. second", "3. third"],
    "3) third\n   1. inner": ["3: third", "1. inner"],
    "- [x] Write it\n- [ ] Test it": ["done: Write it", "to do: Test it"],
    "> He said\n> **no\n> way**.\n>> Why?": ["He said no way.", "Why?"],
    "> [!NOTE]\n> It is new.": ["Note.", "It is new."],
    "***": [],
    "Text.\n\n* * *\n\nMore.": ["Text.", "More."],
    "One line  \nand another\\\nand a third": ["One line", "and another", "and a third"],
    "**Steps:**\nOpen the door.": ["Steps:", "Open the door."],
    "Apple\n: A fruit\n: A company": ["Apple: A fruit, A company"],
    "---\ntitle: A\ntags:\n  - b\n---\n# The text": ["The text"],
    "The title\n~~~~~~~~~\nText.": ["The title", "Text."],
    # tables
    "| Name | Age |\n|:-----|----:|\n| Ann | 5 |\n| Bob | |": ["Name: Ann, Age: 5.", "Name: Bob."],
    "a | b\n--|--\n`x\\|y` | **z**": ["a: x|y, b: z."],
    "| | Price | Old |\n|-|-|-|\n| Tea | 2 | – |": ["Tea, Price: 2."],
    "| Only | header |\n|---|---|": ["Only, header."],
    # footnotes, references
    "It is so.[^1] Is it?[^why]": ["It is so. Is it?"],
    "[^1]: A note\n  goes on.\n[^why]: More.": ["footnote 1: A note goes on.", "footnote: More."],
    "[guide]: https://example.com 'Title'\n[b]: ./c.md": [],
    # code
    "```python\nx = 1\ny = 2\n```": ["code, 2 lines, Python"],
    "```\nx\n```": ["code, 1 line"],
    "~~~ {.js}\nx\n~~~": ["code, 1 line, JavaScript"],
    "````md\n```\nx\n```\n````": ["code, 3 lines, Markdown"],
    "```sh\nnever closed": ["code, 1 line, shell"],
    "1. Do it:\n\n       ```cpp\n       x\n       ```\n2. Done": [
        "1. Do it:",
        "code, 1 line, C++",
        "2. Done",
    ],
    "> ```rust\n> x\n> ```": ["code, 1 line, Rust"],
    "Text before\n```\nx\n```\nand behind": ["Text before", "code, 1 line", "and behind"],
    # formulas
    r"It is $O(n \log n)$ for $n \leq 10^{9}$, $x_1^2 = \frac{a}{b}$.": [
        "It is O(n log n) for n ≤ 10^9, x 1² = a/b."
    ],
    "$$\nE = mc^2\n$$": ["E = mc²"],
    r"So \(a_1 \times b\) is it: \[ \sqrt{x} \to \infty \]": ["So a 1 × b is it: √ x → ∞"],
    # HTML
    "Press <kbd>Ctrl</kbd>, then<br>leave.<!-- no -->": ["Press Ctrl, then", "leave."],
    '<div align="center">\n  <h1>Foo</h1>\n  <p>It <b>is</b> &lt; 5.</p>\n</div>': [
        "Foo",
        "It is < 5.",
    ],
    '<p><img src="a.png" alt="The &quot;logo&quot;"></p>': ['image: The "logo"'],
    "<style>\np { x: y }\n</style>\nText": ["Text"],
    "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>": ["a, b", "c"],
    "5 m<sup>2</sup> of H<sub>2</sub>O, the 1<sup>st</sup>": ["5 m² of H2O, the 1st"],
    "<!-- A\n- comment\n-->\nText": ["Text"],
    # escapes, entities, emoji
    r"Not \*this\* nor \# that": ["Not this nor # that"],
    "Fish &amp; chips &mdash; &#169; &nbsp;": ["Fish & chips — ©"],
    "Well done :tada: :+1:": ["Well done 🎉 👍"],
}  # fmt: skip

PLAIN = [
    "2 * 3 * 4 and 2*3*4 and a ** b and x**2",
    "snake_case_name and _private and __init__ and foo.__init__.py",
    "C* and C# and #1 and #hashtag and ~5 and 5 > 3 and 3 < 5",
    "a < b and c > d, a <b and c> d, List<String>, vector<b>, <name>, <John Smith>",
    "git clone <address> <output> and <style> is an element",
    "a[0][1] and f[x](y) and [sic] and [INFO][main] it is [1][2] and [^a-z]",
    "[Alice]: hello",
    "if [[ -f x ]] or a[[1]] is there",
    "<answer>yes</answer>",
    ">5 users, >= 3",
    "[worker 3][main] it is",
    "src/**/*.ts and *.txt and **/*.py and foo/*",
    r"C:\Users\me and \\server\share and \n",
    "12:30:45 and a:b:c and std::string and :notanemoji:",
    "A | B or C || D",
    "don't, don`t, rock 'n' roll",
    "AT&T and &c and R&D; done",
    "a == b and x==y==z",
    "1986. A great year",
    "It costs $5 or $6, from $5 to 6$; $HOME/$USER, US$ and A$",
    "He wrote (see the receipt*).",
    "-5 degrees and --flag and -x",
]


@pytest.mark.parametrize("source", MARKUP, ids=repr)
def test_what_is_said_of_markdown(source: str) -> None:
    assert said(source) == MARKUP[source]
    assert is_markdown(source)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_that_looks_like_markup_keeps_its_characters(text: str) -> None:
    assert said(text) == [text]


@pytest.mark.parametrize("text", ["It is.", "Two, three - four.", "2 * 3", "1.5 or (a)", "é\nè"])
def test_plain_text_is_no_markdown(text: str) -> None:
    assert not is_markdown(text)


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        (
            "de",
            ["Bild: x", "erledigt: a", "zu erledigen: b", "Fußnote 1: c", "Code, 2 Zeilen, Python"],
        ),
        ("fr-CA", ["image: x", "fait: a", "à faire: b", "note 1: c", "code, 2 lignes, Python"]),
        ("es", ["imagen: x", "hecho: a", "pendiente: b", "nota 1: c", "código, 2 líneas, Python"]),
        ("it", ["immagine: x", "fatto: a", "da fare: b", "nota 1: c", "codice, 2 righe, Python"]),
        ("pt", ["imagem: x", "feito: a", "por fazer: b", "nota 1: c", "código, 2 linhas, Python"]),
    ],
)  # fmt: skip
def test_vox_s_own_words_are_said_in_the_text_s_language(lang: str, expected: list[str]) -> None:
    source = "![x](y)\n- [x] a\n- [ ] b\n\n[^1]: c\n\n```py\na\nb\n```"
    assert said(source, lang) == expected


@pytest.mark.parametrize(
    ("info", "name"),
    [
        ("py", "Python"), ("js", "JavaScript"), ("bash", "shell"), ("c++", "C++"), ("c#", "C#"),
        ("{.haskell .numberLines}", "Haskell"), ("{r, echo=FALSE}", "R"), ("js{1,3}", "JavaScript"),
        ("rust,ignore", "Rust"), ("ts:src/a.ts", "TypeScript"), ("title=x.py", ""), ("text", ""),
        ("", ""), ("Brainfuck", "Brainfuck"), ("{#id .py}", "Python"),
    ],
)  # fmt: skip
def test_a_language_is_named_as_people_call_it(info: str, name: str) -> None:
    assert language(info) == name


def test_one_line_of_code_is_one() -> None:
    assert announcement("", 1, "en") == "code, 1 line"
    assert announcement("", 0, "de") == "Code, 0 Zeilen"


def test_code_that_is_to_be_read_is_read_line_by_line() -> None:
    source = "Look:\n```py\nfor x in y:\n\n    print(x, '[a](b)')\n```"
    assert said(source, speak_code="read") == ["Look:", "for x in y:", "print(x, '[a] (b)')"]


def test_indented_text_is_code_only_if_the_text_is_known_to_be_markdown() -> None:
    source = "    pip install foo"
    assert said(source) == ["pip install foo"]
    assert spoken(source, "announce", "en", sure=True) == ["code, 1 line"]


def test_in_text_known_to_be_markdown_references_need_no_evidence() -> None:
    assert spoken("[INFO][main]", "announce", "en", sure=True) == ["INFO"]


_PIECES = st.sampled_from(
    [
        *"* ** _ __ ~~ ` `` ``` [ ] ( ) ]( ][ ![ [^1] <b> </b> < <br> > &lt; &amp; \\ # -".split(),
        *"| --- === == $ + é ~~~ http://a.b/c_d_ word foo x 2 . : <!-- --> :smile: ' / {".split(),
        *(" ", "\n", "\n\n", "  \n", "# ", "- ", "1. ", "| a |\n|-|\n", "    "),
    ]
)


@given(st.lists(_PIECES, max_size=14).map("".join))
@example("1. \n2. ")
@example("**1. </b>")
def test_what_is_said_is_said_the_same_when_it_comes_again(source: str) -> None:
    for paragraph in said(source):
        assert said(paragraph) == [paragraph]


_WORDS = st.text(st.characters(categories=["Ll", "Lu", "Nd", "Lo"]), min_size=1, max_size=6)
_MARKS = st.sampled_from(
    [" ", ", ", ". ", "\n", " * ", " - ", " _", "* ", " #", "# ", " > ", " (", ") "]
)


@given(st.lists(st.tuples(_WORDS, _MARKS), min_size=1, max_size=12))
def test_no_letter_or_digit_of_a_plain_text_is_lost(parts: list[tuple[str, str]]) -> None:
    text = "".join(word + mark for word, mark in parts)
    kept = "".join(char for char in text if char.isalnum())
    assert "".join(char for char in "".join(said(text)) if char.isalnum()) == kept


@pytest.mark.parametrize("levels", [5, 40, 200])
def test_deep_nesting_costs_no_text(levels: int) -> None:
    deep = "\n".join(f"{'  ' * level}- item{level}" for level in range(levels))
    assert [each for each in said(deep) if each == f"item{levels - 1}"]
    assert said(">" * levels + " text") == ["text"]
    assert said("- " * levels + "text") == ["text"]
    assert said("[" * levels + "text" + "](b)" * levels)[0].lstrip("[ ").startswith("text")


BOMBS = [
    "[", "*", ">", "`", "<", "[a](", "![", "*a ", "_a ", "`a ", "<a ", "<b>a", "[a][", "[[a]",
    "<!--", "a**b", "&amp;", "\\", "- a\n", "1. a\n", "> a\n", "|a", "a|b\n-|-\n", "  \n", "~~~\n",
    ":a", "==a", "<b a='", "[^1]", "[a]: b\n", "<script>", " ", "\n", "<td>a",
    "$a", "$$a", "\\(a", "[[a",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unit", BOMBS, ids=repr)
def test_time_grows_with_the_length_of_the_text_and_not_faster(unit: str) -> None:
    def seconds(characters: int) -> float:
        source = "**a** " + unit * (characters // len(unit)) + "z"
        began = time.process_time()
        is_markdown(source)
        said(source)
        return time.process_time() - began

    said("**warm**")
    assert seconds(40_000) < 8 * seconds(10_000) + 0.1


def test_the_parser_is_loaded_when_it_is_needed() -> None:
    code = (
        "import sys, vox.text.markdown;"
        "from vox.text.markdown_evidence import is_markdown; is_markdown('**a**');"
        "sys.exit(any(name in sys.modules for name in ('markdown_it', 'emoji')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
