"""What a line begins, in plain text and in Markdown, judged by its first characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from enum import Enum, auto

NEEDED_CHARS = 24
"""A line is judged when so many of its characters are there, or all."""
_LONG_CHARS = 300
"""What takes a whole line (a fence, a rule) is not longer than this."""
_SHORT_LINE_CHARS = 40


class Kind(Enum):
    """What begins at a line."""

    BLANK = auto()
    TEXT = auto()
    ITEM = auto()
    HEADING = auto()
    RULE = auto()
    UNDERLINE = auto()
    """A rule that makes a heading of the text above it."""
    QUOTE = auto()
    FENCE = auto()
    TABLE = auto()
    COMMENT = auto()
    FORMULA = auto()
    RAW = auto()
    """HTML whose text is none: a script, a style."""
    CODE = auto()
    """Indented as code is."""
    OTHER = auto()
    """Text that does not go on with the text above it: a tag, a footnote, a line of a log."""


_RULE = re.compile(r"([-=_*~+])[ \t]*(?:\1[ \t]*){2,}\Z|[-*+=][ \t]*\Z")
_HEADING = re.compile(r"#{1,6}[ \t]+\S")
_ITEM = re.compile(r"(?:[-*+•‣◦▪●○■□◆◇►▸➤➔⁃∙→·–][ \t]+|(\d{1,3})[.)][ \t]+)\S")
FENCE = re.compile(r"((?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(`{3,}|~{3,})([^`\n]*)\Z")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*(?:>|\Z)")
_RAW = re.compile(r"<(script|style|textarea)\b", re.IGNORECASE)
_DEFINITION = re.compile(r"\[[^\]\n]{1,20}\]:[ \t]")
DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
_LOG = re.compile(
    r"\[?\d{4}[-/.]\d\d[-/.]\d\d(?:[T ]\d\d:\d\d|\])|\[?\d\d?:\d\d:\d\d\b|\[ *\d+\.\d+\]"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d|\d{1,3}(?:\.\d{1,3}){3}[ :]"
    r"|[\[<(]?(?i:trace|debug|info|notice|warn|warning|err|error|fatal|critical|crit)[\])>]?:?\s"
    r"(?<=[A-Z\]>):]\s)|\[\w+\]\s|npm (?:WARN|ERR!|error|warn) |\$ [a-z./~]|[-=*#~_]{4}"
    r"|(?:make|bash|zsh|sh|fatal|error|warning|note|hint|remote|npm)(?:\[\d+\])?: |test \w+::"
    r"|[\w./-]+\.\w{1,4}[:(]\d|File \"|at [\w.$<>]+ ?\(|at \S+:\d"
)
_ALONE = re.compile(
    r"[-bcdlps](?:[r-][w-][xsS-]){2}[r-][w-][xtT-][.+@]?\s|[\w.]*(?:Error|Exception):\s"
)
"""A line of `ls -l`, the end of a traceback: each begins anew, as a line of a log does."""
_COLUMNS = re.compile(r"\S(?: {3,}|\t)")
"""In a row of a table that is set with spaces."""
_COMMIT = re.compile(r"\b[0-9a-f]{40}\Z")
_NAME = re.compile(r"\w[./_\d-]")
"""In names of files, and seldom in single words."""
_PROSE = re.compile(
    r"[a-zß-ÿ]{3}[.!?][ \t]|\b(?:an?|the|of|in|on|at|to|for|and|or|but|with|by|from|as|is|are|was"
    r"|were|der|die|das|de[mns]|eine?|und|oder|im|am|auf|bei|mit|nach|vom?|zu[mr]?|für|ist"
    r"|l[ae]s?|d[eu]|un[ae]?|et|ou|à|aux?|en|dans|pour|avec|el|los|del|[yeoià]|con|para|por"
    r"|il|lo|gli|di|della|per|os?|d[oa]s?|uma?|em|n[oa]|com)\Z"
)
"""In a line of prose: a sentence ends in it, or it breaks off before a name."""
_SETTING = re.compile(r"[\w.-]+[ \t]?[:=](?:[ \t]|\Z)")
_FIELD = re.compile(r"[A-Z][\w-]{1,18}:[ \t]")
_POINT = re.compile(r"(?:[a-zA-Z]|[ivx]{1,4})\)[ \t]|\(\w{1,3}\)[ \t]|[a-zA-Z]\.[ \t]\S")
"""Of a list with letters: "a) ", "(ii) "."""
_DRAWN = re.compile(r"[-=*#~_]{4}\Z|File \"|at \S+[:(]")


def kind_of(line: str, is_whole: bool, is_marked: bool) -> Kind | None:
    """What this line begins; None if more of it must come first. `is_marked`: it is Markdown."""
    body = line.lstrip(" \t")
    if not body:
        return Kind.BLANK if is_whole else None
    if is_marked and (line[:4] == "    " or line[:1] == "\t"):
        return Kind.CODE
    if body[0].isalpha():
        return Kind.TEXT
    if not is_whole and len(body) < NEEDED_CHARS:
        return None
    if is_marked and body[0] in "`~-*+0123456789" and FENCE.match(body):
        is_fence = len(body) <= _LONG_CHARS
        return Kind.TEXT if not is_fence else Kind.FENCE if is_whole else None
    if _RULE.match(body):
        return (Kind.UNDERLINE if body[0] in "-=" else Kind.RULE) if is_whole else None
    return _kind_by_head(body[:NEEDED_CHARS], is_marked)


def _kind_by_head(head: str, is_marked: bool) -> Kind:
    if _HEADING.match(head):
        return Kind.HEADING
    if _ITEM.match(head):
        return Kind.ITEM
    if head[0] == ">":
        return Kind.QUOTE
    if is_marked and (kind := _KINDS.get(head[0])):
        return kind(head)
    if _LOG.match(head) or unicodedata.category(head[0]) == "So":
        return Kind.OTHER
    return Kind.TEXT


def _html(head: str) -> Kind:
    if head.startswith("<!--"):
        return Kind.COMMENT
    return Kind.RAW if _RAW.match(head) else Kind.OTHER if _TAG.match(head) else Kind.TEXT


def _bracket(head: str) -> Kind:
    return Kind.OTHER if _DEFINITION.match(head) or _LOG.match(head) else Kind.TEXT


_KINDS: dict[str, Callable[[str], Kind]] = {
    "|": lambda _: Kind.TABLE,
    "$": lambda head: Kind.FORMULA if head.startswith("$$") else Kind.TEXT,
    "<": _html,
    "[": _bracket,
}
"""What begins with these characters in Markdown alone."""


def interrupts(kind: Kind, line: str, is_in_list: bool) -> bool:
    """Whether a paragraph ends before a line of this kind, whatever its own last line says."""
    if kind is Kind.ITEM:
        number = _ITEM.match(line.lstrip(" \t"))
        return is_in_list or number is None or number[1] in (None, "1")
    return kind not in (Kind.TEXT, Kind.CODE)


def begins_anew(line: str) -> bool:
    """Whether a line of text goes on with no line above it, whatever that is."""
    below = line.lstrip()[:NEEDED_CHARS]
    return bool(_LOG.match(below) or _ALONE.match(below))


def are_separate(before: str, line: str) -> bool:
    """Whether two lines of text are evidently no wrapped paragraph: an address, a list of names."""
    above, below = before.strip(), line.lstrip()[:NEEDED_CHARS]
    if begins_anew(line) or _COMMIT.search(above) or (" | " in above and " | " in line):
        return True
    if _COLUMNS.search(above) and _COLUMNS.search(below):
        return True
    if not above or above[-1] in ".!?…,;–—-‐、，。" or _PROSE.search(above):
        return False
    if _FIELD.match(below) or _POINT.match(below) or _DRAWN.search(above):
        return True
    if len(above) <= _SHORT_LINE_CHARS and (below[:1].isupper() or below[:1].isdigit()):
        return True
    if _SETTING.match(above) and _SETTING.match(below):
        return True
    are_single = len(above.split()) == 1 and len(below.split()) == 1
    return are_single and bool(_NAME.search(above) or _NAME.search(below))
