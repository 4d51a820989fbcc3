"""Which of a text's angle brackets are tags of HTML, and which are not."""

from __future__ import annotations

import re
from typing import Final

_INLINE = """
a abbr acronym audio b bdi bdo big button cite code data del dfn em font i img input ins kbd label
map mark meter nobr object output picture progress q rb rp rt ruby s samp select small source span
strike strong sub sup svg textarea time track tt u var video wbr embed iframe link meta base area
param slot template canvas script style noscript option optgroup
"""
_BLOCK = """
address article aside blockquote body br caption center col colgroup dd details dialog dir div dl dt
fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html
legend li main menu nav ol p pre search section summary table tbody td tfoot th thead title tr ul
"""
BLOCKS: Final = frozenset(_BLOCK.split())
"""The elements before and after which a voice pauses."""
_KNOWN: Final = BLOCKS | frozenset(_INLINE.split())
_NO_WORDS: Final = frozenset(
    "abbr b bdi bdo big blockquote br center colgroup dd del details dfn div dl dt em figcaption"
    " font h1 h2 h3 h4 h5 h6 hr html i ins kbd li nobr ol p pre rp rt ruby s samp span strike"
    " strong sub sup tbody td tfoot th thead tr tt u ul wbr".split()
)
"""Those that nobody writes as a name to be filled in, as in "clone <address> <output>"."""
_FLAGS: Final = frozenset(
    "allowfullscreen async autofocus autoplay checked controls default defer disabled hidden inert"
    " ismap loop multiple muted nomodule novalidate nowrap open playsinline readonly required"
    " reversed selected".split()
)
"""The attributes that have no value."""

TAG: Final = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<attributes>(?:\s+[A-Za-z_:@][\w:.@-]*"
    r"(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?)*)\s*/?>"
)
_ATTRIBUTE: Final = re.compile(
    r"([A-Za-z_:@][\w:.@-]*)(\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+)))?"
)
ALONE: Final = re.compile(r"\s*</?[A-Za-z][^<>]*>\s*\Z")
"""One tag, and nothing else."""
_NEAR: Final = 1000
"""How far behind a tag its partner is looked for."""
_HIDDEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|svg|template)\b[^>]*>.*?(?:(</\1\s*>)|\Z)"
    r"|<\?(?:php|xml|=).*?(?:\?>|\Z)|<!\[CDATA\[|<!doctype\b[^>]*>",
    re.DOTALL | re.IGNORECASE,
)


def hidden(source: str, at: int) -> int | None:
    """Where what begins at `at` ends, if it is a comment, a script or the like; else None."""
    found = _HIDDEN.match(source, at)
    return found.end() if found and not _is_placeholder(found) else None


def without_hidden(source: str) -> str:
    """The source without its comments, scripts and styles."""
    return _HIDDEN.sub(lambda found: found.group() if _is_placeholder(found) else "", source)


def _is_placeholder(found: re.Match[str]) -> bool:
    """In a sentence, a bare <style> that nothing closes stands for a name."""
    name = found.group(1)
    if not name or found.group(2):
        return False
    head, _, rest = found.group().partition(">")
    is_in_sentence = found.string[: found.start()].strip() or re.match(r" +\w", rest)
    return "=" not in head and bool(is_in_sentence)


def is_tag(found: re.Match[str], sure: bool = False) -> bool:
    """Whether what looks like one is a tag. If not `sure`, "<b and c>" and "<address>" are not."""
    name = found["name"].lower()
    if name not in _KNOWN:
        return False
    if sure or found["close"]:
        return True
    for attribute in _ATTRIBUTE.finditer(found["attributes"]):
        if not attribute.group(2) and attribute.group(1).lower() not in _FLAGS:
            return False
    if found["attributes"] or found.group().endswith("/>"):
        return True
    before = found.string[max(0, found.start() - 1) : found.start()]
    if name in _NO_WORDS and not (len(name) == 1 and before.isalnum()):
        return True
    behind = found.string[found.end() : found.end() + _NEAR].lower()
    return f"</{name}" in behind  # neither vector<b> nor clone <address>


def attribute(found: re.Match[str], name: str) -> str:
    """The value of a tag's attribute; "" without it."""
    for each in _ATTRIBUTE.finditer(found["attributes"]):
        if each.group(1).lower() == name:
            return each.group(3) or each.group(4) or each.group(5) or ""
    return ""
