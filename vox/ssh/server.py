"""What a server is asked and told over a login: scripts of POSIX `sh`, and what they print."""

from __future__ import annotations

import os
import shlex
import socket
from typing import NamedTuple

from ..errors import DaemonUnavailable
from ..paths import SOCKET_PATH_MAX
from .config_file import Forward
from .login import SSH_FAILED, Login

_TOLD = "vox-remote "
"""How lines of ours begin among what a login prints."""
_TEST = ".test"
"""Behind the path of a socket that is only tried."""
_PROBE = """\
umask 077
cd "$HOME" && mkdir -p .local/state/vox/remote && chmod 700 .local/state/vox/remote || exit 1
: >.local/state/vox/remote/{laptop} || exit 1
echo "vox-remote home $HOME"
for run in "/run/user/$(id -u)" "$XDG_RUNTIME_DIR"; do
  case $(ls -ldn "$run/" 2>/dev/null) in
    drwx------*" $(id -u) "*) echo "vox-remote run $run" ;;
  esac
done
PATH=$PATH:$HOME/.local/bin
command -v vox >/dev/null && echo "vox-remote vox yes"
exit 0
"""
_FORGET = """\
rm -f ~/.local/state/vox/remote/{laptop} ~/.local/state/vox/remote/{laptop}.sock
rmdir ~/.local/state/vox/remote 2>/dev/null
exit 0
"""
_HELLO = """\
PATH=$PATH:$HOME/.local/bin
command -v vox >/dev/null || {{ echo "vox: vox is not installed on {host}"; exit 4; }}
VOX_REMOTE=always exec vox -- "Hello from {host}." 2>&1
"""


class Server(NamedTuple):
    """What a login found there."""

    place: str
    """Where its socket is to lie, with ssh's %L for this machine's name."""
    has_vox: bool


def laptop() -> str:
    """This machine's name, as ssh's %L has it."""
    return socket.gethostname().partition(".")[0]


def set_up(login: Login) -> Server:
    """Note on the server that this machine hears it. Raises DaemonUnavailable."""
    code, printed = login.run(_PROBE.format(laptop=shlex.quote(laptop())))
    if code:
        raise _no_login(login)
    lines = (line.removeprefix(_TOLD) for line in printed.splitlines() if line.startswith(_TOLD))
    told = {name: value for name, _, value in (line.partition(" ") for line in lines)}
    if "run" in told:  # what is there goes with the last logout
        place = f"{told['run']}/vox-remote-%L.sock"
    else:
        place = f"{told.get('home', '')}/.local/state/vox/remote/%L.sock"
    if len(os.fsencode(_place(place) + _TEST)) > SOCKET_PATH_MAX or '"' in place:
        raise DaemonUnavailable(f"no socket can lie there: {place}")
    return Server(place, "vox" in told)


def try_forward(login: Login, server: Server, here: str) -> bool:
    """Whether sshd lets a new login take the place of a socket that an old one left.

    Raises DaemonUnavailable if it lets none be made.
    """
    there = _place(server.place) + _TEST
    if not login.forward(there, here):
        raise DaemonUnavailable(
            f"sshd forwards no sockets: {login.target}",
            "it needs AllowStreamLocalForwarding yes, and no `restrict` before your key",
        )
    login.end_forward(there, here)
    is_taken_over = login.forward(there, here)
    login.run(f"rm -f {shlex.quote(there)}\n")
    return is_taken_over


def forget(login: Login) -> bool:
    """Take back what `set_up` noted there; False if that cannot be."""
    return login.run(_FORGET.format(laptop=shlex.quote(laptop())))[0] == 0


def say_hello(login: Login, forward: Forward) -> tuple[int, str]:
    """Have vox there speak a sentence: its exit code, and the last line that it printed."""
    there, script = _place(forward.there), _HELLO.format(host=forward.host)
    code, printed = login.run("exit 0\n")
    # No other one may have the socket now, and this one would keep the next login from it.
    is_ours = code == 0 and login.forward(there, forward.here)
    if code == 0:
        code, printed = login.run(script)
    if code == DaemonUnavailable.exit_code and not is_ours:
        # What an ended login left is removed now.
        is_ours = login.forward(there, forward.here)
        code, printed = login.run(script)
    if is_ours:
        login.run(f"rm -f {shlex.quote(there)}\n")
    if code == SSH_FAILED:
        raise _no_login(login)
    lines = printed.strip().splitlines()
    return code, lines[-1] if lines else ""


def _place(there: str) -> str:
    return there.replace("%L", laptop())


def _no_login(login: Login) -> DaemonUnavailable:
    return DaemonUnavailable(f"cannot log in with ssh: {login.target}", f"try: ssh {login.target}")
