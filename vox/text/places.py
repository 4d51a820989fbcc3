"""Where things are, as words: URLs, e-mail and computer addresses, paths and file names.

Each function takes one token, already found, and gives what is said instead; None if it is none.
Knows nothing of where tokens stand; `tokens` finds them.
"""

from __future__ import annotations

import contextlib
import functools
import re

from .identifiers import dotted, identifier, spelt
from .known import DOMAINS, EXTENSIONS, FOLDERS
from .words import word

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.I)
_CLOSING = {")": "(", "]": "[", "}": "{"}
_SIGNS = {
    "~": "tilde", "*": "star", "$": "dollar", "@": "at", "+": "plus", "=": "equals",
}  # fmt: skip
_PIECE = re.compile(r"\.+|[~*$@+=]|[^.~*$@+=]+")
_PLACE = re.compile(r"(?::(\d+)(?::(\d+))?|#L(\d+)\S*|((?:::\w+)+))\Z")
_ROOTED = re.compile(r"[A-Za-z]:[\\/]|\\\\|~\w*/|\.{1,2}/|\$[A-Za-z_]\w*/|/")
_IPV4 = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_SHORTEST_SHOUTED = 6
"""README, LICENSE: a file's name that long is a word, and would be spelt."""
_HYPHEN = re.compile(r"-(?![^\W\d_])|(?<![^\W\d_])-")


def url(token: str, before: str, lang: str) -> str | None:
    """A URL: "link to example.com"; what follows the host is left out.

    Punctuation that ends the sentence and not the URL stays behind it.
    """
    bare = trimmed(token)
    rest = token[len(bare) :].lstrip("*_~")
    scheme = _SCHEME.match(bare)
    if scheme and scheme[1].lower() == "file":
        said = path(re.sub(r"^/*(?=[A-Za-z]:)|(?<=^/)/*", "", bare[scheme.end() :]), lang)
        return said + rest if said else None
    authority = re.split(r"[/?#\\]", bare[scheme.end() if scheme else 0 :], maxsplit=1)[0]
    name = host(authority.rpartition("@")[2], lang)
    if not re.search(r"\w", name):
        return None
    link = word(lang, "link to")
    return f"{name}{rest}" if before.endswith(f"{link} ") else f"{link} {name}{rest}"


def trimmed(token: str) -> str:
    """A URL without the punctuation that follows it in a sentence."""
    while token:
        last = token[-1]
        opening = _CLOSING.get(last)
        if opening and token.count(opening) >= token.count(last):
            break
        if not opening and last not in ".,;:!?'*_~…":
            break
        token = token[:-1]
    return token


def host(authority: str, lang: str) -> str:
    """A host and its port: "localhost:80" -> "localhost port 80"; without a "www."."""
    found = re.fullmatch(r"\[([\da-fA-F:.]+)\](?::(\d+))?|([^:]*)(?::(\d+))?.*", authority)
    if found is None:
        return ""
    number, name = found[2] or found[4], found[3]
    said = _host_name(name or "", lang) if found[1] is None else ipv6(found[1], lang) or ""
    return f"{said} {word(lang, 'port')} {number}" if number and said else said


def _host_name(name: str, lang: str) -> str:
    if _IPV4.fullmatch(name):
        return f" {word(lang, 'dot')} ".join(name.split("."))
    if name.lower().startswith("www.") and "." in name[4:]:
        name = name[4:]
    if "xn--" in name:
        with contextlib.suppress(UnicodeError):
            name = name.encode("ascii").decode("idna")
    name = name.strip(".")
    return name.lower() if name.isupper() else name


def ipv4(token: str, lang: str) -> str | None:
    """ "127.0.0.1:80" -> "127 dot 0 dot 0 dot 1 port 80"; None if a number is too high."""
    address, slash, bits = token.partition("/")
    numbers = address.partition(":")[0].split(".")
    if any(int(number) > 255 or (number[0] == "0" and number != "0") for number in numbers):
        return None
    return host(address, lang) + (f" {word(lang, 'slash')} {bits}" if slash else "")


def ipv6(token: str, lang: str) -> str | None:
    """An IPv6 or a MAC address, digit by digit; None for what only looks like one."""
    groups = re.split("[:-]", token)
    is_mac = len(groups) == 6 and all(len(group) == 2 for group in groups)
    if is_mac and (":" in token or not token.replace("-", "").isdigit()):
        # In lower case: "1 A" is an ampere.
        return ", ".join(spelt(group.lower()) for group in groups)
    if not (("::" in token and re.search(r"[\da-fA-F]", token)) or len(groups) == 8):
        return None
    colon = word(lang, "colon")
    return re.sub(r"\s+", " ", " ".join(colon if c == ":" else c for c in token)).strip()


def email(token: str, lang: str) -> str:
    """ "jane.doe@example.com" -> "jane dot doe at example dot com"."""
    address = re.sub("^mailto:", "", token, flags=re.I).partition("?")[0]
    if release := re.fullmatch(r"([\w.-]+)@v?(\d+(?:\.\d+)+)", address):  # of a package
        numbers = release[2].replace(".", f" {word(lang, 'point')} ")
        if not _IPV4.fullmatch(release[2]):
            return f"{release[1]} {word(lang, 'at')} {numbers}"
    return _signs(address, lang)


def _signs(text: str, lang: str) -> str:
    """A text with each sign in it as a word; letters and digits as they are."""
    names = {".": "dot", "-": "dash", "_": "underscore", "+": "plus", "@": "at", ":": "colon",
             "/": "slash", "~": "tilde", "%": "", "'": ""}  # fmt: skip
    said = "".join(f" {word(lang, names[c])} " if names.get(c) else c for c in text)
    return " ".join(said.split())


def mention(token: str, lang: str) -> str:
    """ "@jane_doe" -> "at jane doe"."""
    slash = f" {word(lang, 'slash')} "
    return f"{word(lang, 'at')} " + slash.join(
        f" {word(lang, 'dot')} ".join(identifier(piece, lang) for piece in part.split("."))
        for part in token[1:].split("/")
    )


@functools.lru_cache(maxsize=1024)
def path(token: str, lang: str) -> str | None:
    """A path or a file's name: "src/main.rs:42" -> "src slash main dot rs line 42".

    A host with a port or a path is one too, and a name in code with dots. None for what is just
    words with a slash or a dot between them.
    """
    place = _PLACE.search(token)
    name = token[: place.start()] if place else token
    parts = re.split(r"[\\/]", name)
    if not _ROOTED.match(name):
        if is_domain(parts[0]):
            if len(parts) == 1 and place is None:
                return token
            slash = f" {word(lang, 'slash')} "
            shown = host(
                token[: len(parts[0])] + (place[0] if place and not parts[1:] else ""), lang
            )
            return slash.join([shown, *(_component(part, lang) for part in parts[1:] if part)])
        if len(parts) == 1 and not _is_file(name):
            return None if place else dotted(name, lang)
        if len(parts) > 1 and not _is_relative_path(parts):
            return None
    return _said(name, lang) + (_said_place(place, lang) if place else "")


def _said(name: str, lang: str) -> str:
    drive = re.match(r"([A-Za-z]):(?=[\\/])", name)
    words = [f"{drive[1]} {word(lang, 'colon')}"] if drive else []
    for piece in re.findall(r"[\\/]+|[^\\/]+", name[drive.end() if drive else 0 :]):
        if piece[0] in "\\/":
            words += [word(lang, "slash" if piece[0] == "/" else "backslash")]
        else:
            words += [_component(piece, lang)]
    return " ".join(filter(None, words))


def _said_place(place: re.Match[str], lang: str) -> str:
    if place[4]:  # a test in a file
        return "".join(f", {identifier(name, lang)}" for name in place[4].split("::") if name)
    said = f" {word(lang, 'line')} {place[1] or place[3]}"
    return f"{said} {word(lang, 'column')} {place[2]}" if place[2] else said


def _component(text: str, lang: str) -> str:
    """One name of a path: its dots and signs as words, the parts of a name in code apart."""
    words = []
    for piece in _PIECE.findall(text):
        if piece[0] == ".":
            words += [word(lang, "dot")] * min(len(piece), 3)
        elif piece in _SIGNS:
            words.append(word(lang, _SIGNS[piece]))
        else:
            words += [_name(part, lang) for part in _HYPHEN.sub(" ", piece).split()]
    return " ".join(filter(None, words))


def _name(part: str, lang: str) -> str:
    if len(part) >= _SHORTEST_SHOUTED and part.isalpha() and part.isupper():
        return part.lower()
    if "_" in part and not (part.startswith("__") and part.endswith("__")):
        part = part.strip("_")
    return "-".join(identifier(each, lang) for each in part.split("-"))


def is_domain(name: str) -> bool:
    """Whether a name is one of the internet's, and not that of a file: "example.com"."""
    name = name.partition(":")[0]
    labels = name.split(".")
    if name == "localhost":
        return True
    if len(labels) < 2 or labels[-1] not in DOMAINS or _is_file(name):
        return False
    return all(re.fullmatch(r"[^\W_](?:[\w-]*[^\W_])?", label) for label in labels)


def _is_file(name: str) -> bool:
    """Whether it ends like a file's name, or is one that begins with a dot."""
    stem, dot, extension = name.rpartition(".")
    if not dot or not extension:
        return False
    if not stem.strip("."):
        return stem == "" and bool(re.fullmatch(r"[A-Za-z][\w-]+", extension))
    if stem[0] == "." and extension.isalnum():
        return True
    if stem == "*" or stem.endswith("/*"):
        return True
    if extension not in EXTENSIONS and extension.lower() not in EXTENSIONS:
        return False
    if extension == "so":
        return stem.startswith("lib")
    return (len(extension) > 1 or len(stem) > 1) and not extension.istitle()


def _is_relative_path(parts: list[str]) -> bool:
    last = parts[-1] or parts[-2]
    return (
        _is_file(last)
        or (parts[0] in FOLDERS and not all(map(str.isdigit, parts[1:])))
        or any("*" in part and part.strip("*") for part in parts[:1])
        or "**" in parts
    )
