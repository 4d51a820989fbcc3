"""Text of others, made safe for a terminal: what it would obey is written out, not done.

Texts, file names and errors come from anywhere. An escape sequence in one may retitle the window,
write to the clipboard or type commands, and one that turns the direction of writing around shows
another text than is there.
"""

from __future__ import annotations

_OBEYED = (
    (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F),  # control characters; the last ones begin escapes too
    (0x061C, 0x061C), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x206F),  # directions, lines
    (0xD800, 0xDFFF),  # halves of characters, which cannot be written
    (0xFFF9, 0xFFFB), (0xE0000, 0xE007F),  # annotations and tags, which are not seen
)  # fmt: skip


class _Table(dict[int, str]):
    """What to write for each character, by its number, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        is_obeyed = any(first <= code <= last for first, last in _OBEYED)
        self[code] = char.encode("unicode_escape").decode() if is_obeyed else char
        return self[code]


_WRITTEN = _Table()


def printable(text: str) -> str:
    """The text with ESC as \\x1b, and so on. Its lines and tabs stay."""
    return text if text.isprintable() else text.translate(_WRITTEN)


def one_line(text: str) -> str:
    """As `printable`, on one line: white space becomes single spaces."""
    return printable(" ".join(text.split()))
