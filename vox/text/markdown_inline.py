"""What counts as markup inside a paragraph: the rules that markdown-it is given for it.

Owns emphasis, links, references, HTML tags, bare URLs. `state.env["sure"]`: the text is known to be
Markdown. If it is not, what may be a formula, a pattern, a path, an index, a name to be filled in
or a log's fields is left alone; and a delimiter whose partner stands in another segment is dropped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from . import tex
from .markdown_html import ALONE, TAG, hidden, is_tag
from .markdown_simple import SIGN

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

_LABEL_CHARS: Final = 400
REFERENCE: Final = re.compile(
    r"!?\[((?:[^\[\]\\\n]|\\.|!?\[[^\[\]\n]{0,200}\](?:\[[^\[\]\n]{0,200}\]|\([^()\n]{0,300}\))?)"
    r"{0,300})\]\[([^\[\]\n]{0,200})\]"
)
FOOTNOTE: Final = re.compile(r"\[\^([^\]\s]{1,64})\](?!:)")
_RANGES: Final = re.compile(r"(?:\w-\w)+[\W_]*")
"""[a-z], a class of characters."""
_TWO_WORDS: Final = re.compile(r"[^\W\d_]+[ \n][^\W\d_]+")
PAGE: Final = re.compile(
    r"(?<!\w)\[\[(?=\S)([^\[\]|\n]{1,200})(?<=\S)(?:\|(?=\S)([^\[\]\n]{1,200})(?<=\S))?\]\]"
)
_SCHEME: Final = re.compile(r"(_?)[A-Za-z][A-Za-z0-9+.-]*\Z")
_URL_REST: Final = re.compile(r"://[^\s<>\[\]\"`|]+")
ADDRESS: Final = re.compile(r"\s*<?(?:[a-z][a-z0-9+.-]*:|www\.|[/#.])", re.IGNORECASE)
SHORTCODE: Final = re.compile(r"(?<!\w):(?:[a-z][a-z0-9_+-]*|[+-]1|100):(?!\w)", re.IGNORECASE)
_MARKED: Final = re.compile(r"(?<![\w=])==(?=[^\s=])([^=\n]{1,999})(?<=\S)==(?![\w=])")
_DUNDER: Final = re.compile(
    r"__(?:a?enter|a?exit|add|all|annotations|author|bool|builtins|call|class|cmp|code|contains|"
    r"del|delattr|delitem|dict|dir|doc|eq|file|float|format|future|get|getattr|getattribute|"
    r"getitem|gt|hash|import|index|init|init_subclass|int|iter|a?iter|a?next|key|len|license|lt|"
    r"main|mocks|module|mro|mul|name|ne|new|package|path|post_init|pycache|qualname|reduce|repr|"
    r"set|setattr|setitem|slots|spec|str|sub|test|tests|typename|version)__"
)
_OPERAND_BEFORE: Final = re.compile(r"(?:(?<!\w)\w|(?<![^\W\d])\d+)\Z")
_OPERAND_AFTER: Final = re.compile(r"(?:\w(?!\w)|\d+(?!\w))")
_WIDE: Final = "\u2e80"
"""From here on: scripts without spaces between words, where markup stands inside them."""
_SHARE: Final = re.compile(r"\\\\\w")
_CLOSING: Final = ".!?…:;,)]\"'”’»"


def change_inline(md: MarkdownIt) -> None:
    """Give the parser this module's rules."""
    from markdown_it.rules_inline import emphasis, escape, image, link

    def emphasis_(state: StateInline, silent: bool) -> bool:
        char = state.src[state.pos]
        if silent or char not in "*_":
            return False
        return _literal_run(state, char) or _with_strays(state, emphasis.tokenize)

    def escape_(state: StateInline, silent: bool) -> bool:
        # Not Markdown: \\server\share.
        at = state.pos
        if _formula(state, silent):
            return True
        if not state.env["sure"] and _SHARE.match(state.src, at):
            return _text(state, at + 2, silent)
        return escape(state, silent)

    def link_(state: StateInline, silent: bool) -> bool:
        if state.src[state.pos] != "[":
            return False
        has_target = "references" in state.env or state.src.find("](", state.pos) >= 0
        return (
            _footnote_mark(state, silent)
            or _page(state, silent)
            or (has_target and not _is_call(state) and link(state, silent))
            or _reference(state, silent)
        )

    def image_(state: StateInline, silent: bool) -> bool:
        if not state.src.startswith("![", state.pos):
            return False
        has_target = "references" in state.env or state.src.find("](", state.pos) >= 0
        return (has_target and image(state, silent)) or _reference(state, silent)

    ruler = md.inline.ruler
    ruler.at("text", _plain)
    ruler.at("emphasis", emphasis_)
    ruler.at("escape", escape_)
    ruler.at("link", link_)
    ruler.at("image", image_)
    ruler.at("html_inline", _html)
    ruler.before("newline", "url", _url)
    ruler.before("newline", "marked", _marked)
    ruler.before("newline", "formula", _formula)
    ruler.at("strikethrough", _strike)
    md.inline.ruler2.before("fragments_join", "strays", _drop_strays)


def _plain(state: StateInline, silent: bool) -> bool:
    """The library's rule "text", which stops at far more signs than there are rules for."""
    found = SIGN.search(state.src, state.pos)
    end = min(found.start(), state.posMax) if found else state.posMax
    if end <= state.pos:
        return False
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _text(state: StateInline, end: int, silent: bool) -> bool:
    """Take what stands before `end` as it is."""
    if not silent:
        state.push("text", "", 0).content = state.src[state.pos : end]
    state.pos = end
    return True


def _around(state: StateInline, char: str) -> tuple[int, str, str]:
    """Where a run of `char` ends, and what stands before and behind it; a space at the ends."""
    src, start, end = state.src, state.pos, state.pos
    while end < state.posMax and src[end] == char:
        end += 1
    return end, src[start - 1 : start] or " ", src[end : end + 1] or " "


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _literal_run(state: StateInline, char: str) -> bool:
    """Asterisks of a formula or a pattern (2*3*4, x**2, *.txt), and the underscores of Python."""
    end, before, after = _around(state, char)
    length = end - state.pos
    if char == "_":
        dunder = not state.env["sure"] and _DUNDER.match(state.src, state.pos)
        return bool(dunder) and _text(state, dunder.end(), False) if dunder else False
    if _is_word(before) and _is_word(after):
        if length == 1:
            is_literal = not state.env["sure"] and before < _WIDE and after < _WIDE
        else:
            is_literal = False
        is_literal = is_literal or bool(
            _OPERAND_BEFORE.search(state.src[max(0, state.pos - 20) : state.pos])
            and _OPERAND_AFTER.match(state.src, end)
        )
    else:
        after_that = state.src[end + 1 : end + 2]
        is_literal = before in "/\\" or (
            (length == 1 and after == "." and _is_word(after_that))
            or (after in "/\\" and after_that == "*")
        )
    return is_literal and _text(state, end, False)


def _with_strays(state: StateInline, tokenize: object) -> bool:
    """The library's rule; its tokens are marked if without a partner they are to be dropped."""
    assert callable(tokenize)
    char = state.src[state.pos]
    start = state.pos
    end, before, after = _around(state, char)
    if (before.isspace() and after.isspace()) or before in "/\\" or after in "/\\":
        is_stray = False
    elif end - start > 1:
        is_stray = not (_is_word(before) and _is_word(after))
    else:
        opens = not state.src[:start].strip("\"'“„«([") and _is_word(after)
        is_stray = opens or (before in _CLOSING and (end == len(state.src) or after.isspace()))
    count = len(state.tokens)
    is_taken = bool(tokenize(state, False))
    for token in state.tokens[count:]:
        if token.content.strip(char) == "":  # not the text before it
            token.meta["stray"] = is_stray
    return is_taken


def _strike(state: StateInline, silent: bool) -> bool:
    from markdown_it.rules_inline import strikethrough

    if silent or not state.src.startswith("~~", state.pos):
        return False
    return _with_strays(state, strikethrough.tokenize)


def _drop_strays(state: StateInline) -> None:
    for token in state.tokens:
        if token.type == "text" and token.meta.get("stray"):
            token.content = ""


def is_footnote(found: re.Match[str]) -> bool:
    """Whether [^a] refers to a footnote, and is no class of characters."""
    before = found.string[max(0, found.start() - 1) : found.start()]
    return found.group(1).isdecimal() or bool(re.match(r"[\w.,;:!?)*\"'”’»]", before))


def _footnote_mark(state: StateInline, silent: bool) -> bool:
    """A reference to a footnote is not read."""
    found = FOOTNOTE.match(state.src, state.pos)
    if not found or not (state.env["sure"] or is_footnote(found)):
        return False
    state.pos = found.end()
    return True


def _page(state: StateInline, silent: bool) -> bool:
    """A link between notes, [[page]] or [[page|its text]]; not the test of a shell: [[ a ]]."""
    found = PAGE.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        _tokenize(state, *found.span(2 if found.group(2) else 1))
    state.pos = found.end()
    return True


def _is_call(state: StateInline) -> bool:
    """Code such as f[x](y), and no link."""
    before = state.src[state.pos - 1 : state.pos] or " "
    if state.env["sure"] or not ((_is_word(before) and before < _WIDE) or before in ")]"):
        return False
    end = state.src.find("](", state.pos)
    return end >= 0 and not ADDRESS.match(state.src, end + 2)


def is_reference(found: re.Match[str]) -> bool:
    """Whether [a][b] is a link with its target elsewhere, not an index or the fields of a log."""
    text, label, source = found.group(1), found.group(2), found.string
    before = source[max(0, found.start() - 40) : found.start()]
    if found.group().startswith("!"):
        return True
    if not re.search(r"[^\W\d]", text) or re.search(r"[\w\])]\Z", before):
        return False
    if _RANGES.fullmatch(text):
        return False
    if not label or label.isdecimal() or "[" in text or _TWO_WORDS.search(text):
        return True
    if text.strip("*_`").casefold() in label.casefold() or label.casefold() in text.casefold():
        return True
    return not text.isupper() and bool(re.search(r"[^\W\d]{2,}[,;:]? \(?\Z", before))


def _reference(state: StateInline, silent: bool) -> bool:
    if state.src.find("][", state.pos, state.pos + _LABEL_CHARS) < 0:
        return False
    found = REFERENCE.match(state.src, state.pos, state.posMax)
    if not found or not (state.env["sure"] or is_reference(found)):
        return False
    if not silent:
        if found.group().startswith("!"):
            image = state.push("image", "img", 0)
            image.children = []
            state.md.inline.parse(found.group(1), state.md, state.env, image.children)
        else:
            _tokenize(state, found.start(1), found.end(1))
    state.pos = found.end()
    return True


def _tokenize(state: StateInline, start: int, end: int) -> None:
    """The text between `start` and `end`, with the markup in it."""
    outer = state.posMax
    state.push("span_open", "span", 1)
    state.pos, state.posMax = start, end
    state.md.inline.tokenize(state)
    state.posMax = outer
    state.push("span_close", "span", -1)


def _formula(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\":
        return False
    found = tex.BLOCK.match(state.src, state.pos, state.posMax)
    if not found:
        found = tex.INLINE.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    source = found.group(1) or found.group(2)
    if not tex.is_formula(source):
        return False
    if not silent:
        state.push("text", "", 0).content = tex.plain(source)
    state.pos = found.end()
    return True


def _marked(state: StateInline, silent: bool) -> bool:
    """==text=="""
    found = state.src.startswith("==", state.pos) and _MARKED.match(
        state.src, state.pos, state.posMax
    )
    if not found:
        return False
    if not silent:
        _tokenize(state, found.start(1), found.end(1))
    state.pos = found.end()
    return True


def _url(state: StateInline, silent: bool) -> bool:
    """A bare URL is left as it is, underscores and all; an emoji's name is its character."""
    if state.src[state.pos] != ":":
        return False
    if found := _URL_REST.match(state.src, state.pos, state.posMax):
        if scheme := _SCHEME.search(state.src[max(0, state.pos - 20) : state.pos]):
            emphasis = "*_~" if scheme.group(1) else "*~"
            rest = found.group().rstrip(f"{emphasis}.,;:!?)'")
            return len(rest) > 3 and _text(state, state.pos + len(rest), silent)
        return False
    found = SHORTCODE.match(state.src, state.pos)
    if not found:
        return False
    import emoji

    char = emoji.emojize(found.group().lower(), language="alias")
    if char.startswith(":"):
        return False
    if not silent:
        state.push("text", "", 0).content = char
    state.pos = found.end()
    return True


def _html(state: StateInline, silent: bool) -> bool:
    """A comment, a script or the tag of an element that HTML knows; other tags are text."""
    if state.src[state.pos] != "<":
        return False
    end = hidden(state.src, state.pos)
    if end is None:
        found = TAG.match(state.src, state.pos, state.posMax)
        if not found or not is_tag(found, state.env["sure"] or bool(ALONE.match(state.src))):
            return False
        end = found.end()
        if not silent:
            state.push("tag", "", 0).content = found.group()
    state.pos = min(end, state.posMax)
    return True
