"""`vox config`, `voices`, `backends`, `clone`, `inbox` and `doctor`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.running import Vox
from vox.config import KEYS


def test_settings_are_set_shown_and_unset(vox: Vox) -> None:
    path = Path(vox.ok("config", "path"))
    path.write_text("# mine\nspeed = 1.5\n")
    assert vox.ok("config", "show", "speed") == "1.5"
    assert vox.ok("config", "set", "idle_timeout", "-1") == "idle_timeout = -1"
    assert vox.ok("config", "set", "backends.qwen.device", "cuda:1")
    assert (
        vox.ok("config", "set", "inbox.patterns", "*.txt, *.md") == "inbox.patterns = *.txt, *.md"
    )
    shown = {row["key"]: row for row in json.loads(vox.ok("config", "show", "--json"))}
    assert set(shown) == {*KEYS, "backends.qwen.device"}
    assert shown["idle_timeout"]["value"] == -1
    assert shown["speed"]["origin"] == "config.toml"
    assert vox.ok("config", "unset", "speed") == "speed = 1 (default)"
    assert vox.ok("config", "unset", "speed") == "speed was not set"
    assert path.read_text().startswith("# mine\n")
    told = vox("config", "set", "volume", "2", env={"VOX_VOLUME": "3"})
    assert (told.code, "VOX_VOLUME" in told.err) == (0, True)
    assert vox.ok("config", "show", "volume", env={"VOX_VOLUME": "3"}) == "3"
    assert len(vox.ok("config", "show").splitlines()) == len(KEYS) + 1


def test_a_setting_may_name_what_is_not_installed(vox: Vox) -> None:
    vox.ok("config", "set", "backend", "voxtream")
    vox.ok("config", "set", "voice", "drei")
    vox.ok("config", "set", "keep", "say", "hibari")
    vox.ok("config", "set", "backends.scripted.voice", "drei")
    vox.ok("config", "set", "lang", "en_us")


def test_a_source_s_settings_are_set_shown_and_unset(vox: Vox) -> None:
    set_to = vox.ok("config", "set", "sources.deploy.py.voice", "drei")
    assert set_to == "sources.deploy.py.voice = drei"
    vox.ok("config", "set", 'sources."my repo".speed', "2")
    assert vox.ok("config", "show", 'sources."deploy.py".voice') == "drei"
    assert vox.ok("config", "show", "sources.my repo.speed") == "2"
    shown = [line.split("\t")[:2] for line in vox.ok("config", "show").splitlines()]
    assert ['sources."deploy.py".voice', "drei"] in shown
    assert ['sources."my repo".speed', "2"] in shown
    assert vox.ok("config", "unset", "sources.deploy.py.voice").endswith("(not set) (default)")
    assert vox.ok("config", "unset", "sources.deploy.py.voice").endswith("was not set")
    for wrong in (
        ("backend", "nothing"), ("voice", "nobody"), ("lang", "klingonese"), ("priority", "urgent"),
        ("speed", "9"), ("colour", "red"),
    ):  # fmt: skip
        refused = vox("config", "set", f"sources.build.{wrong[0]}", wrong[1])
        assert refused.code in (2, 4) and refused.err.count("\n") == 1
    assert "sources.build" not in vox.ok("config", "show")
    vox.ok("config", "set", "sources.deploy.py.volume", "2")
    words = {"COMP_WORDS": "vox config set sources.dep", "COMP_CWORD": "3"}
    offered = vox.ok(env={"_VOX_COMPLETE": "bash_complete", **words})
    assert "plain,sources.deploy.py.priority" in offered.split()


def test_a_setting_of_a_backend_s_own_is_set_and_shown_as_any_other(vox: Vox) -> None:
    assert vox.ok("config", "set", "backends.qwen-native.dtype", "BFLOAT16").endswith("= bfloat16")
    (told,) = [
        each
        for each in json.loads(vox.ok("config", "show", "--json"))
        if each["key"] == "backends.qwen-native.dtype"
    ]
    assert (told["value"], "float16" in told["help"]) == ("bfloat16", True)
    refused = vox("config", "set", "backends.qwen-native.dtype", "int3")
    assert (refused.code, "must be float32, bfloat16, float16 or int8" in refused.err) == (2, True)
    mistyped = vox("config", "set", "backends.qwen-native.dtyp", "float32")
    assert (mistyped.code, "did you mean dtype?" in mistyped.err) == (2, True)


def test_a_device_that_the_backend_cannot_use_is_answered(vox: Vox) -> None:
    told = vox("config", "set", "backends.kokoro.device", "cuda")
    assert (told.code, told.out.strip()) == (0, "backends.kokoro.device = cuda")
    assert told.err.strip() == "vox: kokoro runs on cpu only; device = cuda has no effect"
    refused = vox("backends", "install", "kokoro", "--device", "cuda")
    assert (refused.code, "kokoro runs on cpu only, not on cuda" in refused.err) == (2, True)


def test_an_address_that_others_reach_needs_a_second_setting(vox: Vox) -> None:
    refused = vox("config", "set", "http", "0.0.0.0:8765")
    assert (refused.code, "http_allow_remote" in refused.err) == (2, True)
    # Not an address of this machine, though it begins like one.
    assert vox("config", "set", "http", "127.0.0.1.invalid:8765").code == 2
    vox.ok("config", "set", "http_allow_remote", "true")
    assert "0.0.0.0:8765" in vox.ok("config", "set", "http", "0.0.0.0:8765")


def test_a_pattern_that_the_shell_made_several_of_is_a_list(vox: Vox) -> None:
    told = vox.ok("config", "set", "inbox.patterns", "a.md", "b.md,", "*.txt")
    assert told == "inbox.patterns = a.md, b.md, *.txt"


def test_tables_that_become_empty_go_unless_there_is_a_comment_in_them(vox: Vox) -> None:
    path = Path(vox.paths.config_path)
    path.write_text("# mine\n[inbox]\nstay = true\nsettle_s = 2\n")
    vox.ok("config", "set", "backends.qwen.model", "x")
    vox.ok("config", "unset", "inbox.stay")
    assert "[inbox]\nsettle_s = 2\n" in path.read_text()
    vox.ok("config", "unset", "inbox.settle_s")
    vox.ok("config", "unset", "backends.qwen.model")
    vox.ok("config", "set", "http", "off")
    assert path.read_text().split() == ["#", "mine"]
    for text in ("[inbox]\n# keep this\nstay = true\n", "inbox.stay = true  # why\n"):
        path.write_text(text)
        vox.ok("config", "unset", "inbox.stay")
        assert path.read_text() == ("[inbox]\n# keep this\n" if "keep" in text else "")


def test_a_running_daemon_that_must_be_restarted_is_told_of(vox: Vox) -> None:
    vox.ok("daemon", "start")
    assert "vox daemon restart" in vox("config", "set", "http", "127.0.0.1:8765").err
    assert vox("config", "set", "voice", "two").err == ""


def test_voices_are_listed_by_backend_and_language(vox: Vox) -> None:
    every = json.loads(vox.ok("voices", "--json"))
    assert {"hibari", "scripted"} <= {voice["backend"] for voice in every}
    german = json.loads(vox.ok("voices", "-b", "scripted", "-l", "de", "--json"))
    assert [voice["name"] for voice in german] == ["drei"]
    assert vox.ok("voices", "-b", "hibari").splitlines()[0].split("\t")[:4] == [
        "heart",
        "hibari",
        "en-US",
        "female",
    ]
    assert vox("voices", "-b", "no-such").code == 4
    assert vox("voices", "-l", "klingonese").code == 2


def test_another_usual_voice_does_not_load_the_model_anew(vox: Vox, sound: object) -> None:
    for voice in ("one", "two"):
        vox.ok("config", "set", "backends.scripted.voice", voice)
        vox.ok("-b", "scripted", "-o", str(vox.home / "x.wav"), "1")
        assert vox.jobs()[-1]["voice"] == voice
    assert len((vox.home / "loads").read_text().splitlines()) == 1


def test_backends_tell_what_they_can_and_whether_they_are_warm(vox: Vox, sound: object) -> None:
    told = {each["name"]: each for each in json.loads(vox.ok("backends", "list", "--json"))}
    assert json.loads(vox.ok("backends", "--json")) == list(told.values())
    misplaced = vox("backends", "--json", "list")
    assert (misplaced.code, "vox backends list --json" in misplaced.err) == (2, True)
    assert told["hibari"]["ready"]
    assert told["hibari"]["warm"] == []
    assert told["voxtream"]["clone"]
    assert told["voxtream"]["disk_mb"] > 0
    assert vox.ok("backends").splitlines()[0].split("\t")[:2] == ["hibari", "ready"]

    tested = vox.ok("backends", "test", "hibari")
    assert tested.startswith("hibari works: ")
    assert vox.ok("backends").splitlines()[0].split("\t")[1] == "warm"
    assert list(Path(vox.paths.cache_dir).glob("test-*")) == []

    assert vox("backends", "test", "no-such").code == 4
    refused = vox("backends", "test", "voxtream")
    assert (refused.code, "vox backends install voxtream" in refused.err) == (4, True)
    for name, why in (("hibari", "built in and cannot be removed"), ("voxtream", "not installed")):
        removed = vox("backends", "remove", name)
        assert (removed.code, removed.err) == (0, f"vox: {name} is {why}\n")


def test_installing_what_is_there_ends_with_the_test_sentence(vox: Vox, sound: object) -> None:
    installed = vox("backends", "install", "scripted")
    assert installed.code == 0, installed
    assert "scripted is installed" in installed.out
    assert "scripted works: " in installed.out
    vox.ok("backends", "install", "scripted", "-m", "another", "-v", "one")
    assert vox.jobs()[-1]["model"] == "another"


def test_the_text_of_a_clone_must_fit_its_recording(vox: Vox, tmp_path: Path) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(2 * 16_000) / 16_000)
    soundfile.write(tmp_path / "me.wav", wave, 16_000)
    file = str(tmp_path / "me.wav")
    refused = vox("clone", "add", "me", file, "--text", "word " * 200)
    assert refused.code == 2
    assert "too long for 2.0 s of speech; give --text the words" in refused.err
    assert vox.ok("clone", "list") == ""
    noted = vox("clone", "add", "me", file, "--text", "Hello.")
    assert noted.code == 0
    assert "vox: the text is short for 2.0 s of speech" in noted.err
    refused = vox("clone", "record", "you", "--seconds", "2", "--text", "word " * 200)
    assert refused.code == 2 and "recording" not in refused.err.partition(";")[0]


def test_clones_are_added_listed_and_removed(vox: Vox, tmp_path: Path) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(2 * 16_000) / 16_000)
    soundfile.write(tmp_path / "me.wav", wave, 16_000)
    made = vox.ok("clone", "add", "me", "me.wav", "--text", "Hello.", "-l", "en", cwd=tmp_path)
    assert "vox -v me" in made
    (clone,) = json.loads(vox.ok("clone", "list", "--json"))
    assert (clone["name"], clone["transcript"], clone["lang"]) == ("me", "Hello.", "en")
    assert vox("clone", "add", "me", str(tmp_path / "me.wav")).code == 2
    assert vox.ok("clone", "remove", "me") == "me removed"
    assert vox("clone", "remove", "me").code == 4
    assert vox.ok("clone", "list") == ""


def test_the_inbox_is_a_folder_to_drop_files_into(vox: Vox) -> None:
    folder = Path(vox.ok("inbox"))
    assert folder.is_dir()
    assert vox.ok("inbox", "path") == str(folder)
    (folder / "note.txt").write_text("Hello.")
    status = json.loads(vox.ok("inbox", "status", "--json"))
    assert (status["folder"], status["pending"]) == (str(folder), 1)
    assert "pending" in vox.ok("inbox", "status")
    nothing = vox("inbox", "retry")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "nothing has failed\n")
    assert not vox.client.is_up()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_a_file_that_a_program_has_open_is_named(vox: Vox) -> None:
    folder = Path(vox.ok("inbox"))
    with (folder / "long.txt").open("w") as file:
        file.write("To be continued.")
        assert "long.txt waits for its writer" in vox.ok("inbox", "status")
        examined = json.loads(vox("doctor", "--json").out)
        (found,) = [each for each in examined if each["name"] == "inbox"]
        assert found["level"] == "note"
        assert found["text"] == "long.txt waits for its writer: a program has it open"


def test_the_inbox_keeps_the_daemon_while_it_is_on(vox: Vox, sound: object) -> None:
    vox.ok("config", "set", "idle_timeout", "0")
    assert vox.ok("inbox", "on").startswith("on: ")
    assert vox.client.is_up()
    failed = Path(vox.ok("inbox")) / "failed"
    (failed / "again.txt").write_text("-b")
    assert vox.ok("inbox", "retry") == "again.txt"
    assert json.loads(vox.ok("inbox", "status", "--json"))["stay"] is True
    assert vox.ok("inbox", "off").startswith("off")
    assert json.loads(vox.ok("config", "show", "inbox.stay", "--json"))["value"] is False


def test_the_doctor_finds_everything_in_order(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    found = {each["name"]: each for each in json.loads(vox.ok("doctor", "--json"))}
    parts = {
        "python",
        "settings",
        "data and settings folder",
        "queue",
        "sound",
        "backend",
        "daemon",
    }
    assert parts <= set(found)
    assert found["settings"]["path"] == vox.paths.config_path
    assert found["data and settings folder"]["path"] == str(vox.home)
    assert found["log folder"]["path"] == vox.paths.log_dir
    assert found["cache of utterances"]["text"].endswith("utterances, 0 of 500 MB (cache_mb)")
    assert not [each for each in found.values() if each["level"] == "fail"]
    assert all(line[:4] in ("OK  ", "NOTE") for line in vox.ok("doctor").splitlines())


def test_the_doctor_says_what_is_wrong_and_goes_on(vox: Vox, sound: object) -> None:
    Path(vox.paths.db_path).write_bytes(b"this is no database, and long enough to be seen" * 100)
    Path(vox.paths.config_path).write_text('backend = "voxtream"\n')
    examined = vox("doctor", "--json")
    assert examined.code == 1
    failed = {each["name"]: each for each in examined.json() if each["level"] == "fail"}
    assert "not a database" in failed["queue"]["text"]
    assert "vox backends install voxtream" in failed["backend"]["hint"]
    assert shutil.which("espeak-ng") is None or len(failed) == 2
    Path(vox.paths.config_path).write_text("speed = \n")
    shutil.rmtree(vox.paths.utterances_dir)
    Path(vox.paths.utterances_dir).touch()
    examined = vox("doctor")
    assert (examined.code, "FAIL  cache of utterances: cannot write " in examined.out) == (1, True)
    assert examined.out.count("is not valid TOML") == 1


def test_the_doctor_sends_nobody_to_the_doctor(vox: Vox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    monkeypatch.setenv("VOX_DEVICE_WAIT_S", "0")
    assert "vox doctor" in vox("-b", "say", "hello").err
    examined = vox("doctor")
    assert "FAIL  sound: there is no sound device; write a file instead" in examined.out
    assert "latest failure" in examined.out
    assert "vox doctor" not in examined.out
