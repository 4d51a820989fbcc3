"""The routes of the founding API and those beside them, against a running daemon."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import RunningDaemon, Start, until
from tests.processes import name_of_the_dead
from tests.sound import Recorder, SoundServer, read_audio
from tests.tones import read_tones
from vox.api.readiness import GOOD_FOR_S
from vox.client.http import Dropped, Refused
from vox.client.remote import Remote
from vox.sound_variables import HEADER, from_header, to_header


def test_speak_answers_once_the_text_was_heard(
    sound: SoundServer, recorder: Recorder, daemon: RunningDaemon
) -> None:
    answer = daemon.http.post("/speak", json={"text": "Job 7 [say 0.5s]"})
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["state"] == "done"
    assert job["heard"] == job["utterances"] == 1
    recording = recorder.stop()
    assert read_tones(recording.samples, recording.sample_rate) == [7]


def test_async_speak_answers_before_the_job_has_begun(daemon: RunningDaemon) -> None:
    first = daemon.speak("[until async] one")
    second = daemon.speak("Job 2")
    assert daemon.job(second["id"])["state"] == "queued"
    assert daemon.job(second["id"])["position"] == 2
    daemon.mark("async")
    assert daemon.ended(first["id"])["state"] == "done"
    assert daemon.ended(second["id"])["state"] == "done"


def test_a_job_that_fails_is_an_error_with_the_reason(daemon: RunningDaemon) -> None:
    output = str(daemon.home / "x.wav")
    answer = daemon.http.post("/speak", json={"text": "[fail no breath] Hm", "output": output})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "no breath" in answer.json()["detail"]
    assert answer.json()["job"]["state"] == "failed"


def test_a_caller_that_goes_away_cancels_its_job(daemon: RunningDaemon) -> None:
    body = {"text": "[say 1s] [slow 0.05] [say 60s]", "output": str(daemon.home / "x.wav")}
    with pytest.raises(Exception, match="timed out"):
        daemon.http.post("/speak", json=body, timeout=0.3)
    until(lambda: daemon.http.get("/jobs").json()[0]["state"] == "cancelled")


def test_a_request_that_was_given_up_while_the_daemon_hung_is_not_spoken(
    daemon: RunningDaemon,
) -> None:
    wanted = {"text": "given up", "async": True, "output": str(daemon.home / "out.wav")}

    def made() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = daemon.http.get("/jobs?search=given+up").json()
        return found

    os.kill(daemon.pid, signal.SIGSTOP)
    for more in ({"id": "234567"}, {}):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as caller:
            caller.connect(daemon.paths.socket_path)
            body = json.dumps({**wanted, **more}).encode()
            head = b"POST /speak HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n"
            caller.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    os.kill(daemon.pid, signal.SIGCONT)
    # Who has chosen no id cannot ask again: all of its words have come, so they are spoken.
    until(made)
    (job,) = made()
    assert job["id"] != "234567"
    assert daemon.ended(job["id"])["state"] == "done"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": "x", "speed": 9}, "speed"),
        ({"text": "x", "volume": "loud"}, "volume"),
        ({"text": "x", "priority": "urgent"}, "priority"),
        ({"text": "x", "colour": "red"}, "colour"),
        ({"text": 5}, "text"),
        ({"text": "x", "speed": True}, "speed"),
        ({"text": "x", "volume": "1.5"}, "volume"),
        ({"text": "x", "expires": []}, "expires"),
        ({"text": "x", "async": "yes"}, "async"),
        ({"text": "x", "is_async": True}, "is_async"),
        ({"text": "x", "output": "relative.wav"}, "output"),
        ({"text": "x", "id": "UPPER!"}, "id"),
    ],
)
def test_a_bad_request_says_which_field_and_why(
    daemon: RunningDaemon, body: dict[str, object], field: str
) -> None:
    answer = daemon.http.post("/speak", json=body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert answer.json()["errors"][0]["why"]
    assert field in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/speak", "/stop", "/v1/audio/speech"])
@pytest.mark.parametrize(
    "body",
    [b"{text", b'{"text": "\xff"}', b"[" * 100_000, b"9" * 5000, b"[]", b'"x"'],
    ids=["cut", "latin-1", "deep", "endless", "list", "text"],
)
def test_what_is_no_json_object_is_said_so(daemon: RunningDaemon, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = daemon.http.post(path, content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["field"] == "body"
    assert "JSON" in answer.json()["detail"]


@pytest.mark.parametrize("media_type", ["", "text/html", "application/x-www-form-urlencoded"])
def test_what_is_not_sent_as_json_is_told_how(daemon: RunningDaemon, media_type: str) -> None:
    answer = daemon.http.post(
        "/speak", content=b'{"text": "x"}', headers={"Content-Type": media_type}
    )
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["detail"]


def test_numbers_that_are_none_are_refused(daemon: RunningDaemon) -> None:
    for name in ("speed", "volume", "expires"):
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 400):
            answer = daemon.http.post(
                "/speak",
                content=f'{{"text": "x", "{name}": {number}}}',
                headers={"Content-Type": "application/json"},
            )
            assert (answer.status_code, answer.json()["field"]) == (422, name)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": " \n"}, 422, "empty-text"),
        ({"text": "x\0y"}, 422, "bad-input"),
        ({"text": "x", "backend": "nobody"}, 422, "unknown-backend"),
        ({"text": "x", "voice": "nobody"}, 422, "unknown-voice"),
        ({"text": "x", "lang": "tlh"}, 422, "unknown-language"),
        ({"text": "x", "output": "/no/such/folder/x.wav"}, 422, "bad-output"),
        ({"text": "x" * 1_000_001}, 413, "text-too-long"),
    ],
)
def test_what_cannot_be_spoken_is_refused_with_a_code(
    daemon: RunningDaemon, body: dict[str, object], status: int, code: str
) -> None:
    answer = daemon.http.post("/speak", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_unknown_routes_and_methods_are_problems_too(daemon: RunningDaemon) -> None:
    for answer in (daemon.http.get("/nothing"), daemon.http.put("/speak")):
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_told_the_right_ones(daemon: RunningDaemon) -> None:
    for path, allowed in (
        *(("/speak", "POST"), ("/jobs", "DELETE, GET, HEAD")),
        *(("/jobs/x", "DELETE, GET, HEAD"), ("/health", "GET, HEAD")),
    ):
        answer = daemon.http.options(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_full_queue_says_when_to_come_again(start: Start) -> None:
    daemon = start(max_queue=2)
    daemon.speak("[until go] one")
    daemon.speak("two")
    answer = daemon.http.post("/speak", json={"text": "three", "async": True})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["code"] == "queue-full"
    daemon.mark("go")


def test_a_body_beyond_the_limit_is_refused_while_it_is_read(start: Start) -> None:
    daemon = start(max_text=1000)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 5_000_000:
            sent += 65536
            yield b" " * 65536

    answer = daemon.http.post(
        "/speak", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json()["detail"]
    answer = daemon.http.post("/speak", json={"text": "x" * 500_000})
    assert answer.status_code == 413


def test_asking_twice_with_an_id_makes_one_job(daemon: RunningDaemon) -> None:
    for _ in range(2):
        assert daemon.speak("Just once", id="abc234")["id"] == "abc234"
    found = daemon.http.get("/jobs", params={"search": "just once"}).json()
    assert [job["id"] for job in found] == ["abc234"]


def test_jobs_are_listed_found_cancelled_and_forgotten(start: Start) -> None:
    daemon = start()
    waiting = daemon.speak("[until go] Wait, 1")
    cancelled = daemon.speak("Never said")
    assert daemon.http.delete(f"/jobs/{cancelled['id']}").json()["state"] == "cancelled"
    assert daemon.http.delete(f"/jobs/{cancelled['id']}").status_code == 409
    daemon.mark("go")
    daemon.ended(waiting["id"])
    found = daemon.http.get("/jobs", params={"search": "never", "state": "cancelled"}).json()
    assert [job["id"] for job in found] == [cancelled["id"]]
    assert daemon.http.get("/jobs", params={"limit": 1}).json()[0]["id"] == cancelled["id"]
    assert daemon.http.get(f"/jobs/{waiting['id'][:5]}").json()["id"] == waiting["id"]
    assert daemon.http.get("/jobs/zzzzzz").status_code == 404
    assert daemon.http.delete("/jobs").json() == {"cleared": 2}
    assert daemon.http.get("/jobs").json() == []


def test_the_audio_of_a_job_is_kept_as_wav(daemon: RunningDaemon, tmp_path: Path) -> None:
    job = daemon.speak("Number 9 [say 0.4s]")
    daemon.ended(job["id"])
    answer = daemon.http.get(f"/jobs/{job['id']}/audio")
    assert answer.headers["content-type"] == "audio/wav"
    (tmp_path / "x.wav").write_bytes(answer.content)
    recording = read_audio(tmp_path / "x.wav")
    assert read_tones(recording.samples, recording.sample_rate) == [9]


def test_the_queue_is_shown_in_order_with_positions(daemon: RunningDaemon) -> None:
    texts = ["[until queue] first", "second", "third"]
    for text in texts:
        daemon.speak(text)
    until(lambda: daemon.http.get("/queue").json()[0]["state"] == "preparing")
    shown = daemon.http.get("/queue").json()
    assert [job["text"] for job in shown] == texts
    assert [job["position"] for job in shown] == [1, 2, 3]
    assert len(daemon.http.post("/cancel").json()) == 3
    assert daemon.http.get("/queue").json() == []
    daemon.mark("queue")


def test_health_tells_what_is_loaded(daemon: RunningDaemon) -> None:
    daemon.ended(daemon.speak("Load it")["id"])
    health = daemon.http.get("/health").json()
    assert health["status"] == "ok"
    assert health["pid"] == daemon.pid
    assert health["uptime"] > 0
    assert [model["backend"] for model in health["loaded_models"]] == ["scripted"]
    assert health["loaded_models"][0]["memory_mb"] > 0
    assert health["vram_usage"] == {"total_mb": None}
    assert health["http"] == {"address": f"127.0.0.1:{daemon.port}", "error": None}


def test_voices_and_backends_include_third_parties(daemon: RunningDaemon) -> None:
    voices = daemon.http.get("/voices", params={"backend": "scripted"}).json()
    assert [voice["name"] for voice in voices] == ["one", "two", "drei"]
    assert "scripted" in [backend["name"] for backend in daemon.http.get("/backends").json()]
    assert daemon.http.get("/voices", params={"backend": "nobody"}).status_code == 422


def test_ready_where_sound_can_be_made(sound: SoundServer, daemon: RunningDaemon) -> None:
    until(lambda: daemon.http.get("/ready").status_code == 200)
    assert set(daemon.http.get("/ready").json()["checks"].values()) == {"ok"}


def test_not_ready_without_a_sound_device(
    daemon_without_sound: RunningDaemon,
) -> None:
    answer = daemon_without_sound.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["audio"] != "ok"
    assert "audio" in answer.json()["detail"]


def test_a_replay_may_have_another_speed(sound: SoundServer, daemon: RunningDaemon) -> None:
    first = daemon.http.post("/speak", json={"text": "Job 1 [say 0.4s]"}).json()
    for name in ("last", "@1", first["id"]):
        answer = daemon.http.post(f"/jobs/{name}/replay", json={"speed": 2})
        assert answer.status_code == 202, answer.text
        assert answer.json()["speed"] == 2.0
        again = daemon.ended(answer.json()["id"])
        assert again["audio_s"] == pytest.approx(first["audio_s"] / 2, abs=0.03)
    for body in ({"speed": 9}, {"pitch": 1}, {"speed": "2"}):
        assert daemon.http.post("/jobs/last/replay", json=body).status_code == 422
    assert daemon.http.post("/jobs/@0/replay").status_code == 404


@pytest.mark.parametrize("is_replay", [False, True])
def test_only_over_the_control_socket_a_job_is_bound_to_a_process(
    sound: SoundServer, daemon: RunningDaemon, is_replay: bool
) -> None:
    dead = name_of_the_dead()
    first = daemon.ended(daemon.speak("Hello.")["id"])["id"]
    for client, state in ((daemon.http, "cancelled"), (daemon.tcp, "done")):
        if is_replay:
            answer = client.post(f"/jobs/{first}/replay", params={"caller": dead})
        else:
            answer = client.post("/speak", json={"text": "Hi.", "async": True, "caller": dead})
        assert answer.status_code == 202
        assert daemon.ended(answer.json()["id"])["state"] == state


def test_only_over_the_control_socket_a_caller_leads_to_a_sound_server(
    sound: SoundServer, daemon_without_sound: RunningDaemon
) -> None:
    header = {HEADER: to_header(sound.environ)}
    for client, is_heeded in ((daemon_without_sound.tcp, False), (daemon_without_sound.http, True)):
        assert client.get("/ping", headers=header).status_code == 204
        time.sleep(GOOD_FOR_S)
        assert (client.get("/ready").json()["checks"]["audio"] == "ok") == is_heeded
    for garbage in ("", "{", "[1]", '{"PULSE_SERVER": 1}', '{"HOME": "/"}'):
        assert from_header(garbage) == {}
        answer = daemon_without_sound.http.get("/ping", headers={HEADER: garbage})
        assert answer.status_code == 204


@pytest.fixture
def daemon_without_sound(start: Start, monkeypatch: pytest.MonkeyPatch) -> RunningDaemon:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    return start()


def test_not_ready_while_paused(sound: SoundServer, daemon: RunningDaemon) -> None:
    until(lambda: daemon.http.get("/ready").status_code == 200)
    daemon.http.post("/pause")
    assert "paused" in daemon.http.get("/ready").json()["checks"]["queue"]
    daemon.http.post("/resume")
    assert daemon.http.get("/ready").status_code == 200


def test_not_ready_when_the_default_backend_is_not_installed(start: Start) -> None:
    daemon = start(backend="voxtream")
    assert "voxtream" in daemon.http.get("/ready").json()["checks"]["backend"]


@pytest.mark.slow
def test_not_ready_while_the_host_of_the_default_backend_hangs(start: Start) -> None:
    daemon = start()
    daemon.ended(daemon.speak("Load it")["id"])
    (host,) = daemon.hosts()
    host.suspend()
    assert "does not answer" in daemon.http.get("/ready").json()["checks"]["backend"]
    host.resume()
    until(lambda: daemon.http.get("/ready").json()["checks"]["backend"] == "ok")


def test_metrics_count_jobs_and_times(start: Start) -> None:
    daemon = start()
    odd = {"source": 'a "quoted" \\source'}
    daemon.ended(daemon.speak("Odd", **odd)["id"])
    daemon.http.delete("/jobs")
    daemon.ended(daemon.speak("Once [say 0.5s]")["id"])
    daemon.ended(daemon.speak("[fail on purpose] Twice")["id"])
    answer = daemon.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = [
        (sample.name, *sorted(sample.labels.items()))
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    ]
    assert len(samples) == len(set(samples)) > 50
    labels = ("backend", "scripted"), ("source", odd["source"]), ("state", "done")
    assert ("vox_jobs_ended_total", *labels) in samples
    lines = answer.text.splitlines()
    assert 'vox_jobs{backend="scripted",state="done"} 1.0' in lines
    ended = 'vox_jobs_ended_total{backend="scripted",source="api",state="failed"} 1.0'
    assert ended in lines
    assert 'vox_wait_seconds_count{backend="scripted"} 3.0' in lines
    assert any(line.startswith("vox_first_audio_seconds_bucket") for line in lines)
    assert "vox_queue_length 0.0" in lines
    speed = next(line for line in lines if line.startswith("vox_model_speed_ratio"))
    assert float(speed.split()[-1]) > 0
    assert any(line.startswith("vox_process_resident_memory_bytes") for line in lines)


def test_stop_leaves_and_takes_its_files_along(start: Start) -> None:
    daemon = start()
    assert daemon.http.post("/stop", json={"now": True}).status_code == 202
    until(lambda: not os.path.exists(daemon.paths.pid_path))
    assert not os.path.exists(daemon.paths.socket_path)


@pytest.mark.slow
def test_looking_does_not_keep_an_idle_daemon(start: Start) -> None:
    daemon = start(idle_timeout=2, http="")
    quiet = ("/health", "/ready", "/metrics", "/ping", "/status")
    daemon.http.get("/jobs")
    remote = Remote(daemon.paths)  # httpx leaves a socket open that is refused
    with contextlib.suppress(Refused, Dropped):  # until it has left
        for path in itertools.cycle(quiet):
            remote._request("GET", path, timeout_s=5.0).close()
    until(lambda: not os.path.exists(daemon.paths.pid_path))


def test_the_socket_is_for_its_owner_alone(daemon: RunningDaemon) -> None:
    path = daemon.paths.socket_path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_texts_do_not_get_into_the_log(daemon: RunningDaemon) -> None:
    daemon.ended(daemon.speak("A secret about elephants")["id"])
    daemon.http.post("/speak", json={"text": "elephants", "speed": 9})
    assert "elephants" not in daemon.log()
    assert daemon.token not in daemon.log()


def test_the_documents_describe_every_route(daemon: RunningDaemon) -> None:
    schema = daemon.http.get("/openapi.json").json()
    assert {"/speak", "/health", "/stop", "/v1/audio/speech", "/metrics"} <= set(schema["paths"])
    assert "swagger" in daemon.http.get("/docs").text
    assert schema["components"]["schemas"]["Speak"]["examples"]
