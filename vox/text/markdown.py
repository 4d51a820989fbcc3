"""Markdown as it is read out: what is left of a segment's source when its markup is gone.

Owns how each thing is said: a table row by row, code announced, a task "done". What is markup and
what is not is decided in `markdown_parser`; a segment that may be plain text is read with care, so
that the same is said of a plain text either way.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from .code_names import announcement
from .markdown_evidence import is_markdown
from .markdown_html import BLOCKS, TAG, attribute, is_tag, without_hidden
from .markdown_inline import ADDRESS, FOOTNOTE, PAGE, REFERENCE, is_footnote, is_reference
from .markdown_parser import DEFINITION, MAX_NESTING, parse
from .markdown_simple import simple
from .words import word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markdown_it.token import Token

_FRONT_MATTER: Final = re.compile(
    r"\s*(?:---[ \t]*\n(?=\w[\w -]*:)(?:(?:\w[\w -]*:|[ \t]|-[ \t]|#).*\n|\n)*(?:---|\.\.\.)"
    r"|\+\+\+[ \t]*\n(?=\w[\w.-]*[ \t]*=|\[)(?:(?!\+\+\+).*\n)*\+\+\+)[ \t]*(?:\n|\Z)"
)
_LINK_END: Final = re.compile(r"\A([^\[\]]*)\]\((?:https?://|www\.|[/#.])[^\s()]*\)")
"""Of a link that begins in the segment before."""
_DEEP: Final = re.compile(
    r"^[ \t]*(?:(?:>[ \t]*|[-*+][ \t]+|\d{1,9}[.)][ \t]+)){10,}", re.MULTILINE
)
_TASK: Final = re.compile(r"\[([ xX])\][ \t]+(?=\S)")
_ALERT: Final = re.compile(
    r"\[!(note|tip|important|warning|caution)\][ \t]*(?=\n|\Z)", re.IGNORECASE
)
_HEADING_ID: Final = re.compile(r"[ \t]+\{[#.][^{}]*\}\Z")
_SPACES: Final = re.compile(r"[ \t\r\n]+")
_SAID: Final = re.compile(r"[^\W_]|[^\x00-\x7f\u2010-\u2027\u2212]")
"""A letter, a digit, an emoji, but not a dash."""
_MARKER: Final = re.compile(r"(?:(?:[-*+]|#{1,6})[ \t]+|>(?!>*=?[\d=])[ \t]*)+(?=\S)")
_LINK: Final = re.compile(r"([\w)\]]?)\[[^\[\]]*\]\(")
_BACKTICKS: Final = re.compile(r"(?<!\w)`+|`+(?!\w)")
_CELL: Final = "\x1f"
"""What stands between the cells of a table in HTML, until they are written."""
_RAISED: Final = "\x1d"
"""What stands before an exponent until it is written."""
_POWERS: Final = str.maketrans("23", "²³")
_IMAGE: Final = "\x1e"
"""What stands before and behind an image until the paragraph is complete."""
_IMAGES: Final = re.compile(rf"{_IMAGE}\s*{_IMAGE}")
_ENTITY: Final = re.compile(r"&#?\w{1,31};")
_FILE: Final = re.compile(
    r"[\w ().-]+\.(?:png|jpe?g|gif|svg|webp|bmp|avif)|(?:screen ?shot|img|dsc)[ _-]*\d[\w ().:-]*",
    re.IGNORECASE,
)
_PASSES: Final = 4
"""How often what came out is read again, if it looks like Markdown: `\\*a\\*` leaves `*a*`."""


def spoken(source: str, speak_code: str, lang: str, sure: bool = False) -> list[str]:
    """The paragraphs of plain text to say for a segment, each on one line.

    `speak_code` is "announce" or "read". If `sure`, the whole text is known to be Markdown: what
    is indented is code then, as CommonMark has it, and `[a][b]` is a link without further evidence.
    """
    paragraphs = _Reader(speak_code, lang, sure).read(source)
    if not sure:
        paragraphs = [(mark, _settled(text, speak_code, lang)) for mark, text in paragraphs]
    return [f"{mark} {text}".strip() for mark, text in paragraphs if mark or text]


def _settled(text: str, speak_code: str, lang: str) -> str:
    """What is said of it if it comes again: no text that is said has markup in it."""
    for _ in range(_PASSES):
        text = _disarmed(text)
        if not is_markdown(text):
            break
        read = _Reader(speak_code, lang, False).read(text)
        again = " ".join(f"{mark} {text}".strip() for mark, text in read)
        if again == text:
            break
        text = again
    return text


def _disarmed(text: str) -> str:
    """Literal markup, from code for example, such that its letters are no markup any more."""
    text = _MARKER.sub("", text, count=1) if _MARKER.match(text) else text
    if "<" in text:
        text = TAG.sub(lambda tag: f" {tag.group()[1:-1]} " if is_tag(tag) else tag.group(), text)
        text = _SPACES.sub(" ", text.replace("<!--", "< !--")).strip()
    if "](" in text:
        text = _LINK.sub(_parted, text)
    if "][" in text:
        text = REFERENCE.sub(
            lambda found: (
                found.group().replace("][", "] [") if is_reference(found) else found.group()
            ),
            text,
        )
    if "[[" in text:
        text = PAGE.sub(lambda found: f"[ {found.group()[1:]}", text)
    if "[^" in text:
        text = FOOTNOTE.sub(
            lambda found: "[ ^" + found.group()[2:] if is_footnote(found) else found.group(), text
        )
    if text.startswith("[") and (DEFINITION.match(text) or text.startswith("[^")):
        text = text[1:].replace("]:", ":", 1)
    return _ENTITY.sub(_without_meaning, text) if "&" in text else text


def _without_meaning(entity: re.Match[str]) -> str:
    source = entity.group()
    return source if html.unescape(source) == source else f"& {source[1:]}"


def _parted(link: re.Match[str]) -> str:
    is_call = link.group(1) and not ADDRESS.match(link.string, link.end())
    return link.group() if is_call else link.group()[:-1] + " ("


class _Reader:
    """Reads one segment: walks the parser's tokens and writes paragraphs."""

    def __init__(self, speak_code: str, lang: str, sure: bool) -> None:
        self.speak_code, self.lang, self.sure = speak_code, lang, sure
        self.paragraphs: list[tuple[str, str]] = []  # its mark, and what is said
        self.marks: list[str] = []  # numbers of list items and the like, not yet written
        self.lists: list[_List | None] = []
        self.table: _Table | None = None

    def read(self, source: str) -> list[tuple[str, str]]:
        if found := simple(source):
            self.marks = [found.mark] if found.mark else []
            self._write(found.text)
            return self.paragraphs
        if front := _FRONT_MATTER.match(source):
            source = source[front.end() :]
        if not _SAID.search(source):
            return []
        source = _DEEP.sub("", _LINK_END.sub(r"\1", source))
        self._walk(source, inner=False)
        return self.paragraphs

    def _walk(self, source: str, inner: bool) -> None:
        tokens = parse(source, self.sure, inner)
        if any(token.level >= MAX_NESTING - 2 for token in tokens):  # what is deeper is missing
            flat = re.sub(r"^[ \t>]+", "", source, flags=re.MULTILINE)
            tokens = parse(flat, self.sure, inner)
        kind = ""
        for token in tokens:
            match token.type:
                case "inline":
                    self._inline(token, kind)
                case "fence" | "code_block":
                    self._code(token.info, token.content)
                case "html_block":
                    self._walk(without_hidden(token.content), inner=True)
                case "footnote":
                    label = f" {token.info}" if token.info.isdecimal() else ""
                    self.marks.append(f"{word(self.lang, 'footnote')}{label}:")
                case _:
                    self._structure(token)
            kind = token.type

    def _structure(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self.lists.append(None)
            case "ordered_list_open":
                self.lists.append(_List())
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
            case "list_item_open":
                if numbers := self.lists[-1]:
                    # Not "1)": a voice pauses at this one.
                    self.marks.append(numbers.next(token.info) + token.markup.replace(")", ":"))
            case "list_item_close":
                if self.marks:  # of an empty item
                    self.paragraphs.append((" ".join(self.marks), ""))
                    self.marks.clear()
            case "table_open":
                self.table = _Table()
            case "tr_close" if self.table:
                self._write(self.table.end_row())
            case "table_close" if self.table:
                self._write(self.table.end())
                self.table = None

    def _code(self, info: str, content: str) -> None:
        lines = content.removesuffix("\n").split("\n")
        if not content.strip():
            return
        if self.speak_code == "read":
            for line in lines:
                self._write(line)
        else:
            self._write(announcement(info, len(lines), self.lang))

    def _inline(self, token: Token, before: str) -> None:
        text = self._text(token.children or ())
        if self.table:
            cell = ", ".join(_SPACES.sub(" ", line).strip() for line in text.split("\n"))
            self.table.cells.append(cell.strip(", "))
            return
        if before == "heading_open":
            text = _HEADING_ID.sub("", text)
        elif alert := _ALERT.match(token.content):
            self._write(word(self.lang, f"alert {alert.group(1).lower()}") + ".")
            text = _ALERT.sub("", text.replace("]", "]\n", 1), count=1)
        elif self.lists and (task := _TASK.match(token.content)):
            state = "to do" if task.group(1) == " " else "done"
            text = f"{word(self.lang, state)}: {_TASK.sub('', text, count=1)}"
        for line in text.split("\n"):
            cells = (_SPACES.sub(" ", cell).strip() for cell in line.split(_CELL))
            self._write(", ".join(filter(None, cells)))

    def _write(self, text: str) -> None:
        text = _SPACES.sub(" ", text).strip()
        if _SAID.search(text):
            self.paragraphs.append((" ".join(self.marks), text))
            self.marks.clear()

    def _text(self, tokens: Iterable[Token]) -> str:
        """The words of a paragraph; a line for each part after which a voice pauses."""
        parts: list[str] = []
        href = ""  # of a link that has no text yet
        for token in tokens:
            match token.type:
                case "text" if parts[-1:] == [_RAISED]:
                    parts[-1] = token.content.translate(_POWERS)
                case "text" | "text_special" | "code_inline":
                    parts.append(token.content)
                case "softbreak":
                    parts.append(" ")
                case "hardbreak":
                    parts.append("\n")
                case "image":
                    parts.append(self._image(self._text(token.children or ())))
                case "tag":
                    parts.append(self._tag(token.content))
                case "link_open":
                    href = str(token.attrs.get("href", ""))
                    continue
                case "link_close" if href.startswith("http"):
                    parts.append(href)
            href = ""
        text = _BACKTICKS.sub("", "".join(parts).replace(_RAISED, ""))
        return _IMAGES.sub(", ", text).replace(_IMAGE, "")

    def _image(self, alt: str) -> str:
        image = word(self.lang, "image")
        alt = _SPACES.sub(" ", alt.replace(_IMAGE, "")).strip()
        if not _SAID.search(alt):
            return ""
        if alt.lower() in ("image", "img", image.lower()) or _FILE.fullmatch(alt):
            return f"{_IMAGE}{image}{_IMAGE}"
        return f"{_IMAGE}{image}: {alt}{_IMAGE}"

    def _tag(self, source: str) -> str:
        tag = TAG.match(source)
        assert tag  # the parser found it
        name = tag["name"].lower()
        if name == "img":
            return self._image(html.unescape(attribute(tag, "alt")))
        if name == "sup" and not tag["close"]:
            return _RAISED
        if name in ("td", "th"):
            return "" if tag["close"] else _CELL
        return "\n" if name in BLOCKS else ""


class _List:
    """An ordered list: its items' numbers as they stand there, or counted if all are the same."""

    def __init__(self) -> None:
        self._first = ""
        self._count = 0

    def next(self, number: str) -> str:
        self._first = self._first or number
        self._count += 1
        if number == self._first:
            return number if self._count == 1 else str(int(number) + self._count - 1)
        return number


class _Table:
    """Rows of cells, each as "column: value, column: value."."""

    def __init__(self) -> None:
        self.cells: list[str] = []
        self._header: list[str] | None = None
        self._rows = 0

    def end_row(self) -> str:
        """What is said of the row; nothing of the header."""
        cells, self.cells = self.cells, []
        if self._header is None:
            self._header = cells
            return ""
        self._rows += 1
        columns = zip(self._header, cells, strict=False)
        return self._sentence(
            f"{name.rstrip(':')}: {cell}" if _SAID.search(name) else cell
            for name, cell in columns
            if _SAID.search(cell)
        )

    def end(self) -> str:
        """A table without rows is its header."""
        return "" if self._rows else self._sentence(self._header or ())

    @staticmethod
    def _sentence(cells: Iterable[str]) -> str:
        text = ", ".join(filter(None, cells))
        return text if text[-1:] in ".!?…" else f"{text}."
