"""Bytes of a file or a pipe as text."""

from __future__ import annotations

import codecs

from ..errors import BadInput


def decode(data: bytes) -> str:
    """Bytes of a file or of standard input as text: UTF-8, or UTF-8 or UTF-16 with a BOM.

    Raises BadInput, which names the byte that does not fit.
    """
    encoding = "utf-8"
    if data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise BadInput(
            f"the text is not valid {exc.encoding.upper()}: "
            f"byte {exc.start + 1} is 0x{data[exc.start]:02x}",
            "convert it: iconv -f LATIN1 -t UTF-8 FILE",
        ) from exc
