"""`vox hook` as assistants call it: what it makes of their events, and that it never fails them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.inbox.rig import wait_until
from tests.running import Vox
from tests.sound import Recorder, recognise, word_overlap
from vox.hooks.hook import MOST_BYTES

TURN = {"session_id": "s1", "cwd": "/", "last_assistant_message": "Done."}
SAID = "The seven green birds are flying over the house tonight."


def call(vox: Vox, *args: str, stdin: Any = b"", **options: Any) -> tuple[int, bytes, bytes]:
    """`vox hook`: exit code, standard output, standard error."""
    data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
    environ = {**os.environ, **vox.environ, **options.pop("env", {})}
    done = subprocess.run(
        [*vox.command, "hook", *args], input=data, env=environ, capture_output=True,
        timeout=60, check=False, **options,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("event", "stdin", "out"),
    [
        ("claude:Stop", b"", b""),
        ("claude:Stop", b"no json", b""),
        ("claude:Stop", json.dumps(TURN).encode()[:-1], b""),
        ("claude:Stop", bytes(range(256)) * 100, b""),
        ("claude:Stop", b"[" * 500_000, b""),
        ("claude:Stop", b'{"last_assistant_message": "' + b"x" * MOST_BYTES + b'"}', b""),
        ("claude:Stop", b"[1, 2]", b""),
        ("codex:Stop", b"\xff\xfe", b"{}\n"),
        ("gemini:NoSuchEvent", json.dumps(TURN).encode(), b"{}\n"),
        ("nobody:Stop", json.dumps(TURN).encode(), b""),
        ("Stop", json.dumps(TURN).encode(), b""),
    ],
    ids=range(11),
)
def test_what_says_nothing_fails_nobody_and_starts_nothing(
    vox: Vox, event: str, stdin: bytes, out: bytes
) -> None:
    assert call(vox, event, stdin=stdin) == (0, out, b"")
    assert os.listdir(vox.home) == []


def test_a_place_where_nothing_can_be_kept_fails_nobody(vox: Vox, tmp_path: Path) -> None:
    assert call(vox, "codex:Stop", stdin=TURN, env={"VOX_HOME": "/dev/null/x"}) == (0, b"{}\n", b"")
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'rmdir "{gone}"; exec "$@"'
    done = subprocess.run(
        ["env", "-u", "HOME", "sh", "-c", command, "sh", *vox.command, "hook", "goose:Stop"],
        input=b"{", cwd=gone, env={**os.environ, **vox.environ}, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_streams_that_are_closed_fail_nobody(vox: Vox) -> None:
    environ = {**os.environ, **vox.environ}
    command = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *vox.command, "hook", "codex:Stop"]
    assert subprocess.run(command, env=environ, check=False).returncode == 0


def test_a_writer_who_never_ends_is_not_waited_for(vox: Vox) -> None:
    with vox.popen("hook", "codex:Stop", stdin=subprocess.PIPE) as hook:
        assert hook.stdin is not None
        hook.stdin.write("{")
        hook.stdin.flush()
        assert hook.wait(60) == 0
        assert hook.stdout is not None and hook.stdout.read() == "{}\n"


def test_what_somebody_types_is_not_read(vox: Vox) -> None:
    """Aider leaves its terminal to its hook."""
    control, terminal = pty.openpty()
    with vox.popen("hook", "codex:Stop", stdin=terminal) as hook:
        assert hook.communicate(timeout=60) == ("{}\n", "")
    assert hook.returncode == 0
    os.close(terminal)
    os.close(control)


def test_events_become_jobs_of_their_project(vox: Vox, recorder: Recorder) -> None:
    repository = vox.home / "my project"
    (repository / ".git").mkdir(parents=True)
    where = {"session_id": "s1", "cwd": str(repository)}

    def newest(count: int) -> dict[str, Any]:
        """The newest job, once there are so many."""
        found: list[dict[str, Any]] = wait_until(
            lambda: len(found := list(vox.client.history())) == count and found
        )
        return found[0]

    message = f"I looked.\n\n```\nx\n```\n\n{SAID} More is in https://example.com."
    hook = vox.popen("hook", "claude:Stop", stdin=subprocess.PIPE, start_new_session=True)
    told = json.dumps({**where, "last_assistant_message": message})
    assert hook.communicate(told, timeout=60) == ("", "")
    # Who called it may end all that it has started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(hook.pid, signal.SIGKILL)
    (job,) = wait_until(vox.jobs)
    assert (job["text"], job["source"], job["via"]) == (SAID, "my project", "hook")
    assert (job["priority"], job["replace"]) == ("normal", "hook:claude:s1")
    assert vox("wait", job["id"]).code == 0
    assert word_overlap(SAID, recognise(recorder.stop())) >= 0.6
    # It was spoken by a daemon that leaves at once; from here on one is up.
    vox.ok("daemon", "start")
    vox.ok("pause")
    assert call(vox, "claude:Stop", stdin={**where, "last_assistant_message": "One."})[0] == 0
    newest(2)
    assert call(vox, "claude:Stop", stdin={**where, "last_assistant_message": "Two."})[0] == 0
    second = newest(3)
    assert second["text"] == "Two." and second["exit_code"] is None
    assert list(vox.client.history())[1]["state"] == "cancelled"
    # A question goes first.
    asked = {**where, "session_id": "s2", "tool_name": "Bash", "tool_input": {"command": "rm -r x"}}
    assert call(vox, "codex:PermissionRequest", stdin=asked) == (0, b"{}\n", b"")
    question = newest(4)
    assert question["text"] == "Codex wants to use Bash: rm."
    assert question["priority"] == "high"
    assert [job["id"] for job in vox.client.queue()] == [question["id"], second["id"]]
    # What Cursor says by one event and ends by another.
    cursor = {"conversation_id": "c", "cursor_version": "3", "workspace_roots": [str(repository)]}
    for text in ("Half.", "All of it is done."):
        call(vox, "cursor:afterAgentResponse", stdin={**cursor, "text": text})
    assert call(vox, "cursor:stop", stdin={**cursor, "status": "completed"}) == (0, b"{}\n", b"")
    assert newest(5)["text"] == "All of it is done."
    assert os.listdir(Path(vox.paths.runtime_dir, "hooks")) == []
    # A daemon that hangs is not waited for, and takes it later.
    assert vox.pid is not None
    os.kill(vox.pid, signal.SIGSTOP)
    hung = {**where, "session_id": "s3", "last_assistant_message": "It hung."}
    try:
        assert call(vox, "claude:Stop", stdin=hung) == (0, b"", b"")
    finally:
        os.kill(vox.pid, signal.SIGCONT)
    assert newest(6)["text"] == "It hung."
    # Codex's old way has no standard input; the settings of the environment hold for hooks.
    old = {"thread-id": "t", "cwd": str(repository), "last-assistant-message": "Fixed."}
    assert call(vox, "codex:notify", json.dumps(old), stdin=b"")[0] == 0
    assert newest(7)["replace"] == "hook:codex:t"
    call(
        vox, "claude:Stop", stdin={**where, "last_assistant_message": "No."}, env={"VOX_HOOKS": "0"}
    )
    newest(7)


def test_an_assistant_that_does_not_read_the_answer_is_heard(vox: Vox) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    environ, data = {**os.environ, **vox.environ}, json.dumps(TURN).encode()
    for redirection in (">&-", "> /dev/full"):
        command = ["sh", "-c", f'"$@" {redirection}', "sh", *vox.command, "hook", "codex:Stop"]
        done = subprocess.run(command, input=data, env=environ, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        (job,) = wait_until(vox.client.queue)
        assert job["text"] == "Done."
        vox.ok("stop")
        data = data.replace(b"s1", b"s2")


def test_aider_keeps_its_standard_input(vox: Vox) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    environ = {**os.environ, **vox.environ}
    command = ["sh", "-c", '"$@"; cat', "sh", *vox.command, "hook", "aider:notify"]
    done = subprocess.run(
        command, input=b"yes\nno\n", env=environ, capture_output=True, check=False, cwd=vox.home
    )
    assert (done.stdout, done.stderr) == (b"yes\nno\n", b"")
    (job,) = wait_until(vox.client.queue)
    assert job["source"] == vox.home.name


def test_characters_that_no_job_may_have_silence_nothing(vox: Vox) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    told = json.dumps({**TURN, "session_id": "\ud83d", "last_assistant_message": "A \ud83d, \0."})
    assert call(vox, "claude:Stop", stdin=told.encode()) == (0, b"", b"")
    cut = b'{"session_id": "cut", "cwd": "/", "last_assistant_message": "All. \xf0\x9f"}'
    assert call(vox, "claude:Stop", stdin=cut) == (0, b"", b"")

    def texts() -> list[str]:
        return sorted(job["text"] for job in vox.client.queue())

    wait_until(lambda: texts() == ["A ?,  .", "All. \ufffd"])


def test_what_two_hooks_tell_at_once_is_one_job(vox: Vox) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    told = [vox.popen("hook", "claude:Stop", stdin=subprocess.PIPE) for _ in range(2)]
    for hook in told:
        assert hook.stdin is not None
        hook.stdin.write(json.dumps(TURN))
        hook.stdin.close()
    assert [hook.wait(60) for hook in told] == [0, 0]
    (job,) = wait_until(vox.client.queue)
    assert job["text"] == "Done."


def test_its_help_lists_every_assistant(vox: Vox) -> None:
    shown = vox.ok("hook", "--help")
    assert "claude    Stop StopFailure" in shown and "VOX_HOOKS=0" in shown
    missing = vox("hook")
    assert missing.code == 2 and "missing argument" in missing.err


LOADED = {
    "vox", "vox.flat_json", "vox.ids", "vox.options", "vox.quick", "vox.quick.place",
    "vox.quick.sending", "vox.quick.wire", "vox.sound_variables", "vox.source_names", "vox.hooks",
    "vox.hooks.agents", "vox.hooks.drafts", "vox.hooks.hook", "vox.hooks.json_reader",
    "vox.hooks.questions", "vox.hooks.said", "vox.hooks.summary", "vox.hooks.transcript",
    "__future__", "_json", "_socket", "select",
}  # fmt: skip
"""All that a hook loads besides what every Python program has. The module `json` alone would take
as long as all of it."""

PROGRAM = """\
import sys
before = set(sys.modules)
from vox.hooks.hook import speak
speak("claude", "Stop", sys.argv[1].encode())
print(*(set(sys.modules) - before))
"""


def test_a_hook_loads_little_while_a_daemon_is_up(vox: Vox) -> None:
    vox.ok("daemon", "start")

    def loaded() -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, json.dumps(TURN)],
            env={**os.environ, **vox.environ}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return set(done.stdout.split())

    # One that a slow machine's daemon keeps waiting for a second goes the long way.
    wait_until(lambda: loaded() == LOADED)
