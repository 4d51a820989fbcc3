"""Threads for what writes to the job table, which another program may keep locked.

Those who wait for such a lock must not take the threads of those who only read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

WRITERS = 64
"""A write waits for some seconds at most, and they wait at the same time."""
_threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="writer")

P = ParamSpec("P")
T = TypeVar("T")


def in_writer(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Call it in a thread for writers, like `asyncio.to_thread`. It begins at once."""
    return asyncio.get_running_loop().run_in_executor(_threads, partial(write, *args, **kwargs))
