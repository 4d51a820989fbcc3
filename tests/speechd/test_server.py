"""The module under a real speech-dispatcher, with real clients, heard and recognised."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Vox
from tests.sound import Recorder, SoundServer, recognise, segments_of_sound, word_overlap

from .driving import MISSING, Client, Server

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; apt-get install speech-dispatcher"
)

LONG = "The city was seen by people from another town and they were all very happy about it today."


@pytest.fixture(scope="module")
def at_home(sound_server: SoundServer) -> Iterator[Vox]:
    """A home with the default voice."""
    path = tempfile.mkdtemp(prefix="vox-", dir="/tmp")
    vox = Vox(Path(path))
    vox.environ["VOX_HOME"] = path
    vox.ok("daemon", "start")
    yield vox
    vox.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def server(at_home: Vox) -> Iterator[Server]:
    server = Server(at_home.environ)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = server.client("one")
    yield client
    client.close()


def names(client: Client) -> list[str]:
    return [name for _, name in client.events]


@pytest.mark.slow
def test_spd_say_is_heard_as_these_words(server: Server, recorder: Recorder) -> None:
    text = "The build is finished and all the tests pass."
    server.say("-w", text)
    server.say("-w", "-s", "ru")
    server.say("-w", "-m", "all", "Money, water; people.")
    heard = recognise(recorder.stop())
    assert word_overlap(f"{text} money water people", heard) >= 0.7, heard
    assert {"are", "you"} & set(heard), heard
    assert {"comma", "semicolon", "colon"} & set(heard), heard


def test_the_module_and_its_voices_are_listed(server: Server, at_home: Vox) -> None:
    assert "vox" in server.say("-O").split()
    deadline = time.monotonic() + 60
    while "heart" not in server.say("-L"):  # the daemon is asked in the background
        assert time.monotonic() < deadline, server.log()
    line = next(line for line in server.say("-L").splitlines() if line.split()[:1] == ["heart"])
    assert line.split() == ["heart", "en-US", "female1"]


def test_characters_and_keys_are_heard(server: Server, recorder: Recorder) -> None:
    for args in (("-c", "a"), ("-c", ","), ("-k", "control_a")):
        since = time.monotonic()
        server.say("-w", *args)
        assert segments_of_sound(recorder.stop().after(since)), args


def test_a_client_that_stops_is_told_and_hears_nothing_more(
    client: Client, recorder: Recorder
) -> None:
    message = client.speak(LONG)
    client.until_event(message, "BEGIN")
    recorder.wait_for_sound()
    client.call("STOP SELF")
    assert client.until_event(message, "END", "CANCELED") == "CANCELED"
    recorder.wait_for_silence()


@pytest.mark.slow
def test_messages_of_two_clients_are_said_one_after_the_other(
    server: Server, client: Client, recorder: Recorder
) -> None:
    """As a screen reader does that reads a page."""
    other = server.client("two")
    try:
        messages = [client.speak("Money is here."), client.speak("Water is there.")]
        theirs = other.speak("People are everywhere.")
        client.until_event(messages[-1], "END")
        other.until_event(theirs, "END")
    finally:
        other.close()
    assert names(client) == ["BEGIN", "END"] * 2
    heard = recognise(recorder.stop())
    assert len({"money", "water", "people"} & set(heard)) >= 2, heard  # one may be misheard


def test_words_are_marked_as_a_screen_reader_asks_for_it(client: Client) -> None:
    client.call("SET SELF SSML_MODE ON")
    words = ["Money", "is", "here.", "Water", "is", "there."]
    marked = " ".join(f'<mark name="{n}"/>{word}' for n, word in enumerate(words))
    message = client.speak(f"<speak>{marked}</speak>")
    client.until_event(message, "END")
    assert names(client) == ["BEGIN", *map(str, range(len(words))), "END"]


@pytest.mark.slow
def test_a_paused_message_goes_on_with_its_sentence(client: Client, recorder: Recorder) -> None:
    message = client.speak("Money is here. The water of the city is there. People are everywhere.")
    client.until_event(message, "BEGIN")
    recorder.wait_for_sound()
    recorder.wait_for_silence(0.1)  # behind the first sentence
    recorder.wait_for_sound()
    client.call("PAUSE SELF")
    client.until_event(message, "PAUSED")
    recorder.wait_for_silence()
    client.call("RESUME SELF")
    assert client.until_event(message, "END", "CANCELED") == "END"
    heard = recognise(recorder.stop())
    assert heard.count("money") == 1, heard
    assert {"water", "people"} & set(heard), heard


@pytest.mark.slow
def test_speech_goes_on_after_the_daemon_was_killed_in_the_middle_of_a_word(
    client: Client, at_home: Vox, recorder: Recorder
) -> None:
    message = client.speak(LONG)
    client.until_event(message, "BEGIN")
    at_home.kill_daemon()
    next_one = client.speak("Money is here.")
    client.until_event(message, "END", "CANCELED")
    assert client.until_event(next_one, "END", "CANCELED") == "END"
    assert "money" in recognise(recorder.stop())
