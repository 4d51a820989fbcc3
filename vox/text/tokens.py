"""What is technical in a text, as words: addresses, paths, versions, hashes, names in code, emoji.

One expression finds where such a token stands, a rule of its own says what is read instead. Knows
the six languages of `words`; in others only emoji get their names.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Set
from typing import NamedTuple

from . import emojis
from .identifiers import (
    EVIDENCE,
    call,
    digest,
    hashtag,
    identifier,
    option,
    spelt,
    uuid,
    variable,
)
from .kinds import ADDRESSES, EMOJI, HASHES, IDENTIFIERS, PATHS, VERSIONS
from .places import email, host, ipv4, ipv6, mention, path, url
from .versions import version
from .words import is_known, word

_CLOSE_BEFORE = re.compile(r"[^\s(\[{\"'“„«‘,;!?>)\]]\Z")
_CLOSE_AFTER = re.compile(r"[^\s)\]}\"'”»’,;!?<.:…]|[.:]\S")
_OF_VERSION = re.compile(r"(?<=\w)@v?\d{1,5}(?:\.\d{1,5}){0,4}\Z")
_ENDS_WORD = re.compile(r"[\w)\]]\Z")
_ASSIGNS = re.compile(r"(?<=\w)=(?=[^=])")
_MOST_ROUNDS = 6
"""Tokens may stand so close that one is found only once its neighbour is read: "a@b.orgc@d.org"."""
_CONTEXT_CHARS = 32
"""How much of what stands before a token its rule sees."""

_ALWAYS = f"@#/\\\\_$<>=&|~*+™®©→⇒➜≠≥≤\ufe0f\u20e3{emojis.SIGNS}"
_MAYBE = re.compile(
    rf"[{_ALWAYS}.:()mA-ZÀ-ÖØ-Þ\dv-](?:(?<=[{_ALWAYS}])|(?<=\.)\w|(?<=-)[>\w-](?<!\w-\w)|(?<=::)|(?<=t:)\d"
    r"|(?<=\()\)|(?<=mm)it|(?<=[a-zß-öø-ÿ\d][A-ZÀ-ÖØ-Þ])|(?<=[A-Z]{2})[a-z]{2}"
    r"|(?<=[vV])\d|(?<=\d)(?:[A-Fa-fx]|\d{6})|(?<=[A-Fa-f]\d))"
)
"""A text without any of these has nothing for this module: most texts."""

Say = Callable[[str, str, str], str | None]
"""A rule: the token, what stands before it, and the language; None leaves the token to others."""


class _Rule(NamedTuple):
    kind: str
    pattern: str
    say: Say


_NAMED_HASH = re.compile(
    r"\b(?:commit|commits|sha\d*|sha-\d+|md5|revision|rev|hash|changeset|checksum|digest|git|"
    r"révision|revisión|revisione|revisão|prüfsumme|empreinte)\W{1,3}\Z",
    re.I,
)


def _hash(token: str, before: str, lang: str) -> str | None:
    said = digest(token, bool(_NAMED_HASH.search(before)), lang)
    return f" {said}" if said and before[-1:] in (":", "=") else said


def _place(token: str, before: str, lang: str) -> str | None:
    """A path, unless it is the host of a link that was named already."""
    if before.endswith(f"{word(lang, 'link to')} ") and re.fullmatch(r"[\w.-]+", token):
        return token
    return path(token, lang)


def _pinned(token: str, before: str, lang: str) -> str | None:
    """ "ubuntu-22.04": the hyphen is not said."""
    return version(token[1:], f"{before}-", lang)


def _without_before(say: Callable[[str, str], str | None]) -> Say:
    kept = functools.lru_cache(maxsize=1024)(say)
    return lambda token, before, lang: kept(token, lang)


def _hexadecimal(token: str, before: str, lang: str) -> str:
    said = spelt(token)
    # Not "0 x 1": that would be a product.
    return f"{said[:3]},{said[3:]}" if token[2].isdecimal() else said


def _language(token: str, before: str, lang: str) -> str:
    """ "C++" and "C#"; "F#" is a note too."""
    return (
        f"C {word(lang, 'plus')} {word(lang, 'plus')}" if token[1] == "+" else f"{token[0]} sharp"
    )


_OPERATORS = {
    "->": "to", "-->": "to", "=>": "to", "==>": "to", "→": "to", "⇒": "to", "➡": "to", "➜": "to",
    "!=": "is not", "!==": "is not", "≠": "is not", ">=": "at least", "≥": "at least",
    "<=": "at most", "≤": "at most", "==": "equals", "===": "equals", "=": "equals", "+": "plus",
    "&&": "and", "&": "and", "||": "or", "@": "at",
}  # fmt: skip


def _operator(token: str, lang: str) -> str:
    return f" {word(lang, _OPERATORS[token.strip().rstrip(chr(0xFE0F))])} "


def _copyright(token: str, lang: str) -> str:
    return f"{word(lang, 'copyright')} "


def _unsaid(token: str, before: str, lang: str) -> str:
    """A trade mark's sign: a reader passes over it."""
    return ""


def _with(token: str, before: str, lang: str) -> str | None:
    return ("without" if token == "w/o" else "with") if lang[:2].lower() == "en" else None


def _joined_digits(token: str, before: str, lang: str) -> str:
    return token.replace("_", "")


_HEX = "[0-9a-fA-F]"
_FILE_CHAR = r"[\w@%+~*$={}-]"
_NAME = rf"\.{{0,2}}{_FILE_CHAR}{{1,255}}(?:\.{{1,3}}{_FILE_CHAR}{{1,255}}){{0,15}}+"
_NAMES = rf"{_NAME}(?:[\\/]{{1,2}}{_NAME}){{0,63}}+[\\/]?"
_PLACE = r"(?::\d{1,6}(?::\d{1,6})?(?!\d)|#L\d{1,6}(?:-L?\d{1,6})?|(?:::\w{1,100}){1,4}+)?"
_AT_START = r"(?<!\w)(?<!\w[./\\@+~$-])"
"""A token begins here: neither within a word nor within something like a token."""
_NOT_PLAIN = r"(?:(?=[a-f]{7})|(?![A-Z]?[a-z]{1,40}+(?:[ \n,;!?)\"'»”’]|[.:](?:\s|\Z)|\Z)))(?=\w)"
"""Most words of a text end here, at once."""

_QUOTED_CHAR = r"[^\s/\\\"'“”‘’<>|]"
_QUOTED_NAME = rf"{_QUOTED_CHAR}(?:[^/\\\"'“”‘’<>|\n]{{0,80}}{_QUOTED_CHAR})?"
_IN_QUOTES = (r"(?<=[\"'“‘])", r"(?=[\"'”’])")
"""A path between quotes may have spaces in its names."""

_WORDS = {
    "drive": _Rule(
        PATHS,
        rf"{_IN_QUOTES[0]}[A-Za-z]:(?:\\{{1,2}}{_QUOTED_NAME}){{1,20}}{_IN_QUOTES[1]}",
        _place,
    ),
    "url": _Rule(
        ADDRESSES,
        r"(?:[A-Za-z][A-Za-z0-9+.-]{1,14}+://|[wW]{3}\.(?=\w))"
        r"(?:(?!https?://)[^\s<>\"`«»“”„，。；：！？、）】」』])+",
        url,
    ),
    "email": _Rule(
        ADDRESSES,
        r"(?:mailto:)?\w[\w%+'-]{0,63}(?:\.[\w%+'-]{1,64}){0,8}+@[\w-]{0,62}\w"
        r"(?:\.[\w-]{0,62}\w){0,8}(?:\?[\w=&%+.-]{0,500}\w|:[\w~/][\w./~-]{0,200}\w)?",
        _without_before(email),
    ),
    "local": _Rule(ADDRESSES, r"localhost:\d{2,5}(?![\w/])", _without_before(host)),
    "ipv4": _Rule(
        ADDRESSES,
        r"\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5}|/\d{1,2})?(?![\w]|\.\d)",
        _without_before(ipv4),
    ),
    "uuid": _Rule(
        HASHES, rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}(?!\w)", _without_before(uuid)
    ),
    "ipv6": _Rule(
        ADDRESSES,
        rf"(?:{_HEX}{{2}}(?:[:-]{_HEX}{{2}}){{5}}|{_HEX}{{1,4}}:(?:{_HEX}{{0,4}}:){{1,6}}"
        rf"{_HEX}{{0,4}})(?![\w:])",
        _without_before(ipv6),
    ),
    "hexadecimal": _Rule(HASHES, r"0(?:x[0-9a-fA-F]{1,40}|b[01]{1,64})(?!\w)", _hexadecimal),
    "digits": _Rule(IDENTIFIERS, r"\d{1,3}(?:_\d{3}){1,20}(?!\w)", _joined_digits),
    "version": _Rule(
        VERSIONS,
        r"[vV]?\d{1,5}(?:\.(?:\d{1,8}|[x*](?!\w))){0,6}+"
        r"(?:(?:a|b|rc|alpha|beta|dev|post)\d{1,4})?"
        r"(?:[-.](?=[0-9.-]{0,16}[A-Za-z])[0-9A-Za-z]{1,40}(?:[.-][0-9A-Za-z]{1,40}){0,8}+)?"
        r"(?:\+[0-9A-Za-z]{1,40}(?:[.-][0-9A-Za-z]{1,40}){0,8}+)?(?![\w/\\])(?![.:]\d)(?!-[\w-]{1,80}_[\w-]{0,80}\.[a-z])",
        version,
    ),
    "hash": _Rule(HASHES, rf"{_HEX}{{4,128}}+(?!\w|\.\w|[@/\\-]\w)", _hash),
    "language": _Rule(IDENTIFIERS, r"(?:[Cc]\+\+|[CFAJG]#)(?![\w+#])", _language),
    "with": _Rule(IDENTIFIERS, r"w/o?(?![\w/])", _with),
    "call": _Rule(
        IDENTIFIERS, r"[^\W\d]\w{0,255}(?:\.\w{1,255}){0,15}+\(\)", _without_before(call)
    ),
    "path": _Rule(
        PATHS,
        rf"(?<![@%+~*${{}}=-])(?=[^\s./\\]{{0,255}}[./\\])(?:[A-Za-z]:[\\/]+)?{_NAMES}(?<![=-]){_PLACE}",
        _place,
    ),
    "identifier": _Rule(
        IDENTIFIERS, rf"(?=\w*?{EVIDENCE})[^\W\d]\w*+", _without_before(identifier)
    ),
}
"""Rules for what begins with a letter, a digit or "_"; the first that matches takes the token."""

_SIGNS = {
    "hashtag": _Rule(IDENTIFIERS, r"#\w{1,255}(?![\w/])", _without_before(hashtag)),
    "mention": _Rule(ADDRESSES, r"@\w{1,64}(?:[./-]\w{1,64}){0,8}+", _without_before(mention)),
    "address": _Rule(ADDRESSES, rf":(?::{_HEX}{{1,4}}){{1,7}}(?![\w:])", _without_before(ipv6)),
    "option": _Rule(
        IDENTIFIERS,
        r"(?<!-)(?:--[A-Za-z][\w-]{0,100}(?:=[\w.,:/+%@~-]{0,200}[\w])?|-(?:[A-Za-z]|[a-z]{2}))"
        r"(?![\w-])",
        _without_before(option),
    ),
    "quoted": _Rule(PATHS, rf"{_IN_QUOTES[0]}~?(?:/{_QUOTED_NAME}){{2,20}}{_IN_QUOTES[1]}", _place),
    "rooted": _Rule(
        PATHS,
        rf"(?<![@%+~*$€£¥{{}}./\\<-])(?:[\\/]{{1,2}}(?={_FILE_CHAR}|\.\w)|(?:\.{{1,2}}/){{1,15}}+"
        rf"|~\w{{0,32}}/|\$[A-Za-z_]\w{{0,32}}/|\*{{1,2}}(?=[./])|(?=\.\w))(?:{_NAMES}(?<!-))?{_PLACE}",
        _place,
    ),
    "variable": _Rule(
        IDENTIFIERS, r"\$(?:[A-Za-z_]\w{0,100}+|\{\w{1,100}\})", _without_before(variable)
    ),
    "copyright": _Rule(IDENTIFIERS, "©\ufe0f? ?", _without_before(_copyright)),
}
"""Rules for what begins with a sign."""

_INFIX = {
    "operator": _Rule(
        IDENTIFIERS,
        r"(?<=[\w)\]\"'»”`])(?: {0,2}(?:--?>|==?>|→|⇒|➡\ufe0f?|➜|!==?|≠|>=|≥|<=|≤|===?(?!>)) {0,2}"
        r"| {1,2}(?:&&?|\|\||=|@|\+) {1,2}|(?<=\w)=)(?=[\w(\[\"'«“$/~.@#*-])",
        _without_before(_operator),
    ),
    "mark": _Rule(IDENTIFIERS, "[™®]\ufe0f?", _unsaid),
    "pinned": _Rule(
        VERSIONS, r"(?<=[A-Za-z])-v?\d{1,5}(?:\.\d{1,8}){1,6}(?![\w/\\.]|-\w)", _pinned
    ),
}
"""Rules for what may follow a word without a space."""

_ALL = {**_WORDS, **_SIGNS, **_INFIX}


@functools.cache
def _compiled(*left_out: str) -> re.Pattern[str]:
    """All the rules in one, but those left out. Made when needed: that takes 8 ms."""

    def either(rules: dict[str, _Rule]) -> str:
        return "|".join(
            f"(?P<{name}>{rule.pattern})" for name, rule in rules.items() if name not in left_out
        )

    return re.compile(
        f"{_AT_START}(?:{_NOT_PLAIN}(?:{either(_WORDS)})"
        rf"|(?=[#@:$~*./\\©-])(?:{either(_SIGNS)}))"
        rf"|(?=[ =>→⇒➡➜!≠≥<≤™®-]|(?<=-)[v\d])(?:{either(_INFIX)})"
    )


_NO_PART = ("path", "rooted", "email", "url")
"""What is not looked for within what looked like a path and is none."""


def spoken(text: str, lang: str, reads: Set[str], emoji: str) -> str:
    """The paragraph with all that is technical in it as words; plain digits are left to `numbers`.

    `reads` names the kinds (see `kinds`) that stay as they are. `emoji` is "name" or "drop".
    """
    for _ in range(_MOST_ROUNDS):
        if not _MAYBE.search(text):
            break
        round_ = _Round(lang, reads)
        if is_known(lang):
            text = _compiled().sub(round_.said, text)
        before = text
        if emoji == "drop" or EMOJI not in reads:
            text = emojis.spoken(text, lang, emoji)
        if text == before and not round_.is_unsettled:
            break
    return text


class _Round:
    """Says each token that it is given, and finds out whether the text takes another round."""

    def __init__(self, lang: str, reads: Set[str]) -> None:
        self._lang = lang
        self._reads = reads
        self._plain: dict[str, bool] = {}
        self.is_unsettled = False
        """What was said stands so close to its neighbours, or is such, that it may be a token."""

    def said(self, found: re.Match[str]) -> str:
        token, start, end = found[0], found.start(), found.end()
        before = found.string[max(0, start - _CONTEXT_CHARS) : start]
        words = self._words(found.lastgroup or "", token, before)
        if words[:1].isalnum() and token[:1] == "." and _ENDS_WORD.search(before):
            words = f" {words}"
        if words == token or self.is_unsettled:
            return words
        after = found.string[end : end + 2]
        self.is_unsettled = (
            bool(_CLOSE_BEFORE.search(before) and token[:1] != " ")
            or bool(_CLOSE_AFTER.match(after) and token[-1:] != " ")
            or not (token[-1:].isalnum() or token[-1:] in ' ")')
            or not self._is_plain(words)
        )
        return words

    def _is_plain(self, words: str) -> bool:
        """Whether there is no token in what was said."""
        if words not in self._plain:
            again = _compiled().sub(
                lambda found: self._words(found.lastgroup or "", found[0], words[: found.start()]),
                words,
            )
            self._plain[words] = again == words
        return self._plain[words]

    def _words(self, name: str, token: str, before: str) -> str:
        rule = _ALL[name]
        if rule.kind in self._reads:
            return token
        words = rule.say(token, before, self._lang)
        if words is None and name == "version" and PATHS not in self._reads:
            words = path(token, self._lang)  # "2024-report.pdf"
        if words is None and name in ("path", "rooted"):
            if at := _OF_VERSION.search(token):  # "actions/checkout@v4"
                name_of = _compiled().sub(self.said, token[: at.start()])
                said = version(at[0][1:], "", self._lang) or at[0][1:]
                return f"{name_of} {word(self._lang, 'at')} {said}"
            sides = _ASSIGNS.split(token, maxsplit=1)
            if len(sides) == 2:  # "of=/dev/sdb"
                equals = word(self._lang, "equals")
                return f" {equals} ".join(_compiled().sub(self.said, side) for side in sides)
            return _compiled(*_NO_PART).sub(self.said, token)
        return token if words is None else words
