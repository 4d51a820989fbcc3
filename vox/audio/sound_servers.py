"""Where the user's sound server may be, and which of these places has worked.

A daemon that cron or an ssh session started lacks the variables that lead to the desktop's server.
So when no device opens, it tries the last callers' variables, then the standard places, then its
own. What works is kept.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

from ..sound_variables import VARIABLES, Environment, chosen

_SOCKETS = ("pulse/native", "pipewire-0")
"""Sockets of sound servers in a user's runtime folder."""
_CALLERS = 3
"""How many different callers' environments are tried: a wrong one must not displace a good one."""
_WSLG_SOCKET = "/mnt/wslg/PulseServer"


def standard_places(
    runtime_dir: str | None = None, wslg_socket: str = _WSLG_SOCKET
) -> list[Environment]:
    """Environments that lead to the servers in the usual places, as far as something is there.

    `runtime_dir`: the user's; None: the one that systemd and elogind make. libpulse itself knows
    the place of a server that runs for the whole system.
    """
    runtime_dir = runtime_dir or f"/run/user/{os.getuid()}"
    places = []
    if any(os.path.exists(os.path.join(runtime_dir, name)) for name in _SOCKETS):
        places.append({"XDG_RUNTIME_DIR": runtime_dir})
        bus = os.path.join(runtime_dir, "bus")
        if os.path.exists(bus):
            places[0]["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
    if os.path.exists(wslg_socket):
        places.append({"PULSE_SERVER": f"unix:{wslg_socket}"})
    return places


class SoundServers:
    """The environments that may lead to the user's sound server. Any thread may `offer` one."""

    def __init__(self, places: Callable[[], Sequence[Environment]] = standard_places) -> None:
        self._own = chosen(os.environ)
        self._places = places
        self._offered: tuple[Environment, ...] = ()
        """Those of the last callers, the newest first."""
        self._slow: Environment | None = None
        self.kept = self._own
        """The one with which a device was opened last; at first, the process's own."""

    def offer(self, environ: Environment) -> bool:
        """Note the environment of the newest caller. True if none of the last ones had the same.

        One without any variable leads nowhere and is not noted.
        """
        is_new = bool(environ) and environ not in self._offered
        if environ:
            others = [each for each in self._offered if each != environ]
            self._offered = (environ, *others[: _CALLERS - 1])
        return is_new

    def candidates(self) -> list[Environment]:
        """The environments to try when no device opens, the most promising first."""
        found: list[Environment] = []
        for environ in (self.kept, *self._offered, *self._places(), self._own):
            if environ not in found:
                found.append(environ)
        return sorted(found, key=lambda environ: environ == self._slow)

    def keep(self, environ: Environment) -> None:
        """A device was opened with it."""
        self.kept = environ
        self._slow = None

    def demote(self, environ: Environment) -> None:
        """Opening a device with it took too long: try the others first."""
        self._slow = environ


@contextlib.contextmanager
def applied(environ: Environment) -> Iterator[None]:
    """Let the C libraries of this process see these sound variables, and no others, in the block.

    `os.environ` stays as it is: other threads may copy it, and hosts get it.
    """
    own = chosen(os.environ)
    if environ == own:
        yield
        return
    _put(environ)
    try:
        yield
    finally:
        _put(own)


def _put(environ: Environment) -> None:
    for name in VARIABLES:
        if name in environ:
            os.putenv(name, environ[name])
        else:
            os.unsetenv(name)
