"""Names in code, as words: camelCase, snake_case, dotted names, calls, options, hashes.

Each function takes one token, already found, and gives what is said instead; the same token if it
is to stay. Knows nothing of where tokens stand; `tokens` finds them.
"""

from __future__ import annotations

import re

from .known import ACRONYMS, MODULES, NAME_BEGINNINGS, NAMES
from .words import word

_LOWER = "a-zß-öø-ÿ"
_UPPER = "A-ZÀ-ÖØ-Þ"
EVIDENCE = rf"(?:_|[{_LOWER}\d][{_UPPER}]|[{_UPPER}]{{2}}[{_LOWER}]{{2}})"
"""What an identifier has and a plain word has not."""

_HUMP = re.compile(rf"(?<=[{_LOWER}\d])(?=[{_UPPER}])|(?<=[{_UPPER}])(?=[{_UPPER}][{_LOWER}])")
_LOWER_RUN = re.compile(f"[{_LOWER}]{{2}}")
_COUNT = re.compile(rf"(?<=[{_LOWER}])(?=\d)")
_INFLECTED = re.compile(r"[A-Z]+(?:s|ed|er|ing|v\d+)\Z")
_VOWEL = re.compile("[AEIOUY]")
_SHORTEST_CLASS = 6
_GENDERED = frozenset(("Innen", "In"))
"""The German "MitarbeiterInnen" is a word."""
_NO_DIGEST = re.compile(r"\d+[eE]\d+|[A-Fa-f]{4,}\d+")
"""1e100000, decade2020."""
_SPELT_FROM_CONTEXT = 7
_LONGEST_SPELT = 16


def identifier(name: str, lang: str) -> str:
    """The words of a name: "getUserName" -> "get user name". A plain word or name stays."""
    if name.startswith("__") and name.endswith("__") and name.strip("_"):
        return f"{word(lang, 'dunder')} {_words(name)}"
    if "_" not in name:
        return " ".join(_humps(name))
    if not name.strip("_"):
        return name
    if name.startswith("_") and not name.endswith("_"):
        return f"{word(lang, 'underscore')} {_words(name)}"
    return _words(name)


def _words(name: str) -> str:
    parts = [part for part in name.split("_") if part]
    if any(map(str.islower, parts)) or len(parts) == 1:
        return " ".join(" ".join(_humps(part)) for part in parts)
    return " ".join(_capitals(part) if part.isupper() else " ".join(_humps(part)) for part in parts)


def _capitals(part: str) -> str:
    """A part of an ALL_CAPS name: a word in lower case, unless it is said letter by letter."""
    return part if part in ACRONYMS or not _VOWEL.search(part) else part.lower()


def _humps(name: str) -> list[str]:
    """The words of a camelCase or PascalCase name; the name alone if it is not one."""
    humps = _HUMP.split(name)
    if len(humps) == 1 or name.rstrip("0123456789") in NAMES or _INFLECTED.match(name):
        return [name]
    if humps[0].islower():
        if len(humps[0]) == 1 or not _LOWER_RUN.search(humps[0]):  # iPhone, mRNA, kWh, x86
            return [name]
    elif (
        len(name) < _SHORTEST_CLASS
        or not _LOWER_RUN.search(name)
        or len(humps[-1]) == 1
        or humps[-1] in _GENDERED
        or (len(humps) == 2 and humps[0] in NAME_BEGINNINGS)
    ):
        return [name]
    return [hump if hump.isupper() else _COUNT.sub(" ", hump.lower()) for hump in humps]


def dotted(name: str, lang: str) -> str | None:
    """A name with dots: "os.path.join" -> "os dot path dot join"; None for two plain words."""
    parts = name.split(".")
    if any(len(part) < 2 or not (part[0].isalpha() or part[0] == "_") for part in parts):
        return None
    is_code = (
        len(parts) > 2
        or parts[0] in MODULES
        or any("_" in part or _humps(part) != [part] for part in parts)
    )
    if not is_code or not all(part.isascii() for part in parts):
        return None
    return f" {word(lang, 'dot')} ".join(identifier(part, lang) for part in parts)


def call(name: str, lang: str) -> str:
    """A call without arguments: "foo_bar()" -> "foo bar"."""
    name = name.removesuffix("()")
    return dotted(name, lang) or f" {word(lang, 'dot')} ".join(
        identifier(part, lang) for part in name.split(".")
    )


def option(token: str, lang: str) -> str:
    """An option of a program: "--dry-run" -> "dash dash dry run"."""
    name = token.lstrip("-")
    dashes = [word(lang, "dash")] * (len(token) - len(name))
    said = name.replace("=", f" {word(lang, 'equals')} ").split()
    parts = [identifier(part, lang) for each in said for part in each.split("-") if part]
    return " ".join([*dashes, *parts])


def variable(token: str, lang: str) -> str:
    """An environment variable: "$JAVA_HOME" -> "dollar java home"."""
    return f"{word(lang, 'dollar')} {identifier(token.strip('${}'), lang)}"


def hashtag(token: str, lang: str) -> str:
    """ "#HelloWorld" -> "hashtag hello world"; "#12" -> "number 12"."""
    name = token[1:]
    if name.isdigit():
        return f"{word(lang, 'number')} {name}"
    if re.fullmatch(r"(?=.*\d)(?:[\da-f]{6}|[\dA-F]{6}|[\da-fA-F]{3})", name):  # a colour
        return f"{word(lang, 'hash')} {spelt(name)}"
    return f"{word(lang, 'hashtag')} {identifier(name, lang)}"


def digest(token: str, is_named: bool, lang: str) -> str | None:
    """A hash, letter by letter: "a18334c" -> "a 1 8 3 3 4 c"; None for what is not one.

    `is_named`: a word such as "commit" stands before it. Without one it needs both digits and
    letters. Of one longer than 16 digits the first seven are said, as people quote them.
    """
    mixed = not (token.isdigit() or token.isalpha())
    if not is_named and _NO_DIGEST.fullmatch(token):
        return None
    if len(token) < _SPELT_FROM_CONTEXT and not (is_named and mixed):
        return None
    if not (is_named or mixed) or not (token.islower() or token.isupper() or token.isdigit()):
        return None
    if len(token) <= _LONGEST_SPELT:
        return spelt(token)
    return f"{spelt(token[:7])} {word(lang, 'and so on')}"


def uuid(token: str, lang: str) -> str:
    """Its first eight digits, as people quote them."""
    return f"{spelt(token[:8])} {word(lang, 'and so on')}"


def spelt(token: str) -> str:
    """One character at a time."""
    return " ".join(token)
