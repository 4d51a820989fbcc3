"""A message that the server gave us, and what it is told of it.

The server waits for the end of each message and hangs if it is told of one that has ended. So all
that is told goes through here: it begins once, marks come in order, and exactly one end.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import BinaryIO

from .marked import Mark, Marked

BEGIN, END, STOP, PAUSE = "701 BEGIN", "702 END", "703 STOP", "704 PAUSE"
_OURS = "__spd_"
"""Marks of this beginning are speech-dispatcher's own: it resumes at the last one it was told."""
_OF_THE_SERVER = re.compile(r"<mark name=['\"]__spd_\d+['\"]/>|</?speak>")


class Output:
    """The lines to the server. Any thread may send."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.lock = threading.RLock()

    def send(self, *lines: str) -> None:
        """Lines that belong together. What the server does not read any more is lost."""
        data = "".join(f"{line}\n" for line in lines).encode()
        with self.lock:
            try:
                self._stream.write(data)
                self._stream.flush()
            except (OSError, ValueError):
                pass  # it is gone, and so are we at the end of our input


class Message:
    """One message, from when it is accepted to its end. Any thread may tell of it."""

    def __init__(
        self, output: Output, source: str, make: Callable[[], Marked], is_resumed: bool = False
    ) -> None:
        """`source`: as it came. `make`: what is to be said for it; it may take a while.

        `is_resumed`: it is the rest of one that was paused.
        """
        self._output = output
        self._source = source
        self._make = make
        self._is_resumed = is_resumed
        self._text: Marked | None = None
        self._passed = 0
        """How many of its marks it was told."""
        self._told: str | None = None
        """The last mark of the server's own that it was told."""
        self._pauses_at_mark = False
        self.has_begun = False
        self.has_ended = False

    def left(self) -> Marked:
        """What is still to be said: from the last mark on, with the marks behind that one.

        The name of each is its number among all marks, from 1: see `reach`.
        """
        if self._text is None:
            self._text = self._make()
        text, marks = self._text
        with self._output.lock:
            passed = self._passed
        start = marks[passed - 1].at if passed else 0
        numbered = enumerate(marks[passed:], passed + 1)
        return Marked(text[start:], tuple(Mark(str(n), mark.at - start) for n, mark in numbered))

    def begin(self) -> None:
        """It sounds."""
        with self._output.lock:
            if not (self.has_ended or self.has_begun):
                self.has_begun = True
                self._output.send(BEGIN)

    def reach(self, number: int) -> None:
        """Its marks to the one of this number have been passed. Ends it if it was paused."""
        with self._output.lock:
            marks = self._text.marks if self._text else ()
            while self._passed < min(number, len(marks)) and not self.has_ended:
                self._passed += 1
                self._tell_mark(marks[self._passed - 1].name)

    def _tell_mark(self, name: str) -> None:
        self.begin()
        self._output.send(f"700-{name}", "700 INDEX MARK")
        if name.startswith(_OURS):
            self._told = name
            if self._pauses_at_mark:
                self._finish(PAUSE)

    def end(self) -> None:
        """All was said that could be said."""
        with self._output.lock:
            self.begin()
            self._pauses_at_mark = False
            self.reach(len(self._text.marks) if self._text else 0)
            self._finish(END)

    def stop(self) -> None:
        with self._output.lock:
            self._finish(STOP)

    def pause(self) -> None:
        """At once.

        But speech-dispatcher to 0.12 loses a sentence of a message that it resumed and pauses again
        before it was told of another mark. Such a one goes on to its next mark.
        """
        with self._output.lock:
            if self._is_resumed and self._told is None:
                self._pauses_at_mark = True
            else:
                self._finish(PAUSE)

    def _finish(self, event: str) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._output.send(event)

    def rest(self) -> str | None:
        """How what the server sends to resume it will look (see `plain`).

        None: as the whole, for it was told of none of its own marks.
        """
        if self._told is None:
            return None
        for quote in "\"'":
            _, mark, after = self._source.partition(f"<mark name={quote}{self._told}{quote}/>")
            if mark:
                return plain(after)
        return None


def plain(source: str) -> str:
    """A message without what the server numbers and wraps anew when it resumes it."""
    return _OF_THE_SERVER.sub("", source).strip()
