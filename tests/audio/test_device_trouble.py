"""Sound servers that hang, die and come back, in mid-speech. Each test has a server of its own."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.audio.test_player import RecordingListener, listener, spools, tones
from tests.sound import Recorder, SoundServer, segments_of_sound
from vox.audio.device import Loudspeaker
from vox.audio.player import Playback, Player
from vox.audio.sound_servers import SoundServers, standard_places
from vox.audio.spool import SpoolDir
from vox.errors import NoAudioOutput

__all__ = ["listener", "spools"]


@pytest.fixture
def player(server: SoundServer, listener: RecordingListener) -> Iterator[Player]:
    player = Player(listener, stall_s=1.0)
    player.start()
    yield player
    player.stop(now=True)


def until(is_so: Callable[[], object], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def seconds_heard(recorder: Recorder) -> float:
    return sum(end - start for start, end in segments_of_sound(recorder.stop()))


@pytest.fixture
def led_astray(listener: RecordingListener, monkeypatch: pytest.MonkeyPatch) -> Iterator[Player]:
    """A player in a process without the desktop's variables, as cron starts one."""
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    player = Player(listener)
    player.start()
    yield player
    player.stop(now=True)


@pytest.mark.slow
def test_jobs_wait_for_a_sound_server_that_hangs_and_nobody_is_held_up(
    server: SoundServer, player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=30.0), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 440, seconds=30.0), (0, 2)))
    listener.wait("started", "a")
    server.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: player.absence)
        threads = threading.active_count()
        began = time.monotonic()
        for _ in range(3):  # no further thread hangs at each try
            with pytest.raises(NoAudioOutput, match="accepted no sound"):
                player.check()
        assert threading.active_count() <= threads
        assert player.cancel("b")
        player.stop(now=True)
        assert time.monotonic() - began < 10
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert not listener.of("a")[1:]


@pytest.mark.slow
def test_speech_goes_on_once_a_hanging_sound_server_moves_again(
    server: SoundServer, player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    with Recorder() as recorder:
        player.add(Playback("a", tones(spools, "a", 440, seconds=2.0), (0, 1)))
        listener.wait("started", "a")
        server.process.send_signal(signal.SIGSTOP)
        until(lambda: player.absence)
        server.process.send_signal(signal.SIGCONT)
        listener.wait("finished", "a")
        assert 1.7 < seconds_heard(recorder) < 2.6


@pytest.mark.slow
@pytest.mark.parametrize("what", ["server", "sink"])
def test_what_is_said_goes_on_where_it_was_cut_once_the_sound_is_back(
    what: str,
    server: SoundServer,
    player: Player,
    listener: RecordingListener,
    spools: SpoolDir,
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=3.0), (0, 1)))
    with Recorder() as before:
        listener.wait("started", "a")
        time.sleep(1.0)  # some of it is heard
        heard_s = seconds_heard(before)
        server.kill() if what == "server" else server.remove_sink()
    until(lambda: player.absence)
    assert player.describe()["state"] == "waiting"
    assert player.describe()["error"]
    server.start() if what == "server" else server.add_sink()
    with Recorder() as after:
        listener.wait("finished", "a")
        heard_s += seconds_heard(after)
    assert 2.7 < heard_s < 3.3
    assert player.describe()["error"] is None


def test_without_sound_jobs_wait_can_be_cancelled_and_hold_up_no_stop(
    led_astray: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player = led_astray
    jobs = [Playback(name, tones(spools, name, 440), (0, seq)) for seq, name in enumerate("abc")]
    for job in jobs:
        player.add(job)
    until(lambda: player.absence)
    assert (player.next, player.current, player.waiting) == ("a", None, ["a", "b", "c"])
    assert player.cancel("a")
    until(lambda: player.next == "b")
    player.pause()
    until(lambda: player.absence is None)
    player.resume()
    until(lambda: player.absence)
    assert player.cancel("b")
    assert player.cancel("c")
    until(lambda: player.absence is None)
    with pytest.raises(NoAudioOutput, match="no sound device"):
        player.check()
    player.add(Playback("d", tones(spools, "d", 440), (0, 1)))
    until(lambda: player.absence)
    began = time.monotonic()
    player.stop()
    assert time.monotonic() - began < 1.0
    assert not listener.events


def test_the_newest_callers_sound_server_is_found(
    server: SoundServer, led_astray: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player = led_astray
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    until(lambda: player.absence)
    player.offer_environment({})
    player.offer_environment({"PULSE_SERVER": "unix:/nowhere/else"})
    player.offer_environment(server.environ)
    listener.wait("finished", "a")
    # What works is kept, and our own environment is as it was.
    player.offer_environment({"PULSE_SERVER": "unix:/nowhere"})
    player.add(Playback("b", tones(spools, "b", 440, rate=16_000), (0, 1)))
    listener.wait("finished", "b")
    assert os.environ["PULSE_SERVER"] == "unix:/nowhere"


@pytest.mark.slow
def test_a_callers_sound_server_that_does_not_answer_keeps_no_other_from_being_used(
    server: SoundServer, led_astray: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    path = f"{server.path}/silent"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        led_astray.offer_environment(server.environ)
        led_astray.offer_environment({"PULSE_SERVER": f"unix:{path}"})
        led_astray.add(Playback("a", tones(spools, "a", 440), (0, 1)))
        listener.wait("finished", "a")


def test_a_callers_variables_that_abort_every_process_are_not_tried() -> None:
    servers = SoundServers(list)
    servers.offer({"ALSA_CONFIG_PATH": "/nowhere/alsa.conf"})
    assert not servers.vet()
    assert servers.candidates() == [servers.kept]


def test_the_sound_server_of_the_desktop_is_found_in_its_usual_place(
    server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert standard_places(str(tmp_path), str(tmp_path / "none")) == []
    for name in ("PULSE_SERVER", "PULSE_COOKIE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    speaker = Loudspeaker(servers=SoundServers(lambda: standard_places(server.path)))
    try:
        speaker.probe()
    finally:
        speaker.leave()
    assert speaker.servers.kept == {"XDG_RUNTIME_DIR": server.path}
    assert "XDG_RUNTIME_DIR" not in os.environ


def test_a_machine_without_a_sound_device_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    assert trouble_with(None).message == "there is no sound device"
    error = trouble_with("nosuch")
    assert error.message == "no sound device matches 'nosuch' (the setting audio_device)"
    assert error.hint.startswith("there is none")


def test_a_setting_that_names_no_device_is_told_which_there_are(server: SoundServer) -> None:
    for device in ("nosuch", 99):
        error = trouble_with(device)
        assert f"{device!r} (the setting audio_device)" in error.message
        assert "default" in error.hint


def trouble_with(device: str | int | None) -> NoAudioOutput:
    speaker = Loudspeaker(device)
    try:
        with pytest.raises(NoAudioOutput) as caught:
            speaker.probe()
    finally:
        speaker.leave()
    return caught.value
