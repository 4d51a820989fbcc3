"""The short way understands a plain call as the whole command line does, or leaves it to that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.quick.recording import RecordingDaemon
from vox.cli.root import root
from vox.options import OPTIONS
from vox.paths import get_paths
from vox.quick import arguments, call

FLAGS = sorted(flag for option in OPTIONS.values() for flag in option.flags)
OTHER_FLAGS = [
    "-q",
    "--quiet",
    "-h",
    "--help",
    "--json",
    "--strict",
    "--timeout",
    "-f",
    "-qv",
    "--no",
]
VALUES = [
    "heart", "1.5", "0.25", "9", "nan", "inf", "1_0", " 2 ", "1e-1", "\u0663", "30m", "1h 30m",
    "-1", "0", "HIGH", "low", "plain", "Mar\u212adown", "auto", "female", "", " ", "--", "-", "-q",
    "a=b", "M\u00fcller", "\udcff", "x" * 101, "de-AT", "./x", "a/b", "~x", "two\nlines",
    " padded ", "true", "1",
]  # fmt: skip
WORDS = [
    "Hello there.",
    "history",
    "jobs",
    "Hi",
    "",
    "a b",
    "@1",
    "-",
    "--",
    "tests",
    "\udcff",
    "5",
]

an_option = st.one_of(
    st.tuples(st.sampled_from(FLAGS), st.sampled_from(VALUES)).map(list),
    st.builds("{}={}".format, st.sampled_from(FLAGS), st.sampled_from(VALUES)).map(lambda a: [a]),
    st.builds("{}{}".format, st.sampled_from(FLAGS), st.sampled_from(VALUES)).map(lambda a: [a]),
    st.sampled_from([*FLAGS, *OTHER_FLAGS]).map(lambda flag: [flag]),
)
GOOD = [
    ["-v", "heart"], ["--speed", "1.5"], ["--volume=2"], ["--fresh"], ["--interrupt"], ["-q"],
    ["-l", "de"], ["--expires", "30m"], ["--keep-alive", "-1"], ["--priority", "HIGH"],
    ["--replace", "k"], ["--source", " me "],
]  # fmt: skip
a_good_option = st.sampled_from(GOOD)
some_args = st.lists(
    st.one_of(an_option, a_good_option, a_good_option, st.sampled_from(WORDS).map(lambda w: [w])),
    max_size=6,
).map(lambda parts: [arg for part in parts for arg in part])
variables = st.dictionaries(
    st.sampled_from([option.variable for option in OPTIONS.values() if option.variable]),
    st.sampled_from([value for value in VALUES if "\udcff" not in value]),
    max_size=2,
)


@pytest.fixture
def daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingDaemon]:
    monkeypatch.setenv("VOX_SOURCE", "tests")
    with RecordingDaemon(get_paths({"VOX_HOME": str(home)}).socket_path) as daemon:
        yield daemon


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(args=some_args, environ=variables)
def test_what_is_understood_makes_the_same_request_as_the_whole_command_line(
    daemon: RecordingDaemon, args: list[str], environ: dict[str, str]
) -> None:
    args = ["--async", *args]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        code = call.speak(args)
        assert code in (None, 0)
        if code is None:
            return
        with root.make_context("vox", list(args)) as ctx:
            assert root.invoke(ctx) == 0
    quick, whole = map(comparable, daemon.bodies[-2:])
    assert quick == whole


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """The body without the id, which is drawn anew each time."""
    return {name: value for name, value in body.items() if name != "id"}


@pytest.mark.parametrize(
    "line",
    [
        "Hello. --voice=heart -l de -b hibari --speed 1.5 --fresh",
        "-q --async --replace build --priority high --source ci Done.",
        "--interrupt --expires 30s -- -5 degrees",
        "--keep-alive 30m --private --format plain X y",
    ],
)
def test_a_plain_call_is_understood(line: str) -> None:
    assert arguments.understood(line.split(), {}) is not None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-",
        "--help",
        "history",
        "logs -n 20",
        "-o x.wav Hi.",
        "-f x",
        "Hi. --json",
        "-vheart Hi.",
    ],
)
def test_what_is_not_plain_is_left_to_the_command_line(line: str) -> None:
    assert arguments.understood(line.split(), {}) is None


def test_a_name_of_a_file_is_left_to_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Notes.txt").touch()
    assert arguments.understood(["Notes.txt"], {}) is None
    assert arguments.understood(["--", "Notes.txt"], {}) is not None
