"""What was said once is said again without a host, and what sounds different never is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from vox.backends import registry
from vox.engine.engine import Engine
from vox.errors import SynthesisFailed
from vox.jobs import Job, Request

from .fakes import CRASH, SPEECH_S, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request


def say(rig: Rig, engine: Engine, wanted: Request) -> Job:
    """The job once it has ended well."""
    job = engine.submit(wanted)
    assert rig.until_ended(job)["state"] == "done"
    return engine.store.get(job.id)


def say_job(rig: Rig, engine: Engine, **fields: Any) -> Job:
    """As `say`, of a job that no request could make here."""
    (job,) = engine.store.add([Job(id="", **{"text": ONE, "backend": "scripted", **fields})])
    engine.tasks.send([(job.id, 0)])
    assert rig.until_ended(job)["state"] == "done"
    return engine.store.get(job.id)


def next_engine(rig: Rig, engine: Engine) -> Engine:
    """The engine of another daemon, which has no host yet."""
    rig.close(engine)
    rig.hosts.started.clear()
    following = rig.make_engine()
    following.start()
    return following


# -- again ---------------------------------------------------------------------------------------


def test_what_was_said_before_is_heard_without_a_host(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    first = say(rig, engine, request(ONE, TWO))
    engine = next_engine(rig, engine)
    rig.events.clear()
    again = say(rig, engine, request(ONE, TWO))
    assert rig.states(again) == ["queued", "preparing", "speaking", "done"]
    assert (again.audio_s, again.heard, again.utterances) == (first.audio_s, 2, 2)
    assert (hosts.started, hosts.texts) == ([], [ONE, TWO])
    assert not [event for event in rig.events if "step" in event.data]


def test_it_is_the_same_to_the_sample(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    hosts.script(ONE, 0.7)
    paths = [tmp_path / "first.wav", tmp_path / "again.wav"]
    for path in paths:
        say(rig, engine, request(ONE, TWO, output=str(path)))
    first, again = (soundfile.read(path, dtype="int16")[0] for path in paths)
    assert (first == again).all()
    assert hosts.texts == [ONE, TWO]


def test_each_utterance_is_kept_by_itself_and_has_the_pause_of_its_place(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for sentence in (ONE, TWO):
        assert say(rig, engine, request(sentence)).audio_s == pytest.approx(SPEECH_S, abs=0.03)
    rig.settings["pause_s"] = 0.5
    both = say(rig, engine, request(ONE, TWO))
    assert both.audio_s == pytest.approx(2 * SPEECH_S + 0.5, abs=0.06)
    assert hosts.texts == [ONE, TWO]


def test_what_is_kept_is_heard_while_the_model_for_the_rest_loads(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    say(rig, engine, request(ONE))
    engine = next_engine(rig, engine)
    gate = hosts.gate()
    hosts.loads.append([gate])
    job = engine.submit(request(ONE, TWO))
    gate.wait_reached()
    rig.until_state(job, "speaking")
    rig.until(lambda: engine.store.get(job.id).heard == 1)
    gate.open()
    assert rig.until_ended(job)["state"] == "done"
    assert hosts.texts == [ONE, TWO]


def test_a_model_that_does_not_load_fails_the_job_after_what_was_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    say(rig, engine, request(ONE))
    engine = next_engine(rig, engine)
    hosts.loads.append([SynthesisFailed("no")])
    ended = rig.until_ended(engine.submit(request(ONE, TWO)))
    assert (ended["state"], ended["error"]) == ("failed", "no; see: vox daemon logs")
    assert len(hosts.started) == 1


def test_streams_are_kept_and_come_from_the_cache_too(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    first = say(rig, engine, request(ONE, sink="stream"))
    again = say(rig, engine, request(ONE, sink="stream"))
    assert hosts.texts == [ONE]
    assert again.audio_s == first.audio_s and again.first_audio_at is not None


def test_a_job_without_a_host_still_says_how_long_the_warm_model_stays(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    say(rig, engine, request(ONE))
    say(rig, engine, request(ONE, keep_alive=0.0))
    assert [host.is_alive for host in hosts.started] == [False]
    say(rig, engine, request(ONE, keep_alive=60.0))
    assert (len(hosts.started), hosts.texts) == (1, [ONE])


@pytest.mark.parametrize("fields", [{"volume": 0.5}, {"priority": "high"}, {"replace": "key"}])
def test_what_does_not_change_the_sound_makes_no_difference(
    rig: Rig, hosts: FakeHosts, engine: Engine, fields: dict[str, Any]
) -> None:
    say(rig, engine, request(ONE))
    say(rig, engine, request(ONE, **fields))
    assert hosts.texts == [ONE]


def test_backends_that_share_a_host_share_what_it_said(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for backend in ("qwen-native", "qwen"):
        if registry.environment_of(backend) == "qwen-native":
            say_job(rig, engine, backend=backend)
    assert hosts.texts == [ONE]


# -- different -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"voice": "two"},
        {"lang": "de"},
        {"speed": 1.5},
        {"style": "calm"},
        {"gender": "male"},
        {"model": "plain"},
        {"backend": "hibari"},
        {"text": ONE.upper()},
    ],
)
def test_what_changes_the_sound_is_synthesized(
    rig: Rig, hosts: FakeHosts, engine: Engine, fields: dict[str, Any]
) -> None:
    for _ in range(2):
        say_job(rig, engine)
        say_job(rig, engine, **fields)
    assert hosts.texts == [ONE, fields.get("text", ONE)]


def test_a_setting_of_the_backend_s_own_counts_and_its_device_does_not(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for table in ({}, {"dtype": "float32"}, {"dtype": "float32", "device": "cuda:1"}):
        rig.backends["scripted"] = table
        say(rig, engine, request(ONE))
    assert hosts.texts == [ONE, ONE]


def clone(rig: Rig, name: str, recording: bytes, transcript: str = "Some words.") -> None:
    folder = Path(rig.paths.voices_dir, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reference.wav").write_bytes(recording)
    (folder / "voice.toml").write_text(f'transcript = "{transcript}"')


def test_a_clone_is_known_by_its_recording_and_not_by_its_name(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    clone(rig, "me", b"a voice")
    clone(rig, "myself", b"a voice")
    for name in ("me", "myself", "me"):
        say_job(rig, engine, voice=name)
    assert hosts.texts == [ONE]
    clone(rig, "me", b"a cold!")
    say_job(rig, engine, voice="me")
    clone(rig, "me", b"a cold!", "Other words.")
    say_job(rig, engine, voice="me")
    assert hosts.texts == [ONE, ONE, ONE]


def test_other_weights_are_heard(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    weights = Path(rig.paths.backends_dir, "scripted", "weights")
    weights.mkdir(parents=True)
    for contents in ("some", "some others"):
        (weights / "model.bin").write_text(contents)
        for _ in range(2):
            say(rig, engine, request(ONE))
    assert hosts.texts == [ONE, ONE]


# -- not kept, not wanted ------------------------------------------------------------------------


def test_fresh_synthesizes_anew_and_replaces_what_was_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for seconds in (0.1, 0.3):
        hosts.script(ONE, seconds)
    lengths_s = [
        say(rig, engine, request(ONE, fresh=fresh)).audio_s for fresh in (None, True, None, False)
    ]
    assert lengths_s == pytest.approx([0.1, 0.3, 0.3, 0.3], abs=0.03)
    assert hosts.texts == [ONE, ONE]


@pytest.mark.parametrize(
    "off",
    [
        lambda rig: rig.backends.update(scripted={"cache": False}),
        lambda rig: rig.settings.update(cache_mb=0),
    ],
)
def test_a_cache_that_is_off_is_neither_read_nor_written(
    rig: Rig, hosts: FakeHosts, engine: Engine, off: Callable[[Rig], None]
) -> None:
    say(rig, engine, request(ONE))
    off(rig)
    for sentence in (ONE, TWO):
        say(rig, engine, request(sentence))
    rig.backends.clear()
    rig.settings["cache_mb"] = 500
    say(rig, engine, request(TWO))
    assert hosts.texts == [ONE, ONE, TWO, TWO]
    assert len(hosts.started) == 1, "a change of the setting must not load the model anew"


def test_an_utterance_that_was_cut_off_is_not_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(TWO, SPEECH_S, gate)
    cancelled = engine.submit(request(ONE, TWO))
    gate.wait_reached()
    engine.cancel(cancelled.id)
    hosts.script(THREE, SPEECH_S / 2, CRASH)
    say(rig, engine, request(ONE, TWO, THREE))
    say(rig, engine, request(ONE, TWO, THREE))
    assert hosts.texts == [ONE, TWO, TWO, THREE, THREE]


def test_an_utterance_that_the_backend_cut_off_at_a_limit_is_not_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    say(rig, engine, request(ONE))
    hosts.started[0].cut_off = True
    for _ in range(2):
        say(rig, engine, request(TWO))
    assert hosts.texts == [ONE, TWO, TWO]


def test_an_utterance_without_a_sound_is_not_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(ONE)
    for _ in range(2):
        say(rig, engine, request(ONE, TWO))
    assert hosts.texts == [ONE, TWO, ONE]


def test_what_an_adapter_cannot_tell_the_revision_of_is_not_kept(
    rig: Rig, hosts: FakeHosts, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_settings: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(registry.get("scripted"), "revision", fail)
    for _ in range(2):
        say(rig, engine, request(ONE))
    assert hosts.texts == [ONE, ONE]


def test_a_cache_that_does_not_work_fails_no_job(
    rig: Rig, hosts: FakeHosts, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    Path(rig.paths.utterances_dir).write_text("not a folder")
    with caplog.at_level(logging.WARNING, "vox.audio.utterances"):
        for _ in range(2):
            say(rig, engine, request(ONE, TWO))
    assert hosts.texts == [ONE, TWO] * 2
    assert len(caplog.records) == 1


# -- privacy, and what follows a death -----------------------------------------------------------


def test_clearing_the_history_forgets_what_was_said(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    say(rig, engine, request(ONE))
    engine.clear(older_than_s=3600)
    say(rig, engine, request(ONE))
    assert hosts.texts == [ONE]
    engine.clear()
    assert engine.utterances.usage_bytes() == 0
    say(rig, engine, request(ONE))
    assert hosts.texts == [ONE, ONE]


def test_a_replay_whose_audio_is_gone_says_it_without_a_host(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    old = say(rig, engine, request(ONE))
    engine.spools.remove(old.id)
    assert rig.until_ended(engine.replay(old.id))["state"] == "done"
    assert hosts.texts == [ONE]


def test_the_next_daemon_finds_what_the_interrupted_job_had_said(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.script(TWO, SPEECH_S, gate)
    job = engine.submit(request(ONE, TWO))
    gate.wait_reached()
    engine = next_engine(rig, engine)
    rig.until_ended(job)
    say(rig, engine, request(ONE, TWO))
    assert hosts.texts == [ONE, TWO, TWO]
