"""Bytes as text while they come: of a pipe, or of the body of a request."""

from __future__ import annotations

import codecs

from ..errors import BadInput

_CONVERT = "convert it: iconv -f LATIN1 -t UTF-8"
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    # Before UTF-16, whose mark it begins with.
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


class Decoder:
    """Bytes as they come as text: UTF-8, or what a byte order mark says."""

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = b""
        self._seen = 0
        self.error: BadInput | None = None
        """What is wrong with the bytes after what was decoded."""

    def decode(self, data: bytes) -> str:
        """The text of what has come; no data: that was all. Stops at what cannot be decoded."""
        if self._decoder is None:
            self._begun += data
            if data and any(
                len(self._begun) < len(bom) and bom.startswith(self._begun) for bom in _BOMS
            ):
                return ""  # it may become one
            bom = next(filter(self._begun.startswith, _BOMS), b"")
            self._decoder = codecs.getincrementaldecoder(_BOMS.get(bom, "utf-8"))()
            self._seen = len(bom)
            return self._decode(self._begun[len(bom) :], is_end=not data)
        return self._decode(data, is_end=not data)

    def _decode(self, data: bytes, is_end: bool) -> str:
        assert self._decoder is not None
        begins_at = self._seen - len(self._decoder.getstate()[0])
        self._seen += len(data)
        try:
            text = self._decoder.decode(data, is_end)
        except UnicodeDecodeError as exc:
            where = f"byte {begins_at + exc.start + 1} is 0x{exc.object[exc.start]:02x}"
            self.error = BadInput(
                f"the text is not valid {exc.encoding.upper()}: {where}", _CONVERT
            )
            text = exc.object[: exc.start].decode(exc.encoding)
        if "\0" in text:
            text = text[: text.index("\0")]
            self.error = BadInput("the text has NUL bytes: it looks like binary", "give plain text")
        return text
