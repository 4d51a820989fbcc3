"""The OpenAI-compatible routes, as OpenAI's own client and its imitators call them."""

from __future__ import annotations

import base64
import io
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import av
import openai
import psutil
import pytest
import soundfile

from tests.api.conftest import RunningDaemon, Start, until
from tests.sound import Recorder, decoded
from tests.tones import read_tones


@pytest.fixture
def client(daemon: RunningDaemon) -> Iterator[openai.OpenAI]:
    yield from _client(daemon)


def _client(daemon: RunningDaemon) -> Iterator[openai.OpenAI]:
    url = f"http://127.0.0.1:{daemon.port}/v1"
    with openai.OpenAI(base_url=url, api_key=daemon.token, timeout=60) as client:
        yield client


def _tones(data: bytes) -> list[int]:
    recording = decoded(data)
    return read_tones(recording.samples, recording.sample_rate)


FORMATS = [
    ("mp3", "audio/mpeg"),
    ("opus", "audio/ogg"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("wav", "audio/wav"),
]


@pytest.mark.parametrize(("audio_format", "media_type"), FORMATS)
def test_speech_comes_back_whole_in_every_format(
    client: openai.OpenAI, audio_format: str, media_type: str
) -> None:
    answer = client.audio.speech.create(
        model="tts-1",
        voice="alloy",
        input="Job 5 [say 2.5s]",
        response_format=audio_format,  # type: ignore[arg-type]
    )
    assert answer.response.headers["content-type"] == media_type
    recording = decoded(answer.content)
    # Encoders pad the last block, and MP3's and AAC's the first one too.
    assert 2.45 < recording.duration_s < 2.7
    body = recording.samples[round(0.1 * recording.sample_rate) :][: 2 * recording.sample_rate]
    assert read_tones(body, recording.sample_rate) == [5]


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_flac_tells_its_length(daemon: RunningDaemon, stream_format: str) -> None:
    wanted = {"model": "tts-1", "voice": "alloy", "input": "[say 2s]", "response_format": "flac"}
    data = daemon.tcp.post(
        "/v1/audio/speech", json={**wanted, "stream_format": stream_format}
    ).content
    if stream_format == "sse":
        lines = [json.loads(line[6:]) for line in data.decode().split("\n\n") if line]
        data = b"".join(base64.b64decode(line["audio"]) for line in lines if "audio" in line)
    info = soundfile.info(io.BytesIO(data))
    assert info.frames == len(soundfile.read(io.BytesIO(data))[0])
    assert 1.9 < info.duration < 2.2
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        assert stream.duration is not None and stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(info.duration)


def test_a_failure_while_flac_is_made_is_an_error_and_no_stream(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="no breath"):
        client.audio.speech.create(
            model="tts-1", voice="alloy", input="[say 1s] [fail no breath] Hm",
            response_format="flac",
        )  # fmt: skip


def test_pcm_is_24_khz_without_a_header(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(
        model="tts-1", voice="alloy", input="Job 5 [say 1s]", response_format="pcm"
    )
    assert 0.9 < len(answer.content) / 2 / 24_000 < 1.2


def test_it_goes_through_the_queue_and_history_and_plays_nothing(
    client: openai.OpenAI, daemon: RunningDaemon, recorder: Recorder
) -> None:
    answer = client.audio.speech.create(
        model="tts-1",
        voice="nova",
        input="Job 11 [say 0.3s]",
        instructions="calmly",
        speed=2.0,
        extra_body={"fresh": True, "keep_alive": "1h"},
    )
    assert len(answer.content)
    job = daemon.job(answer.response.headers["x-job-id"])
    assert job["state"] == "done"
    assert (job["source"], job["via"]) == ("openai", "openai")
    assert (job["style"], job["speed"]) == ("calmly", 2.0)
    assert (job["fresh"], job["keep_alive"]) == (True, 3600)
    recording = recorder.stop()
    assert read_tones(recording.samples, recording.sample_rate) == []


def test_audio_streams_while_it_is_made(client: openai.OpenAI, daemon: RunningDaemon) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1",
        voice="alloy",
        input="[say 0.5s] [until more] [say 0.5s]",
        response_format="pcm",
    ) as answer:
        chunks = answer.iter_bytes()
        first = next(chunks)
        assert first
        assert daemon.job(answer.headers["x-job-id"])["state"] == "preparing"
        daemon.mark("more")
        rest = b"".join(chunks)
    assert len(first) + len(rest) > 24_000 * 2 * 0.9


def test_events_carry_the_audio_in_base64(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts",
        voice="coral",
        input="Job 3 [say 0.5s]",
        response_format="wav",
        stream_format="sse",
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1]["type"] == "speech.audio.done"
    data = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert _tones(data) == [3]


def test_a_failure_before_the_first_byte_is_an_error_that_says_why(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input="[fail no breath] Hm")
    assert "no breath" in caught.value.message
    assert caught.value.code == "synthesis-failed"


def test_a_decided_failure_is_not_tried_again(client: openai.OpenAI, daemon: RunningDaemon) -> None:
    with pytest.raises(openai.UnprocessableEntityError):
        client.audio.speech.create(model="tts-1", voice="alloy", input="[fail again] Hm")
    assert len(daemon.http.get("/jobs", params={"search": "[fail again]"}).json()) == 1


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_failure_after_the_first_byte_breaks_the_stream(
    client: openai.OpenAI, stream_format: str
) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1",
        voice="alloy",
        input="[say 1s] [fail out of breath] Hm",
        stream_format=stream_format,  # type: ignore[arg-type]
    ) as answer:
        assert answer.status_code == 200
        with pytest.raises(Exception, match=r"(?i)incomplete|peer closed"):
            list(answer.iter_bytes())


def test_a_host_that_dies_in_between_is_made_up_for(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(
        model="tts-1", voice="alloy", input="Job 4 [crash once] [say 0.5s]", response_format="wav"
    )
    assert _tones(answer.content) == [4]


def test_a_sentence_that_cannot_be_said_is_left_out_and_the_jobs_notes_name_it(
    client: openai.OpenAI, daemon: RunningDaemon
) -> None:
    answer = client.audio.speech.with_raw_response.create(
        model="tts-1",
        voice="alloy",
        input="Job 4 is good [say 0.5s]. Job 5 is bad [fail no breath]. Job 6 is good [say 0.5s].",
        response_format="wav",
    )
    assert _tones(answer.content) == [4, 6]
    job = daemon.http.get(f"/jobs/{answer.headers['x-job-id']}").json()
    assert (job["state"], job["unsaid"]) == ("done", 1)
    (note,) = job["notes"]
    assert note.startswith("left out sentence 2") and "no breath" in note


@pytest.mark.parametrize(
    ("options", "status", "param"),
    [
        ({"speed": 9.0}, 422, "speed"),
        ({"response_format": "midi"}, 422, "response_format"),
        ({"voice": "nobody"}, 400, "voice"),
        ({"voice": "nobody", "model": "scripted"}, 400, "voice"),
        ({"model": "nobody-1"}, 422, None),
        ({"input": ""}, 422, None),
    ],
)
def test_bad_requests_say_which_field_in_openais_words(
    client: openai.OpenAI, options: dict[str, object], status: int, param: str | None
) -> None:
    wanted = {"model": "tts-1", "voice": "alloy", "input": "Hello", **options}
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.speech.create(**wanted)  # type: ignore[arg-type]
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]
    assert caught.value.body["type"] == "invalid_request_error"
    assert caught.value.param == param


@pytest.mark.parametrize("model", ["tts-1", "scripted"])
def test_a_voice_that_nobody_knows_is_refused_with_a_list_of_ours(
    daemon: RunningDaemon, model: str
) -> None:
    wanted = {"model": model, "voice": "nobody", "input": "Hello"}
    answer = daemon.tcp.post("/v1/audio/speech", json=wanted)
    assert answer.status_code == 400
    problem = answer.json()
    assert (problem["code"], problem["field"]) == ("unknown-voice", "voice")
    assert {"one", "two"} <= set(problem["voices"])
    assert "available: " in problem["error"]["message"] and "one" in problem["error"]["message"]
    for voice in ("alloy", "ALLOY", "shimmer", "one", None):
        answer = daemon.tcp.post("/v1/audio/speech", json={**wanted, "voice": voice})
        assert answer.status_code == 200


def test_a_wrong_key_is_refused_as_openai_refuses_it(daemon: RunningDaemon) -> None:
    url = f"http://127.0.0.1:{daemon.port}/v1"
    wrong = openai.OpenAI(base_url=url, api_key="wrong")
    with wrong as client, pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_models_and_voices_are_listed(client: openai.OpenAI, daemon: RunningDaemon) -> None:
    ids = [model.id for model in client.models.list()]
    assert {"scripted", "tts-1", "gpt-4o-mini-tts"} <= set(ids)
    assert client.models.retrieve("scripted").id == "scripted"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")
    voices = daemon.tcp.get("/v1/audio/voices").json()["voices"]
    assert {"one", "two", "alloy"} <= {voice["id"] for voice in voices}
    assert all(voice["name"] for voice in voices)
    models = daemon.tcp.get("/v1/audio/models").json()["models"]
    assert {"scripted", "tts-1"} <= {model["id"] for model in models}


@pytest.mark.parametrize(
    ("voice", "ours"),
    [("onyx", "two"), ("nova", "one"), ("two", "two"), ("scripted/drei", "drei")],
)
def test_openais_voices_map_by_gender_and_ours_pass_through(
    client: openai.OpenAI, daemon: RunningDaemon, voice: str, ours: str
) -> None:
    answer = client.audio.speech.create(model="tts-1", voice=voice, input="Hello")
    assert daemon.job(answer.response.headers["x-job-id"])["voice"] == ours


def test_names_map_as_configured(start: Start) -> None:
    daemon = start(
        backend="hibari",
        http_voices={"alloy": "two"},
        http_models={"tts-1-hd": "scripted", "an/other": "scripted/load-slow:0"},
    )
    for client in _client(daemon):
        answer = client.audio.speech.create(model="tts-1-hd", voice="alloy", input="Hello")
        job = daemon.job(answer.response.headers["x-job-id"])
        assert (job["backend"], job["voice"]) == ("scripted", "two")
        answer = client.audio.speech.create(model="an/other", voice="one", input="Hello")
        job = daemon.job(answer.response.headers["x-job-id"])
        assert (job["backend"], job["model"]) == ("scripted", "load-slow:0")
        assert client.models.retrieve("an/other").id == "an/other"


def test_as_open_webui_calls_it(daemon: RunningDaemon) -> None:
    # routers/audio.py: what the browser sent plus the model; an error is read at error.message.
    answer = daemon.tcp.post(
        "/v1/audio/speech",
        json={"input": "Hello there", "voice": "one", "model": "tts-1"},
        headers={"X-OpenWebUI-User-Name": "me", "X-OpenWebUI-User-Id": "1"},
    )
    assert answer.status_code == 200
    assert answer.content
    wrong = {"input": "Hi", "voice": "nobody", "model": "tts-1"}
    answer = daemon.tcp.post("/v1/audio/speech", json=wrong)
    assert answer.json()["error"].get("message")


@pytest.mark.parametrize(("audio_format", "media_type"), FORMATS)
def test_where_there_is_nothing_to_say_a_moment_of_silence_comes(
    daemon: RunningDaemon, audio_format: str, media_type: str
) -> None:
    # custom_components/openai_tts, api_validation.py: a key is good if this is answered with 200.
    before = len(daemon.http.get("/jobs").json())
    probe = {"model": "tts-1", "input": ".", "voice": "alloy", "response_format": audio_format}
    answer = daemon.tcp.post("/v1/audio/speech", json=probe)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert 0.05 < decoded(answer.content).duration_s < 0.3
    assert len(daemon.http.get("/jobs").json()) == before


def test_silence_comes_as_events_too(daemon: RunningDaemon) -> None:
    wanted = {"model": "tts-1", "input": "...", "voice": "alloy", "stream_format": "sse"}
    events = daemon.tcp.post("/v1/audio/speech", json=wanted).text.split("\n\n")
    assert '"type": "speech.audio.delta"' in events[0]
    assert '"type": "speech.audio.done"' in events[1]


def test_as_home_assistant_calls_it(daemon: RunningDaemon) -> None:
    # custom_components/openai_tts: WAV, whole; its extra options are none of ours.
    answer = daemon.tcp.post(
        "/v1/audio/speech",
        json={
            "model": "tts-1",
            "input": "Job 8 [say 0.5s]",
            "voice": "shimmer",
            "response_format": "wav",
            "speed": 1,
            "chime": False,
        },
    )
    assert _tones(answer.content) == [8]


def _raw_speech(daemon: RunningDaemon, text: str) -> socket.socket:
    """A connection on which a speech has been asked for, and nothing read."""
    connection = socket.create_connection(("127.0.0.1", daemon.port))
    wanted = {"model": "tts-1", "input": text, "voice": "one", "response_format": "pcm"}
    body = json.dumps(wanted)
    lines = [
        "POST /v1/audio/speech HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {daemon.token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def test_a_client_that_goes_away_cancels_its_job_and_frees_the_host(daemon: RunningDaemon) -> None:
    text = "[slow 0.02] [say 60s] Go on for a minute"
    connection = _raw_speech(daemon, text)
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    connection.close()
    gone_at = time.monotonic()
    next_job = daemon.speak("Next")
    assert daemon.ended(next_job["id"])["state"] == "done"
    assert time.monotonic() - gone_at < 1.0  # some 50 ms, beside other work on two cores
    found = daemon.http.get("/jobs", params={"search": "for a minute"}).json()
    assert found[0]["state"] == "cancelled"
    assert daemon.http.get("/health").json()["loaded_models"][0]["state"] == "idle"


def test_a_stream_that_died_with_the_daemon_is_not_made_again(start: Start, home: Path) -> None:
    daemon = start()
    connection = _raw_speech(daemon, "[note made] [say 0.5s] [until never]")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    psutil.Process(daemon.pid).kill()
    while connection.recv(65536):
        pass
    connection.close()
    after = start()
    assert [job["state"] for job in after.http.get("/jobs").json()] == ["cancelled"]
    assert (home / "noted").read_text().split() == ["made"]


def test_a_client_that_goes_away_before_the_first_byte_cancels_too(daemon: RunningDaemon) -> None:
    connection = _raw_speech(daemon, "[until never] Wait forever")
    until(lambda: daemon.http.get("/queue").json())
    connection.close()
    until(lambda: not daemon.http.get("/queue").json())


@pytest.mark.slow
def test_a_slow_reader_stalls_nobody(daemon: RunningDaemon, client: openai.OpenAI) -> None:
    with _raw_speech(daemon, "[say 150s] Nobody reads these minutes") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        answer = client.audio.speech.create(model="tts-1", voice="one", input="Quick")
        assert answer.content
        found = daemon.http.get("/jobs", params={"search": "these minutes"}).json()
        assert daemon.ended(found[0]["id"])["state"] == "done"
