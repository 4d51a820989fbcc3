"""What the load test lets loose on a daemon: `python -m tests.api.storm`, a process of its own.

Prints "listening" once all listeners are connected, and "over" at the end. Sockets are read and
thrown away: the clients shall cost as little as can be.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

LISTENERS = 100
JOBS = 500
AT_ONCE = 20


async def _listen(socket_path: str) -> None:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" in await reader.readline()
    while await reader.read(1 << 20):
        pass


async def submit(socket_path: str, **body: object) -> dict[str, Any]:
    """Make a job, on a connection of its own; returns it once it is accepted."""
    reader, writer = await asyncio.open_unix_connection(socket_path)
    data = json.dumps({"async": True, **body}).encode()
    head = f"POST /speak HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
    writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + data)
    answer = await reader.read()
    writer.close()
    assert b" 202 " in answer.partition(b"\r\n")[0], answer
    job: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return job


async def _storm(socket_path: str, output: str, host_pids: list[int]) -> None:
    listeners = [asyncio.create_task(_listen(socket_path)) for _ in range(LISTENERS)]
    await asyncio.sleep(0)
    print("listening", flush=True)
    await submit(socket_path, text="[say 0.1s] Load", model="load-slow:1", output=output)
    for number in range(JOBS // AT_ONCE):
        if number == JOBS // AT_ONCE // 2:
            for pid in host_pids:
                os.kill(pid, signal.SIGKILL)
        text = "[say 0.02s] Hm"
        await asyncio.gather(
            *(submit(socket_path, text=text, output=output) for _ in range(AT_ONCE))
        )
    print("over", flush=True)
    for listener in listeners:
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(_storm(sys.argv[1], sys.argv[2], [int(pid) for pid in sys.argv[3:]]))
