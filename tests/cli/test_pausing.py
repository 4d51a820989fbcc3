"""`vox pause`, `resume`, `cancel`, `mute` and `unmute --source`, with a daemon and without one."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.inbox.rig import wait_until
from tests.running import Vox
from tests.sound import Recorder
from tests.tones import read_tones
from vox.client.local import Local
from vox.jobs import Request
from vox.source_notes import muted_note, paused_note

SCRIPTED = ("-b", "scripted")


def of(source: str, *args: str) -> tuple[str, ...]:
    return *SCRIPTED, "--source", source, *args


@pytest.fixture(params=["with a daemon", "without one"])
def waiting(request: pytest.FixtureRequest, vox: Vox, sound: object) -> Vox:
    """One job of `a` and one of `my b` wait."""
    if request.param == "with a daemon":
        vox.ok("daemon", "start")
        vox.ok("pause")
        for source in ("a", "my b"):
            vox.ok(*of(source, "--async", f"1 from {source} [say 0.1s]"))
    else:
        for source in ("a", "my b"):
            Local(vox.paths).submit(Request(text=f"1 from {source}", backend="say", source=source))
    return vox


def test_one_source_is_paused_shown_and_resumed(waiting: Vox) -> None:
    told = waiting.ok("pause", "--source", "my b")
    assert told == "my b is paused; to resume: vox resume --source 'my b'"
    listed = waiting("queue")
    states = {line.split("\t")[5]: line.split("\t")[2] for line in listed.out.splitlines()}
    assert states["my b"] == "paused" and states["a"] != "paused"
    assert f"vox: {paused_note('my b')}\n" in listed.err
    note = waiting("resume").err
    assert f"vox: {paused_note('my b')}\n" in note
    shown = waiting("resume", "--source", "my b", "--json").json()
    assert shown == {"paused": False, "source": "my b"}
    assert waiting("queue").err == ""


def test_the_jobs_of_one_source_are_cancelled(waiting: Vox) -> None:
    assert waiting.ok("cancel", "--source", "nobody") == "0 jobs cancelled"
    cancelled = json.loads(waiting.ok("cancel", "--source", "a", "--json"))
    assert [(job["source"], job["state"]) for job in cancelled] == [("a", "cancelled")]
    assert [job["source"] for job in json.loads(waiting.ok("queue", "--json"))] == ["my b"]
    for wrong in (("--all", "--source", "a"), ("abc", "--source", "a"), ()):
        refused = waiting("cancel", *wrong)
        assert refused.code == 2 and "pass job ids, --source NAME or --all" in refused.err


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "mute", "unmute"])
@pytest.mark.parametrize(
    ("name", "what"), [("", "has no name"), (" ", "has no name"), ("a\nb", "one line of printable")]
)
def test_an_empty_or_unprintable_name_is_not_taken_for_all_sources(
    vox: Vox, command: str, name: str, what: str
) -> None:
    refused = vox(command, "--source", name)
    assert (refused.code, refused.err.count("\n")) == (2, 1) and what in refused.err
    assert vox("queue").err == ""


@pytest.mark.slow
def test_a_muted_source_s_jobs_are_done_unheard(waiting: Vox) -> None:
    assert waiting.ok("mute", "--source", "my b") == "my b is muted"
    assert [job["source"] for job in json.loads(waiting.ok("queue", "--json"))] == ["a"]
    assert "my b is muted; to unmute: vox unmute --source 'my b'" in waiting("queue").err
    (ended,) = [job for job in waiting.jobs() if job["source"] == "my b"]
    assert (ended["state"], ended["wait_s"], ended["exit_code"]) == ("done", None, 0)
    assert ended["notes"][-1] == muted_note("my b")
    assert waiting.ok("config", "show", "sources.my b.muted") == "true"
    spoken = waiting(*of("my b", "2 [say 30s]"))
    assert (spoken.code, spoken.out, spoken.err) == (0, "", f"vox: {muted_note('my b')}\n")
    assert waiting(*of("my b", "-q", "2 [say 30s]")).err == ""
    queued = waiting(*of("my b", "--async", "3 [say 30s]"))
    assert waiting("wait", queued.out.strip()).code == 0
    assert waiting("unmute", "--source", "my b", "--json").json() == {
        "muted": False, "source": "my b",
    }  # fmt: skip
    assert "muted" not in waiting.ok("config", "show", "--json").replace("unmuted", "")


def test_muting_starts_no_daemon_and_a_muted_call_needs_none(vox: Vox) -> None:
    vox.ok("mute", "--source", "a")
    assert vox(*of("a", "2 [say 30s]")).err == f"vox: {muted_note('a')}\n"
    assert vox("-b", "say", "--source", "a", "Hello.").err == f"vox: {muted_note('a')}\n"
    assert vox.ok("queue") == "" and not vox.client.is_up()


def test_settings_that_cannot_be_read_are_one_line(vox: Vox) -> None:
    Path(vox.paths.config_path).write_text("nonsense")
    refused = vox("mute", "--source", "a")
    assert refused.code == 2 and refused.err.count("\n") == 1 and "not valid TOML" in refused.err


@pytest.fixture
def quiet(vox: Vox) -> Vox:
    vox.ok("daemon", "start")
    vox.ok(*SCRIPTED, "90 [say 0.1s]")
    return vox


def tones(recorder: Recorder) -> list[int]:
    recording = recorder.stop()
    told = read_tones(recording.samples, recording.sample_rate)
    return [number for number, _ in itertools.groupby(told)]


@pytest.mark.slow
def test_others_are_heard_while_a_source_is_paused_and_its_sentence_comes_again(
    quiet: Vox, recorder: Recorder
) -> None:
    text = " ".join(f"{number} [say 0.6s]." for number in range(1, 5))
    call = quiet.popen(*of("a", text))
    wait_until(lambda: any(job["heard"] for job in quiet.client.queue()))
    quiet.ok("pause", "--source", "a")
    assert "(a paused)" in quiet.ok("daemon", "status")
    quiet.ok(*of("b", "20 [say 0.5s]"))
    (held,) = quiet.client.queue()
    assert held["state"] == "queued" and 1 <= held["heard"] <= 3
    quiet.ok("resume", "--source", "a")
    assert call.communicate(timeout=60)[0] == "" and call.returncode == 0
    told = tones(recorder)
    after = told[told.index(20) + 1 :]
    assert after == list(range(held["heard"] + 1, 5))
    assert told[: held["heard"]] == list(range(1, held["heard"] + 1))


@pytest.mark.slow
def test_a_call_that_speaks_by_itself_heeds_the_pause_of_its_source(
    vox: Vox, recorder: Recorder
) -> None:
    call = vox.popen("-b", "say", "--source", "a", "One two three four. " * 5)
    recorder.wait_for_sound()
    vox.ok("pause", "--source", "a")
    wait_until(lambda: [job["state"] for job in Local(vox.paths).queue()] == ["queued"])
    vox.ok("resume", "--source", "a")
    assert call.communicate(timeout=120)[1].count("Traceback") == 0 and call.returncode == 0


@pytest.mark.slow
def test_a_muted_file_of_the_inbox_is_done(vox: Vox, sound: object) -> None:
    vox.ok("mute", "--source", "inbox")
    vox.ok("inbox", "on")
    (Path(vox.ok("inbox", "path")) / "news.txt").write_text("These are the news.")
    wait_until((vox.home / "inbox/done/news.txt").exists)
    (job,) = vox.jobs()
    assert (job["state"], job["wait_s"]) == ("done", None)
