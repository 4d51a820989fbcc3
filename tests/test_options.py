"""An option of a request is one entry in `vox.options`; everything else follows from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.inbox.rig import wait_until
from tests.running import CHECKOUT, SCRIPTED_PLUGIN, Vox
from vox.errors import BadOption
from vox.jobs import OPTIONS, SPEECH_OPTIONS, Job, Option, Request

ENTRY = '    emotion: str | None = option("How it should feel.", choices=("happy", "sad"))\n'


@pytest.mark.parametrize("value", ["x", float("nan"), float("inf"), True, 0.2, 6.01, [], {}])
def test_a_number_out_of_range_is_refused_in_one_line(value: object) -> None:
    with pytest.raises(BadOption) as caught:
        OPTIONS["speed"].check(value)
    assert caught.value.line == f"speed {value!r} must be a number from 0.25 to 6"
    assert caught.value.field == "speed"


def test_what_must_be_above_a_number_may_not_be_that_number() -> None:
    with pytest.raises(BadOption, match="expires 0 must be a number above 0, at most 100000000"):
        OPTIONS["expires_s"].check(0)
    assert OPTIONS["expires_s"].check("0.5") == 0.5


def test_choices_are_taken_in_any_case_and_none_stays_none() -> None:
    assert OPTIONS["priority"].check("HIGH") == "high"
    assert OPTIONS["gender"].check(None) is None
    with pytest.raises(BadOption, match="priority 'urgent' must be high, normal or low"):
        OPTIONS["priority"].check("urgent")


def test_a_flag_is_true_or_false_and_false_if_it_is_not_given() -> None:
    fresh = OPTIONS["fresh"]
    assert [fresh.check(value) for value in (True, "true", "Yes", "1")] == [True] * 4
    assert [fresh.check(value) for value in (None, False, "false", "off")] == [False] * 4
    with pytest.raises(BadOption, match="fresh 'perhaps' must be true or false"):
        fresh.check("perhaps")


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadOption, match="has 4 characters; 3 are the limit"):
        Option("A short one.", key="short", max_length=3).check("long")


@pytest.mark.parametrize("name", ["two\nlines", "a\x1b[2Jscreen", "\u202egnp", "a\tb"])
def test_a_name_is_one_line_of_printable_characters(name: str) -> None:
    with pytest.raises(BadOption, match="must be one line of printable characters") as caught:
        OPTIONS["source"].check(name)
    assert caught.value.field == "source" and "\n" not in caught.value.line
    assert OPTIONS["source"].check("Müllers Büro 2") == "Müllers Büro 2"


def test_a_job_has_each_speech_option_of_its_request() -> None:
    for name in SPEECH_OPTIONS:
        assert hasattr(Request(text=""), name)
        assert hasattr(Job(id="", text="", backend=""), name)


def with_entry(folder: Path) -> str:
    """A copy of vox with one more option; what to put on Python's path for it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "vox", folder / "vox", ignore=ignored)
    options = folder / "vox" / "options.py"
    before = options.read_text(encoding="utf-8")
    at = before.index("    gender: str | None = option(")
    options.write_text(before[:at] + ENTRY + before[at:], encoding="utf-8")
    return f"{folder}:{SCRIPTED_PLUGIN}"


@pytest.mark.slow
def test_one_entry_makes_an_option_everywhere(vox: Vox, tmp_path: Path) -> None:
    old_id = json.loads(vox.ok("-b", "scripted", "-o", str(tmp_path / "0.wav"), "0", "--json"))[
        "id"
    ]
    vox.ok("daemon", "stop")
    vox.environ["PYTHONPATH"] = with_entry(tmp_path)

    def ok(*args: str, **options: str) -> str:
        return vox.ok(*args, cwd=tmp_path, **options)

    def spoken(*args: str) -> dict[str, object]:
        made: dict[str, object] = json.loads(
            ok("-b", "scripted", "-o", str(tmp_path / "x.wav"), "--json", *args)
        )
        return made

    # The command line.
    assert "--emotion [happy|sad]" in ok("--help")
    refused = vox("--emotion", "angry", "x", cwd=tmp_path)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "--emotion" in refused.err
    # The table, one that was made before; the history; replay.
    job = spoken("--emotion", "happy", "1")
    assert job["emotion"] == "happy"
    assert json.loads(ok("history", "show", old_id, "--json"))["emotion"] is None
    replayed = vox.client.call("POST", f"/jobs/{job['id']}/replay")
    assert replayed["emotion"] == "happy"
    # The API.
    body = {"text": "2", "backend": "scripted", "emotion": "sad", "async": True}
    assert vox.client.call("POST", "/speak", body)["emotion"] == "sad"
    with pytest.raises(BadOption, match="emotion: "):
        vox.client.call("POST", "/speak", {**body, "emotion": "angry"})
    schema = vox.client.call("GET", "/openapi.json")["components"]["schemas"]
    assert "emotion" in schema["Speak"]["properties"]
    assert "emotion" in schema["Job"]["properties"]
    # The inbox.
    inbox = Path(ok("inbox"))
    for name, emotion in (("good.txt", "sad"), ("bad.txt", "angry")):
        header = f"---\nbackend: scripted\noutput: {name}.wav\nemotion: {emotion}\n---\n3\n"
        (inbox / name).write_text(header)
    ok("daemon", "stop")
    ok("daemon", "start")
    wait_until((inbox / "done" / "good.txt").exists)
    note = inbox / "failed" / "bad.txt.error.txt"
    wait_until(note.exists)
    assert "emotion 'angry' must be happy or sad" in note.read_text()
    # A flag, everywhere too.
    assert job["fresh"] is False
    assert spoken("--fresh", "1")["fresh"] is True
    assert vox.client.call("POST", "/speak", {**body, "fresh": True})["fresh"] is True
    with pytest.raises(BadOption, match="fresh: "):
        vox.client.call("POST", "/speak", {**body, "fresh": 1})
    # The adapter.
    spoken("--emotion", "happy", "[options]")
    assert "emotion=happy" in (vox.home / "noted").read_text()
