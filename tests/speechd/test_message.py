"""What the server is told of a message: one beginning, its marks in order, one end."""

from __future__ import annotations

import io
import threading

from vox.speechd.marked import Mark, Marked
from vox.speechd.message import Message, Output, plain

SOURCE = '<speak>One.<mark name="__spd_0"/> Two.<mark name="__spd_1"/> Three.</speak>'
TEXT = Marked("One. Two. Three.", (Mark("__spd_0", 4), Mark("__spd_1", 9)))


class Told:
    def __init__(self, is_resumed: bool = False, text: Marked = TEXT) -> None:
        self.stream = io.BytesIO()
        self.message = Message(Output(self.stream), SOURCE, lambda: text, is_resumed)
        self.message.left()

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().decode().splitlines()


def test_a_message_begins_passes_its_marks_and_ends() -> None:
    told = Told()
    told.message.begin()
    told.message.reach(1)
    told.message.reach(1)
    told.message.begin()
    told.message.end()
    told.message.stop()
    told.message.reach(1)
    assert told.lines == [
        "701 BEGIN",
        "700-__spd_0", "700 INDEX MARK",
        "700-__spd_1", "700 INDEX MARK",
        "702 END",
    ]  # fmt: skip


def test_what_is_left_begins_at_the_last_mark() -> None:
    told = Told()
    assert told.message.left() == Marked(TEXT.text, (Mark("1", 4), Mark("2", 9)))
    told.message.reach(1)
    assert told.message.left() == Marked(" Two. Three.", (Mark("2", 5),))


def test_one_that_was_not_heard_begins_all_the_same() -> None:
    told = Told(text=Marked(""))
    told.message.end()
    assert told.lines == ["701 BEGIN", "702 END"]


def test_nothing_is_told_after_a_stop() -> None:
    told = Told()
    told.message.stop()
    told.message.begin()
    told.message.end()
    assert told.lines == ["703 STOP"]


def test_of_many_who_end_it_one_does() -> None:
    for _ in range(50):
        told = Told()
        ends = (told.message.end, told.message.stop, told.message.pause)
        threads = [threading.Thread(target=end) for end in ends * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = [line for line in told.lines if line[:3] in ("702", "703", "704")]
        assert len(ended) == 1
        assert told.lines[-1] == ended[0]


def test_a_pause_is_at_once_and_the_rest_begins_behind_the_last_mark() -> None:
    told = Told()
    told.message.reach(1)
    told.message.pause()
    assert told.lines[-1] == "704 PAUSE"
    resumed = '<speak> Two.<mark name="__spd_0"/> Three.</speak>'
    assert told.message.rest() == plain(resumed)


def test_one_that_is_resumed_and_paused_again_goes_on_to_its_next_mark() -> None:
    told = Told(is_resumed=True)
    told.message.begin()
    told.message.pause()
    assert told.lines == ["701 BEGIN"]
    told.message.reach(1)
    assert told.lines[1:] == ["700-__spd_0", "700 INDEX MARK", "704 PAUSE"]


def test_one_that_is_resumed_and_paused_again_ends_if_there_is_no_further_mark() -> None:
    told = Told(is_resumed=True, text=Marked("Three."))
    told.message.pause()
    told.message.end()
    assert told.lines == ["701 BEGIN", "702 END"]


def test_a_server_that_has_gone_is_no_error() -> None:
    told = Told()
    told.stream.close()
    told.message.begin()
    told.message.end()
