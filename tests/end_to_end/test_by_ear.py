"""Texts of all kinds, recorded from the loudspeaker and recognised: those with `heard` in
`tests/text/cases.toml`. A check draws a quarter of them;
with VOX_TEST_SOAK=1 all are tried."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.chance import some
from tests.running import Vox
from tests.sound import Recorder, recognise, word_overlap
from tests.text.test_cases import CASES

BY_EAR = [case for case in CASES if "heard" in case]
PARTS = 4


def test_about_a_tenth_of_the_cases_is_checked_by_ear() -> None:
    assert len(BY_EAR) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("part", some(range(PARTS), 1))
def test_they_are_heard_as_a_person_would_read_them(vox: Vox, sound: object, part: int) -> None:
    misheard = {}
    for case in BY_EAR[part::PARTS]:
        for each in case.get("say_as", ()):
            vox.ok("say-as", "add", each["word"], each["say"])
        words = heard_of(vox, case)
        if word_overlap(case["heard"], words) < 0.6:
            misheard[case["text"]] = " ".join(words)
    assert not misheard


def heard_of(vox: Vox, case: dict[str, Any]) -> list[str]:
    """What an English recogniser hears. It misses some words of any voice."""
    with Recorder() as recorder:
        vox.ok("-b", "hibari", "--format", case.get("format", "auto"), stdin=case["text"])
        return recognise(recorder.stop())
