"""`vox history export`: JSON lines and audio files, with a daemon and without one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.running import Vox
from vox.client.local import Local
from vox.jobs import Request


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("with_daemon", [False, True])
def test_jobs_and_their_audio_are_exported(vox: Vox, tmp_path: Path, with_daemon: bool) -> None:
    vox.ok(
        "-q", "-b", "hibari", "-o", str(tmp_path / "spoken.wav"), "Spoken.\nTwo lines \U0001f600"
    )
    Local(vox.paths).submit(Request(text="Never heard.", backend="say"))
    vox.ok("cancel", "--all")
    if with_daemon:
        vox.ok("daemon", "start")
    never, spoken = lines(vox.ok("history", "export"))
    assert spoken["text"] == "Spoken.\nTwo lines \U0001f600"
    assert "audio" not in spoken
    assert lines(vox.ok("history", "export", "--state", "done", "-n", "5")) == [spoken]

    folder, file = tmp_path / "new" / "audio", tmp_path / "history.jsonl"
    to_files = ("--audio", str(folder), "--format", "flac", "-o", str(file))
    result = vox("history", "export", *to_files)
    assert (result.code, result.out) == (0, "")
    assert result.err.strip() == f"vox: no audio is kept of {never['id']}"
    audio = folder / f"{spoken['id']}.flac"
    assert [each["audio"] for each in lines(file.read_text())] == [None, str(audio)]
    assert soundfile.info(audio).duration == pytest.approx(spoken["audio_s"], abs=0.05)
    audio.write_bytes(b"mine")
    assert vox("history", "export", *to_files).code == 0
    assert audio.read_bytes() == b"mine"
    assert list(folder.iterdir()) == [audio]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("export", "--format", "mp3"), "--format goes with --audio DIR"),
        (("--search", "x", "export"), "options go after the command: vox history export OPTIONS"),
        (("export", "-o", "/nowhere/x"), "cannot write /nowhere/x"),
        (("export", "--audio", "/proc/x"), "cannot write /proc/x"),
        (("export", "--since", "soon"), "'soon' is not a time such as 2h"),
    ],
)
def test_what_cannot_be_exported_is_said_on_one_line(
    vox: Vox, args: tuple[str, ...], says: str
) -> None:
    result = vox("history", *args)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1


@pytest.mark.slow
def test_who_reads_no_further_is_no_error(vox: Vox) -> None:
    text = "word " * 100
    for _ in range(300):
        Local(vox.paths).submit(Request(text=text, backend="say"))
    call = vox.popen("history", "export", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert call.stdout and call.stderr
    assert call.stdout.readline().startswith('{"id"')
    call.stdout.close()
    assert call.wait(60) == 0
    assert call.stderr.read() == ""
