"""Ctrl-C, SIGTERM and SIGHUP while a job is made and followed: they are raised as exceptions."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any
else:
    import _signal as signal  # the module `signal` makes enumerations, which takes milliseconds

AGAIN_S = 0.05
"""How long after an interrupt was dropped it is raised again."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP came."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = 128 + signum


class Heeded:
    """While it is entered, SIGTERM and SIGHUP raise Terminated, unless they are ignored (nohup)."""

    def __enter__(self) -> Heeded:
        self._before: dict[int, Any] = {}
        for signum in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) != signal.SIG_IGN:
                self._before[signum] = signal.signal(signum, _stop)
        self._hook, sys.unraisablehook = sys.unraisablehook, _raise_again
        return self

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._hook
        for signum, handler in self._before.items():
            signal.signal(signum, handler)


def _stop(signum: int, _frame: FrameType | None) -> None:
    raise Terminated(signum)


def _raise_again(lost: sys.UnraisableHookArgs) -> None:
    """Raise an interrupt again that came in a callback, where Python drops what is raised.

    Importing modules calls such callbacks all the time.
    """
    interrupt = lost.exc_value
    if not isinstance(interrupt, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(lost)
        return

    def again(_signum: int, _frame: FrameType | None) -> None:
        raise interrupt

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
