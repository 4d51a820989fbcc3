"""Texts that are still being written, while daemons and their writers die at random instants."""

from __future__ import annotations

import contextlib
import subprocess
import time

from tests.sound import Recorder

from .audit import audit
from .chance import Chance, tries
from .home import ANY_END, SCRIPTED, Call, Home

SENTENCES = 6


def start_stream(vox: Home) -> tuple[Call, list[str]]:
    """A call of `vox --stream`, and the parts to write into it: a sentence each."""
    number = len(vox.books.asked) % 64
    sentence = f"[say 0.2s].\n\n{number} "
    asked = vox.ask(sentence * (SENTENCES - 1) + "[say 0.2s]")
    call = Call(asked, vox.popen(*SCRIPTED, "--stream", "-q", stdin=subprocess.PIPE))
    return call, asked.text.splitlines(keepends=True)


def write(call: Call, part: str) -> None:
    assert call.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        call.process.stdin.write(part)
        call.process.stdin.flush()


def test_a_stream_whose_daemon_is_killed_at_random_instants_is_heard_whole(
    vox: Home, chance: Chance, recorder: Recorder
) -> None:
    for _ in range(tries(2, 10)):
        call, parts = start_stream(vox)
        for part in parts:
            write(call, part)
            time.sleep(chance.pause_s(0.6))
            if chance.random() < 0.1:
                vox.kill_daemons()
        assert call.end() == 0, call.asked.error
        (job,) = [each for each in vox.jobs() if call.asked.tag in each["text"]]
        assert (job["heard"], job["text"]) == (job["utterances"], "".join(parts))
    audit(vox, recorder)


def test_streams_and_jobs_beside_each_other_all_end_whoever_is_killed(
    vox: Home, chance: Chance, sound: object
) -> None:
    for _ in range(tries(2, 10)):
        streams = [start_stream(vox) for _ in range(2)]
        while any(parts for _, parts in streams):
            call, parts = chance.choice([each for each in streams if each[1]])
            write(call, parts.pop(0))
            time.sleep(chance.pause_s(0.4))
            what = chance.random()
            if what < 0.1:
                vox.kill_daemons()
            elif what < 0.2:
                vox.post("[say 0.1s]")
            elif what < 0.25:
                call.kill()
                parts.clear()
        for call, _ in streams:
            if call.asked.ends is ANY_END:
                call.process.communicate()
            else:
                assert call.end() == 0, call.asked.error
    vox.drain(30.0)
    audit(vox)
