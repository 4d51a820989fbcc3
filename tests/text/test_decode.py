"""Bytes of a file as text, and what is said of those that are none."""

from __future__ import annotations

import codecs

import pytest

from vox.errors import BadInput
from vox.text.decode import decode


@pytest.mark.parametrize(
    "data",
    [
        "Grüße.".encode(),
        "Grüße.".encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + "Grüße.".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Grüße.".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "Grüße.".encode("utf-32-le"),
        codecs.BOM_UTF32_BE + "Grüße.".encode("utf-32-be"),
    ],
)
def test_unicode_is_read_in_any_of_its_encodings(data: bytes) -> None:
    assert decode(data) == "Grüße."


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "it is binary: a PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "it is binary: a JPEG image"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "it is binary, a ZIP archive"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document, not plain text"),
        (b"{\\rtf1\\ansi Hello.}", "an RTF document, not plain text"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "it is binary, a program"),
        (bytes(range(256)), "it looks like binary"),
    ],
)
def test_what_is_binary_is_said_to_be_and_no_conversion_is_advised(data: bytes, said: str) -> None:
    with pytest.raises(BadInput) as found:
        decode(data)
    assert said in found.value.message
    assert "iconv" not in found.value.hint and found.value.hint


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso8859-15"])
def test_text_in_another_encoding_is_not_taken_for_binary(encoding: str) -> None:
    with pytest.raises(BadInput, match="not valid UTF-8: byte 3 is 0xfc") as found:
        decode("Grüße\taus\r\nKöln.\x0c".encode(encoding))
    assert "iconv" in found.value.hint


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE")]
)
def test_utf_16_without_its_mark_is_recognised(encoding: str, name: str) -> None:
    with pytest.raises(BadInput, match="UTF-16 without a byte order mark") as found:
        decode("Good morning.".encode(encoding))
    assert name in found.value.hint
