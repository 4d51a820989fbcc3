"""Running a module of vox under an interpreter whose environment has no vox.

A backend's environment holds only that backend's packages. Vox's own site-packages on its path
would mix the two, so this registers the package `vox` by its folder and nothing else.
"""

from __future__ import annotations

import os
import sys

from .redis_url import PASSWORD_VARIABLE

_NO_TELEMETRY = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime 1.32: a device id, and events to its maker
    "GRADIO_ANALYTICS_ENABLED": "False",
    "DO_NOT_TRACK": "1",  # huggingface_hub and others
}
"""Libraries must not report what is spoken. Variables that the user sets take precedence."""

# The threads of OpenMP, which torch computes with, spin while they wait for each other. With other
# work on the machine each then waits for one that the system has put off: a frame of a tiny
# qwen-native took 480 ms (of voxtream 1,700), and 40 where they sleep (2 cores, a load of 9). The
# library reads this once, as torch is imported.
_SHARED_CPU = {"OMP_WAIT_POLICY": "PASSIVE"}

_CODE = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]  # not the folder somebody stands in
import importlib, importlib.util, os
folder = {folder!r}
spec = importlib.util.spec_from_file_location(
    "vox", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
sys.modules["vox"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
sys.exit(importlib.import_module({module!r}).main())
"""


def vox_dir() -> str:
    """The folder of the `vox` package that is running."""
    return os.path.dirname(os.path.abspath(__file__))


def bootstrap_args(module: str) -> list[str]:
    """The arguments with which an interpreter runs `main()` of a module of vox.

    `main()` finds further arguments in `sys.argv[1:]` and returns the exit status. It can import
    `vox`, the standard library and the packages of the interpreter's environment.
    """
    return ["-c", _CODE.format(folder=vox_dir(), module=module)]


def environ_for(interpreter: str) -> dict[str, str]:
    """The environment variables for an interpreter: no telemetry, and threads that share the CPU.

    Variables that add folders to Python's path are left out for another interpreter than ours: pip
    would count what it finds there as installed, and a host would import it. Nor is the password
    of the workers' server for the packages of others.
    """
    environ = {**_NO_TELEMETRY, **_SHARED_CPU, **os.environ}
    environ.pop(PASSWORD_VARIABLE, None)
    if interpreter != sys.executable:
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"):
            environ.pop(name, None)
    return environ
