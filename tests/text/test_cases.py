"""What is said of texts of all kinds: `cases.toml`, checked on what the backend is given."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from vox.text.say_as import SayAs
from vox.text.say_as_entry import entry
from vox.text.speakable import Reading, pieces

CASES = tomllib.loads(Path(__file__).with_name("cases.toml").read_text(encoding="utf-8"))["case"]
OF_READING = {field.name for field in fields(Reading)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']}: {case['text'][:40]!r}")
def test_what_is_said_of_it(case: dict[str, Any]) -> None:
    say_as = SayAs([entry(**each) for each in case.get("say_as", ())])
    given = {name: value for name, value in case.items() if name in OF_READING}
    reading = Reading(**{**given, "say_as": say_as})
    assert [piece.text for piece in pieces(case["text"], reading)] == case["said"]
