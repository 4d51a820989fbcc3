"""Bytes of a file or a pipe as text."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from ..errors import BadInput

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, whose mark it begins with.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_DOCUMENTS = {b"%PDF-": "a PDF document", b"{\\rtf": "an RTF document"}
"""Their first bytes; most of what follows may be valid text, but is none to speak."""

_BINARY = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "a ZIP archive, or a document in one (docx, odt, epub)",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
    b"ID3": "audio",
    b"OggS": "audio",
    b"fLaC": "audio",
    b"RIFF": "audio, video or an image",
}
"""The first bytes of what is often taken for a text, in files that cannot be decoded."""

_CONTROL = bytes({*range(32), 0x7F} - set(b"\t\n\v\f\r\b\x1b"))
_SAMPLE = 4096
_PLAIN = "give plain text in UTF-8"


def decode(data: bytes) -> str:
    """Bytes of a file or of standard input as text: UTF-8, or UTF-8, -16 or -32 with a BOM.

    Raises BadInput, which says what is wrong: a binary file, or the byte that does not fit.
    """
    if what := _named(data, _DOCUMENTS):
        raise BadInput(f"this is {what}, not plain text", _PLAIN)
    encoding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as exc:
        reason = (
            f"the text is not valid {exc.encoding.upper()}: "
            f"byte {exc.start + 1} is 0x{data[exc.start]:02x}"
        )
        if what := _named(data, _BINARY):
            raise BadInput(f"{reason}; it is binary: {what}", _PLAIN) from exc
        if encoding == "utf-8" and _looks_binary(data):
            raise BadInput(f"{reason}; it looks like binary", _PLAIN) from exc
        raise BadInput(reason, "convert it: iconv -f LATIN1 -t UTF-8 FILE") from exc
    if "\0" in text and encoding == "utf-8":
        if utf_16 := _unmarked_utf_16(data):
            raise BadInput(
                "the text has NUL bytes: it is UTF-16 without a byte order mark",
                f"convert it: iconv -f {utf_16} -t UTF-8 FILE",
            )
        if what := _named(data, _BINARY):
            raise BadInput(f"the text has NUL bytes: it is binary, {what}", _PLAIN)
    return text


def refuse_binary(beginning: bytes) -> None:
    """Raises BadInput if what begins like this is known to be no plain text."""
    what = _named(beginning, _DOCUMENTS)
    if what is None and b"\0" in beginning:
        what = _named(beginning, _BINARY)
    if what is not None:
        raise BadInput(f"this is {what}, not plain text", _PLAIN)


def _named(data: bytes, known: Mapping[bytes, str]) -> str | None:
    return next((what for magic, what in known.items() if data.startswith(magic)), None)


def _looks_binary(data: bytes) -> bool:
    """True if two in a hundred are control characters: no text in any 8-bit encoding has them."""
    sample = data[:_SAMPLE]
    return (len(sample) - len(sample.translate(None, _CONTROL))) * 50 > len(sample)


def _unmarked_utf_16(data: bytes) -> str | None:
    """The encoding of which every other byte is nearly always 0, as in Western text."""
    pairs = min(len(data), _SAMPLE) // 2
    if pairs < 4 or len(data) % 2:
        return None
    for encoding, start in (("UTF-16LE", 1), ("UTF-16BE", 0)):
        zeros = data[start : 2 * pairs : 2].count(0)
        others = data[1 - start : 2 * pairs : 2].count(0)
        if zeros * 2 > pairs and others * 10 < pairs:
            return encoding
    return None
