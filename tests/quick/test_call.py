"""A request that is sent the short way: one job, whatever becomes of its answer."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from tests.quick.recording import RecordingDaemon, accept
from tests.running import Vox
from vox.flat_json import flat_json
from vox.quick.call import ANSWER_S

SCRIPTED = ("-b", "scripted")


def test_json_is_written_as_the_module_json_does() -> None:
    values = {
        "a": 'quote " back \\ line\n \u00e9 \U0001f600',
        "b": 1.5,
        "c": True,
        "d": None,
        "e": -1,
    }
    assert flat_json(values) == json.dumps(values)


def test_a_daemon_that_hangs_up_is_not_sent_the_request_under_another_id(
    vox: Vox, sound: object
) -> None:
    def die(_body: dict[str, Any]) -> bytes:
        os.unlink(vox.paths.socket_path)
        return b""

    with RecordingDaemon(vox.paths.socket_path, die) as daemon:
        made = vox.ok(*SCRIPTED, "--async", "1")
    assert {body["id"] for body in daemon.bodies} == {made}


def test_an_answer_that_takes_long_is_waited_for(vox: Vox) -> None:
    def slowly(body: dict[str, Any]) -> bytes:
        time.sleep(ANSWER_S * 1.5)
        return accept(body)

    with RecordingDaemon(vox.paths.socket_path, slowly) as daemon:
        assert vox.ok("--async", "Hello.") == daemon.bodies[0]["id"]
    assert len(daemon.bodies) == 1


@pytest.mark.parametrize("wish", ["-v", "VOX_VOICE"])
def test_a_refusal_is_told_as_ever(vox: Vox, sound: object, wish: str) -> None:
    vox.ok("daemon", "start")
    given = ("-v", "nobody") if wish == "-v" else ()
    refused = vox(*SCRIPTED, *given, "Hi.", env={} if given else {wish: "nobody"})
    named = "" if given else f"{wish}: "
    assert refused.code == 4
    assert refused.err.startswith(f"vox: {named}scripted has no voice called 'nobody'")
    assert not vox.jobs()


def test_an_older_daemon_is_left_to_the_command_line(vox: Vox) -> None:
    with RecordingDaemon(vox.paths.socket_path) as daemon:
        with open(vox.paths.pid_path, "w", encoding="ascii") as file:
            file.write("1 0.0.1\n")
        vox("--async", "Hello.")
    assert daemon.targets[:2] == ["/stop", "/speak"]


def test_output_that_cannot_be_written_is_told(vox: Vox) -> None:
    with RecordingDaemon(vox.paths.socket_path), open("/dev/full", "w", encoding="ascii") as full:
        call = vox.popen("--async", "Hello.", stdout=full)
        _, err = call.communicate(timeout=60)
    assert (call.returncode, err) == (
        1,
        "vox: cannot write the output: No space left on device; free disk space\n",
    )
