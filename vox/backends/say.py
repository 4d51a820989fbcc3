"""say: the system's own synthesizer, `espeak-ng` on Linux and `say` on macOS.

Owns the two programs' command lines and the parsing of their output. The text goes to their
standard input, never through a shell and never into the arguments.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, ClassVar

from ..errors import LoadFailed, SynthesisFailed, UnknownVoice
from ..files import stamp
from ..languages import closeness, normalize, primary
from .base import Backend, Chunk, Gender, Info, Loaded, Progress, Settings, Utterance, Voice

if TYPE_CHECKING:
    from .base import Samples

# espeak-ng's default rate and its lowest (espeak_ng.h); macOS speaks at about the same.
_WORDS_PER_MINUTE = 175
_DEFAULTS = {"en": "en-us", "fr": "fr-fr", "zh": "cmn", "no": "nb"}
_MAC_DEFAULTS = {"en": "Samantha", "de": "Anna", "fr": "Thomas", "es": "Mónica", "it": "Alice"}
_MAC_GENDERS: dict[str, Gender] = {
    **dict.fromkeys(("Alex", "Albert", "Daniel", "Fred", "Jorge", "Luca", "Ralph"), "male"),
    **dict.fromkeys(("Rishi", "Thomas", "Xander", "Yuri"), "male"),
    **dict.fromkeys(("Alice", "Amelie", "Anna", "Karen", "Kathy", "Kyoko", "Milena"), "female"),
    **dict.fromkeys(("Moira", "Mónica", "Paulina", "Samantha", "Tessa", "Yuna"), "female"),
}
# Variants of a voice that espeak-ng applies to any language.
_VARIANTS = {"female": "+f3", "male": "+m3"}
_ESPEAK_LINE = re.compile(r"\s*\d+\s+(\S+)\s+\S+\s+(\S+)\s+\S+")
_MAC_LINE = re.compile(r"(.+?)\s+([a-z]{2,3}[_-]\w+)\s+#\s*(.*)")
_LIST_TIMEOUT_S = 10.0


class Say(Backend):
    info: ClassVar[Info] = Info(
        name="say",
        summary="the system's own voice: quick, many languages, plain",
        package="",
        light=True,
        languages=(),
        streaming="frame",
        speed=(0.5, 4.0),
        gender=True,
        max_chars=1000,
        devices=("cpu",),
        sample_rate=22_050,
        license="GPL-3.0 (espeak-ng), macOS licence (say)",
        asked_by_default="last",
    )

    @classmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        program = _program()
        if program is None:
            return []
        return _mac_voices(program) if _is_mac_say(program) else _espeak_voices(program)

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        if _program() is not None:
            return None
        if sys.platform == "darwin":
            return "the program say is missing; run: brew install espeak-ng"
        return "the program espeak-ng is missing; run: sudo apt-get install espeak-ng"

    @classmethod
    def revision(cls, settings: Settings) -> str:
        return super().revision(settings) + stamp(_program() or "")

    def load(self, progress: Progress) -> Loaded:
        program = _program()
        if program is None:
            raise LoadFailed(f"say: {self.missing(self.settings)}")
        self._program = program
        self._running: set[subprocess.Popen[bytes]] = set()
        return Loaded(device="cpu", model=os.path.basename(program))

    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        voice = self._voice_for(utterance)
        rate = str(round(_WORDS_PER_MINUTE * self.info.nearest_speed(utterance.speed)))
        # Both programs read text in double brackets as commands.
        text = utterance.text.replace("[[", "[ [").replace("\0", " ")
        if _is_mac_say(self._program):
            yield from self._speak_on_mac(text, voice, rate)
        else:
            variant = _VARIANTS.get(utterance.gender or "", "")
            command = [self._program, "--stdin", "--stdout", "-b", "1", "-s", rate]
            yield from _stream([*command, "-v", voice + variant], text, self._running)

    def close(self) -> None:
        """End the program if it is running. From any thread."""
        for process in list(self._running):
            process.kill()

    @functools.cached_property
    def _voices(self) -> dict[str, Voice]:
        found = {voice.name: voice for voice in self.voices(self.settings)}
        if not found:
            raise SynthesisFailed(f"say: {os.path.basename(self._program)} lists no voices")
        return found

    def _voice_for(self, utterance: Utterance) -> str:
        if not (utterance.voice or utterance.lang or _is_mac_say(self._program)):
            return _DEFAULTS["en"]  # without the listing, 10 ms
        if utterance.voice is not None:
            if utterance.voice not in self._voices:
                raise UnknownVoice(f"say has no voice called {utterance.voice!r}")
            return utterance.voice
        wanted = utterance.lang or "en"
        fit = [
            (closeness(voice.lang, wanted), voice.is_default, voice.name)
            for voice in self._voices.values()
            if voice.lang is not None
        ]
        best = max(fit, key=lambda item: item[:2])
        if not best[0]:
            raise UnknownVoice(f"say has no voice for {wanted!r}")
        return best[2]

    def _speak_on_mac(self, text: str, voice: str, rate: str) -> Iterator[Chunk]:
        with tempfile.TemporaryDirectory(prefix="vox-say-") as folder:
            path = os.path.join(folder, "speech.wav")
            form = ["--file-format=WAVE", "--data-format=LEI16@22050"]
            command = [self._program, "-v", voice, "-r", rate, "-o", path, *form, "-f", "-"]
            for _ in _stream(command, text, self._running, path):
                pass
            with open(path, "rb") as wav:
                yield from _pcm(wav)


def _program() -> str | None:
    if sys.platform == "darwin" and os.path.exists("/usr/bin/say"):
        return "/usr/bin/say"
    return shutil.which("espeak-ng") or shutil.which("espeak")


def _is_mac_say(program: str) -> bool:
    return os.path.basename(program) == "say"


def _listing(*command: str) -> list[str]:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIST_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.decode(errors="replace").splitlines()


def _espeak_voices(program: str) -> list[Voice]:
    """Voices are named by language code, as for espeak-ng's option `-v`."""
    found: dict[str, str] = {}
    for line in _listing(program, "--voices"):
        match = _ESPEAK_LINE.match(line)
        if match:
            found.setdefault(match[1], match[2].replace("_", " "))
    defaults: dict[str, str] = {}
    for name in found:
        defaults.setdefault(primary(name), name)
        if name in (primary(name), _DEFAULTS.get(primary(name))):
            defaults[primary(name)] = name
    defaults.update({lang: name for lang, name in _DEFAULTS.items() if name in found})
    return [
        Voice(
            name=name,
            backend="say",
            lang=normalize(name),
            description=description,
            is_default=defaults[primary(name)] == name,
        )
        for name, description in found.items()
    ]


def _mac_voices(program: str) -> list[Voice]:
    matches = [_MAC_LINE.match(line) for line in _listing(program, "-v", "?")]
    rows = [(m[1].strip(), normalize(m[2]), m[3]) for m in matches if m]
    names = {name for name, _, _ in rows}
    defaults = {lang: name for lang, name in _MAC_DEFAULTS.items() if name in names}
    for name, lang, _ in rows:
        defaults.setdefault(primary(lang), name)
    return [
        Voice(
            name=name,
            backend="say",
            lang=lang,
            gender=_MAC_GENDERS.get(name),
            description=sample,
            is_default=defaults[primary(lang)] == name,
        )
        for name, lang, sample in rows
    ]


def _stream(
    command: list[str],
    text: str,
    running: set[subprocess.Popen[bytes]],
    written: str | None = None,
) -> Iterator[Chunk]:
    """Run the program with the text on its standard input; yield the WAV that it prints.

    While it runs it is in `running`. With `written` it writes that file instead, and nothing is
    yielded. The program is killed when the generator is closed.
    """
    name = os.path.basename(command[0])
    with tempfile.TemporaryFile() as text_file, tempfile.TemporaryFile() as log:
        # Not a pipe: the program may write sound before it has read all the text, and block.
        text_file.write(text.encode("utf-8", "replace"))
        text_file.seek(0)
        try:
            process = subprocess.Popen(
                command, stdin=text_file, stdout=subprocess.PIPE, stderr=log, bufsize=0
            )
        except OSError as exc:
            raise SynthesisFailed(f"{name} cannot be started: {exc.strerror}") from exc
        assert process.stdout is not None
        running.add(process)
        try:
            if written is None:
                yield from _pcm(process.stdout)
            status = process.wait()
        finally:
            process.kill()
            process.wait()
            running.discard(process)
            process.stdout.close()
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines()
        if status != 0 or (written is not None and not os.path.exists(written)):
            raise SynthesisFailed(f"{name} failed: {said[-1] if said else f'status {status}'}")


def _pcm(stream: IO[bytes]) -> Iterator[Chunk]:
    """16-bit mono WAV as it arrives. espeak-ng's header has no length: data goes to the end."""
    sample_rate = _read_header(stream)
    if sample_rate is None:
        return
    block = sample_rate // 10 * 2
    rest = b""
    while data := stream.read(block):
        data = rest + data
        whole = len(data) & ~1
        rest = data[whole:]
        if whole:
            yield Chunk(_samples(data[:whole]), sample_rate)


def _read_header(stream: IO[bytes]) -> int | None:
    """Read the header. Returns the sample rate in Hz, or None for empty output."""
    head = _exactly(stream, 12)
    if not head:
        return None
    sample_rate = 0
    with contextlib.suppress(struct.error):
        while head[:4] == b"RIFF":
            kind, size = struct.unpack("<4sI", _exactly(stream, 8))
            if kind == b"data" and sample_rate:
                return sample_rate
            body = _exactly(stream, size + (size & 1))
            if kind == b"fmt ":
                form, channels, sample_rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
                if (channels, bits) != (1, 16) or form not in (1, 0xFFFE):
                    break
    raise SynthesisFailed("the system's synthesizer returned no 16-bit mono WAV")


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = b""
    while len(data) < count and (more := stream.read(count - len(data))):
        data += more
    return data


def _samples(data: bytes) -> Samples:
    import numpy as np

    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768.0)
