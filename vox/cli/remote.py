"""`vox remote`: hear on this machine what is spoken on a server that one logs in to with ssh."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable

import click

from ..client import daemon as control
from ..config import load, set_value, unset_value
from ..errors import BadConfig, BadInput, DaemonUnavailable
from ..files import locked, make_dir
from ..paths import Paths, get_paths
from ..service.choice import manager
from ..ssh.config_file import ConfigFile, Forward
from ..ssh.login import Login, forwards_to
from ..ssh.server import forget, say_hello, set_up, try_forward
from .completers import complete_remote_host
from .options import json_option
from .output import complain, say, say_json, table, tell

LISTEN_S = 30.0
POLL_S = 0.02
_UNLINK = "StreamLocalBindUnlink yes"
_FOR_ROOT = (
    f"echo '{_UNLINK}' | sudo tee /etc/ssh/sshd_config.d/vox.conf && sudo systemctl reload ssh"
)


class _Remote(click.Group):
    """A group whose first word, if it names no command, is a server."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["add", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[USER@]HOST")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", prefix="       ")


@click.group("remote", cls=_Remote)
def remote() -> None:
    """Hear on this machine what is spoken on a server.

    `vox remote [USER@]HOST`, run here, has ssh lead a socket from HOST to this machine whenever you
    log in there (RemoteForward, in ~/.ssh/vox.conf). `vox TEXT` on HOST is then spoken here. HOST
    may speak, and see to what it sent; it sees nothing else of what is spoken here.
    """


_config_option = click.option(
    "--ssh-config", metavar="FILE", help="The configuration of ssh (default: ~/.ssh/config)."
)
_host_argument = click.argument("host", shell_complete=complete_remote_host)


@remote.command(hidden=True, options_metavar="")
@click.argument("target", metavar="[USER@]HOST")
@_config_option
def add(target: str, ssh_config: str | None) -> None:
    """Hear what is spoken on HOST: as it is given to ssh."""
    host = _host_of(target)
    paths, config = get_paths(), ConfigFile(ssh_config)
    here = paths.remote_socket_path(host)
    with Login(target, config.options) as login:
        server = set_up(login)
        removes_stale = try_forward(login, server, here)
    forward = Forward(host, target, server.place, here)
    with _lock(paths):
        changed = config.put(forward)
        try:
            _check_heeded(config, forward)
        except BadConfig:
            config.remove(host)
            raise
        _set_hosts(paths, lambda hosts: [*hosts, host])
    _listen(paths, host)
    say(f"{'wrote' if changed else 'unchanged'} {config.own_path}, included by {config.path}")
    _tell_notes(host, server.has_vox, removes_stale)
    say(f"log in on {host} again, and it is heard here; to try it: vox remote test {host}")


@remote.command("list", short_help="List the servers that are heard here.")
@_config_option
@json_option
def list_(ssh_config: str | None, as_json: bool) -> None:
    """List the servers that are heard here."""
    paths = get_paths()
    found = [
        {"host": each.host, "target": each.target, "socket": each.there,
         "heard": _is_listening(paths, each.host)}
        for each in ConfigFile(ssh_config).forwards().values()
    ]  # fmt: skip
    if as_json:
        say_json(found)
    elif not found:
        say("none; to hear a server: vox remote [USER@]HOST")
    else:
        rows = [[str(each["host"]), str(each["socket"]), _heard(each["heard"])] for each in found]
        table(["HOST", "ITS SOCKET", "HERE"], rows)


def _heard(is_listening: object) -> str:
    return "heard" if is_listening else "vox does not run"


@remote.command(short_help="Take a server out.")
@_host_argument
@_config_option
def remove(host: str, ssh_config: str | None) -> None:
    """Take a server out: ssh's files are as they were, and nothing of it is heard any more."""
    paths, config = get_paths(), ConfigFile(ssh_config)
    forward = _known(config, host)
    with Login(forward.target, config.options) as login:
        is_told = forget(login)
    if not is_told:
        tell(f"vox: {host} still expects a laptop; there: rm -r ~/.local/state/vox/remote")
    with _lock(paths):
        config.remove(host)
        _set_hosts(paths, lambda hosts: [each for each in hosts if each != host])
    say(f"removed {host}")


@remote.command(short_help="Speak a sentence from a server, and say where it stops.")
@_host_argument
@_config_option
def test(host: str, ssh_config: str | None) -> int:
    """Speak a sentence from a server, and say where it stops."""
    paths, config = get_paths(), ConfigFile(ssh_config)
    forward = _known(config, host)
    _listen(paths, host)
    _check_heeded(config, forward)
    say(f"this machine hears {host}")
    with Login(forward.target, config.options) as login:
        code, line = say_hello(login, forward)
    if code:
        complain(line.removeprefix("vox: ") or f"vox failed on {host}")
    else:
        say(f"{host} was heard")
    return code


def _check_heeded(config: ConfigFile, forward: Forward) -> None:
    """Raises BadConfig if a login would not lead here, whatever stands in our file."""
    if not forwards_to(forward.target, config.options, forward.here):
        raise BadConfig(
            f"ssh does not heed {config.own_path}",
            f"{config.path} must begin with an Include of it; see: ssh -G {forward.target}",
        )


def _host_of(target: str) -> str:
    """The server as it is given to ssh. Raises BadInput."""
    _, _, host = target.rpartition("@")
    if not re.fullmatch(r"([^\s@\"'-][^\s@\"']*@)?[A-Za-z0-9][A-Za-z0-9._-]{0,59}", target):
        raise BadInput(
            f"{target!r} is no server", "name it as you do for ssh: vox remote [USER@]HOST"
        )
    return host


def _known(config: ConfigFile, host: str) -> Forward:
    """The forward of that server. Raises BadInput."""
    forward = config.forwards().get(_host_of(host))
    if forward is None:
        raise BadInput(f"{host} is not heard here", f"to hear it: vox remote {host}")
    return forward


def _tell_notes(host: str, has_vox: bool, removes_stale: bool) -> None:
    if not has_vox:
        tell(f"vox: vox is not installed on {host}, or not where ssh finds it; install it there")
    if not removes_stale:
        tell(
            f"vox: when a connection to {host} breaks off, its sshd leaves the socket behind, and "
            f"the next login is not heard until you call vox; to prevent it, run there: {_FOR_ROOT}"
        )
    if any(map(os.path.exists, manager().paths())):
        tell("vox: the service is to listen for it too; run again: vox service install")
    else:
        tell("vox: to have it heard after a reboot too: vox service install")


def _lock(paths: Paths) -> contextlib.AbstractContextManager[int | None]:
    """Two of us would lose what the other wrote."""
    return locked(os.path.join(make_dir(paths.data_dir), "remote.lock"))


def _set_hosts(paths: Paths, change: Callable[[list[str]], list[str]]) -> None:
    hosts = list(dict.fromkeys(change(list(load(paths.config_path)["remote_hosts"]))))
    if hosts:
        set_value(paths.config_path, "remote_hosts", ",".join(hosts))
    else:
        unset_value(paths.config_path, "remote_hosts")


def _is_listening(paths: Paths, host: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(paths.remote_socket_path(host)) == 0


def _listen(paths: Paths, host: str) -> None:
    """Have a daemon that listens for that server. Raises DaemonUnavailable."""
    control.start(paths)
    deadline = time.monotonic() + LISTEN_S
    while not _is_listening(paths, host):
        if time.monotonic() > deadline:
            raise DaemonUnavailable(f"the daemon does not listen for {host}")
        time.sleep(POLL_S)
