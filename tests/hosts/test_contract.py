"""What every host does, wherever it lives: the contract of `hosts.base.Host`."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.fake_workers import FakeWorkers
from tests.engine.fakes import CRASH, FakeHosts
from vox.backends.base import Settings, Utterance
from vox.backends.registry import load_class
from vox.errors import HostCrashed, HostTimeout, LoadFailed, OutOfMemory, SynthesisFailed
from vox.hosts.base import Host
from vox.hosts.handle import Limits
from vox.hosts.inline import InlineHost
from vox.hosts.remote import WORKERS, RemoteHost

from .conftest import PLUGIN_DIR, SCRIPTED, StartHost

SPEAK, LONG, FAIL, DIE = "[say 0.1s]", "[slow 0.01] [say 600s]", "[fail no]", "[say 0.2s] [crash]"


@pytest.fixture(params=["subprocess", "inline", "fake", "remote"])
def host(request: pytest.FixtureRequest, settings: Settings) -> Host:
    """Loaded, and doing what its texts say."""
    if request.param == "subprocess":
        start: StartHost = request.getfixturevalue("start")
        host: Host = start()
    elif request.param == "inline":
        host = request.getfixturevalue("start_inline")()
    else:
        workers = FakeWorkers()
        hosts = workers.hosts if request.param == "remote" else FakeHosts()
        for _ in range(3):
            hosts.script(SPEAK, 0.1)
        hosts.script(LONG, 600.0)
        hosts.script(FAIL, SynthesisFailed("no"))
        hosts.script(DIE, 0.2, CRASH)
        host = hosts("scripted", settings)
        if request.param == "remote":
            host = RemoteHost("scripted", None, settings, workers, tier=0, priority=0)
    host.load()
    return host


@pytest.fixture
def start_inline(
    scripted_dir: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., InlineHost]:
    """As `start`, in this process."""
    monkeypatch.syspath_prepend(PLUGIN_DIR)
    adapter = load_class(SCRIPTED)

    def start(model: str | None = None, **limits: float) -> InlineHost:
        chosen = Settings(settings.voices_dir, settings.env_dir, model=model)
        return InlineHost("scripted", adapter(chosen), Limits(**limits))

    return start


def frames(host: Host, text: str) -> int:
    return sum(len(samples) for samples, _ in host.synthesize(Utterance(text)))


def test_what_was_cancelled_before_it_has_begun_is_not_made(host: Host) -> None:
    """`cancel` before that reaches nothing, so whoever is to be asked is asked once it would."""

    def has_begun() -> None:
        host.cancel()  # reaches it now
        raise InterruptedError

    for _ in range(2):
        with pytest.raises(InterruptedError):
            list(host.synthesize(Utterance(LONG), has_begun))
    assert host.is_alive and host.idle_s > 0
    assert frames(host, SPEAK) > 0


def test_it_knows_what_it_is(host: Host, settings: Settings) -> None:
    assert (host.name, host.settings.env_dir) == ("scripted", settings.env_dir)
    assert host.is_alive and host.is_current and host.answers()
    assert host.device in ("cpu", WORKERS) and host.load_s is not None
    assert host.describe()["backend"] == "scripted"


def test_it_synthesizes_one_utterance_after_the_other(host: Host) -> None:
    assert [frames(host, SPEAK) for _ in range(3)] == [2400] * 3


def test_a_loaded_host_takes_further_wishes(host: Host) -> None:
    for wish in (Utterance("", voice="two"), None):
        host.load(wish)
        assert host.is_alive and host.idle_s < 60.0
        assert frames(host, SPEAK) == 2400


def test_closing_the_generator_stops_the_work(host: Host) -> None:
    chunks = host.synthesize(Utterance(LONG))
    next(chunks)
    chunks.close()
    assert frames(host, SPEAK) == 2400


def test_cancel_ends_the_synthesis(host: Host) -> None:
    chunks = host.synthesize(Utterance(LONG))
    next(chunks)
    host.cancel()
    assert sum(len(samples) for samples, _ in chunks) < 60 * 24_000
    assert frames(host, SPEAK) == 2400


def test_it_lives_on_after_a_synthesis_that_failed(host: Host) -> None:
    with pytest.raises(SynthesisFailed):
        frames(host, FAIL)
    assert host.is_alive and frames(host, SPEAK) == 2400


def test_it_is_dead_after_a_crash(host: Host) -> None:
    if isinstance(host, InlineHost | RemoteHost):
        pytest.skip("what crashes is this process, or a host of a worker")
    with pytest.raises(HostCrashed):
        frames(host, DIE)
    assert not host.is_alive and not host.answers()


@pytest.mark.parametrize("end", [operator.methodcaller("close"), operator.methodcaller("kill")])
def test_it_is_dead_when_it_was_ended(host: Host, end: Callable[[Host], None]) -> None:
    end(host)
    assert not host.is_alive


def test_it_is_idle_from_the_end_of_its_job_on(host: Host) -> None:
    before = time.monotonic()
    frames(host, SPEAK)
    host.end_job()
    assert before <= host.last_used <= time.monotonic()
    assert 0.0 <= host.idle_s <= time.monotonic() - before


@pytest.mark.parametrize("kind", ["start", "start_inline"])
def test_how_it_computes_and_what_it_notes_are_told(
    kind: str, request: pytest.FixtureRequest
) -> None:
    host: Host = request.getfixturevalue(kind)("load-note:it fell back")
    host.load()
    described = host.describe()
    assert [described[name] for name in ("device", "dtype", "engine")] == ["cpu", "none", "tones"]
    assert described["notes"] == ["it fell back"]
    assert (host.take_notes(), host.take_notes()) == (["it fell back"], [])


def test_inline_what_a_wish_needs_besides_is_loaded_and_a_failure_leaves_the_rest(
    start_inline: Callable[..., InlineHost],
) -> None:
    host, steps = start_inline(), list[str]()
    host.load()
    host.load(Utterance("", style="load-slow:0"), lambda text, _done: steps.append(text))
    assert (steps, host.model) == (["loading load-slow:0"], "plain, load-slow:0")
    with pytest.raises(LoadFailed):
        host.load(Utterance("", style="load-fail"))
    assert frames(host, SPEAK) == 2400
    with pytest.raises(OutOfMemory):
        host.load(Utterance("", style="load-oom"))
    assert not host.is_alive


@pytest.mark.parametrize("kind", ["start", "start_inline"])
def test_an_utterance_that_was_cut_off_at_a_limit_is_told_and_the_next_is_whole(
    kind: str, request: pytest.FixtureRequest
) -> None:
    host: Host = request.getfixturevalue(kind)()
    host.load()
    told = []
    for text in (SPEAK, "[cut-off] " + SPEAK, SPEAK):
        frames(host, text)
        told.append(host.cut_off)
    assert told == [False, True, False]


def test_inline_a_host_that_hangs_is_given_up(start_inline: Callable[..., InlineHost]) -> None:
    host = start_inline(first_chunk_s=0.2, cancel_s=0.1)
    host.load()
    with pytest.raises(HostTimeout, match=r"scripted produced no sound for 0\.2 s"):
        frames(host, "[hang]")
    assert not host.is_alive


def test_inline_a_load_that_fails_is_said(start_inline: Callable[..., InlineHost]) -> None:
    host = start_inline("load-fail")
    with pytest.raises(LoadFailed):
        host.load()
    assert not host.is_alive
