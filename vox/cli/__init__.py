"""The command line: `main` runs one command and turns whatever happens into an exit code.

Nothing here or in `root` and `speaking` may import numpy, huey, sqlite3 or a backend: they are on
the way to the first sound. Commands are modules of their own, see `commands`. And nothing here is
imported before `main` minds Ctrl-C, but for what Python has loaded anyway.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ..quick.call import Sent

INTERRUPTED = 130


def main() -> None:
    """The entry point `vox`: ends the process."""
    try:
        # Looking for garbage while modules are imported takes a twentieth of a warm call.
        gc.set_threshold(100_000)
        if is_hook(sys.argv[1:]):
            hook(sys.argv[2:])
        code = run(sys.argv[1:], is_last=True)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def hook(args: list[str]) -> NoReturn:
    """See `hooks.hook`. No assistant fails by a vox that is just being replaced, either."""
    try:
        from ..hooks.hook import main

        main(args)
    finally:
        os._exit(0)


def is_hook(args: list[str]) -> bool:
    """Whether an assistant's hook calls, which must not wait for what its event does not need."""
    return len(args) > 1 and args[0] == "hook" and not args[1].startswith("-")


def run(args: list[str], is_last: bool = False) -> int:
    """Run one command line; returns its exit code. Prints one line on errors.

    `is_last`: the process may end here. A second Ctrl-C, while the first is seen to, is raised as
    KeyboardInterrupt.
    """
    from ..quick import call
    from ..quick.interrupts import Terminated

    try:
        begun = call.speak(args)
        if isinstance(begun, int):
            if is_last:
                os._exit(begun)  # freeing all that Python has takes a tenth of such a call
            return begun
        return _command(args) if begun is None else _follow(begun)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated as exc:  # a second one, too
        return exc.exit_code
    except Exception as exc:
        from ..errors import VoxError
        from .output import complain

        if isinstance(exc, VoxError):
            complain(exc.line)
            return exc.exit_code
        from .failures import report

        return report(exc)


def _command(args: list[str]) -> int:
    import click

    from .root import root

    if "_VOX_COMPLETE" in os.environ:
        # Whatever goes wrong has no place on a command line that is being typed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        root.main(args=args, prog_name="vox", complete_var="_VOX_COMPLETE")
    try:
        with root.make_context("vox", args) as ctx:
            return int(root.invoke(ctx) or 0)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.exceptions.Abort:
        return INTERRUPTED


def _follow(sent: Sent) -> int:
    """What is left of a call whose request is sent."""
    from ..quick.interrupts import Terminated

    try:
        from .speaking import follow_sent
    except (KeyboardInterrupt, Terminated) as exc:
        sent.interrupt = exc
        from .speaking import follow_sent
    try:
        return follow_sent(sent)
    finally:
        sent.close()
