"""Cuts a clean text into segments: stretches of source that can be understood alone.

A segment is a sentence of a paragraph, a heading, a list item, or a table, a quote or a block of
code as a whole. The text may come in parts; where they are cut makes no difference: each place is
judged as soon as so much has come as the judgement takes, and by no more.
"""

from __future__ import annotations

import re

from . import inline
from .clean import is_speakable
from .groups import GROUPS, Group, without_indent
from .lines import (
    DELIMITERS,
    NEEDED_CHARS,
    Kind,
    are_separate,
    begins_anew,
    interrupts,
    kind_of,
)
from .sentences import AHEAD_MAX, CANDIDATE, SHORT_BYTES, ahead, is_end, is_short, language
from .split import ANY_END, cut_at, first_clause
from .terminal import BACK, ERASE, written_over

MAX_CHARS = 1200
"""A stretch without any end of a sentence is cut here: at a clause or a space if there is one."""
_LINE_CHARS = 400

_EDIT = re.compile(f"({ERASE}|{BACK}+)")
_BLANK = re.compile(r"(?:[ \t]*\n)+")
_INDENT = re.compile(r"\n[ \t]+")


class Segmenter:
    """Takes clean text, as `clean.Cleaner` gives it out, and gives out segments.

    Its state is the text that it has not given out yet, `_text` from `_start` on, and how far that
    is understood: a paragraph (`_is_running`) or a group of lines (`_group`), up to the line that
    begins at `_line`. A line goes on with what is above it, or does not: that is judged first.
    """

    def __init__(self, lang: str, is_marked: bool, first_max: int) -> None:
        """`first_max`: a longer first sentence is cut after a clause, in characters."""
        self._lang = language(lang)
        self._is_marked = is_marked
        self._first_max = first_max
        self._is_first = True
        self._text = ""
        self._start = 0
        self._scanned = 0
        self._line = 0
        self._above: str | None = None
        """The line above, if nothing of it was given out before its end."""
        self._is_line_cut = False
        """The line's beginning was given out already."""
        self._is_judged = False
        self._is_running = False
        self._is_in_list = False
        self._is_begun = False
        self._group: Group | None = None
        self._is_rewritten = False
        """The line was erased once: what comes is a progress bar, said when its line ends."""
        self._back = 0
        self._segments: list[str] = []

    def feed(self, text: str) -> list[str]:
        """Take the next part; returns the segments that are complete."""
        for part in _EDIT.split(text):
            if part == ERASE:
                self._erase()
            elif part.startswith(BACK):
                self._back = min(self._back + len(part), len(self._text) - self._said_of_line())
            elif part:
                self._add(part)
        return self._taken()

    def flush(self) -> list[str]:
        """The sentences, lines or clauses of what has come, for a writer who says no more."""
        if not self._is_rewritten and not self._back and self._group is None:
            self._give_clauses()
        return self._taken()

    def finish(self) -> list[str]:
        """The rest."""
        self._is_rewritten, self._back = False, 0
        self._go(is_final=True)
        return self._taken()

    def _taken(self) -> list[str]:
        segments, self._segments = self._segments, []
        if self._start:
            self._text = self._text[self._start :]
            self._line = max(0, self._line - self._start)
            self._scanned = max(0, self._scanned - self._start)
            self._start = 0
        return segments

    # What a terminal does to a line that is not complete.

    def _said_of_line(self) -> int:
        return max(self._line, self._start)

    def _erase(self) -> None:
        end = self._said_of_line()
        self._text = self._text[:end]
        self._scanned = min(self._scanned, end)
        self._is_judged = self._is_judged and end > self._line
        self._back = 0
        self._is_rewritten = True

    def _add(self, text: str) -> None:
        if self._back:
            at = len(self._text) - self._back
            over = text.partition("\n")[0][: self._back]
            old = self._text[at : at + len(over)]
            new = "".join(map(written_over, old, over))
            self._text = self._text[:at] + new + self._text[at + len(over) :]
            self._scanned = min(self._scanned, at)
            text = text[len(over) :]
            self._back = 0 if text else self._back - len(over)
        self._text += text
        if not self._back:
            self._go()

    # Lines and blocks.

    def _go(self, is_final: bool = False) -> None:
        """Understand as much as has come."""
        while True:
            if self._is_rewritten:
                if "\n" not in self._text[self._line :]:
                    return
                self._is_rewritten = False
            if self._group is not None:
                if not self._hold(self._group, is_final):
                    return
            elif not self._is_judged:
                if not self._judge(is_final):
                    return
            else:
                end = self._text.find("\n", self._said_of_line())
                self._cut(end if end >= 0 else len(self._text))
                if end < 0:
                    if is_final:
                        self._end_paragraph(len(self._text))
                    return
                self._above = None if self._is_line_cut else self._text[self._line : end]
                self._line, self._is_judged, self._is_line_cut = end + 1, False, False

    def _judge(self, is_final: bool) -> bool:
        """Find out what the line is; False if more of it must come first."""
        if not self._is_running and (blank := _BLANK.match(self._text, self._line)):
            self._start = self._line = self._scanned = blank.end()
        end = self._text.find("\n", self._line)
        is_whole = is_final or end >= 0
        line = self._text[self._line : end if end >= 0 else len(self._text)][:_LINE_CHARS]
        if is_final and end < 0 and not line:
            self._end_paragraph(self._line)
            return False
        kind = kind_of(line, is_whole or len(line) == _LINE_CHARS, self._is_marked)
        if kind is None:
            return False
        after = end + 1 if end >= 0 else len(self._text)
        if self._is_running:
            return self._judge_below(kind, line, after, is_whole)
        self._begin(kind, line, after)
        return True

    def _judge_below(self, kind: Kind, line: str, after: int, is_whole: bool) -> bool:
        """Find out what the line is to the paragraph above it."""
        above = self._above
        if kind is Kind.UNDERLINE and above is not None and self._is_marked:
            self._end_paragraph(after)
        elif self._is_marked and above and "|" in above and kind is not Kind.BLANK:
            if not is_whole and len(line) < _LINE_CHARS:
                return False
            if "|" in line and DELIMITERS.match(line):
                return self._begin_table(above)
        if self._is_running and not interrupts(kind, line, self._is_in_list):
            if not is_whole and len(line.lstrip()) < NEEDED_CHARS:
                return False
            is_broken = self._is_marked and above is not None and above.endswith("  ")
            is_new = begins_anew(line) if above is None else are_separate(above, line)
            if not (is_broken or is_new):
                self._is_judged = True
                return True
        if self._is_running:
            self._end_paragraph(self._line)
        if self._line < after:
            self._begin(kind, line, after)
        return True

    def _begin_table(self, above: str) -> bool:
        header = self._line - len(above) - 1
        line = self._line
        self._end_paragraph(header)
        self._start = self._line = header
        self._group = GROUPS[Kind.TABLE]
        self._line = line
        return True

    def _begin(self, kind: Kind, line: str, after: int) -> None:
        """Begin what a line of this kind begins. No paragraph is running."""
        is_at_start = not self._is_begun
        self._is_begun = self._is_begun or kind is not Kind.BLANK
        is_front = is_at_start and self._is_marked and line in ("---", "+++")
        if kind is Kind.CODE and self._is_in_list:
            kind = Kind.TEXT
        if kind is Kind.ITEM:
            self._is_in_list = True
        elif kind is not Kind.BLANK and line[:1] not in (" ", "\t"):
            self._is_in_list = False
        if is_front:
            self._group = GROUPS[Kind.RULE]
        elif kind in (Kind.BLANK, Kind.RULE, Kind.UNDERLINE):
            self._start = self._line = self._scanned = after
        elif kind in GROUPS:
            self._group = GROUPS[kind]
        else:
            self._is_running = self._is_judged = True
            self._above = None
        self._scanned = max(self._scanned, self._start)

    def _hold(self, group: Group, is_final: bool) -> bool:
        """Look for the end of a group of lines; False if it has not come."""
        found = group.end(self._text, self._start, self._line, is_final)
        if found.at is None and not found.is_text:
            self._line = found.line
            return False
        self._group = None
        if found.at is None:  # it is no such group
            self._line = self._scanned = self._start
            self._is_running = self._is_judged = True
            self._above = None
            return True
        source = self._text[self._start : found.at]
        if group is GROUPS[Kind.CODE]:  # known by its indent, if the text is known to be Markdown
            self._give(source, is_code=True)
        else:
            self._give(without_indent(source))
        self._start = self._line = self._scanned = found.at
        self._is_judged = self._is_line_cut = False
        return True

    # Paragraphs.

    def _end_paragraph(self, end: int) -> None:
        if self._is_running:
            self._cut(end, is_final=True)
            self._give(_INDENT.sub("\n", self._text[self._start : end]))
        self._start = self._line = self._scanned = end
        self._is_running = self._is_judged = self._is_line_cut = False
        self._above = None

    def _cut(self, limit: int, is_final: bool = False) -> None:
        """Give out the sentences that end before `limit`."""
        while (place := self._place(limit, is_final)) is not None:
            self._pass(place, limit)

    def _place(self, limit: int, is_final: bool) -> int | None:
        """Where the next segment ends, if that is known."""
        text, start = self._text, self._start
        end = start + (self._first_max if self._is_first else MAX_CHARS)
        within = min(limit, end + AHEAD_MAX)  # what lies further on is looked at later
        for candidate in CANDIDATE.finditer(text, max(self._scanned, start), within):
            at = candidate.start()
            if at > end:
                break
            following = ahead(text, candidate.end(), limit)
            if following is None and is_final:
                break
            if following is not None:
                if is_short(text, start, at):
                    continue
                if not is_end(text, start, at, following, self._lang):
                    continue
            crosses = self._crosses(at, limit, is_final) if following is not None else None
            if crosses is None:
                self._scanned = at
                return None
            if not crosses:
                return at
        if limit <= end + SHORT_BYTES:
            seen = start + len(text[start:limit].rstrip())
            self._scanned = max(self._scanned, min(seen, end))
            return None
        return (
            self._place_of_clause(end, limit, is_final)
            if self._is_first
            else cut_at(text, start, end)
        )

    def _place_of_clause(self, end: int, limit: int, is_final: bool) -> int | None:
        """Where the long first sentence is cut."""
        place = first_clause(self._text, self._start, end + SHORT_BYTES, self._first_max)
        crosses = self._crosses(place, limit, is_final) if place else True
        if crosses is None:
            return None
        if not crosses:
            return place
        self._is_first = False
        return self._place(limit, is_final)

    def _crosses(self, at: int, limit: int, is_final: bool) -> bool | None:
        if not self._is_marked:
            return False
        return inline.crosses(self._text, self._start, at, limit, is_final)

    def _give_clauses(self) -> None:
        """Give out what can be said of a text whose writer says no more for a while."""
        if not self._is_judged:
            rest = self._text[self._line :]
            if not rest.strip():
                self._end_paragraph(self._line)
                return
            if kind_of(rest, True, self._is_marked) not in (Kind.TEXT, Kind.ITEM, Kind.OTHER):
                return
            self._judge(is_final=True)
        self._cut(len(self._text))
        text, start, limit = self._text, self._start, len(self._text)
        places = [clause.end() for clause in ANY_END.finditer(text + " ", start, limit + 1)]
        for at in reversed(places):
            if self._is_clause(at) and self._crosses(at, limit, False) is False:
                self._pass(at, limit)
                return

    def _is_clause(self, at: int) -> bool:
        text, start = self._text, self._start
        if is_short(text, start, at):
            return False
        is_stop = text[start:at].rstrip("\"'”’»)]").endswith(".")
        return not is_stop or is_end(
            text, start, at, text[at : at + SHORT_BYTES].lstrip(), self._lang
        )

    def _pass(self, place: int, limit: int) -> None:
        """Give out the text up to a place."""
        self._give(_INDENT.sub("\n", self._text[self._start : place]))
        while place < limit and self._text[place].isspace():
            place += 1
        self._start = self._scanned = place
        self._is_line_cut = self._is_line_cut or place > self._line

    def _give(self, source: str, is_code: bool = False) -> None:
        if source := source.rstrip() if is_code else source.strip():
            self._is_first = self._is_first and not is_speakable(source)
            self._segments.append(source)
