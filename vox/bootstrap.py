"""Running a module of vox under an interpreter whose environment has no vox.

A backend's environment holds that backend's packages alone. Putting vox's own site-packages on its
path would mix the two, so this registers the `vox` package by its folder and nothing else.
"""

from __future__ import annotations

import os
import sys

_NO_TELEMETRY = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime 1.32: a device id, and events to its maker
    "GRADIO_ANALYTICS_ENABLED": "False",
    "DO_NOT_TRACK": "1",  # huggingface_hub and others
}
"""What is spoken here is nobody else's business. Whoever sets them otherwise has their way."""

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
    """What to put after an interpreter's name so that it runs `main()` of a module of vox.

    The module's `main()` finds further arguments in `sys.argv[1:]`; what it returns is the exit
    status. Nothing but the standard library and the environment's own packages is importable there
    besides `vox` itself.
    """
    return ["-c", _CODE.format(folder=vox_dir(), module=module)]


def environ_for(interpreter: str) -> dict[str, str]:
    """The environment variables to start an interpreter with: its libraries report to nobody.

    Those that add folders to Python's path are left out for a foreign one: pip would take what it
    finds there for installed, and a host would import it.
    """
    environ = {**_NO_TELEMETRY, **os.environ}
    if interpreter != sys.executable:
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"):
            environ.pop(name, None)
    return environ
