"""An inbox in a process that is not root, because permissions and limits do not apply to root.

Everything is imported while it is still root: others may not be able to read the interpreter.
Prints a line of JSON, what the inbox says of itself and the jobs' texts, for each line it reads.
Arguments: how many inotify instances to use up first, and `name=value` settings of the inbox.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

# Before the rights are given up: see above.
import watchdog.observers.inotify  # noqa: F401

import vox.backends.hibari  # noqa: F401
from tests.inbox.rig import Rig

# Nobody's, and of no other run's at the same time: limits are counted by user.
NOBODY = 20_000 + os.getpid() % 40_000


def use_up_inotify(count: int) -> None:
    libc = ctypes.CDLL(None)
    while count and libc.inotify_init1(os.O_CLOEXEC) >= 0:
        count -= 1


def main() -> None:
    if os.getuid() == 0:
        home = os.environ["VOX_HOME"]
        os.chown(home, NOBODY, NOBODY)
        for parent, folders, _ in os.walk(home):
            for folder in folders:
                path = os.path.join(parent, folder)
                if os.stat(path).st_uid == 0 and os.stat(path).st_mode & 0o200:
                    os.chown(path, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    use_up_inotify(int(sys.argv[1]))
    rig = Rig(**dict(setting.split("=") for setting in sys.argv[2:]))  # type: ignore[arg-type]
    with rig:
        for _ in sys.stdin:
            print(json.dumps({**rig.inbox.describe(), "texts": rig.texts()}), flush=True)


if __name__ == "__main__":
    main()
