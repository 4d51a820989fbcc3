"""MCP on standard input and output, until the assistant that started us is gone or a signal comes.

Standard output is the protocol's alone. The package's own way ends neither on Ctrl-C, for a thread
of its sits in a read, nor quietly when the reader has gone; hence the care here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import NoReturn

import anyio
from mcp.server.stdio import stdio_server

from ..paths import Paths
from .server import make_server

GRACE_S = 0.5
"""So long a call may take to cancel its job after a signal."""
_GONE = (BrokenPipeError, ConnectionResetError, anyio.BrokenResourceError)


def serve(paths: Paths, source: str) -> NoReturn:
    """Serve one client, then end the process. `source`: see `make_server`."""
    code = 0
    try:
        anyio.run(_main, paths, source)
    except BaseExceptionGroup as group:
        rest = group.split(_GONE)[1]
        if rest is not None:
            code = 1
            with contextlib.suppress(OSError):
                print(f"vox: mcp ended: {_kinds(rest)}", file=sys.stderr)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    # Not sys.exit, which would wait for the thread that reads.
    os._exit(code)


def _kinds(group: BaseExceptionGroup[BaseException]) -> str:
    """The kinds of the errors. Their messages may hold a text."""
    found = [
        _kinds(each) if isinstance(each, BaseExceptionGroup) else type(each).__name__
        for each in group.exceptions
    ]
    return ", ".join(found)


async def _main(paths: Paths, source: str) -> None:
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as group:

        def end(signum: int) -> None:
            group.cancel_scope.cancel()
            loop.call_later(GRACE_S, os._exit, 128 + signum)

        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(signum, end, signum)
        server = make_server(paths, source, environ=os.environ)
        async with stdio_server() as (reads, writes):
            await server.run(reads, writes, server.create_initialization_options())
        group.cancel_scope.cancel()
