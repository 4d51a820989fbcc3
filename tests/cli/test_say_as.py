"""`vox say-as`: the words that the user has respelled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.running import Vox


def test_words_are_added_listed_and_removed(vox: Vox) -> None:
    assert vox.ok("say-as", "list") == ""
    assert vox.ok("say-as", "add", "WCAG", "W C A G") == "WCAG is said: W C A G"
    assert vox.ok("say-as", "add", "WCAG", "Wikack", "-l", "en_us", "-b", "say")
    assert vox.ok("say-as", "add", "WCAG", "w") == "WCAG is said: w (was: W C A G)"
    own = vox.paths.say_as_path
    assert vox.ok("say-as", "list").splitlines() == [
        f"WCAG\tw\t\t\t{own}",
        f"WCAG\tWikack\ten-US\tsay\t{own}",
    ]
    (first, _) = json.loads(vox.ok("say-as", "list", "--json"))
    assert first == {"word": "WCAG", "say": "w", "lang": None, "backend": None, "source": own}
    refused = vox("say-as", "remove", "WCAG", "-l", "de")
    assert (refused.code, "vox say-as list" in refused.err) == (2, True)
    assert vox.ok("say-as", "remove", "WCAG").splitlines() == [
        "WCAG removed",
        "WCAG (en-US, say) removed",
    ]
    refused = vox("say-as", "remove", "WCAG")
    assert (refused.code, "there is no entry for 'WCAG'" in refused.err) == (2, True)
    assert vox.ok("say-as", "add", "-x", "") == "-x is not said"
    assert not vox.client.is_up()


def test_the_shell_completes_the_words_that_can_be_removed(vox: Vox) -> None:
    vox.ok("say-as", "add", "WCAG", "W C A G")
    vox.ok("say-as", "add", "nginx", "engine ex")
    words = "vox say-as remove WC"
    environ = {"_VOX_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "3"}
    assert vox(env=environ).out.split() == ["plain,WCAG"]


def test_bad_words_are_refused_in_one_line(vox: Vox) -> None:
    for args, code in [
        (("", "x"), 2),
        (("/(/", "x"), 2),
        (("/(a|aa)+$/", "x"), 2),
        (("a", "b", "-l", "english"), 2),
        (("a", "b", "-b", "nosuch"), 4),
    ]:
        refused = vox("say-as", "add", *args)
        assert (refused.code, len(refused.err.splitlines()), refused.out) == (code, 1, "")
    assert vox.ok("say-as", "list") == ""


@pytest.mark.slow
def test_what_would_be_said_is_printed_without_a_daemon(vox: Vox) -> None:
    vox.ok("say-as", "add", "WCAG", "W C A G", "-l", "en")
    assert vox.ok("say-as", "test", "The WCAG is it. It's", "very good.").splitlines() == [
        "The W C A G is it.",
        "It's very good.",
    ]
    assert vox.ok("say-as", "test", "-l", "de", "-b", "say", "WCAG") == "WCAG"
    assert vox("say-as", "test", stdin="WCAG").out == "W C A G\n"
    told = json.loads(vox.ok("say-as", "test", "--json", "-b", "say", "-l", "en-GB", "WCAG"))
    assert (told["backend"], told["lang"], told["utterances"]) == ("say", "en-GB", ["W C A G"])
    assert vox.ok("say-as", "test", "WCAG", env={"VOX_LANG": "de", "VOX_BACKEND": "say"}) == "WCAG"
    assert vox("say-as", "test", "-b", "nosuch", "x").code == 4
    assert vox("say-as", "test", "...").code == 2
    assert not vox.client.is_up()
    assert json.loads(vox.ok("history", "--json")) == []


def test_a_running_daemon_says_words_as_the_list_has_them_now(vox: Vox, tmp_path: Path) -> None:
    def speak(text: str) -> list[str]:
        made = vox("-b", "scripted", "-o", str(tmp_path / "x.wav"), text, "--json").json()
        assert (made["state"], made["text"]) == ("done", text)
        notes: list[str] = made["notes"]
        return notes

    assert speak("one done") == []
    vox.ok("say-as", "add", "done", "[mark respelled]", "-b", "scripted")
    assert speak("one done") == []
    assert (vox.home / "respelled").exists()


@pytest.mark.slow
def test_a_broken_shared_file_is_noted_and_the_text_is_spoken(vox: Vox, tmp_path: Path) -> None:
    team = tmp_path / "team.toml"
    team.write_text('[[say_as]]\nword = "done"\nsay = "[mark shared]"\n')
    vox.ok("config", "set", "say_as", str(team))
    call = ("-b", "scripted", "-o", str(tmp_path / "x.wav"), "done")
    assert "team.toml" not in vox(*call).err
    assert (vox.home / "shared").exists()
    team.write_text("x = [")
    spoken = vox(*call)
    assert spoken.code == 0
    assert f"vox: {team} is not valid TOML" in spoken.err
    found = {each["name"]: each for each in json.loads(vox("doctor", "--json").out)}
    assert f"{team} is not valid TOML" in found["say-as"]["text"]
    refused = vox("say-as", "remove", "other")
    assert (refused.code, "there is no entry" in refused.err) == (2, True)
    team.write_text('[[say_as]]\nword = "done"\nsay = "x"\n')
    assert f"stands in {team}" in vox("say-as", "remove", "done").err


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng here")
def test_numbers_are_read_in_the_language_that_the_script_tells(vox: Vox) -> None:
    told = json.loads(vox.ok("say-as", "test", "--json", "Привет, 25"))
    assert (told["backend"], told["lang"]) == ("say", "ru")
    assert told["utterances"] == ["Привет, двадцать пять"]
    told = json.loads(vox.ok("say-as", "test", "--json", "-l", "en", "Привет, 25"))
    assert (told["backend"], told["lang"]) == ("hibari", "en")
