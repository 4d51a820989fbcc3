"""The library that plays: imported late, for that initializes it, which takes 30 to 90 ms.

Needs no numpy, so that it can be loaded in a thread while numpy is imported.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from ..errors import NoAudioOutput


def sounddevice() -> Any:
    """The module `sounddevice`. Raises NoAudioOutput if the PortAudio library is not installed."""
    try:
        import sounddevice as module
    except OSError as exc:
        is_mac = sys.platform == "darwin"
        command = "brew install portaudio" if is_mac else "sudo apt-get install libportaudio2"
        raise NoAudioOutput(
            "the PortAudio library is not installed", f"install it: {command}"
        ) from exc
    # It would terminate PortAudio while a thread may still be in it, for example opening a device
    # that had gone: the process would crash. The system closes the device anyway.
    atexit.unregister(module._exit_handler)
    return module


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let the C libraries print nothing in the block: while there is no device, tries repeat."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed by whoever started us
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
