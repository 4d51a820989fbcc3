"""How an extra of vox, such as `voxqueue[mcp]`, is installed into the environment that vox runs in.

Must not know what the extras are for.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys


def install_hint(extra: str, package: str, prefix: str | None = None) -> str:
    """The command that does it. `package`: the requirement behind the extra, for pipx.

    `prefix`: the environment's folder; None: our own.
    """
    # pipx keeps this file in each environment that it made.
    if os.path.exists(os.path.join(prefix or sys.prefix, "pipx_metadata.json")):
        return f"install it: pipx inject voxqueue {shlex.quote(package)}"
    python = shlex.quote(sys.executable)
    installer = f"{python} -m pip install"
    if importlib.util.find_spec("pip") is None:
        installer = f"uv pip install --python {python}"
    return f"install it: {installer} 'voxqueue[{extra}]'"
