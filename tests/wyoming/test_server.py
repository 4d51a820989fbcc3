"""The server as Home Assistant and other clients call it: what they hear, and what vox does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.conftest import free_port, until
from tests.daemon.service_manager import service_manager
from tests.running import Vox
from tests.sound import Recording, recognise, word_overlap
from tests.tones import read_tones
from tests.wyoming import home_assistant
from tests.wyoming.conftest import Server, serving
from tests.wyoming.home_assistant import HomeAssistantError, Sound
from vox.wyoming.server import MOST


@pytest.fixture(autouse=True)
def _sound(sound: object) -> None:
    """Every test needs a loudspeaker."""


def samples_of(sound: Sound) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.frombuffer(sound.pcm, "<i2").astype(np.float32) / 32768


def numbers_in(sound: Sound) -> list[int]:
    """The numbers of the texts that are heard in it."""
    return read_tones(samples_of(sound), sound.rate)


def ended(server: Server, text: str) -> dict[str, Any]:
    """The job of that text once it has ended."""
    until(lambda: [job for job in server.jobs(search=text) if job["finished_at"]])
    return server.jobs(search=text)[0]


# -- as Home Assistant calls ---------------------------------------------------------------------


def test_it_tells_every_installed_voice_with_its_languages(server: Server) -> None:
    (program,) = server.run(home_assistant.info(server.port)).tts
    voices = {voice.name: voice for voice in program.voices}
    assert (program.name, program.installed) == ("vox", True)
    assert program.supports_synthesize_streaming
    assert voices["scripted/one"].languages == ["en-US"]
    assert voices["scripted/drei"].languages == ["de-DE"]
    assert all(voice.languages and voice.installed for voice in program.voices)


def test_a_text_is_answered_with_its_sound(server: Server) -> None:
    sound = server.run(home_assistant.whole(server.port, "7 [say 0.5s]", "scripted/two"))
    assert (sound.rate, sound.width, sound.channels) == (24_000, 2, 1)
    assert (round(sound.seconds, 1), numbers_in(sound)) == (0.5, [7])
    job = ended(server, "7 [say 0.5s]")
    assert (job["state"], job["via"], job["source"]) == ("done", "wyoming", "wyoming")
    assert (job["backend"], job["voice"]) == ("scripted", "two")


def test_a_text_that_comes_in_parts_is_heard_while_it_comes_and_once(server: Server) -> None:
    async def call() -> Sound:
        heard = asyncio.Event()
        parts = ["8 [say 0.3s] is ", "it.\n\n", heard, "8 [say 0.3s] too."]
        return await home_assistant.streamed(server.port, parts, has_sound=heard)

    sound = server.run(call())
    assert set(numbers_in(sound)) == {8}
    assert 0.6 <= sound.seconds < 1.2  # with a pause between the sentences, and not twice
    job = ended(server, "8 [say 0.3s] too")
    assert (job["state"], job["text"]) == ("done", "8 [say 0.3s] is it.\n\n8 [say 0.3s] too.")


def test_a_real_voice_is_understood(server: Server) -> None:
    parts = ["The door of the garage ", "is open. It is twenty ", "degrees outside."]
    sound = server.run(home_assistant.streamed(server.port, parts, "hibari/heart"))
    words = recognise(Recording(samples_of(sound), sound.rate))
    assert word_overlap("".join(parts), words) >= 0.6


def test_many_at_a_time_get_their_own_sound(server: Server) -> None:
    async def call() -> list[Sound]:
        texts = [f"{number} [say 0.2s]" for number in range(20, 40)]
        return await asyncio.gather(
            *(home_assistant.whole(server.port, text) for text in texts[::2]),
            *(home_assistant.streamed(server.port, [text]) for text in texts[1::2]),
        )

    numbers = [numbers_in(sound) for sound in server.run(call())]
    assert numbers == [[number] for number in (*range(20, 40, 2), *range(21, 40, 2))]


@pytest.mark.parametrize("text", ["", "  ", ".", "\n...\n"])
def test_what_has_no_words_is_a_moment_of_silence(server: Server, text: str) -> None:
    for sound in (
        server.run(home_assistant.whole(server.port, text)),
        server.run(home_assistant.streamed(server.port, [text])),
    ):
        assert round(sound.seconds, 1) == 0.1
        assert not any(sound.pcm)


def test_a_voice_that_is_gone_is_an_error_and_no_other_voice(server: Server) -> None:
    for call in (
        home_assistant.whole(server.port, "9 [say 0.2s]", "scripted/nobody"),
        home_assistant.streamed(server.port, ["9 [say 0.2s]"], "scripted/nobody"),
    ):
        with pytest.raises(HomeAssistantError, match="nobody") as refused:
            server.run(call)
        assert refused.value.code == "unknown-voice"
    with pytest.raises(EOFError):  # an old Home Assistant waits until the connection ends
        server.run(home_assistant.whole(server.port, "9", "scripted/nobody", is_old=True))


def test_what_fails_midway_is_an_error(server: Server) -> None:
    text = "[fail no breath] Hm"
    for call in (
        home_assistant.whole(server.port, text),
        home_assistant.streamed(server.port, [text]),
    ):
        with pytest.raises(HomeAssistantError, match="no breath"):
            server.run(call)
    assert ended(server, "no breath")["state"] == "failed"


# -- as others may -------------------------------------------------------------------------------


def test_one_connection_takes_several_texts_in_order_and_answers_pings(server: Server) -> None:
    with server.raw() as raw:
        raw.send("something-new", whatever=1)
        raw.send("synthesize", text="1 [until go-1].")
        raw.send("synthesize", text="2 [say 0.1s].", voice={"language": "de"})
        raw.send("synthesize-start", voice={"speaker": "two"})
        raw.send("synthesize-chunk", text="3 [say 0.1s].")
        raw.send("synthesize-stop")
        raw.send("ping", text="hey")
        assert raw.until("pong") == {"text": "hey"}
        server.daemon.mark("go-1")
        for _ in range(2):
            assert raw.event() == ("audio-start", {"rate": 24_000, "width": 2, "channels": 1})
            raw.until("audio-stop")
        assert raw.until("audio-stop") == {}
        assert raw.event() == ("synthesize-stopped", {})
        raw.send("describe")
        assert raw.until("info")["tts"]
    assert ended(server, "2 [say 0.1s]")["lang"] == "de"
    assert ended(server, "3 [say 0.1s]")["voice"] == "two"


def test_a_stream_that_is_begun_anew_gives_up_the_one_before(server: Server) -> None:
    with server.raw() as raw:
        raw.send("synthesize-chunk", text="of none")
        raw.send("synthesize-stop")
        raw.send("synthesize-start")
        raw.send("synthesize-chunk", text="4 given up.\n\n[until never] two.")
        raw.until("audio-chunk")
        raw.send("synthesize-start")  # and what waits behind it is given up before its turn
        raw.send("synthesize-start")
        raw.send("synthesize-chunk", text="5 anew.")
        raw.send("synthesize-stop")
        raw.until("audio-stop")
        assert raw.event() == ("audio-start", {"rate": 24_000, "width": 2, "channels": 1})
        raw.until("synthesize-stopped")
    assert ended(server, "given up")["state"] == "cancelled"
    assert ended(server, "5 anew")["state"] == "done"


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("synthesize", {"text": 7}, "bad-option"),
        ("synthesize", {"text": "<speak/>", "text_format": "ssml"}, "bad-option"),
        ("synthesize", {"text": "x", "voice": "two"}, "bad-option"),
        ("synthesize", {"text": "x", "voice": {"name": ["two"]}}, "bad-option"),
        ("synthesize", {"text": "x", "voice": {"language": "klingon"}}, "unknown-language"),
        ("synthesize", {"text": "\0\0"}, "bad-input"),
        ("synthesize-start", {"text_format": "ssml"}, "bad-option"),
    ],
)
def test_bad_requests_are_told_and_end_the_connection(
    server: Server, kind: str, data: dict[str, Any], code: str
) -> None:
    with server.raw() as raw:
        raw.send(kind, **data)
        event = raw.event()
        assert event is not None
        assert (event[0], event[1]["code"]) == ("error", code)
        assert raw.event() is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\n",
        b"[]\n",
        b"{}\n",
        b"[" * 60_000 + b"\n",
        b"x" * 70_000,
        b'{"type": "describe", "data": []}\n',
        b'{"type": "describe", "data_length": "1"}\n',
        b'{"type": "describe", "data_length": 999999999}\n',
        b'{"type": "describe", "payload_length": -1}\n',
        b'{"type": "describe", "data_length": 2}\n[]',
        b'{"type": "describe", "data_length": 3}\n\xff\xff\xff',
    ],
)
def test_what_is_no_event_is_refused_without_a_traceback(server: Server, data: bytes) -> None:
    with server.raw() as raw:
        raw.socket.sendall(data)
        event = raw.event()
        assert event is not None
        assert (event[0], event[1]["code"]) == ("error", "bad-input")
        assert raw.event() is None
    assert "Traceback" not in server.daemon.log()
    assert "Wyoming client 127.0.0.1: " in server.daemon.log()


def test_half_an_event_is_the_end(server: Server) -> None:
    for data in (b'{"type": "desc', b'{"type": "describe", "data_length": 20}\n{"a":'):
        with server.raw() as raw:
            raw.socket.sendall(data)
            raw.socket.shutdown(socket.SHUT_WR)
            assert raw.event() is None
    assert "Traceback" not in server.daemon.log()


KINDS = (
    "describe",
    "synthesize",
    "synthesize-start",
    "synthesize-chunk",
    "synthesize-stop",
    "ping",
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
voices = odd | st.fixed_dictionaries(
    {}, optional={"name": odd | st.just("one"), "language": odd | st.just("de"), "speaker": odd}
)
events = st.tuples(
    st.sampled_from(KINDS),
    st.fixed_dictionaries({}, optional={"text": odd | st.just("1"), "voice": voices, "x": odd}),
)


@given(st.lists(events, min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_events_of_every_kind_in_any_order_never_break_it(
    server: Server, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    with server.raw() as raw, contextlib.suppress(ConnectionError):
        for kind, data in sent:
            raw.send(kind, **data)
        raw.send("describe")
        while (event := raw.event()) and event[0] not in ("error", "info"):
            pass
    log = server.daemon.log()
    assert "Traceback" not in log and "never retrieved" not in log


@pytest.mark.parametrize("kind", ["before", "amid"])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_who_goes_cancels_the_job(server: Server, kind: str, is_streamed: bool) -> None:
    begins = f"6 {kind} {is_streamed}"
    text = f"{begins}.\n\n[until never] two." if kind == "amid" else f"{begins} [until never]."
    with server.raw() as raw:
        if is_streamed:
            raw.send("synthesize-start")
            raw.send("synthesize-chunk", text=text)
        else:
            raw.send("synthesize", text=text)
        until(lambda: server.jobs(search=begins))
        if kind == "amid":
            raw.until("audio-chunk")
    assert ended(server, begins)["state"] == "cancelled"


def test_a_reader_that_takes_nothing_holds_nobody_up(server: Server) -> None:
    with server.raw() as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.send("synthesize", text="10 [say 100s]. " + "10 [say 100s]. " * 4)
        raw.until("audio-start")
        sound = server.run(home_assistant.whole(server.port, "11 [say 0.2s]"))
        assert numbers_in(sound) == [11]


def test_when_all_places_are_taken_the_one_that_is_idle_for_longest_goes(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(MOST):
            opened.append(stack.enter_context(server.raw()))
            opened[-1].send("ping")
            opened[-1].until("pong")
        assert server.run(home_assistant.info(server.port)).tts
        assert opened[0].event() is None
        opened[-1].send("ping")
        opened[-1].until("pong")


def test_when_all_are_busy_the_next_is_refused(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST):
            raw = stack.enter_context(server.raw())
            raw.send("synthesize-start")
            raw.send("ping")
            raw.until("pong")
        with server.raw() as refused:
            refused.send("describe")
            assert refused.until("error")["code"] == "queue-full"
            assert refused.event() is None


def test_a_text_for_a_service_manager_s_socket_starts_the_daemon(vox: Vox) -> None:
    port = free_port()
    vox.ok("config", "set", "wyoming", f"127.0.0.1:{port}")
    vox.ok("config", "set", "backend", "scripted")
    with service_manager(vox, port) as manager:
        sound = asyncio.run(home_assistant.whole(port, "14 [say 0.2s]"))
        assert numbers_in(sound) == [14]
        assert vox.client.call("GET", "/health")["stays_for"] == ["wyoming"]
        assert len(manager.started) == 1


@pytest.mark.slow
def test_vox_stop_and_the_daemon_s_end_are_told(home: Path) -> None:
    with serving(home) as server:
        with server.raw() as raw:
            raw.send("synthesize", text="12.\n\n[until never] two.")
            raw.until("audio-chunk")
            server.daemon.http.post("/cancel")
            assert raw.until("error")["code"] == "job-cancelled"
            assert raw.event() is None
        with server.raw() as idle, server.raw() as raw:
            raw.send("synthesize", text="13.\n\n[until never] two.")
            raw.until("audio-chunk")
            process = psutil.Process(server.daemon.pid)
            server.daemon.http.post("/stop", json={"now": True})
            assert raw.until("error")["code"] == "daemon-unavailable"
            assert raw.event() is None
            assert idle.event() is None
            process.wait(60)
        assert "Traceback" not in server.daemon.log()
        assert "never retrieved" not in server.daemon.log()


def test_the_daemon_tells_where_it_listens_and_stays(server: Server) -> None:
    health = server.daemon.http.get("/health").json()
    assert health["wyoming"] == {
        "address": f"127.0.0.1:{server.port}",
        "error": None,
        "announced_as": None,
        "not_announced": None,
    }
    assert "wyoming" in health["stays_for"]
