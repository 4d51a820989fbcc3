"""`vox mcp`."""

from __future__ import annotations

import sys

import click

from ..errors import BadInput
from ..paths import get_paths
from ..quick.sender import repository
from .output import is_terminal, tell

STARTED_BY = "an assistant starts this, e.g.: claude mcp add vox -- vox mcp"


@click.command()
def mcp() -> None:
    """Serve MCP: tools with which an assistant speaks.

    The assistant starts it and talks to it on standard input and output. To add it, e.g.:
    claude mcp add vox -- vox mcp. Jobs are sent under the name of the git repository in which it
    was started, else under that of the assistant.

    It needs the package mcp: pip install 'voxqueue[mcp]'.

    While the setting http is on, the daemon serves the same at /mcp, with its token.
    """
    from ..mcp.package import check_package

    check_package()
    if sys.stdin is None or sys.stdout is None:
        raise BadInput("no standard input or output", STARTED_BY)
    if is_terminal(sys.stdin):
        tell(f"vox: {STARTED_BY} (Ctrl-C ends it)")
    from ..mcp.stdio import serve

    serve(get_paths(), repository())
