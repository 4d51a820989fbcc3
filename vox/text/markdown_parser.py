"""The Markdown parser, as it is needed here: markdown-it with rules for texts that may be plain.

Owns what counts as markup. A segment may be part of a paragraph, and may be no Markdown at all, so
the rules here are stricter than CommonMark's where letters of a plain text would be lost, and know
references whose definition stands elsewhere. How it is said is the business of `markdown`.

markdown-it is imported when the first parser is made. `state.env` holds "sure": the text is known
to be Markdown; and "inner": the text stands in HTML, so there are no blocks of HTML in it.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from .markdown_inline import change_inline
from .markdown_simple import SIGN

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.ruler import RuleOptionsType
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token
    from markdown_it.utils import EnvType

MAX_NESTING: Final = 60
_INLINE_CHARS: Final = 2000
"""Longer paragraphs are parsed in parts: the time for brackets grows with the square."""
_DENSE_CHARS: Final = 400
_DENSE: Final = re.compile(r"[*_`~\[\]\\=:!&]+")
_DELIMITERS: Final = re.compile(r"(?<!\w)[*_~`]+|[*_~`]+(?!\w)|[\[\]\\]+")

_BLOCK: Final = re.compile(
    r"^[ \t]*(?:[-+=#>|:~<]|`{3}|"
    r"\d{1,9}[.)](?:[ \t]|$)|\*[ \t*]*(?:[ \t]|$)|_[ \t_]*$|\[[^\]]*\]:|$)",
    re.MULTILINE,
)
"""How lines begin that may be more than a part of a paragraph."""
_BOLD_LINE: Final = re.compile(r"^((?:\*\*[^*\n]+\*\*|__[^_\n]+__):?)[ \t]*\n", re.MULTILINE)
"""A heading in all but name, as in "**Steps:**"."""
_QUOTED_NUMBER: Final = re.compile(r">+=?[\d=]")
_TILDES: Final = re.compile(r"~{3,}\s*")
_FOOTNOTE_LINE: Final = re.compile(r"\[\^([^\]\s]{1,64})\]:[ \t]*")
DEFINITION: Final = re.compile(
    r"\[[^\]]{1,999}\]:\s*<?(?:[a-z][a-z0-9+.-]*:|www\.|[#/]|\.\.?/|[\w-]+(?:[./][\w-]+)*"
    r"(?:\.(?:md|html?|txt|rst|pdf|png|jpe?g|gif|svg|webp|py|js|rs|go)\b|\.\w{2,}/))",
    re.IGNORECASE,
)
"""A definition of a link's target, not "[Alice]: hello"."""


@functools.cache
def parser(sure: bool) -> MarkdownIt:
    """The parser; with blocks of indented code if the text is known to be Markdown."""
    from markdown_it import MarkdownIt

    md = MarkdownIt("commonmark", {"html": True, "maxNesting": MAX_NESTING})
    md.enable(["table", "strikethrough"])
    if not sure:
        md.disable("code")
    md.validateLink = lambda url: True  # type: ignore[method-assign]
    _change_blocks(md)
    change_inline(md)
    md.core.ruler.at("inline", _inline)
    return md


def parse(source: str, sure: bool, inner: bool = False) -> list[Token]:
    """The parser's tokens. Most segments are one paragraph: that takes half of the time."""
    md, env = parser(sure), {"sure": sure, "inner": inner}
    if _BLOCK.search(source) or (sure and source[:1] in " \t"):
        return md.parse(source, env)
    source = source.strip(" \t\n")
    token = _token("inline", source)
    token.children = _parse_inline(md, source, env)
    return [token]


def _token(kind: str, content: str) -> Token:
    from markdown_it.token import Token

    return Token(kind, "", 0, content=content)


def _change_blocks(md: MarkdownIt) -> None:
    from markdown_it.rules_block import blockquote, fence, html_block, reference

    ends: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote"]}

    def quote_(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        is_number = _QUOTED_NUMBER.match(_line(state, start))
        return not (is_number and not state.env["sure"]) and blockquote(state, start, end, silent)

    def fence_(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        # A line of tildes that nothing closes is a rule, or underlines a heading.
        if not state.env["sure"] and _TILDES.fullmatch(_line(state, start)):
            rest = state.src[state.eMarks[start] : state.eMarks[end - 1]]
            if not re.search(r"\n[ \t>]*~{3,}[ \t]*(?:\n|\Z)", rest):
                if not silent:
                    state.line = start + 1
                return True
        return fence(state, start, end, silent)

    def html_(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        if state.env.get("inner"):
            return False
        return html_block(state, start, end, silent)

    def reference_(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        at = state.bMarks[start] + state.tShift[start]
        if not (state.env["sure"] or DEFINITION.match(state.src, at)):
            return False
        return reference(state, start, end, silent)

    ruler = md.block.ruler
    ruler.at("blockquote", quote_, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    ruler.at("fence", fence_, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    ruler.at("html_block", html_, ends)
    ruler.at("reference", reference_)
    ruler.before("reference", "footnote", _footnote, ends)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`[^1]: text`, where it stands. Further lines belong to it up to a blank one."""
    found = _FOOTNOTE_LINE.match(_line(state, start))
    if not found:
        return False
    if silent:
        return True
    line = start + 1
    while line < end and not state.isEmpty(line) and not _FOOTNOTE_LINE.match(_line(state, line)):
        line += 1
    text = state.getLines(start, line, state.blkIndent, False).strip()
    state.push("footnote", "", 0).info = found.group(1)
    token = state.push("inline", "", 0)
    token.content, token.children = text[found.end() :], []
    state.line = line
    return True


def _inline(state: StateCore) -> None:
    """The library's rule of that name, but long paragraphs are parsed part by part."""
    for token in state.tokens:
        if token.type != "inline":
            continue
        token.children = _parse_inline(state.md, token.content, state.env)


def _parse_inline(md: MarkdownIt, rest: str, env: EnvType) -> list[Token]:
    rest = _BOLD_LINE.sub(r"\1  \n", rest)
    rest = _definitions(rest) if "\n:" in rest else rest
    tokens: list[Token] = []
    while rest:
        cut = len(rest)
        if cut > _INLINE_CHARS:
            cut = rest.rfind(" ", _INLINE_CHARS // 2, _INLINE_CHARS) + 1 or _INLINE_CHARS
        part, rest = rest[:cut], rest[cut:]
        if _is_dense(part):
            part = _DELIMITERS.sub(" ", part)
        if SIGN.search(part):
            md.inline.parse(part, md, env, tokens)
        else:
            tokens.append(_token("text", part))
    return tokens


def _is_dense(source: str) -> bool:
    """A quarter of it is markup: no text is, and it would take long."""
    return len(source) > _DENSE_CHARS and len(source) < 4 * (
        len(source) - len(_DENSE.sub("", source))
    )


def _definitions(source: str) -> str:
    """The lines of a list of definitions, each term with its definitions on a line of its own."""
    lines: list[str] = []
    has_definition = has_any = False
    for line in source.split("\n"):
        if lines and (found := re.match(r"\s*:[ \t]+", line)):
            lines[-1] += (", " if has_definition else ": ") + line[found.end() :]
            has_definition = has_any = True
        else:
            lines.append(line)
            has_definition = False
    return "  \n".join(lines) if has_any else source
