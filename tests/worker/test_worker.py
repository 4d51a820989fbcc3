"""A worker at work: what it makes, what it refuses, when it stops, and what it tells of itself."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.redis_server import Proxy, RedisServer, free_port
from tests.workers import Crew, Worker, crew, wait_until, wav
from vox.errors import WorkerLost, WorkersAway
from vox.fleet import keys
from vox.fleet.asked import Asked
from vox.fleet.clones import digest_of
from vox.fleet.requests import CloneRef
from vox.fleet.server import Server
from vox.fleet.session import Session
from vox.fleet.workers import Announced
from vox.paths import get_paths
from vox.redis_url import parse

from .conftest import Heard, MakeWorker, hear, held, request

Say = Callable[..., Heard]


def wait_served(session: Session, name: str = "gpu") -> Announced:
    def there() -> list[Announced]:
        return [each for each in session.workers if each.name == name and each.lanes]

    wait_until(there, f"{name} is announced")
    return there()[0]


def wait_file(path: Path) -> None:
    wait_until(path.exists, f"{path.name} is made")


def read_sound(asked: Asked, count: int = 1) -> None:
    """Read on until so many chunks have come. Raises what `Asked.next` does."""
    while count:
        answer = asked.next(60)
        assert answer is not None and answer.event not in ("end", "error")
        count -= answer.event == "chunk"


# -- what it makes ----------------------------------------------------------------------------


def test_a_request_is_made_and_the_worker_tells_what_it_did(
    make_worker: MakeWorker, say: Say, session: Session
) -> None:
    make_worker(device="cpu")
    first = wait_served(session)
    assert (first.name, first.machine, first.device) == ("gpu", "machine", "cpu")
    assert first.lanes == ("scripted", "scripted/plain") and first.warm == ()
    heard = say("7 [say 0.2s]", voice="two", speed=2.0)
    assert heard.workers == ["gpu"]
    assert heard.seconds == pytest.approx(0.1, abs=0.001)
    assert [answer.event for answer in heard.answers[:2]] == ["begun", "loading"]
    wait_until(lambda: wait_served(session).warm == ("scripted",), "the model is told as warm")
    wait_until(lambda: wait_served(session).requests == 1, "the request is counted")
    told = wait_served(session)
    assert told.audio_s == pytest.approx(0.1, abs=0.001)
    assert told.x_realtime and "scripted" in told.load_s


def test_a_model_is_loaded_ahead(
    make_worker: MakeWorker, say: Say, session: Session, scripted_dir: Path
) -> None:
    make_worker()
    assert say("[cut-off]").answers[-1].header["cut_off"] is True
    heard = say(None, style="load-note:hello")
    assert heard.seconds == 0
    assert heard.answers[-1].header["cut_off"] is False  # that was the request before
    assert len((scripted_dir / "loads").read_text().splitlines()) == 2


def test_two_are_made_at_once_each_by_a_host_of_its_own(
    make_worker: MakeWorker, session: Session, scripted_dir: Path
) -> None:
    make_worker(concurrency=2)
    assert wait_served(session).concurrency == 2
    with held(scripted_dir, "one") as one, held(scripted_dir, "two") as two:
        asked = [session.ask(request(text)) for text in (one, two)]
        wait_file(scripted_dir / "one-begun")
        wait_file(scripted_dir / "two-begun")
        wait_until(lambda: wait_served(session).busy == 2, "both are told as under way")
        assert len((scripted_dir / "loads").read_text().splitlines()) == 2
    for each in asked:
        assert hear(each).error == ""


def test_a_worker_serves_what_it_is_told_to_and_says_if_that_is_nothing(
    make_worker: MakeWorker, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make_worker(backends=("qwen",), name="a box")
    wait_until(lambda: "serves nothing yet" in caplog.text, "it says so")
    wait_until(lambda: "run: vox backends install qwen" in caplog.text, "it says what to do")
    wait_until(lambda: session.workers, "it is announced")
    assert (session.workers[0].lanes, session.workers[0].name) == ((), "a-box")
    with pytest.raises(WorkersAway, match="no worker serves scripted"):
        hear(session.ask(request("one")))


BROKEN = """
from scripted_backend import Scripted

class Broken(Scripted):
    @classmethod
    def missing(cls, settings):
        raise RuntimeError("it cannot tell")
"""


def test_a_backend_that_is_broken_is_named_once_and_the_others_are_served(
    make_worker: MakeWorker, session: Session, caplog: pytest.LogCaptureFixture, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, register: Callable[[str], None],
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    (tmp_path / "broken_backend.py").write_text(BROKEN)
    about = tmp_path / "vox_broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: vox-broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[vox.backends]\nbroken = broken_backend:Broken\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    register("scripted")
    make_worker(backends=())
    assert "scripted" in wait_served(session).lanes
    time.sleep(1)  # it looks six times
    told = [each.getMessage() for each in caplog.records if "broken" in each.getMessage()]
    assert told == ["broken cannot be used: RuntimeError: it cannot tell"]


def failure(say: Say, text: str, **options: object) -> str:
    """What is wrong with it, whether other workers might do better or not."""
    try:
        return say(text, **options).error
    except WorkerLost as exc:
        return exc.message


def test_what_a_backend_cannot_do_is_an_error_and_the_worker_goes_on(
    make_worker: MakeWorker, say: Say
) -> None:
    make_worker(settings="first_chunk_timeout_s = 0.3\n")
    say("warm")
    assert "such words" in failure(say, "[fail such words]")
    assert "no voice called 'nobody'" in failure(say, "one", voice="nobody")
    assert "something terrible happened" in failure(say, "[crash]")
    assert "produced no sound for 0.3 s" in failure(say, "[hang]")
    assert "does not fit" in failure(say, "[oom]")
    heard = say("[say 0.1s]")
    assert (heard.error, round(heard.seconds, 3)) == ("", 0.1)


@pytest.mark.parametrize("how", ["load-fail", "load-crash", "load-oom", "load-until:never"])
def test_a_model_that_does_not_load_is_an_error_and_the_worker_goes_on(
    make_worker: MakeWorker, say: Say, how: str
) -> None:
    make_worker(settings=f'load_timeout_s = 4\n[backends.scripted]\nmodel = "{how}"\n')
    error = failure(say, "one")
    assert error and "\n" not in error
    assert say("one", model="plain").error == ""


def test_a_request_for_something_that_is_not_served_is_refused(
    make_worker: MakeWorker, session: Session
) -> None:
    make_worker()
    for wrong in (replace(request("1"), backend="toy"), replace(request("1"), model="/etc/passwd")):
        asked = session.ask(wrong)
        with pytest.raises(WorkerLost, match="the worker does not serve scripted"):
            hear(asked)


def test_requests_that_are_none_do_not_stop_a_worker(
    make_worker: MakeWorker, say: Say, session: Session, server: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Who can write to the server may write anything."""
    make_worker()
    wait_served(session)
    bad = ["{", "[]", '["1", "os.system", null, 0, 0, null, ["secret words"], {}]',
           '["1", "vox.synthesize", null, 0, 0, null, [{"id": 7, "text": "secret words"}], {}]',
           '["1", "vox.synthesize", null, 0, 0, null, [], {"evil": 1}]']  # fmt: skip
    for number, message in enumerate(bad):
        put(server, session, f"bad{number}", message)
    wait_until(lambda: not server.call("exists", keys.ring(0, "scripted")), "all were taken")
    assert say("[say 0.1s]").error == ""
    assert "secret words" not in caplog.text


def put(server: Server, session: Session, request_id: str, message: str) -> None:
    ring = keys.ring(0, "scripted")
    server.run(
        "submit",
        [keys.task(request_id), f"{ring}:anna", ring, keys.SERVED, keys.SEQ,
         keys.wake("scripted"), keys.session(session.id)],
        [request_id, "anna", 0, 1, 60_000, keys.answers(session.id), message,
         keys.message(request_id), "", ""],
    )  # fmt: skip


def test_no_text_reaches_the_log(
    make_worker: MakeWorker, say: Say, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for noisy in ("huey", "redis"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # as `set_level` does
    make_worker()
    say("[say 0.1s] a secret")
    say("[fail a secret]")
    say("[crash] a secret")
    assert "secret" not in caplog.text


# -- clones -----------------------------------------------------------------------------------


def test_a_recording_is_kept_by_the_worker_and_is_fetched_again_if_it_is_gone(
    make_worker: MakeWorker, session: Session, redis_server: RedisServer, home: Path
) -> None:
    make_worker()
    recording = home / "anna.wav"
    recording.write_bytes(wav(1.0))
    digest = digest_of(str(recording))

    def say() -> Asked:
        asked = session.ask(request("[say 0.05s]", clone=CloneRef(digest)), str(recording))
        assert hear(asked).error == ""
        return asked

    assert say().losses == 0
    kept = Path(get_paths().clones_dir) / f"{digest}.wav"
    assert kept.read_bytes() == recording.read_bytes()
    with redis_server.client() as client:
        client.delete(keys.clone(digest))  # the worker has it
        assert say().losses == 0
        client.delete(keys.clone(digest))
    kept.unlink()
    assert say().attempt == 2  # the worker asked for it
    assert kept.exists()


# -- cancel -----------------------------------------------------------------------------------


def test_a_cancelled_request_frees_the_worker_for_the_next(
    make_worker: MakeWorker, say: Say, session: Session, scripted_dir: Path
) -> None:
    make_worker()
    say("warm")
    asked = session.ask(request("[slow 0.05][say 30s]"))
    read_sound(asked)
    asked.cancel()
    assert say("[say 0.1s]").error == ""
    loads = (scripted_dir / "loads").read_text().splitlines()
    assert len(loads) == 1, "the host stayed warm"


def test_a_request_that_is_cancelled_while_its_host_hangs_frees_the_worker(
    make_worker: MakeWorker, say: Say, session: Session, scripted_dir: Path
) -> None:
    make_worker()
    asked = session.ask(request("[mark hangs][hang]"))
    wait_file(scripted_dir / "hangs")
    asked.cancel()
    assert say("[say 0.1s]").error == ""


def test_a_model_goes_on_loading_for_the_next_request_if_the_first_is_cancelled(
    make_worker: MakeWorker, say: Say, session: Session, scripted_dir: Path
) -> None:
    make_worker(settings='[backends.scripted]\nmodel = "load-until:go"\n')
    asked = session.ask(request("one"))
    wait_file(scripted_dir / "loads")
    asked.cancel()
    wait_until(lambda: not session._unwanted, "the worker is told")
    (scripted_dir / "go").touch()
    assert say("[say 0.05s]").error == ""
    assert len((scripted_dir / "loads").read_text().splitlines()) == 1


def test_the_end_of_a_session_frees_its_worker(
    make_worker: MakeWorker, say: Say, redis_server: RedisServer, session: Session,
    scripted_dir: Path,
) -> None:  # fmt: skip
    """Its client died: nobody cancels, and nobody reads."""
    make_worker()
    dead = Session(Server(parse(redis_server.url), lambda: None), "ben", 1.0)
    dead.start()
    dead.ask(request("[mark begun][slow 0.05][say 30s]"))
    wait_file(scripted_dir / "begun")
    dead._is_closed.set()
    dead._keeper.join()
    dead.server.call("delete", keys.session(dead.id))  # as if its time had run out
    assert say("[say 0.1s]").error == ""
    dead.close()


# -- the network and the server ---------------------------------------------------------------


@pytest.mark.slow
def test_a_worker_waits_for_a_server_that_is_not_there_yet_and_says_so_once(
    make_worker: MakeWorker, caplog: pytest.LogCaptureFixture, scripted_dir: Path
) -> None:
    caplog.set_level(logging.INFO)
    server = RedisServer()
    server.kill()
    make_worker(server.url)
    time.sleep(0.5)  # some tries of each of its threads
    server.start()
    answers = f"the Redis server 127.0.0.1:{server.port} answers"
    wait_until(lambda: answers in caplog.text, "it goes on")
    lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(lines) == 1 and "Connection refused" in lines[0]
    server.close()


def test_a_worker_outlives_a_server_that_is_killed_and_one_that_is_emptied(
    make_worker: MakeWorker, say: Say, redis_server: RedisServer, session: Session
) -> None:
    make_worker()
    for end in (redis_server.kill, redis_server.client().flushall):
        assert say("[say 0.1s]").error == ""
        end()
        redis_server.start()
        wait_until(lambda: session.away is None, "the session goes on")
        wait_served(session)
    assert say("[say 0.1s]").error == ""


@pytest.mark.slow
def test_a_worker_whose_network_is_gone_gives_the_request_up_and_is_heard_no_more(
    make_worker: MakeWorker, session: Session, redis_server: RedisServer, scripted_dir: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    proxy = Proxy(redis_server.port)
    far = make_worker(proxy.url, "far")
    wait_served(session, "far")
    asked = session.ask(request("[mark begun][slow 0.1][say 60s]"))
    wait_file(scripted_dir / "begun")
    make_worker(name="near")
    wait_served(session, "near")
    read_sound(asked)
    proxy.stall()
    wait_until(lambda: far.worker._leases.count == 0, "it gives up")
    assert "no longer wanted" in caplog.text
    wait_until(lambda: asked.worker == "near", "another makes it")
    proxy.resume()
    read_sound(asked, 3)
    assert asked.worker == "near"
    asked.cancel()
    wait_until(lambda: {each.name for each in session.workers} == {"far", "near"}, "it is back")
    proxy.close()


def test_a_lease_ends_with_a_host_that_hangs(
    make_worker: MakeWorker, say: Say, server: Server
) -> None:
    make_worker(settings="first_chunk_timeout_s = 1.5\n")
    began = time.monotonic()
    assert "produced no sound" in failure(say, "[hang]")  # not that the worker was lost
    assert time.monotonic() - began > 1.5
    assert server.call("zcard", keys.LEASES) == 0


# -- warm and cold ----------------------------------------------------------------------------


def test_a_warm_worker_has_a_head_start(
    make_worker: MakeWorker, session: Session, scripted_dir: Path, say: Say
) -> None:
    """Also if a cold one has waited for longer."""
    settings = '[backends.scripted]\nmodel = "load-slow:1"\n'
    make_worker(name="warm", settings=settings)
    wait_served(session, "warm")
    assert say("[say 0.05s]").workers == ["warm"]
    wait_until(lambda: wait_served(session, "warm").warm, "it is warm")
    cold = make_worker(name="cold", settings=settings)
    wait_served(session, "cold")
    wait_until(lambda: cold.worker._lanes()[0].min_age_s, "the other knows that")
    for _ in range(6):
        assert say("[say 0.05s]").workers == ["warm"]


def test_a_cold_worker_helps_when_the_warm_one_is_busy(
    make_worker: MakeWorker, session: Session, scripted_dir: Path, say: Say
) -> None:
    make_worker(name="warm")
    say("[say 0.05s]")
    wait_until(lambda: wait_served(session, "warm").warm, "it is warm")
    make_worker(name="cold")
    wait_served(session, "cold")
    with held(scripted_dir, "one") as one:
        asked = session.ask(request(one))
        wait_file(scripted_dir / "one-begun")
        heard = say("[say 0.05s]")
    assert {*heard.workers, *hear(asked).workers} == {"warm", "cold"}


def test_a_model_that_does_not_fit_is_left_to_another_worker_and_this_one_goes_on(
    make_worker: MakeWorker, session: Session, say: Say
) -> None:
    made = {name: make_worker(name=name) for name in ("first", "second")}
    for name in made:
        wait_served(session, name)
    heard = say("[oom once][say 0.1s]")
    assert (heard.error, heard.seconds) == ("", pytest.approx(0.1, abs=0.001))
    assert len(heard.workers) == 2
    full, other = heard.workers
    wait_until(lambda: wait_served(session, full).failing == ("scripted",), "it is told")
    assert wait_served(session, other).failing == ()
    assert not wait_served(session, full).can_make("scripted")
    for _ in range(6):
        assert say("[say 0.05s]").workers == [other]
    made[other].stop()
    made[other].wait()
    assert say("[say 0.05s]").workers == [full]
    wait_until(lambda: wait_served(session, full).failing == (), "it is told")


def test_an_idle_model_is_unloaded_by_the_workers_own_setting(
    make_worker: MakeWorker, session: Session, say: Say, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make_worker(settings="idle_timeout = 1\n")
    say("[say 0.05s]")
    wait_until(lambda: wait_served(session).warm, "it is warm")
    wait_until(lambda: not wait_served(session).warm, "it is unloaded")
    assert "scripted is unloaded, for it was idle" in caplog.text
    assert say("[say 0.05s]").error == ""


# -- its end ----------------------------------------------------------------------------------


def test_a_worker_that_is_stopped_finishes_what_it_makes_and_takes_nothing_more(
    make_worker: MakeWorker, session: Session, scripted_dir: Path
) -> None:
    running = make_worker()
    with held(scripted_dir, "one") as one:
        asked = session.ask(request(one))
        wait_file(scripted_dir / "one-begun")
        later = session.ask(request("[say 0.05s]"))
        running.stop()
        wait_until(lambda: not session.workers, "its announcement is gone")
        assert running.thread.is_alive()
    assert hear(asked).error == ""
    running.wait()
    assert running.error is None
    make_worker(name="next")
    assert hear(later).workers == ["next"]


def test_a_worker_that_is_stopped_twice_gives_back_what_it_makes(
    make_worker: MakeWorker, session: Session, scripted_dir: Path
) -> None:
    running = make_worker()
    asked = session.ask(request("[slow 0.02][say 1s]"))
    read_sound(asked)
    make_worker(name="next")
    running.stop()
    running.stop()
    running.wait()
    assert running.error is None
    assert 0.5 < hear(asked).seconds < 1.0  # it goes on where it was
    assert asked.losses == 0


def test_a_worker_whose_thread_died_leaves_with_an_error(
    make_worker: MakeWorker, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    running = make_worker()
    wait_served(session)

    def die(_lanes: object) -> None:
        raise SystemExit

    running.worker._queue.storage.claim = die
    session.server.call("lpush", keys.wake("scripted"), "1")
    running.wait()
    assert running.error is not None
    assert running.error.line == "a thread of the worker has ended; its log says why"
    wait_until(lambda: not session.workers, "its announcement is gone")


def test_a_worker_that_cannot_look_after_itself_goes_on(
    make_worker: MakeWorker, say: Say, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    running = make_worker()
    wait_served(session)

    def fail() -> None:
        raise RuntimeError("nobody expected this")

    running.worker._slots.unload_due = fail  # type: ignore[method-assign]
    wait_until(lambda: "nobody expected this" in caplog.text, "it says so")
    assert say("[say 0.05s]").error == ""


# -- processes --------------------------------------------------------------------------------


@pytest.fixture
def workers(redis_server: RedisServer, scripted_dir: Path) -> Crew:  # type: ignore[misc]
    with crew(redis_server, scripted_dir) as made:
        yield made


def begin_long(session: Session, scripted_dir: Path) -> Asked:
    asked = session.ask(request("[mark begun][until end]"))
    wait_file(scripted_dir / "begun")
    return asked


@pytest.mark.parametrize("signals", [("SIGTERM",), ("SIGHUP", "SIGHUP")])
def test_a_process_finishes_and_leaves_when_it_is_told_to_or_its_terminal_is_closed(
    workers: Crew, session: Session, scripted_dir: Path, signals: tuple[str, ...]
) -> None:
    (worker,) = workers.add("gpu")
    asked = begin_long(session, scripted_dir)
    hosts = worker.hosts()
    assert hosts
    for each in signals:
        worker.send(signal.Signals[each])
        workers.wait_gone("gpu")
    (scripted_dir / "end").touch()
    assert hear(asked).error == ""
    assert worker.wait() == 0
    wait_until(lambda: not any(host.is_running() for host in hosts), "its hosts are gone")
    assert "Traceback" not in worker.log


def test_the_log_tells_a_worker_s_life_in_one_line_for_each_event(
    workers: Crew, session: Session, scripted_dir: Path
) -> None:
    (worker,) = workers.add("gpu")
    hear(session.ask(request("[say 0.05s] a secret")))
    begin_long(session, scripted_dir)
    worker.terminate()
    workers.wait_gone("gpu")
    worker.terminate()
    assert worker.wait() == 0
    log = worker.log
    assert "secret" not in log and "Traceback" not in log
    said = [line.partition(": ")[2] for line in log.splitlines()]
    wanted = [
        "starts: vox ", "serves scripted", "answers",
        "loaded in", "stops once its utterance is made", "gave unfinished requests back: 1",
        "has stopped",
    ]  # fmt: skip
    assert [part for part, line in zip(wanted, said, strict=True) if part not in line] == []


def test_a_worker_that_has_the_name_of_another_says_so_once(
    make_worker: MakeWorker, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    make_worker()
    make_worker()
    words = "a worker on machine is called gpu too; start one with --name"
    wait_until(lambda: caplog.text.count(words) == 2, "both say so")
    wait_served(session)
    assert caplog.text.count(words) == 2


@pytest.mark.slow
def test_a_process_gives_back_at_the_second_sigterm_and_is_gone_at_sigkill(
    workers: Crew, session: Session, scripted_dir: Path
) -> None:
    (first,) = workers.add("first")
    asked = begin_long(session, scripted_dir)
    hosts = first.hosts()
    (second,) = workers.add("second")
    (scripted_dir / "begun").unlink()
    first.terminate()
    workers.wait_gone("first")
    first.terminate()
    assert first.wait() == 0
    wait_file(scripted_dir / "begun")
    assert (asked.attempt, asked.losses) == (2, 0)
    workers.add("third")
    hosts += second.hosts()
    second.kill()
    wait_until(lambda: asked.losses == 1, "the client notices")
    (scripted_dir / "end").touch()
    assert hear(asked).workers[-1] == "third"
    wait_until(lambda: not any(host.is_running() for host in hosts), "their hosts are gone")


def test_a_process_whose_server_is_away_at_its_start_says_so_in_one_line_and_leaves_at_sigterm(
    workers: Crew, scripted_dir: Path
) -> None:
    worker = Worker("gpu", f"redis://127.0.0.1:{free_port()}", scripted_dir)
    workers.workers.append(worker)
    worker.start()
    wait_until(lambda: "serves scripted" in worker.log, "it has begun")
    worker.terminate()
    assert worker.wait() == 0
    assert len([line for line in worker.log.splitlines() if " WARNING " in line]) == 1
    assert "Traceback" not in worker.log
