"""The module's process, with the test in the place of speech-dispatcher, and a real daemon."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Vox
from tests.sound import Recorder, SoundServer, segments_of_sound
from vox.speechd.speaker import SOURCE
from vox.speechd.wording import Wording

from .driving import ENDS, SET, Piped

LONG = "<speak>3 [say 20s]</speak>"
SOON_S = 5.0
"""Far more than an answer takes, far less than what it must not wait for."""


@pytest.fixture
def alone() -> Iterator[Piped]:
    """A module in a home without a daemon."""
    piped = Piped({})
    yield piped
    piped.end()


def wait_until_gone(vox: Vox) -> None:
    """Until no job lives."""
    deadline = time.monotonic() + 60
    while vox.client.queue():
        assert time.monotonic() < deadline, vox.client.queue()
        time.sleep(0.02)


def test_each_request_gets_the_answer_of_the_protocol(alone: Piped) -> None:
    loaded = ["299-vox speaks", "299 OK LOADED SUCCESSFULLY"]
    assert alone.ask("INIT\n", loaded[-1]) == loaded
    audio = alone.ask(
        "AUDIO\naudio_output_method=server\n.\n", "303 ERROR INVALID PARAMETER OR VALUE"
    )
    assert audio[0] == "207 OK RECEIVING AUDIO SETTINGS"
    alone.ask(
        "AUDIO\naudio_output_method=pulse\naudio_oss_device=/dev/dsp\n.\n",
        "203 OK AUDIO INITIALIZED",
    )
    level = alone.ask("LOGLEVEL\nlog_level=5\n.\n", "203 OK LOGLEVEL SET")
    assert level[0] == "207 OK RECEIVING LOGLEVEL SETTINGS"
    listed = alone.ask("LIST VOICES\n", "200 OK VOICE LIST SENT")
    assert listed[0].startswith("200-")
    assert listed[0].count("\t") == 2
    assert alone.ask(SET, "203 OK SETTINGS RECEIVED")[0] == "203 OK RECEIVING SETTINGS"
    alone.ask("DEBUG ON /tmp/vox.log \n", "200 OK DEBUGGING")
    assert alone.ask("LIST VOICES en female1\n", "300 ERR UNKNOWN COMMAND")
    assert (
        alone.ask("CHAR\na\nb\n.\n", "305 DATA MORE THAN ONE LINE")[0] == "202 OK RECEIVING MESSAGE"
    )
    alone.ask("QUIT\n", "210 OK QUIT")
    assert alone.leave() == 0


def test_garbage_is_refused_and_does_no_harm(alone: Piped) -> None:
    since = len(alone.lines)
    alone.write(b"\xff\xfe\n\n.\nSPEAK now\nspeak\n" + b"x" * 100_000 + b"\n")
    alone.write("SET\n\xff=\n=\n=.=\nrate=ten\n.\nSTOP\nPAUSE\n")
    alone.ask("INIT\n", "299 OK LOADED SUCCESSFULLY")
    assert alone.lines[since:].count("300 ERR UNKNOWN COMMAND") == 6
    assert alone.leave() == 0


def test_the_module_ends_with_the_server_in_the_middle_of_a_request(alone: Piped) -> None:
    alone.write("SET\nrate=10\n")
    assert alone.leave() == 0


@pytest.mark.slow
def test_a_message_is_heard_and_leaves_nothing_in_the_history(
    module: Piped, spoken: Vox, recorder: Recorder
) -> None:
    assert module.say("<speak>5 [say 0.5s] secret</speak>") == ["701 BEGIN", "702 END"]
    assert segments_of_sound(recorder.stop())
    wait_until_gone(spoken)
    assert spoken.jobs() == []
    assert "secret" not in module.log


@pytest.mark.parametrize("text", ["", "<speak></speak>", "<speak> ... </speak>"])
def test_a_message_without_words_ends_at_once(module: Piped, text: str) -> None:
    assert module.say(text) == ["701 BEGIN", "702 END"]


@pytest.mark.parametrize(
    "line", ["language=xx-yy", "synthesis_voice=nobody", "voice=child_male", "language=c"]
)
def test_a_wish_that_cannot_be_met_is_no_reason_for_silence(
    module: Piped, recorder: Recorder, line: str
) -> None:
    name = line.partition("=")[0]
    lines = [each for each in SET.splitlines() if not each.startswith(name)]
    settings = "\n".join([*lines[:-1], line, ".", ""])
    assert module.say("<speak>One two.</speak>", settings=settings) == ["701 BEGIN", "702 END"]
    assert segments_of_sound(recorder.stop())


def test_a_voice_that_fails_is_replaced(module: Piped, recorder: Recorder) -> None:
    failing = "<speak>[fail badly] word</speak>"
    assert module.say(failing)[-1] == "702 END"
    assert segments_of_sound(recorder.stop())  # the light backend knows no directives


def test_a_stop_is_told_once_and_silence_follows(module: Piped, recorder: Recorder) -> None:
    since = module.accept(LONG)
    module.wait_for("701 BEGIN", since=since)
    recorder.wait_for_sound()
    module.write("STOP\nSTOP\n")
    module.wait_for("703 STOP", since=since)
    recorder.wait_for_silence()
    assert module.say("<speak>5 [say 0.2s]</speak>") == ["701 BEGIN", "702 END"]
    assert [line for line in module.lines[since:] if line in ENDS] == ["703 STOP", "702 END"]


def test_the_next_message_sounds_although_the_last_was_stopped_just_before(
    module: Piped, recorder: Recorder
) -> None:
    """As a screen reader does with a key held down."""
    ends = 0
    for number in range(20):
        since = module.accept(f"<speak>{number} [say 20s]</speak>", settings=SET)
        if number % 3 == 0:
            module.wait_for("701 BEGIN", since=since)
        module.write("STOP\n")
        module.wait_for("703 STOP", since=since)
        ends += 1
    assert module.say("<speak>5 [say 0.3s]</speak>") == ["701 BEGIN", "702 END"]
    assert [line for line in module.lines if line in ENDS] == ["703 STOP"] * ends + ["702 END"]
    recorder.wait_for_silence()


def test_a_message_interrupts_a_book_which_goes_on_afterwards(
    module: Piped, spoken: Vox, recorder: Recorder
) -> None:
    book = spoken.ok("--async", "7 [say 4s]. 7 [say 4s].")
    spoken.until(book, "speaking")
    assert module.say("<speak>5 [say 0.3s]</speak>") == ["701 BEGIN", "702 END"]
    since = module.accept("<speak>6 [say 20s]</speak>")
    module.wait_for("701 BEGIN", since=since)
    module.write("STOP\n")
    module.wait_for("703 STOP", since=since)
    spoken.until(book, "speaking")
    spoken.client.cancel(book)


@pytest.mark.slow
def test_letters_are_made_while_nobody_speaks(module: Piped, spoken: Vox) -> None:
    """So that one is heard without a synthesis; what was said itself is not kept."""
    kept = Path(spoken.paths.utterances_dir)
    settings = SET.replace("rate=0", "rate=17")
    module.say("z", kind="CHAR", settings=settings)
    count = len(list(kept.rglob("*")))
    deadline = time.monotonic() + 60
    while len(list(kept.rglob("*"))) < count + len(Wording("en").common()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    wait_until_gone(spoken)
    assert [job for job in spoken.jobs() if job["source"] == SOURCE] == []


def test_what_the_user_cancels_is_stopped_for_the_server_too(module: Piped, spoken: Vox) -> None:
    since = module.accept(LONG)
    module.wait_for("701 BEGIN", since=since)
    spoken.ok("stop")
    assert module.wait_for(*ENDS, since=since) == "703 STOP"


@pytest.mark.parametrize("signum", [signal.SIGKILL, None])
def test_a_module_that_goes_leaves_no_job(spoken: Vox, signum: int | None) -> None:
    spoken.ok("daemon", "start")
    piped = Piped(spoken.environ)
    try:
        since = piped.accept(LONG)
        piped.wait_for("701 BEGIN", since=since)
        if signum is None:
            piped.write("STOP\nQUIT\n")
            assert piped.leave() == 0
        else:
            piped.kill()
        wait_until_gone(spoken)
    finally:
        piped.end()


def test_a_daemon_that_hangs_delays_no_answer(module: Piped, spoken: Vox) -> None:
    pid = spoken.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            since = module.accept(LONG)
            module.ask("LIST VOICES\n", "200 OK VOICE LIST SENT", timeout_s=SOON_S)
            module.write("STOP\n")
            module.wait_for("703 STOP", since=since, timeout_s=SOON_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert module.say("<speak>5 [say 0.3s]</speak>") == ["701 BEGIN", "702 END"]
    wait_until_gone(spoken)


def test_a_module_that_starts_no_daemon_says_so_in_its_log_and_ends_its_messages(
    spoken: Vox,
) -> None:
    piped = Piped({**spoken.environ, "VOX_HOME": "/dev/null/home"})
    try:
        assert piped.say("<speak>Hello.</speak>") == ["701 BEGIN", "702 END"]
        assert piped.leave() == 0
    finally:
        piped.end()
    assert "a message is not said" in piped.log
    assert "Hello" not in piped.log


@pytest.mark.slow
def test_while_there_is_no_device_a_message_waits_and_can_be_stopped(
    server: SoundServer, vox: Vox
) -> None:
    server.remove_sink()
    vox.ok("daemon", "start")
    piped = Piped(vox.environ)
    try:
        since = piped.accept("<speak>Hello.</speak>")
        deadline = time.monotonic() + 60
        while vox.client.call("GET", "/health")["audio"]["state"] != "waiting":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        piped.write("STOP\n")
        piped.wait_for("703 STOP", since=since, timeout_s=SOON_S)
        since = piped.accept("<speak>Hello.</speak>")
        server.add_sink()
        assert piped.wait_for(*ENDS, since=since) == "702 END"
        assert piped.lines[since:] == ["701 BEGIN", "702 END"]
    finally:
        piped.end()


FIRST, SECOND = "3 [say 0.6s].", "4 [say 0.6s]."
TWO = f'<speak>{FIRST}<mark name="__spd_0"/> {SECOND}<mark name="__spd_1"/></speak>'


def test_marks_are_passed_in_order_while_it_is_heard(module: Piped) -> None:
    since = module.accept(TWO)
    module.wait_for("702 END", since=since)
    assert module.lines[since:] == [
        "701 BEGIN",
        "700-__spd_0", "700 INDEX MARK",
        "700-__spd_1", "700 INDEX MARK",
        "702 END",
    ]  # fmt: skip
    begun, first, _, second, *_ = module.times[since:]
    assert first - begun > 0.3
    assert second - first > 0.3


@pytest.mark.slow
def test_a_pause_is_at_once_and_a_second_one_waits_for_the_next_mark(
    module: Piped, recorder: Recorder
) -> None:
    """The server resumes at the mark it knows, and would lose a sentence if it knew no other."""
    third = "5 [say 20s]."
    since = module.accept(f"{TWO.removesuffix('</speak>')} {third}</speak>")
    module.wait_for("700-__spd_0", since=since)
    module.write("PAUSE\n")
    module.wait_for("704 PAUSE", since=since, timeout_s=SOON_S)
    recorder.wait_for_silence()

    since = module.accept(f'<speak> {SECOND}<mark name="__spd_0"/> {third}</speak>')
    module.wait_for("701 BEGIN", since=since)
    module.write("PAUSE\n")
    module.wait_for("704 PAUSE", since=since)
    assert module.lines[since:] == ["701 BEGIN", "700-__spd_0", "700 INDEX MARK", "704 PAUSE"]
    recorder.wait_for_silence()


def test_a_rate_is_heard(module: Piped, recorder: Recorder) -> None:
    text = "<speak>5 [say 2s]</speak>"
    module.say(text, settings=SET.replace("rate=0", "rate=100"))
    recorder.wait_for_silence()
    (start, end), *_ = segments_of_sound(recorder.stop())
    assert end - start == pytest.approx(2 / 2.64, abs=0.2)
