"""The sockets at which ssh delivers what servers ask for: one for each host in `remote_hosts`.

The setting is looked at again and again, so `vox remote` needs no restart. A socket that has gone
is made again; at the end none is removed but our own. What comes in there `api.remote_hosts` sees
to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import StorageError
from ..paths import Paths
from .activation import Inherited
from .listener import Listener, bind_private
from .server import Server

log = logging.getLogger(__name__)

BACKLOG = 128


@dataclass(frozen=True, slots=True)
class _Open:
    path: str
    server: asyncio.Server
    file: os.stat_result
    is_activated: bool
    """It is a service manager's, which listens when we have left."""

    @property
    def is_there(self) -> bool:
        try:
            return os.path.samestat(self.file, os.lstat(self.path))
        except OSError:
            return False


class RemoteSockets:
    """Listens for each host that is wanted. Used from the loop's thread."""

    def __init__(self, paths: Paths, hosts: Iterable[str], inherited: Inherited) -> None:
        """`inherited`: the sockets that a service manager passed; those of the hosts are taken."""
        self._paths = paths
        self._passed: dict[str, Listener] = {
            host: passed
            for host in hosts
            if (passed := inherited.take(socket.AF_UNIX, paths.remote_socket_path(host)))
        }
        self._open: dict[str, _Open] = {}
        self._trouble: dict[str, str] = {}
        """What was logged last, by host."""

    async def look(self, server: Server, hosts: Iterable[str]) -> None:
        """Listen for these hosts and for no others. Quick if nothing has changed. Raises nothing:
        an error is logged once."""
        wanted = set(hosts)
        for host, each in list(self._open.items()):
            if host not in wanted or not each.is_there:
                self._close(server, host)
        for host in sorted(wanted - set(self._open)):
            try:
                await self._listen(server, host)
                self._trouble.pop(host, None)
            except (StorageError, OSError) as exc:
                line = exc.line if isinstance(exc, StorageError) else str(exc)
                if self._trouble.get(host) != line:
                    self._trouble[host] = line
                    log.error("%s is not heard here: %s", host, line)

    async def _listen(self, server: Server, host: str) -> None:
        path = self._paths.remote_socket_path(host)
        listener = self._passed.pop(host, None)
        is_activated = listener is not None and os.path.exists(path)
        if listener is not None and is_activated:
            file = os.lstat(path)
        else:
            listener, file = bind_private(path, BACKLOG)
        self._open[host] = _Open(path, await server.listen_also(listener), file, is_activated)
        log.info("what %s sends is heard here", host)

    def _close(self, server: Server, host: str) -> None:
        each = self._open.pop(host)
        self._remove(each)
        each.server.close()
        server.servers.remove(each.server)

    def _remove(self, each: _Open) -> None:
        if each.is_there and not each.is_activated:
            with contextlib.suppress(OSError):
                os.unlink(each.path)

    def remove_all(self) -> None:
        """While their listeners are open: once these are closed, another file may get an inode."""
        for each in self._open.values():
            self._remove(each)
        self._open.clear()
