"""vox under the user's systemd: a service, the sockets that start it, and the inbox that does."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable

from ..errors import DaemonUnavailable
from .manager import call
from .spec import Spec

SERVICE, SOCKET, INBOX = "vox.service", "vox.socket", "vox-inbox.path"

_SERVICE = """\
# Written by `vox service install`; removed by `vox service uninstall`.
[Unit]
Description=vox, the speech queue
Documentation=https://github.com/voxqueue/vox
Wants=vox.socket
After=vox.socket
# A file in the inbox that cannot be taken (a link, say) starts it again whenever it has left, but
# not before the pause below has passed. systemd must not give up because of that.
StartLimitIntervalSec=0

[Service]
Type=exec
{environment}ExecStart={command}
Restart=on-failure
RestartSec=2
KillMode=mixed
ExecStopPost=/bin/sleep 2

[Install]
WantedBy=default.target
"""

_SOCKET = """\
# Written by `vox service install`; removed by `vox service uninstall`.
[Unit]
Description=Where vox is asked: a request starts its daemon
Documentation=https://github.com/voxqueue/vox

[Socket]
{listen}
SocketMode=0600
DirectoryMode=0700
BindIPv6Only=ipv6-only
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
"""

_INBOX = """\
# Written by `vox service install`; removed by `vox service uninstall`.
[Unit]
Description=The inbox of vox: what is dropped into it starts the daemon
Documentation=https://github.com/voxqueue/vox

[Path]
# PathChanged starts it at once. PathExistsGlob finds a file that came as the last daemon left.
{watches}
Unit=vox.service

[Install]
WantedBy=paths.target
"""


def _literal(text: str) -> str:
    """A program, or a word of Environment=, as systemd reads it."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def _word(text: str) -> str:
    """An argument of a program, in which $ begins a variable."""
    return _literal(text.replace("$", "$$"))


def _path(text: str) -> str:
    return text.replace("%", "%%")


def _glob(text: str) -> str:
    return re.sub(r"[][*?]", r"[\g<0>]", _path(text))


class Systemd:
    """The user's instance of systemd; see `Manager`."""

    name = "systemd"

    def __init__(self) -> None:
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        self.folder = os.path.join(config, "systemd", "user")

    def check(self) -> None:
        if not self._answers():
            raise DaemonUnavailable(
                "your systemd user manager is not running",
                "log in as yourself, or run: loginctl enable-linger; without systemd: "
                "vox inbox on, or vox config set idle_timeout -1",
            )

    def _answers(self) -> bool:
        """Not in a container, for example, nor after `su`."""
        return bool(call("systemctl", "--user", "show-environment", may_fail=True))

    def units(self, spec: Spec) -> dict[str, str]:
        found = {
            SERVICE: _SERVICE.format(
                environment="".join(
                    f"Environment={_literal(f'{name}={value}')}\n"
                    for name, value in spec.environment.items()
                ),
                command=" ".join((_literal(spec.command[0]), *map(_word, spec.command[1:]))),
            ),
            SOCKET: _SOCKET.format(
                listen="\n".join(
                    f"ListenStream={_path(each)}" for each in (*spec.socket_paths, *spec.addresses)
                )
            ),
        }
        if spec.inbox_folders:
            watches = [
                f"PathChanged={_path(each)}\nPathExistsGlob={_glob(each)}/*.[tT][xX][tT]"
                for each in spec.inbox_folders
            ]
            found[INBOX] = _INBOX.format(watches="\n".join(watches))
        return {os.path.join(self.folder, name): text for name, text in found.items()}

    def paths(self) -> list[str]:
        names = (SERVICE, SOCKET, INBOX)
        return [os.path.join(self.folder, name) for name in names]

    def start(self, units: Iterable[str]) -> None:
        names = [os.path.basename(path) for path in units]
        call("systemctl", "--user", "daemon-reload")
        call("systemctl", "--user", "stop", SERVICE, may_fail=True)
        call("systemctl", "--user", "enable", *names)
        # The sockets first, which its service would not give up.
        for name in sorted(names, key=lambda name: name == SERVICE):
            call("systemctl", "--user", "restart", name)

    def stop(self) -> None:
        if self._answers():
            for name in (INBOX, SOCKET, SERVICE):
                call("systemctl", "--user", "disable", "--now", name, may_fail=True)
        # Without an answer, what `enable` made is taken away by hand.
        for name in (SERVICE, SOCKET, INBOX):
            for link in glob.glob(os.path.join(glob.escape(self.folder), "*.wants", name)):
                os.unlink(link)

    def reload(self) -> None:
        call("systemctl", "--user", "daemon-reload", may_fail=True)

    def states(self) -> dict[str, str]:
        if not self._answers():
            return {}
        installed = [os.path.basename(path) for path in self.paths() if os.path.exists(path)]
        return {
            name: call("systemctl", "--user", "is-active", name, may_fail=True).strip()
            for name in installed
        }

    def notes(self) -> list[str]:
        told = call("loginctl", "show-user", str(os.getuid()), "-p", "Linger", may_fail=True)
        note = (
            "it starts when you log in; to have it start with the machine: loginctl enable-linger"
        )
        return [note] if told.strip() == "Linger=no" else []
