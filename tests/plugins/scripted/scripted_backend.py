"""A backend that does what its text says: fast, deterministic, and registered as a third party's.

Put this folder on PYTHONPATH. An utterance is a little script, run from left to right:

    [say 2s]        a tone of two seconds            [slow 0.1]      0.1 s before every later chunk
    [wait 0.5]      0.5 s of nothing                 [chunk 0.08]    later chunks are so long, in s
    [until NAME]    wait for the file NAME           [mark NAME]     make the file NAME
    [hang]          never come back                  [crash]         end the process, with a word
    [crash once]    ... at the first attempt only    [fail WORDS]    raise SynthesisFailed(WORDS)
    [fail once]     ... at the first attempt only    [oom] [oom once]     raise OutOfMemory
    [note WORD]     add a line to the file `noted`  [options]       note the further options
    [noise]         print on standard output         [silent]        no sound for the words
    [cut-off]       say that the audio was cut off at a limit

Files are in the folder `$SCRIPTED_DIR`. Words outside brackets are spoken after all that, 60 ms
each, unless something was said by `[say]`. Everything sounds at the pitch of the first number
among the words ("job 7 of 9" at `pitch_hz(7)`), so that a recording tells who spoke when. Speed
divides the duration. Loading obeys the name of the model: `load-slow:2`, `load-until:NAME`,
`load-fail`, `load-crash`, `load-oom`, `load-note:WORDS`; each load adds a line to the file `loads`.
A style that begins with `load-` stands for further weights, which load as a model of that name.
With `$SCRIPTED_MISSING` it is not ready on this machine.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from vox.backends.base import Backend, Chunk, Info, Loaded, Progress, Settings, Utterance, Voice
from vox.errors import LoadFailed, OutOfMemory, SynthesisFailed, UnknownVoice
from vox.text.kinds import KINDS

SAMPLE_RATE = 24_000
CHUNK_S = 0.05
WORD_S = 0.06
PITCHES = 64

_DIRECTIVE = re.compile(r"\[([a-z-]+)([^\]]*)\]")
_VOICES = (
    Voice("one", "scripted", "en-US", "female", is_default=True),
    Voice("two", "scripted", "en-GB", "male"),
    Voice("drei", "scripted", "de-DE", "female", is_default=True),
)


def pitch_hz(number: int) -> float:
    """The pitch at which a text that begins with this number is spoken; 64 of them differ."""
    return 400.0 + 50.0 * (number % PITCHES)


def tone(number: int, duration_s: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A tone at the number's pitch, faded in and out over 5 ms."""
    count = max(1, round(duration_s * SAMPLE_RATE))
    wave = 0.5 * np.sin(2 * np.pi * pitch_hz(number) * np.arange(count) / SAMPLE_RATE)
    fade = np.minimum(1.0, np.arange(count) / (0.005 * SAMPLE_RATE))
    return (wave * fade * fade[::-1]).astype(np.float32)


def _file(name: str) -> str:
    return os.path.join(os.environ.get("SCRIPTED_DIR", "."), name)


def _weights_of(wish: Utterance | None) -> str | None:
    """The further weights that the wish needs."""
    style = wish.style if wish else None
    return style if style and style.startswith("load-") else None


def _mark(name: str) -> bool:
    """Make the file; False if it was there."""
    try:
        os.close(os.open(_file(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def _wait_for(name: str) -> None:
    while not os.path.exists(_file(name)):
        time.sleep(0.005)


def _fail(name: str, words: str) -> None:
    if name == "fail":
        raise SynthesisFailed(words)
    if name == "oom":
        raise OutOfMemory("the script does not fit")
    _crash()


def _crash() -> None:
    print("scripted: something terrible happened", file=sys.stderr, flush=True)
    os._exit(3)


class Scripted(Backend):
    info: ClassVar[Info] = Info(
        name="scripted",
        summary="does what its text says",
        package="",
        languages=("en", "de"),
        streaming="frame",
        speed=(0.25, 4.0),
        gender=True,
        max_chars=400,
        reads=KINDS,  # a script reaches it as it was written
        models=("plain",),
        license="Apache-2.0",
    )

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        return list(_VOICES)

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        return "its weights are not fetched" if os.environ.get("SCRIPTED_MISSING") else None

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._weights: list[str] = []

    def load(self, progress: Progress) -> Loaded:
        progress("loading the script", 0.5)
        return self._load(_weights_of(self.wish) or self.settings.model or "plain")

    def load_more(self, wish: Utterance | None, progress: Progress) -> Loaded | None:
        weights = _weights_of(wish)
        if weights is None or weights in self._weights:
            return None
        progress(f"loading {weights}", 0.5)
        return self._load(weights)

    def _load(self, weights: str) -> Loaded:
        with open(_file("loads"), "a", encoding="utf-8") as loads:
            loads.write(f"{os.getpid()} {weights}\n")
        what, _, argument = weights.partition(":")
        if what == "load-slow":
            time.sleep(float(argument))
        elif what == "load-until":
            _wait_for(argument)
        elif what == "load-fail":
            raise LoadFailed("the script does not load")
        elif what == "load-oom":
            raise OutOfMemory("the script does not fit")
        elif what == "load-crash":
            _crash()
        notes = (argument,) if what == "load-note" else ()
        self._weights.append(weights)
        model = ", ".join(self._weights)
        return Loaded(device="cpu", dtype="none", model=model, engine="tones", notes=notes)

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        if utterance.voice not in {None, *(voice.name for voice in _VOICES)}:
            raise UnknownVoice(f"scripted has no voice called {utterance.voice!r}")
        words = _DIRECTIVE.sub(" ", utterance.text)
        number = int(found[0]) if (found := re.findall(r"\d+", words)) else 0
        slow_s, chunk_s, has_said = 0.0, CHUNK_S, False
        for name, rest in _DIRECTIVE.findall(utterance.text):
            argument = rest.strip()
            if name == "say":
                has_said = True
                seconds = float(argument.removesuffix("s")) / utterance.speed
                yield from _chunks(number, seconds, slow_s, chunk_s)
            elif name == "wait":
                time.sleep(float(argument))
            elif name == "chunk":
                chunk_s = float(argument)
            elif name == "slow":
                slow_s = float(argument.removesuffix("s"))
            elif name == "silent":
                has_said = True
            elif name == "cut-off":
                self.cut_off = True
            elif name == "options":
                _do("note", " ".join(f"{key}={value}" for key, value in utterance.options.items()))
            else:
                _do(name, argument)
        if not has_said:
            seconds = max(1, len(words.split())) * WORD_S / utterance.speed
            yield from _chunks(number, seconds, slow_s, chunk_s)


def _chunks(number: int, duration_s: float, slow_s: float, chunk_s: float) -> Iterator[Chunk]:
    samples = tone(number, duration_s)
    step = round(chunk_s * SAMPLE_RATE)
    for start in range(0, len(samples), step):
        time.sleep(slow_s)
        yield Chunk(samples[start : start + step], SAMPLE_RATE)


def _do(name: str, argument: str) -> None:
    if name == "until":
        _wait_for(argument)
    elif name == "mark":
        _mark(argument)
    elif name == "note":
        with open(_file("noted"), "a", encoding="utf-8") as noted:
            noted.write(f"{argument}\n")
    elif name == "hang":
        while True:
            time.sleep(60)
    elif name in ("crash", "fail", "oom"):
        if argument != "once" or _mark(f"{name}-once"):
            _fail(name, argument)
    elif name == "noise":
        print("noise on standard output")
        os.write(1, b"more noise on descriptor 1\n")
    else:
        raise SynthesisFailed(f"the script has an unknown directive {name!r}")
