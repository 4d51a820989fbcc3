"""Runs an adapter's `fetch` and `check_environment` under the interpreter of its own environment.

The child (`main`) answers with one JSON document per line; whatever a library prints goes to
stderr. The parent passes progress on and raises what the child raised.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from ..backends.base import Accelerator, Backend, Progress, Settings
from ..bootstrap import bootstrap_args, environ_for
from ..errors import LoadFailed, VoxError, from_dict

MODULE = "vox.install.fetch"
_STOP_TIMEOUT_S = 10.0


@contextlib.contextmanager
def stopped_at_exit(process: subprocess.Popen[str]) -> Iterator[None]:
    """Stop the child when the block ends, however it ends (Ctrl-C above all)."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run_fetch(interpreter: str, spec: str, settings: Settings, progress: Progress) -> None:
    """Fetch the weights of the adapter `spec` ("module:Class"). Raises what `fetch` raises."""
    last = _run(interpreter, {"spec": spec, "settings": _as_json(settings)}, progress)
    if last is not None:
        raise LoadFailed(
            f"fetching the weights stopped: {last}", "run it again, it goes on where it stopped"
        )


def run_check(interpreter: str, spec: str, accelerator: Accelerator) -> None:
    """Run the adapter's `check_environment`. Raises LoadFailed."""
    last = _run(interpreter, {"spec": spec, "accelerator": accelerator}, lambda _text, _done: None)
    if last is not None:
        raise LoadFailed(f"the check of its packages crashed: {last}")


def _run(interpreter: str, request: dict[str, Any], progress: Progress) -> str | None:
    """Let the child do it, and raise what it raised; its last line if it died, else None."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [interpreter, *bootstrap_args(MODULE)],
            env=environ_for(interpreter),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process, stopped_at_exit(process):
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            for line in process.stdout:
                answer: dict[str, Any] = json.loads(line)
                if "error" in answer:
                    raise from_dict(answer["error"])
                if answer.get("done"):
                    return None
                progress(answer["text"], answer["fraction"])
            process.wait()
        log.seek(0)
        return (log.read().strip().splitlines() or [f"exit status {process.returncode}"])[-1]


def _as_json(settings: Settings) -> dict[str, Any]:
    return {**dataclasses.asdict(settings), "options": dict(settings.options)}


def main() -> None:
    from ..backends.registry import load_class

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    request = json.loads(sys.stdin.read())

    def send(answer: dict[str, Any], stream: IO[str] = answers) -> None:
        stream.write(json.dumps(answer) + "\n")

    try:
        adapter = load_class(request["spec"])
        if "accelerator" in request:
            adapter.check_environment(request["accelerator"])
        else:
            _fetch(adapter, Settings(**request["settings"]), send)
    except VoxError as exc:
        send({"error": exc.to_dict()})
    except Exception as exc:
        what = "the check of its packages" if "accelerator" in request else "fetching the weights"
        error = LoadFailed(f"{what} failed: {type(exc).__name__}: {exc}")
        send({"error": error.to_dict()})
    else:
        send({"done": True})


def _fetch(
    adapter: type[Backend], settings: Settings, send: Callable[[dict[str, Any]], None]
) -> None:
    from ..backends.kit.manifest import Manifest
    from ..backends.kit.weights import weights_dir

    weights = weights_dir(settings)
    if os.path.isdir(weights):
        send({"text": "checking the weights that are there", "fraction": None})
        Manifest(weights).check_folder(weights, thorough=True)
    adapter.fetch(settings, lambda text, fraction: send({"text": text, "fraction": fraction}))
