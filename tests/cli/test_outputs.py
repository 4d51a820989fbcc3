"""`vox -o`: standard output, a file for each text, and who may read what is written."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import soundfile

from tests.running import Vox, without_waiting
from tests.sound import decoded

SPEAK = ("-b", "scripted", "-o")


def written(vox: Vox, *args: str, shell: str = "") -> subprocess.CompletedProcess[bytes]:
    """A call whose standard output is audio; `shell` is what it is piped into."""
    command = [*vox.command, *args]
    if shell:
        command = ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", *command]
    environ = {**os.environ, **vox.environ}
    done = subprocess.run(
        command, env=environ, capture_output=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    done.stderr = without_waiting(done.stderr.decode()).encode()
    return done


@pytest.mark.parametrize("backend", ["scripted", "say"])
@pytest.mark.parametrize("daemon", ["none", "up"])
def test_audio_goes_to_standard_output_as_a_whole_wav(vox: Vox, backend: str, daemon: str) -> None:
    if daemon == "up":
        vox.ok("daemon", "start")
    done = written(vox, "-q", "-b", backend, "-o", "-", "[noise] one two three four")
    assert (done.returncode, done.stderr) == (0, b"")
    audio = soundfile.info(io.BytesIO(done.stdout))
    assert (audio.format, audio.subtype, audio.channels) == ("WAV", "PCM_16", 1)
    assert audio.frames > 0
    # It says how long it is, as players want it from a pipe.
    assert int.from_bytes(done.stdout[4:8], "little") == len(done.stdout) - 8
    assert not Path(vox.jobs()[0]["output"]).exists()


@pytest.mark.slow
def test_a_replay_goes_to_standard_output_as_well(vox: Vox) -> None:
    vox.ok(*SPEAK, str(vox.home / "x.wav"), "1 [say 0.5s]")
    for args, seconds in (("@1",), 0.5), (("@2", "--speed", "2"), 0.25):
        done = written(vox, "replay", *args, "-q", "-o", "-")
        assert (done.returncode, done.stderr) == (0, b"")
        assert soundfile.info(io.BytesIO(done.stdout)).duration == pytest.approx(seconds, abs=0.02)
    none = written(vox, "replay", "zzzzzz", "-o", "-")
    assert (none.returncode, none.stdout, none.stderr.count(b"\n")) == (2, b"", 1)
    late = written(vox, "replay", "@1", "-o", "-", "--timeout", "1ms")
    assert (late.returncode, late.stdout) == (7, b"")
    assert b"no audio was written" in late.stderr


@pytest.mark.slow
def test_a_reader_that_has_had_enough_is_no_error(vox: Vox) -> None:
    done = written(vox, *SPEAK, "-", "-q", "[say 20s]", shell="| head -c 4")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"RIFF", b"")
    full = written(vox, *SPEAK, "-", "one", shell="> /dev/full")
    assert (full.returncode, full.stderr) == (
        1,
        b"vox: cannot write the audio: No space left on device; free disk space\n",
    )


@pytest.mark.slow
def test_a_pipe_that_never_blocks_is_waited_for(vox: Vox) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    call = vox.popen(*SPEAK, "-", "[say 20s]", stdout=writing)
    os.close(writing)
    process = psutil.Process(call.pid)
    with open(reading, "rb") as pipe:
        audio = pipe.read(4)  # it begins to write, and fills the pipe
        states = []
        for _ in range(20):
            time.sleep(0.02)
            states.append(process.status())
        audio += pipe.read()
    assert (call.wait(60), soundfile.info(io.BytesIO(audio)).frames) == (0, 480_000)
    assert states.count(psutil.STATUS_SLEEPING) > 10, states


def test_audio_goes_to_no_terminal_and_not_with_what_else_is_printed(vox: Vox) -> None:
    shown = subprocess.run(
        ["script", "-qec", " ".join([*vox.command, "-o", "-", "one"]), "/dev/null"],
        env={**os.environ, **vox.environ}, capture_output=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (shown.returncode, b"vox -o - TEXT | aplay" in shown.stdout) == (2, True)
    for flag in ("--json", "--async"):
        refused = vox("-o", "-", flag, "one")
        assert (refused.code, refused.out) == (2, "")
        assert f"leave out {flag}" in refused.err
    closed = written(vox, "-o", "-", "one", shell=">&-")
    assert (closed.returncode, closed.stderr.count(b"\n")) == (2, 1)
    assert b"standard output is closed" in closed.stderr
    assert vox.jobs() == []


@pytest.mark.slow
def test_a_text_that_cannot_be_written_to_standard_output_leaves_it_empty(vox: Vox) -> None:
    failed = written(vox, *SPEAK, "-", "[fail so it is]")
    assert (failed.returncode, failed.stdout, failed.stderr.count(b"\n")) == (1, b"", 1)
    late = written(vox, *SPEAK, "-", "--timeout", "0.5", "[hang]")
    assert (late.returncode, late.stdout) == (7, b"")
    assert b"no audio was written" in late.stderr
    vox.until(vox.jobs()[-1]["id"], "cancelled")


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["m4a", "aac"])
def test_aac_is_written(vox: Vox, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"x.{extension}"
    vox.ok(*SPEAK, str(path), "[say 2s]")
    assert decoded(path.read_bytes()).duration_s == pytest.approx(2.0, abs=0.12)
    assert path.read_bytes()[4:8] == b"ftyp" or extension == "aac"


@pytest.mark.slow
def test_each_text_gets_its_file(vox: Vox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = []
    for number, name in enumerate(("a.txt", "b.long.md", "c"), 1):
        (tmp_path / name).write_text(f"[say {number}s]")
        files += ["-f", str(tmp_path / name)]
    assert vox.ok(*SPEAK, f"{out}/", *files) == ""
    lengths = {path.name: round(soundfile.info(path).duration) for path in out.iterdir()}
    assert lengths == {"a.wav": 1, "b.long.wav": 2, "c.wav": 3}
    vox.ok(*SPEAK, "out/.mp3", *files[:2], cwd=tmp_path)
    assert soundfile.info(out / "a.mp3").format == "MP3"
    ids = vox.ok(*SPEAK, f"{tmp_path}/later/.flac", "--async", *files).splitlines()
    assert {vox.until(each, "done")["output"] for each in ids} == {
        str(tmp_path / "later" / f"{stem}.flac") for stem in ("a", "b.long", "c")
    }


@pytest.mark.slow
def test_what_is_wrong_with_several_files_is_told_before_any_is_made(
    vox: Vox, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.md").write_text("two")
    for args, told in [
        (("sub/", "-f", "a.txt", "-f", "sub/a.md"), "a.txt and sub/a.md would both be"),
        (("sub/", "-f", "a.txt", "-f", "no.txt"), "cannot read no.txt"),
        (("sub/", "-f", "a.txt", "-f", "-"), "standard input has no file name"),
        (("no/", "-f", "a.txt", "-f", "sub/b.md"), "cannot read sub/b.md"),
        (("no/way/", "-f", "a.txt"), "create it: mkdir -p "),
        (("a.txt/", "-f", "a.txt"), "there is no folder"),
        (("new/.xyz", "-f", "a.txt"), "unsupported extension .xyz"),
        (("sub/.xyz", "-f", "a.txt"), "unsupported extension .xyz"),
        (("sub/", "words"), "takes its names from text files"),
        (("x.wav", "-f", "a.txt", "-f", "sub/a.md"), "several -f need -o DIR/"),
    ]:
        refused = vox(*SPEAK, *args, cwd=tmp_path)
        assert (refused.code, refused.err.count("\n"), refused.out) == (2, 1, "")
        assert told in refused.err
    assert vox.jobs() == []
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "sub"]
    assert os.listdir(tmp_path / "sub") == ["a.md"]


def test_a_text_that_fails_does_not_keep_the_others_from_their_files(
    vox: Vox, tmp_path: Path
) -> None:
    texts = {"a": "[fail so it is]", "b": "...", "c": "three"}
    files = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        files += ["-f", name]
    done = vox(*SPEAK, "./", *files, cwd=tmp_path)
    assert (done.code, (tmp_path / "c.wav").exists()) == (1, True)
    lines = [line for line in done.err.splitlines() if not line.startswith("wrote c.wav")]
    assert [line.split(":")[1].strip() for line in lines[1:]] == ["a", "b"]


@pytest.mark.parametrize("daemon_mask", ["022", "077"])
def test_a_file_has_the_permissions_that_its_caller_s_umask_leaves(
    vox: Vox, tmp_path: Path, daemon_mask: str
) -> None:
    def call(mask: str, *args: str) -> None:
        run = ["bash", "-c", f'umask {mask}; exec "$@"', "bash", *vox.command, *args]
        environ = {**os.environ, **vox.environ}
        subprocess.run(run, env=environ, check=True, stdin=subprocess.DEVNULL)

    def mode() -> int:
        return stat.S_IMODE(path.stat().st_mode)

    call(daemon_mask, "daemon", "start")
    path = tmp_path / "x.wav"
    call("077", *SPEAK, str(path), "one")
    assert mode() == 0o600
    call("022", *SPEAK, str(path), "one")
    assert mode() == 0o600
    path.unlink()
    call("002", *SPEAK, str(path), "one")
    assert mode() == 0o664
    path.chmod(0o640)
    call("077", *SPEAK, str(path), "one")
    assert mode() == 0o640
