"""The process that speech-dispatcher starts: see `module`."""

from __future__ import annotations

import os
import signal
import sys

from ..paths import get_paths
from .message import Output
from .module import Module
from .settings import fastest_in
from .speaker import Speaker
from .voices import Voices
from .warmth import Warmth


def main() -> int:
    """Serve until the server goes. The argument is the path of the module's configuration file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which tells us
    output = Output(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what anybody prints goes into the log: standard output is the protocol's
    paths = get_paths()
    voices, speaker = Voices.of(paths), Speaker(paths)
    fastest = fastest_in(sys.argv[1] if len(sys.argv) > 1 else None)
    warmth = Warmth(paths, speaker, voices)
    Module(sys.stdin.buffer, output, speaker, voices, warmth, fastest).run()
    return 0
