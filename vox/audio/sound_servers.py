"""Where the user's sound server may be, and which of these places has worked.

A daemon that cron or an ssh session started lacks the variables that lead to the desktop's server.
So when no device opens, it tries the last callers' variables, then the standard places, then its
own. What works is kept.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..sound_variables import VARIABLES, Environment, chosen

log = logging.getLogger(__name__)

_SOCKETS = ("pulse/native", "pipewire-0")
"""Sockets of sound servers in a user's runtime folder."""
_CALLERS = 3
"""How many different callers' environments are tried: a wrong one must not displace a good one."""
_ANSWER_S = 3.0
_AGAIN_S = 60.0
"""How long one that did not answer is left alone."""
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
        self._vetted: list[tuple[Environment, float | None]] = []
        """The others that were vetted; those that did not answer, with when to vet them again."""
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
        fit = [environ for environ, again_at in self._vetted if again_at is None]
        others = [each for each in self._others() if each in fit]
        return _distinct([self.kept, *others, self._own])

    def keep(self, environ: Environment) -> None:
        """A device was opened with it."""
        self.kept = environ

    def vet(self) -> bool:
        """Find out which of the others answer at all. True if there is a new one to try.

        In a process of its own, for a server that does not answer would hold up every call to
        PortAudio for ever. Takes as long as its start, for each that is new.
        """
        others, now = self._others(), time.monotonic()
        self._vetted = [
            (environ, again_at)
            for environ, again_at in self._vetted
            if environ in others and (again_at is None or again_at > now)
        ]
        known = [environ for environ, _ in self._vetted]
        found = False
        for environ in others:
            if environ not in known:
                answers = _answers(environ)
                found = found or answers
                self._vetted.append((environ, None if answers else time.monotonic() + _AGAIN_S))
        return found

    def _others(self) -> list[Environment]:
        tried = (self.kept, self._own)
        return [e for e in _distinct([*self._offered, *self._places()]) if e not in tried]


def _distinct(environs: Iterable[Environment]) -> list[Environment]:
    found: list[Environment] = []
    for environ in environs:
        if environ not in found:
            found.append(environ)
    return found


def _answers(environ: Environment) -> bool:
    """Whether PortAudio finishes its look for devices with these variables.

    It may hang, and a bad configuration of ALSA aborts the process.
    """
    others = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", "import sounddevice"],
            env={**others, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    except OSError as exc:  # no memory for a process
        log.warning("a sound server cannot be looked for: %s", exc)
        return False
    return done.returncode >= 0  # no signal has ended it


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
