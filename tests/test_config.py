"""The settings: where their values come from, what is refused, and what a change leaves alone."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vox import config
from vox.checks import Key, one_of
from vox.errors import BadConfig


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_variables_beat_the_file_which_beats_the_defaults(path: Path) -> None:
    path.write_text('speed = 1.5\nlang = "de"\n[inbox]\nsettle_s = 2\n')
    found = config.load(str(path), {"VOX_SPEED": "2", "VOX_INBOX_SETTLE_S": "3", "VOX_VOICE": ""})
    assert (found["speed"], found["inbox.settle_s"], found["lang"]) == (2, 3, "de")
    assert (found["volume"], found["voice"]) == (1.0, None)
    assert found.origins == {
        "speed": "VOX_SPEED",
        "inbox.settle_s": "VOX_INBOX_SETTLE_S",
        "lang": "config.toml",
    }


def test_tables_of_backends_are_theirs(path: Path) -> None:
    path.write_text('[backends.qwen-native]\ndevice = "cuda:1"\nattention = "eager"\n')
    tables = config.load(str(path), {}).backends
    assert tables == {"qwen-native": {"device": "cuda:1", "attention": "eager"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed = 9", "speed = 9 must be 0.25 to 6"),
        ("speed = true", "speed = True must be"),
        ("sped = 1", "there is no setting 'sped'"),
        ("max_queue = 1.5", "must be a whole number"),
        ("idle_timeout = -0.5", "-1 (never exit)"),
        ('daemon = "perhaps"', "must be true or false"),
        ('http = "8080"', "must be HOST:PORT"),
        ('keep = "a"\nkeep = "b"', "not valid TOML"),
        ('[backends.kokoro]\ndevice = "tpu"', "must be auto, cpu, cuda, cuda:N or mps"),
        ("[backends]\nqwen = 1", "backends.qwen"),
        ("backends = 1", "there is no setting 'backends'"),
        ("[backends.qwen.more]\nx = 1", "backends.qwen.more.x"),
        (
            "[sources]\nvolume = 2",
            "there is no setting 'sources.volume'; sources.NAME has: backend",
        ),
        ("[sources.x]\nspeed = 9", "sources.x.speed = 9 must be 0.25 to 6"),
        ('[sources.x]\npriority = "urgent"', "must be high, normal or low"),
        ('[sources.x]\nlang = "klingon!"', "must be a language, e.g. en or de-AT"),
        ('[sources."a\\nb"]\nvolume = 2', "must be one line of printable characters"),
    ],
)
def test_what_makes_no_sense_is_one_line_that_names_the_file(
    path: Path, text: str, words: str
) -> None:
    path.write_text(text)
    with pytest.raises(BadConfig) as caught:
        config.load(str(path), {})
    assert caught.value.message.startswith(str(path))
    assert words in caught.value.line
    assert "\n" not in caught.value.line


def test_a_change_keeps_comments_order_and_links(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("# mine\nspeed = 1.5 # quick\n\n[inbox] # the folder\npolling = true\n")
    path.symlink_to(kept)
    config.set_value(str(path), "inbox.settle_s", "2")
    config.set_value(str(path), "speed", "1.2")
    assert config.unset_value(str(path), "inbox.polling")
    assert path.is_symlink()
    assert kept.read_text() == (
        "# mine\nspeed = 1.2 # quick\n\n[inbox] # the folder\nsettle_s = 2\n"
    )
    assert not config.unset_value(str(path), "inbox.polling")


def test_a_byte_order_mark_is_no_part_of_the_settings_and_stays_in_the_file(path: Path) -> None:
    path.write_bytes("\ufeff# grün\r\nspeed = 1.5\r\n".encode())
    assert config.load(str(path), {})["speed"] == 1.5
    config.set_value(str(path), "volume", "2")
    config.set_value(str(path), "speed", "1.2")
    assert path.read_bytes().startswith("\ufeff# grün\r\nspeed = 1.2\r\n".encode())
    loaded = config.load(str(path), {})
    assert (loaded["speed"], loaded["volume"]) == (1.2, 2)
    assert config.unset_value(str(path), "volume")
    assert path.read_bytes() == "\ufeff# grün\r\nspeed = 1.2\r\n".encode()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_settings_in_utf_16_are_one_line_that_says_what_to_do(path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes((mark + "speed = 1.5\n").encode(encoding))
    for act in (
        lambda: config.load(str(path), {}),
        lambda: config.set_value(str(path), "speed", "1"),
    ):
        with pytest.raises(BadConfig) as caught:
            act()
        assert caught.value.line == f"{path} is UTF-16; save it as UTF-8"


def test_a_change_is_seen_and_a_broken_file_leaves_the_last_good_settings(path: Path) -> None:
    path.write_text("speed = 1.5")
    live = config.LiveConfig(str(path), {})
    path.write_text("speed = 2.25")
    assert live()["speed"] == 2.25
    path.write_text("speed = ")
    assert live()["speed"] == 2.25
    assert str(path) in str(live().trouble)
    os.unlink(path)
    assert live()["speed"] == 1.0
    assert live().trouble is None


def test_without_a_daemon_that_stays_it_leaves_at_once(path: Path) -> None:
    path.write_text("daemon = false\nidle_timeout = 600")
    assert config.load(str(path), {}).idle_timeout_s == 0


def test_a_backend_s_own_keys_are_known_where_they_are_told(path: Path) -> None:
    own = {"attention": Key(None, one_of("sdpa", "eager"), "how")}
    assert config.set_value(str(path), "backends.theirs.attention", "EAGER", own) == "eager"
    with pytest.raises(BadConfig, match="must be sdpa or eager"):
        config.set_value(str(path), "backends.theirs.attention", "lazy", own)
    with pytest.raises(BadConfig) as caught:
        config.set_value(str(path), "backends.theirs.atention", "eager", own)
    known = "theirs has: device, model, voice, voices, cache, attention"
    assert caught.value.hint == f"did you mean attention? {known}"
    with pytest.raises(BadConfig) as caught:
        config.set_value(str(path), "backends.theirs.engine", "graphs", own)
    assert caught.value.hint == known
    assert config.load(str(path), {}).backends == {"theirs": {"attention": "eager"}}


@pytest.mark.parametrize(
    ("given", "expected_s"), [('"30m"', 1800), ('"1h30m"', 5400), ("45", 45), ('"0s"', 0)]
)
def test_the_idle_timeout_may_be_a_time_span(tmp_path: Path, given: str, expected_s: float) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"idle_timeout = {given}")
    assert config.load(str(path), {}).idle_timeout_s == expected_s


def test_a_source_has_defaults_of_its_own_whatever_its_name_contains(path: Path) -> None:
    path.write_text("# mine\n[sources.web]\nvolume = 2 # too loud\n")
    names = ["my repo", "deploy.py", "Müller", 'say "hi"', "back\\slash", "web"]
    for name in names:
        assert config.set_value(str(path), f"sources.{name}.speed", "1.5") == 1.5
    assert config.set_value(str(path), 'sources."deploy.py".priority', "HIGH") == "high"
    loaded = config.load(str(path), {})
    assert {name: loaded.of_source(name, "speed") for name in names} == dict.fromkeys(names, 1.5)
    assert loaded.sources["deploy.py"] == {"speed": 1.5, "priority": "high"}
    assert loaded.sources["web"] == {"volume": 2, "speed": 1.5}
    assert loaded.of_source("WEB", "volume") is None  # names match exactly
    assert path.read_text().startswith("# mine\n[sources.web]\nvolume = 2 # too loud\n")
    for name in names[:-1]:
        assert config.unset_value(str(path), f"sources.{name}.speed")
    assert config.unset_value(str(path), "sources.deploy.py.priority")
    assert list(config.load(str(path), {}).sources) == ["web"]


def test_a_source_s_key_that_is_mistyped_gets_the_known_ones(path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        config.set_value(str(path), "sources.my.repo.voise", "x")
    assert caught.value.line == (
        "there is no setting 'sources.my.repo.voise'; did you mean voice? sources.NAME has: "
        "backend, voice, lang, speed, volume, priority, muted"
    )
    for name in ("x" * 101, "a\nb", " a"):
        with pytest.raises(BadConfig) as caught:
            config.set_value(str(path), f"sources.{name}.volume", "2")
        assert "\n" not in caught.value.line
    assert not path.exists()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret@gpu",
        "redis://anna:s3cret@gpu:6379/0",
        "rediss://gpu?password=s3cret",
        "redis://:s3/cret@gpu",
        "redis://:s3#cret@gpu",
        "redis://:s3cret@gpu:port",
        "http://s3cret@gpu",
        "s3cret",
    ],
)
def test_a_url_with_a_password_is_refused_and_repeated_nowhere(path: Path, url: str) -> None:
    def refused(act: Callable[[], Any]) -> str:
        with pytest.raises(BadConfig) as caught:
            act()
        report = "".join(traceback.format_exception(caught.value))
        assert not re.search("s3|cret", caught.value.line + report.replace(__file__, ""))
        return caught.value.line

    for line in (
        refused(lambda: config.load(str(path), {"VOX_WORKERS": url})),
        refused(lambda: config.set_value(str(path), "workers", url)),
    ):
        assert "\n" not in line
        if url.startswith(("redis://:s3cret@gpu", "redis://anna")) and "port" not in url:
            assert "put it into a file (workers_password_file;" in line
    assert not path.exists()
    path.write_text(f'workers = "{url}"\n')
    assert refused(lambda: config.load(str(path), {})).startswith(f"{path}: workers must ")


@pytest.mark.parametrize("given", ["off", "OFF", "none", ""])
def test_workers_may_be_off(path: Path, given: str) -> None:
    path.write_text(f'workers = "{given}"\n')
    assert config.load(str(path), {})["workers"] is None
    config.set_value(str(path), "workers", "redis://gpu")
    assert config.set_value(str(path), "workers", "off") is None
    assert path.read_text().strip() == ""


@pytest.mark.parametrize(
    "url",
    ["redis://gpu", "rediss://anna@gpu:6380/2?ssl_ca_certs=/ca.crt", "unix:///run/redis.sock"],
)
def test_a_url_of_workers_stays_as_it_was_given(path: Path, url: str) -> None:
    assert config.set_value(str(path), "workers", f" {url} ") == url
    assert config.load(str(path), {})["workers"] == url


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        (
            "workers",
            "gpu:6379",
            "must be redis://HOST[:PORT][/DB], or begin with rediss:// for TLS",
        ),
        ("workers", "redis://gpu/zero", "where DB is a number"),
        ("workers", "redis://", "must be redis://HOST"),
        ("workers_password_file", "secret", "must be an absolute path"),
        ("placement", "gpu", "must be auto, local or remote"),
        ("lease_s", "0.5", "must be 1 to 600"),
    ],
)
def test_a_bad_setting_of_workers_is_refused(path: Path, key: str, given: str, words: str) -> None:
    with pytest.raises(BadConfig, match=re.escape(words)):
        config.set_value(str(path), key, given)
