"""The test of a backend: a sentence is spoken into a file, and what that took is measured.

A report does it twice: the first call loads the model anew, the second finds it warm. Knows the
daemon's answers; `report` knows the machine.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from typing import Any

from ..client import daemon as control
from ..config import load
from ..errors import DaemonUnavailable, VoxError
from ..files import make_dir
from ..install.status import gpu_of, read_marker
from ..jobs import Request
from ..paths import Paths
from ..quick.sender import sender
from .output import complain, engine_of, say, say_json
from .speaking import CallOptions, open_jobs, spoken, what_became_of
from .voices import open_catalog

LOOK_S = 20.0
"""In which a model that has spoken is looked at, and spoken with once more."""
TEXT = "This is a test. If you can hear it, everything works."


@dataclass(slots=True)
class Spoken:
    """What became of one test sentence."""

    job: dict[str, Any]
    kilobytes: float
    model: dict[str, Any] | None
    """Its host, as `/health` has it afterwards; None without a daemon."""
    trouble: str = ""
    """Why the test failed, and what to do; "" if it did not."""

    @property
    def exit_code(self) -> int:
        return int(self.job["exit_code"] or bool(self.trouble))


def run(paths: Paths, name: str, model: str | None, *, is_strict: bool = True) -> int:
    """Speak the test sentence and say how that went; returns the exit code.

    `is_strict`: it fails on a CPU wherever a GPU was found when the backend was installed, even if
    that installation has said why it does not use it. Raises what a request raises.
    """
    found = _speak(paths, name, model, is_strict)
    if found.trouble:
        complain(f"the test of {name} failed: {found.trouble}")
        return found.exit_code
    length_s, wait_s = found.job["audio_s"], found.job["wait_s"] or 0.0
    speech = f"{length_s:.1f} s of speech, {found.kilobytes:.0f} kB, after {wait_s:.1f} s"
    if found.model:
        speech += f" on {engine_of(found.model)}"
        if found.model["jobs"] == 1:
            speech += f", {found.model['load_s']:.1f} s of them to load the model"
    say(f"{name} works: {speech}")
    return 0


def report(paths: Paths, name: str, model: str | None, as_json: bool) -> int:
    """Test the backend and print what a report of a fault needs; returns the exit code."""
    from .report import Report

    made = Report(paths, name, model)
    exit_code = 0
    try:
        open_catalog(paths).check_installed(name, model)
        _make_cold(paths, name)
        found = _speak(paths, name, model)
        made.add_first(found.model)
        if not found.job["exit_code"]:
            before, found = found.model, _speak(paths, name, model)
            made.add_second(before, found.model)
        made.add_trouble(found.trouble)
        exit_code = found.exit_code
    except VoxError as exc:
        made.add_trouble(exc.line)
        exit_code = exc.exit_code
    made.make_anonymous()
    say_json(made.facts) if as_json else say(made.text())
    return exit_code


def _make_cold(paths: Paths, name: str) -> None:
    """Have the backend's model unloaded, and a daemon up if the test would go without one."""
    catalog = open_catalog(paths)
    with contextlib.suppress(DaemonUnavailable):  # it is leaving, and the model with it
        control.unload(paths, catalog.host_of(name))
    if catalog.info(name).light:
        control.start(paths)


def _speak(paths: Paths, name: str, model: str | None, is_strict: bool = True) -> Spoken:
    """Raises what a request raises."""
    folder = make_dir(paths.cache_dir)
    with tempfile.TemporaryDirectory(prefix="test-", dir=folder) as temporary:
        output = os.path.join(temporary, f"{name}.wav")
        request = Request(
            text=TEXT,
            backend=name,
            model=model,
            output=output,
            fresh=True,
            source=sender(),
            keep_alive=_keep_alive_s(paths, name),
        )
        job = spoken(open_jobs(), request, CallOptions())
        found = Spoken(job, 0.0, _host_of(paths, name))
        if job["exit_code"]:
            found.trouble = what_became_of(job)
        else:
            found.kilobytes = os.path.getsize(output) / 1000
            found.trouble = _wrong_device(paths, name, found.model, is_strict)
    return found


def _keep_alive_s(paths: Paths, name: str) -> float | None:
    """Where nothing stays loaded by itself, the model stays until it has been looked at."""
    if open_catalog(paths).info(name).light:
        return None
    return LOOK_S if 0 <= load(paths.config_path).idle_timeout_s < LOOK_S else None


def _host_of(paths: Paths, name: str) -> dict[str, Any] | None:
    """The backend's host that was used last."""
    health = control.health(paths)
    host = open_catalog(paths).host_of(name)
    found = [each for each in health["loaded_models"] if each["backend"] == host] if health else []
    return min(found, key=lambda each: float(each["idle_s"]), default=None)


def _wrong_device(paths: Paths, name: str, model: dict[str, Any] | None, is_strict: bool) -> str:
    """What to do if the model runs on the CPU of a machine whose GPU it could use, else ""."""
    settings = open_catalog(paths).settings_for(name)
    if model is None or model["device"] != "cpu" or settings.device != "auto":
        return ""
    gpu = (read_marker(settings.env_dir) or {}).get("gpu") if is_strict else None
    wanted = gpu or gpu_of(name, settings)
    if not wanted:
        return ""
    return (
        f"it runs on the CPU, although it was installed for {wanted}; check that "
        f"nvidia-smi shows the GPU, then run: vox backends install {name}; to use the CPU: "
        f"vox config set backends.{name}.device cpu"
    )
