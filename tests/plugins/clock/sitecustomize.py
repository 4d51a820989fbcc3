"""A wall clock that can be set: put this folder on PYTHONPATH, and the offset into a file.

Python imports this module before any other. `time.time` then is the system's plus the seconds in
the file that `VOX_TEST_CLOCK` names. Timers, which do not follow the wall clock, stay as they are,
and so do the times of files: they are the system's.
"""

import os
import time

_PATH = os.environ.get("VOX_TEST_CLOCK", "")
_time, _time_ns = time.time, time.time_ns


def _offset_s() -> int:
    try:
        with open(_PATH, "rb") as file:
            return int(file.read() or 0)
    except OSError:
        return 0


if _PATH:
    time.time = lambda: _time() + _offset_s()
    time.time_ns = lambda: _time_ns() + _offset_s() * 1_000_000_000
