"""A backend that breaks its contract: a text `[fault NAME]` or a model `NAME` says in which way.

Registered as a third party's; put this folder and `scripted` on PYTHONPATH. Some faults are those
of a library, which reaches into the host's process and writes into its pipes.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scripted_backend import SAMPLE_RATE, Scripted, tone

from vox.backends.base import Chunk, Info, Loaded, Progress, Settings, Utterance, Voice

_FAULT = re.compile(r"\[fault ([a-z-]+)\]")
_ESCAPES = "\x1b]0;owned\x07\x1b[2Jred\nand a second line"
_LINE_MB = 16


class Faulty(Scripted):
    info: ClassVar[Info] = replace(Scripted.info, name="faulty", summary="breaks its contract")

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        return [replace(voice, backend="faulty") for voice in Scripted.voices(settings)]

    def load(self, progress: Progress) -> Loaded:
        if self.settings.model is not None:
            _LOADING[self.settings.model]()
        return Loaded(device="cpu")

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        found = _FAULT.search(utterance.text)
        if found:
            yield from _SPEAKING[found[1]]() or ()
        yield from super().synthesize(replace(utterance, text=_FAULT.sub(" ", utterance.text)))


# -- reaching into the host ------------------------------------------------------------------


def _server() -> Any:
    return next(each for each in gc.get_objects() if type(each).__name__ == "Server")


def _write(data: bytes) -> None:
    answers = _server()._answers
    answers.write(data)
    answers.flush()


def _frame(header: object, pcm: bytes = b"") -> bytes:
    data = json.dumps(header).encode()
    return struct.pack(">I", len(data)) + data + pcm


def _id() -> int:
    """The number of the request that is being answered: the newest."""
    frame = sys._getframe()
    while frame.f_code.co_name != "_synthesize":
        assert frame.f_back is not None
        frame = frame.f_back
    number = frame.f_locals["request_id"]
    assert isinstance(number, int)
    return number


def _sends(header: dict[str, Any], pcm: bytes = b"") -> Callable[[], None]:
    """Write that frame, with the request's number, and wait to be ended."""

    def send() -> None:
        if header["event"] in ("chunk", "end", "error"):
            header.setdefault("id", _id())
        _write(_frame(header, pcm))
        _hang()

    return send


def _writes(data: bytes) -> Callable[[], None]:
    def write() -> None:
        _write(data)
        _hang()

    return write


# -- what goes wrong -------------------------------------------------------------------------


def _hang() -> None:
    while True:
        time.sleep(60)


def _raises(exc: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise exc

    return fail


def _dies(status: int) -> Callable[[], None]:
    return lambda: os._exit(status)


def _print_and_die() -> None:
    print(_ESCAPES + "\x1b[31m" + "x" * 5000, file=sys.stderr, flush=True)
    os._exit(3)


def _killed_by(signum: int) -> Callable[[], None]:
    def die() -> None:
        os.kill(os.getpid(), signum)
        _hang()

    return die


def _die_in_a_chunk() -> None:
    header = {"event": "chunk", "id": _id(), "sample_rate": SAMPLE_RATE, "pcm": 48_000}
    _write(_frame(header, b"\0" * 20_000))
    os.kill(os.getpid(), signal.SIGKILL)


def _rate(*rates: Any) -> Callable[[], Iterator[Chunk]]:
    def speak() -> Iterator[Chunk]:
        for rate in rates:
            yield Chunk(tone(1, 0.05), rate)

    return speak


def _speak_and_hang() -> Iterator[Chunk]:
    yield Chunk(tone(1, 0.1), SAMPLE_RATE)
    _hang()


def _speak_and_exit() -> Iterator[Chunk]:
    yield Chunk(tone(1, 0.1), SAMPLE_RATE)
    sys.exit(0)


def _endless() -> Iterator[Chunk]:
    sound = tone(1, 10.0)
    while True:
        yield Chunk(sound, SAMPLE_RATE)


def _wild_samples() -> Iterator[Chunk]:
    wild = np.array([np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-40], np.float32)
    yield Chunk(wild, SAMPLE_RATE)


def _flood(header: dict[str, Any], pcm: bytes = b"") -> Callable[[], None]:
    def flood() -> None:
        frame = _frame(header, pcm)
        while True:
            _write(frame * 20)

    return flood


def _recurse() -> None:
    _recurse()


def _long_line() -> None:
    for _ in range(_LINE_MB):
        os.write(2, b"." * 1_000_000)


def _many_lines() -> None:
    for number in range(5_000):
        os.write(2, b"line %d of a library that talks\n" % number)


def _prints() -> None:
    print("a library says hello")
    os.write(1, b"and so does its C\n")


def _bytes_that_are_no_text() -> None:
    os.write(2, bytes(range(256)) * 100)
    os._exit(4)


def _leave_a_child(*, own_session: bool) -> None:
    """Die, and leave a child that holds all pipes open."""
    fds = tuple(int(fd) for fd in os.listdir("/dev/fd") if int(fd) > 2)
    child = subprocess.Popen(["sleep", "30"], pass_fds=fds, start_new_session=own_session)
    with open(os.path.join(os.environ["SCRIPTED_DIR"], "children"), "a") as children:
        children.write(f"{child.pid}\n")
    os._exit(5)


def _close_output() -> None:
    os.close(_server()._answers.fileno())
    _hang()


def _ignore_signals() -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    _hang()


_READY = {"event": "ready", "device": "cpu", "notes": [], "load_s": 0.1}

_SPEAKING: dict[str, Callable[[], Iterator[Chunk] | None]] = {
    "raises": _raises(ValueError(_ESCAPES)),
    "raises-much": _raises(ValueError("much " * 1_000_000)),
    "raises-no-memory": _raises(MemoryError()),
    "exits": _raises(SystemExit(0)),
    "recurses": _recurse,
    "speaks-and-exits": _speak_and_exit,
    "dies": _dies(7),
    "prints-and-dies": _print_and_die,
    "prints-bytes-and-dies": _bytes_that_are_no_text,
    "segfaults": _killed_by(signal.SIGSEGV),
    "stops": _killed_by(signal.SIGSTOP),
    "dies-in-a-chunk": _die_in_a_chunk,
    "hangs": _hang,
    "speaks-and-hangs": _speak_and_hang,
    "ignores-signals": _ignore_signals,
    "endless": _endless,
    "wild-samples": _wild_samples,
    "rate-of-zero": _sends({"event": "chunk", "sample_rate": 0, "pcm": 8}, b"\0" * 8),
    "rate-below-zero": _sends({"event": "chunk", "sample_rate": -24000, "pcm": 8}, b"\0" * 8),
    "rate-nan": _sends({"event": "chunk", "sample_rate": float("nan"), "pcm": 8}, b"\0" * 8),
    "rate-of-words": _sends({"event": "chunk", "sample_rate": "fast", "pcm": 8}, b"\0" * 8),
    "rate-of-one": _rate(1),
    "rate-huge": _rate(10**9),
    "rate-broken": _rate(24_000.5),
    "rate-changes": _rate(24_000, 1),
    "rate-changes-a-little": _rate(24_000, 22_050),
    "odd-bytes": _sends({"event": "chunk", "sample_rate": 24_000, "pcm": 7}, b"\0" * 7),
    "short-audio": _sends({"event": "chunk", "sample_rate": 24_000, "pcm": 48_000}, b"\0" * 8),
    "audio-without-end": _sends({"event": "chunk", "sample_rate": 24_000, "pcm": 10**12}),
    "not-json": _writes(struct.pack(">I", 5) + b"hello"),
    "nested": _writes(struct.pack(">I", 100_000) + b"[" * 100_000),
    "a-list": _writes(_frame([1, 2, 3])),
    "huge-header": _writes(b"\xff\xff\xff\xff"),
    "prints-into-the-pipe": _writes(b"Loading checkpoint shards: 100%\n"),
    "unknown-event": _sends({"event": "surprise"}),
    "no-event": _writes(_frame({"op": "load"})),
    "wrong-types": _sends({"event": "end", "cut_off": "yes"}),
    "wrong-memory": _sends({"event": "end", "cut_off": False, "rss_mb": "much"}),
    "error-without-words": _sends({"event": "error", "error": None}),
    "error-of-ours": _sends({"event": "error", "error": {"code": "daemon-leaving"}}),
    "answers-nobody": _flood(
        {"event": "chunk", "id": 0, "sample_rate": 24_000, "pcm": 400_000}, b"\0" * 400_000
    ),
    "long-line": _long_line,
    "many-lines": _many_lines,
    "prints": _prints,
    "leaves-a-child": lambda: _leave_a_child(own_session=False),
    "leaves-a-stranger": lambda: _leave_a_child(own_session=True),
    "closes-output": _close_output,
}

_LOADING: dict[str, Callable[[], Any]] = {
    "load-raises": _raises(RuntimeError(_ESCAPES)),
    "load-exits": _raises(SystemExit(0)),
    "load-dies": _print_and_die,
    "load-no-memory": _raises(MemoryError()),
    "load-hangs": _hang,
    "load-closes-output": _close_output,
    "load-prints-into-the-pipe": _writes(b"Fetching 12 files...\n"),
    "load-wrong-types": _writes(_frame({**_READY, "device": 5})),
    "load-twice-ready": lambda: _write(_frame(_READY) * 2),
    "load-wrong-progress": _writes(_frame({"event": "progress", "text": 5, "fraction": "half"})),
}
