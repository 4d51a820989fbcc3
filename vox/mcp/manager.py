"""Sessions over HTTP: the package's manager for a server of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from ..paths import Paths
from .server import make_server

IDLE_S = 1_800
MOST_SESSIONS = 256


def make_manager(paths: Paths, is_leaving: Callable[[], bool]) -> StreamableHTTPSessionManager:
    """What serves `/mcp`. Who may ask, and how long a body may be, others have to see to."""
    return StreamableHTTPSessionManager(
        make_server(paths, is_leaving=is_leaving),
        session_idle_timeout=IDLE_S,
        max_sessions=MOST_SESSIONS,
        max_request_body_size=sys.maxsize,
    )
