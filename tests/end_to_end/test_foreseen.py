"""When a job is heard is foreseen: what is predicted at once is compared with the first sound."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.running import Vox, seconds

SAID_BEFORE = """
The quick brown fox jumps over the lazy dog near the old river. It has been a long day, and nobody
expected the rain. We walked home slowly and talked about what was to come. Dinner was on the table.
After the storm the streets were empty, but for a boy who looked for his hat. He found it under a
cart. In the morning the baker opened his shop as if nothing had happened. Bread was cheap then.
Everybody knew him, and he knew everybody. When the bell rang at noon, the workers came down from
the hill and sat in the shade. Somebody sang. The ships left with the tide, and the town was quiet.
"""
BOOKS = (
    "The harbour was quiet that morning. An old man sat on the pier and mended his nets.",
    "Nobody had told the children that the bridge was closed. They waited at the gate.",
    "In the evening the wind turned to the north.",
)


THREE = ("delta gamma omega", "uncle peter april augur", "hotel lilac")


def scripted(words: str) -> str:
    """A sentence of 1.2 s for each word, made in half of the time that it lasts."""
    return " ".join("[slow 0.025] " + " ".join([word] * 20) + "." for word in words.split())


Start = tuple[float, bool]
"""When a job is expected to be heard, and whether that is said to be exact."""


def foreseen(vox: Vox) -> dict[str, Start]:
    shown: list[dict[str, Any]] = vox.client.queue()
    now = time.time()
    return {
        job["id"]: (now + job["starts_in_s"], job["starts_in_is_exact"])
        for job in shown
        if job["starts_in_s"] is not None
    }


@pytest.mark.parametrize(
    ("backend", "before", "texts", "lookahead_s", "error_s"),
    [
        ("scripted", scripted("alpha bravo"), tuple(map(scripted, THREE)), "120", 0.5),
        # It would have made all of them before we ask. How long its sentences are is a guess.
        ("hibari", SAID_BEFORE, BOOKS, "2", 1.0),
    ],
    ids=("scripted", "hibari"),
)
def test_the_first_sound_of_what_waits_is_foreseen(
    vox: Vox,
    sound: object,
    tmp_path: Path,
    backend: str,
    before: str,
    texts: tuple[str, ...],
    lookahead_s: str,
    error_s: float,
) -> None:
    """At once, when nothing of it is made, and exactly when all before it is."""
    vox.ok("config", "set", "lookahead_s", lookahead_s)
    vox.ok("daemon", "start")
    vox.ok("-b", backend, "-o", str(tmp_path / "before.wav"), before)  # to know the voice
    _, *later = [vox.ok("-b", backend, "--async", text) for text in texts]
    at_once = foreseen(vox)
    exact: dict[str, Start] = {}
    while vox.job(later[-1])["state"] != "speaking":
        for job_id, start in foreseen(vox).items():
            if start[1]:
                exact.setdefault(job_id, start)
    for job_id in later:
        heard_at = seconds(vox.job(job_id)["first_audio_at"])
        assert abs(at_once[job_id][0] - heard_at) < error_s
        if job_id in exact or lookahead_s == "120":
            assert abs(exact[job_id][0] - heard_at) < error_s
