"""Speech that workers on other machines make, while they, the server and the network fail."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.plugins.scripted.scripted_backend import pitch_hz
from tests.redis_server import Proxy, RedisServer
from tests.running import SCRIPTED_PLUGIN, Vox
from tests.sound import Recorder, SoundServer, read_audio
from tests.tones import read_timed_tones, read_tones
from tests.workers import (
    LEASE_S,
    Entry,
    Fleet,
    Rogue,
    Worker,
    crew,
    nonsense,
    settings,
    wait_until,
)
from vox.client import http
from vox.fleet import keys
from vox.fleet.requests import Request
from vox.fleet.server import Server
from vox.fleet.session import Session
from vox.fleet.workers import Announced, Workers
from vox.redis_url import parse

pytestmark = pytest.mark.slow

SCRIPTED = ("-b", "scripted")
COUNT = 6
TEXT = " ".join(f"{number} [slow 0.1] [say 0.2s]." for number in range(1, COUNT + 1))
"""Each utterance takes 0.4 s."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    made = RedisServer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def fleet(server: RedisServer, sound_server: SoundServer) -> Iterator[Fleet]:
    """Shared by the tests after which all is as it was."""
    home = Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp"))
    vox = Vox(home)
    vox.environ |= {"VOX_HOME": str(home)}
    try:
        with crew(server, home) as workers:
            made = Fleet(vox, server, workers)
            vox.ok("daemon", "start")
            workers.add("anna", "bert")
            yield made
    finally:
        vox.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def reference(fleet: Fleet) -> Path:
    """The text, made on the user's machine."""
    fleet.set(placement='"local"')
    job_id, path = fleet.write(TEXT)
    assert fleet.outcome(job_id)["made_on"] is None
    fleet.set()
    return path


def without_drop_outs(numbers: list[int]) -> list[int]:
    """What was heard, where no number follows itself: the recorder may miss some of a tone."""
    return [number for number, _ in itertools.groupby(numbers)]


def is_same(path: Path, reference: Path) -> bool:
    return np.array_equal(read_audio(path).samples, read_audio(reference).samples)


def kill(server: RedisServer) -> None:
    server.kill()
    time.sleep(0.5)
    server.start()


def freeze(server: RedisServer) -> None:
    """For longer than a lease lasts, and than a call may take."""
    server.freeze()
    time.sleep(4.0)
    server.thaw()


def flush(server: RedisServer) -> None:
    with server.client() as client:
        client.flushall()


def several(server: RedisServer) -> None:
    for outage in (flush, kill, kill, flush, kill):
        outage(server)
        time.sleep(0.3)


@pytest.mark.parametrize("outage", [kill, freeze, flush, several])
def test_a_job_outlives_what_happens_to_the_redis_server(
    fleet: Fleet, reference: Path, outage: Callable[[RedisServer], None]
) -> None:
    job_id, path = fleet.write(TEXT)
    fleet.until_made(job_id, 2)
    outage(fleet.server)
    job = fleet.outcome(job_id)
    assert (job["state"], job["error"]) == ("done", None)
    assert is_same(path, reference)


def kill_worker(worker: Worker) -> Callable[[], None]:
    worker.kill()
    return worker.start


def freeze_worker(worker: Worker) -> Callable[[], None]:
    worker.freeze()
    return worker.thaw


@pytest.mark.parametrize("fault", [kill_worker, freeze_worker])
def test_what_a_lost_worker_was_at_is_made_by_another(
    fleet: Fleet, reference: Path, fault: Callable[[Worker], Callable[[], None]]
) -> None:
    job_id, path = fleet.write(TEXT)
    fleet.until_made(job_id, 1)
    worker = fleet.crew.wait_at_work()[0]
    undo = fault(worker)
    try:
        job = fleet.outcome(job_id)
    finally:
        undo()
    assert (job["state"], job["error"]) == ("done", None)
    assert is_same(path, reference)
    # What a frozen one sends late is nobody's, and it works again.
    fleet.crew.wait_announced(worker.name)
    job_id, path = fleet.write(TEXT)
    assert fleet.outcome(job_id)["state"] == "done"
    assert is_same(path, reference)


def stall(proxy: Proxy) -> None:
    proxy.stall()


def cut(proxy: Proxy) -> None:
    proxy.cut()


def slow(proxy: Proxy) -> None:
    proxy.delay_s = 0.05
    proxy.bytes_per_s = 200_000


@pytest.mark.parametrize("fault", [stall, cut, slow])
def test_a_bad_network_of_a_worker_costs_time_and_no_sound(
    fleet: Fleet, reference: Path, fault: Callable[[Proxy], None]
) -> None:
    proxy = Proxy(fleet.server.port)
    name = fault.__name__
    busy, _ = fleet.write(" ".join(f"{number} [until {name}] [say 0.1s]." for number in (1, 2)))
    fleet.crew.wait_at_work(2)
    (far,) = fleet.crew.add("far", url=proxy.url)
    try:
        job_id, path = fleet.write(TEXT)
        fleet.crew.wait_at_work(3)
        fault(proxy)
        (fleet.vox.home / name).touch()  # the others may help
        assert fleet.outcome(busy)["state"] == "done"
        job = fleet.outcome(job_id)
        assert (job["state"], job["error"]) == ("done", None)
        assert is_same(path, reference)
        proxy.resume()
        fleet.crew.wait_announced("far")
        job_id, path = fleet.write(TEXT)
        assert fleet.outcome(job_id)["state"] == "done"
        assert is_same(path, reference)
    finally:
        proxy.close()
        fleet.crew.remove(far)


def test_a_worker_that_is_told_to_leave_finishes_its_utterance(
    fleet: Fleet, reference: Path
) -> None:
    (guest,) = fleet.crew.add("guest")
    try:
        job_id, _ = fleet.write("1 [mark guest-begun] [until guest-goes] [say 0.2s].")
        wait_until((fleet.vox.home / "guest-begun").exists, "it is being made")
        (worker,) = fleet.crew.wait_at_work()  # whoever has taken it: the others are idle
        worker.terminate()
        fleet.crew.wait_gone(worker.name)
        other, other_path = fleet.write(TEXT)
        assert fleet.outcome(other)["state"] == "done"
        assert is_same(other_path, reference)
        assert fleet.job(job_id)["state"] == "preparing"
        (fleet.vox.home / "guest-goes").touch()
        job = fleet.outcome(job_id)
        assert (job["state"], job["made_on"], worker.wait()) == ("done", worker.name, 0)
    finally:
        fleet.crew.remove(guest)
        for worker in fleet.crew.workers:
            if worker.has_ended:
                worker.start()
        fleet.crew.wait_announced(*(worker.name for worker in fleet.crew.workers))


def test_a_cancelled_job_frees_its_workers_at_once(fleet: Fleet, reference: Path) -> None:
    endless, _ = fleet.write(" ".join(f"{number} [slow 0.05] [say 600s]." for number in (1, 2, 3)))
    fleet.crew.wait_at_work(2)
    fleet.vox.ok("cancel", endless)
    job_id, path = fleet.write(TEXT)
    assert fleet.outcome(job_id)["state"] == "done"
    assert is_same(path, reference)
    assert fleet.job(endless)["state"] == "cancelled"


def test_a_daemon_that_was_killed_goes_on_and_its_workers_do_not_make_what_it_asked_for(
    fleet: Fleet, reference: Path
) -> None:
    job_id, path = fleet.write(
        "1 [say 0.2s]. 2 [mark killed-2] [until on] [say 0.2s]. 3 [until on] [say 0.2s]."
    )
    fleet.crew.wait_at_work(2)
    wait_until((fleet.vox.home / "killed-2").exists, "it is at the second sentence")
    old = set(fleet.crew.sessions())
    fleet.vox.kill_daemon()
    fleet.vox.ok("daemon", "start")

    def are_free() -> bool:
        now = set(fleet.crew.sessions())
        return bool(now) and not now & old

    # Else they were at it until the session expires, after 30 s.
    wait_until(are_free, "its workers are at what the new daemon asked for", 15.0)
    (fleet.vox.home / "on").touch()
    job = fleet.outcome(job_id)
    assert (job["state"], job["error"]) == ("done", None)
    written = read_audio(path)
    assert read_tones(written.samples, written.sample_rate) == [1, 2, 3]


BEEP_PLUGIN = SCRIPTED_PLUGIN.parent / "beep"


@pytest.fixture
def laptop(vox: Vox) -> Vox:
    """A machine that cannot run the backend itself; it has another one."""
    vox.environ["SCRIPTED_MISSING"] = "yes"
    vox.environ["PYTHONPATH"] += f"{os.pathsep}{BEEP_PLUGIN}"
    return vox


def announce_an_older_one(server: RedisServer) -> None:
    connection = Server(parse(server.url), lambda: None)
    older = Announced("old#1", "old", keys.PROTOCOL - 1, lanes=("scripted",), warm=("scripted",))
    Workers(connection).announce(older, 600.0)
    connection.close()


def test_without_the_server_jobs_wait_others_are_heard_and_it_goes_on_by_itself(
    laptop: Vox, recorder: Recorder
) -> None:
    server = RedisServer()
    try:
        with crew(server, laptop.home) as workers:
            server.kill()
            (laptop.home / "config.toml").write_text(settings(server.url, placement='"auto"'))
            waiting = laptop.ok(*SCRIPTED, "--async", "1 [say 0.3s].")
            laptop.ok("-b", "beep", "one two three")
            wait_until(lambda: laptop.job(waiting)["state"] == "queued", "it waits")
            assert "jobs for them wait" in laptop.ok("status")
            server.start()
            announce_an_older_one(server)
            wait_until(
                lambda: laptop.client.call("GET", "/workers")["incompatible"] == 1, "it is seen"
            )
            assert laptop.job(waiting)["state"] == "queued"
            workers.add("anna")
            assert laptop.until(waiting, "done")["made_on"] == "anna"
    finally:
        server.close()
    heard = recorder.stop()
    beep = round((1000 - pitch_hz(0)) / (pitch_hz(1) - pitch_hz(0)))
    assert without_drop_outs(read_tones(heard.samples, heard.sample_rate)) == [beep, 1]


def test_a_wrong_password_is_told_and_a_mended_one_is_taken_by_itself(vox: Vox) -> None:
    server = RedisServer("--requirepass", "open-sesame")
    secret = vox.home / "secret"
    secret.write_text("close-sesame")
    try:
        with crew(server, vox.home) as workers:
            (vox.home / "config.toml").write_text(
                settings(server.url, workers_password_file=f'"{secret}"')
            )
            vox.environ["SCRIPTED_MISSING"] = "yes"
            worker = workers.make("anna", options=("--password-file", str(secret)))
            worker.start()
            job_id = vox.ok(*SCRIPTED, "--async", "-o", str(vox.home / "1.wav"), "1 [say 0.1s].")
            for log in (lambda: worker.log, vox.log):
                wait_until(lambda log=log: "refuses the password" in log(), "it is told")
            wait_until(lambda: vox.job(job_id)["state"] == "queued", "it waits")
            secret.write_text("open-sesame\n")
            assert vox.until(job_id, "done")["made_on"] == "anna"
            with server.client(password="open-sesame") as client:
                client.acl_setuser(
                    "guest", enabled=True, passwords=["+open-sesame"], commands=["+ping"]
                )
            url = server.url.replace("://", "://guest@")
            vox.ok("config", "set", "workers", url)
            guest = workers.make("guest", url, options=("--password-file", str(secret)))
            guest.start()
            vox.ok(*SCRIPTED, "--async", "-o", str(vox.home / "2.wav"), "2 [say 0.1s].")
            for log in (lambda: guest.log, vox.log):
                wait_until(lambda log=log: "denies its user" in log(), guest.log + vox.log())
            assert "sesame" not in vox.log() + worker.log + guest.log
    finally:
        server.close()


def test_what_a_worker_answers_that_is_nonsense_is_made_by_another(fleet: Fleet) -> None:
    rogue = Rogue(fleet.server.url, nonsense())
    numbers = list(range(1, 13))
    try:
        while not rogue.is_through:
            job_id, path = fleet.write(" ".join(f"{number} [say 0.2s]." for number in numbers))
            job = fleet.outcome(job_id)
            assert (job["state"], job["error"]) == ("done", None)
            written = read_audio(path)
            assert read_tones(written.samples, written.sample_rate) == numbers
    finally:
        rogue.close()


def test_where_all_workers_answer_nonsense_it_is_made_here_or_fails_and_names_one(vox: Vox) -> None:
    server = RedisServer()
    (vox.home / "config.toml").write_text(settings(server.url))
    rogue = Rogue(server.url, ([Entry("{")] for _ in range(100)))
    try:
        vox.ok(*SCRIPTED, "-o", str(vox.home / "here.wav"), "1 [say 0.1s].")
        (job,) = vox.jobs()
        assert job["notes"] == ["made here: the worker rogue sent an invalid answer"]
        assert (job["state"], job["made_on"]) == ("done", None)
        vox.ok("daemon", "stop")
        vox.environ["SCRIPTED_MISSING"] = "yes"
        failed = vox(*SCRIPTED, "-o", str(vox.home / "not.wav"), "1 [say 0.1s].")
        assert failed.code == 1
        assert "the worker rogue sent" in failed.err
    finally:
        vox.stop()
        rogue.close()
        server.close()


def test_speech_whose_worker_is_killed_in_mid_sentence_is_heard_whole_and_in_order(
    fleet: Fleet, recorder: Recorder
) -> None:
    text = " ".join(f"{number} [slow 0.06] [say 0.6s]." for number in range(1, 7))
    body = {"text": text, "backend": "scripted", "async": True}
    job_id = fleet.vox.client.call("POST", "/speak", body)["id"]
    for _ in range(2):
        recorder.wait_for_sound()
        worker = fleet.crew.wait_at_work()[0]
        worker.kill()
        worker.start()
    job = fleet.outcome(job_id)
    assert (job["state"], job["heard"], job["unsaid"]) == ("done", 6, 0)
    heard = recorder.stop()
    told = read_timed_tones(heard.samples, heard.sample_rate)
    assert without_drop_outs([tone.number for tone in told]) == [1, 2, 3, 4, 5, 6]
    sounded_s = [
        sum(tone.end_s - tone.start_s for tone in told if tone.number == number)
        for number in range(1, 7)
    ]
    assert min(sounded_s) > 0.4 and max(sounded_s) < 0.8, told
    fleet.crew.wait_announced("anna", "bert")


def test_a_sentence_whose_worker_is_killed_while_it_is_heard_goes_on_where_it_was(
    fleet: Fleet, recorder: Recorder
) -> None:
    body = {"text": "1 [slow 0.07] [say 1.5s].", "backend": "scripted", "async": True}
    job_id = fleet.vox.client.call("POST", "/speak", body)["id"]

    def sounded_s() -> float:
        heard = recorder.recording()
        told = read_timed_tones(heard.samples, heard.sample_rate)
        assert all(tone.number == 1 for tone in told)
        return sum(tone.end_s - tone.start_s for tone in told)

    wait_until(lambda: sounded_s() > 0.6, "it is being heard")
    for worker in fleet.crew.wait_at_work():
        worker.kill()
        worker.start()
    assert fleet.outcome(job_id)["state"] == "done"
    recorder.stop()
    assert 1.3 < sounded_s() < 1.8
    fleet.crew.wait_announced("anna", "bert")


def test_a_client_that_asks_for_one_is_not_behind_one_that_asks_for_many(fleet: Fleet) -> None:
    def client(name: str) -> Session:
        session = Session(Server(parse(fleet.server.url), lambda: None), name, LEASE_S)
        session.start()
        return session

    def request(text: str) -> Request:
        return Request("", "", "", "scripted", "scripted", text=text)

    greedy, modest = client("greedy"), client("modest")
    try:
        many = [greedy.ask(request(f"{number} [slow 0.05] [say 0.05s]")) for number in range(100)]
        wait_until(lambda: many[3].is_ended, "some are made")
        before = sum(each.is_ended for each in many)
        one = modest.ask(request("1 [slow 0.05] [say 0.05s]"))
        wait_until(lambda: one.is_ended, "the one is made")
        # Two are being made when it comes, and each worker may have taken another one meanwhile.
        assert sum(each.is_ended for each in many) - before < 20
    finally:
        greedy.close()
        modest.close()


def answered_s(vox: Vox, number: int) -> float:
    """How long a short text takes over HTTP, its model being warm."""
    body = {"input": f"{number} [say 0.05s].", "model": "scripted", "response_format": "pcm"}
    began = time.monotonic()
    with http.request(vox.paths.socket_path, "POST", "/v1/audio/speech", body, 60) as answer:
        assert answer.read()
        assert answer.status == 200
    return time.monotonic() - began


def test_a_warm_worker_answers_about_as_soon_as_this_machine(fleet: Fleet) -> None:
    taken: dict[str, list[float]] = {"local": [], "remote": []}
    for number in range(12):
        for placement, all_s in taken.items():
            fleet.set(placement=f'"{placement}"')
            all_s.append(answered_s(fleet.vox, number))
    here_s, there_s = (statistics.median(all_s[2:]) for all_s in taken.values())
    # 6 ms on a machine with nothing else to do; 15 are promised.
    assert there_s - here_s < 0.15, taken
    made_on = [job["made_on"] for job in fleet.vox.jobs()[-4:]]
    assert [each is None for each in made_on] == [True, False] * 2


def test_a_worker_whose_model_does_not_load_leaves_its_requests_to_another(
    fleet: Fleet, reference: Path
) -> None:
    broken = fleet.crew.make("broken")
    (broken.home / "config.toml").write_text(
        f'lease_s = {LEASE_S}\n[backends.scripted]\nmodel = "load-fail"\n'
    )
    broken.start()
    fleet.crew.wait_announced("broken")
    try:
        fleet.write(" ".join(f"{number} [until broken] [say 0.1s]." for number in (1, 2)))
        fleet.crew.wait_at_work(2)
        job_id, path = fleet.write(TEXT)
        wait_until(lambda: "does not load" in broken.log, "it has tried")
        (fleet.vox.home / "broken").touch()
        job = fleet.outcome(job_id)
        assert (job["state"], job["error"]) == ("done", None)
        assert is_same(path, reference)
    finally:
        fleet.crew.remove(broken)
