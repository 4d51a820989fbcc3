"""Sound servers that hang, die and come back, in mid-speech. Each test has a server of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.audio.test_player import RecordingListener, listener, spools, tones
from tests.sound import Recorder, SoundServer, segments_of_sound
from vox.audio.device import Loudspeaker
from vox.audio.player import Playback, Player
from vox.audio.spool import SpoolDir
from vox.errors import NoAudioOutput

__all__ = ["listener", "spools"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    server = SoundServer()
    server.start()
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


@pytest.fixture
def player(server: SoundServer, listener: RecordingListener) -> Iterator[Player]:
    player = Player(listener, stall_s=1.0)
    player.start()
    yield player
    player.stop(now=True)


@pytest.mark.slow
def test_a_sound_server_that_hangs_fails_the_job_and_holds_nobody_up(
    server: SoundServer, player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=30.0), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 440, seconds=30.0), (0, 2)))
    listener.wait("started", "a")
    server.process.send_signal(signal.SIGSTOP)
    try:
        listener.wait("failed", "a")
        began = time.monotonic()
        assert player.cancel("b")
        player.stop(now=True)
        assert time.monotonic() - began < 10
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert isinstance(listener.of("a")[-1][1], NoAudioOutput)


@pytest.mark.slow
def test_a_sound_server_that_comes_back_is_used_again(
    server: SoundServer, player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=3.0), (0, 1)))
    listener.wait("started", "a")
    server.kill()
    server.start()
    with Recorder() as recorder:
        listener.wait("finished", "a")
        assert segments_of_sound(recorder.stop())


@pytest.mark.slow
def test_a_sound_server_that_stays_away_fails_the_job(
    server: SoundServer, player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=30.0), (0, 1)))
    listener.wait("started", "a")
    server.kill()
    listener.wait("failed", "a")
    error = listener.of("a")[-1][1]
    assert isinstance(error, NoAudioOutput)
    assert error.exit_code == 8
    with pytest.raises(NoAudioOutput):
        player.check()
    assert player.describe()["error"]


def test_a_machine_without_a_sound_device_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    assert trouble_with(None).message == "there is no sound device"
    error = trouble_with("nosuch")
    assert error.message == "no sound device matches 'nosuch' (the setting audio_device)"
    assert error.hint.startswith("there is none at all")


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
