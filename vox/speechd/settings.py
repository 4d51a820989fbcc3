"""What the server sets before each message, and what of it vox is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..jobs import OPTIONS

FASTEST = 2.64
SLOWEST = 0.47
"""The speeds at rate 100 and -100: those of speech-dispatcher's module for espeak."""
_NO_LANGUAGE = ("", "c", "posix", "null", "none")
_NO_VOICE = ("", "null")
_USUAL_VOICE = "male1"
"""What the server asks for if nobody chose a voice: it is vox's to choose."""


class VoiceType(NamedTuple):
    """One of SSIP's symbolic voices."""

    gender: str
    number: int
    """From 1: the first, second or third of that gender."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One block SET. An unknown or a wrong value is as if it were not there."""

    rate: int = 0
    """-100 to 100, 0 is normal; so are the others."""
    volume: int = 100
    punctuation: str = "none"
    spells: bool = False
    capitals: str = "none"
    """How a capital letter is told: none, spell or icon."""
    voice_type: VoiceType | None = None
    language: str | None = None
    """A lower-case tag such as "en-us"."""
    voice: str | None = None
    """The name of a voice, which may be unknown."""

    def speed(self, fastest: float = FASTEST) -> float | None:
        """The speed of vox; None: the usual one."""
        if self.rate == 0:
            return None
        far = fastest - 1 if self.rate > 0 else 1 - SLOWEST
        return _within("speed", 1 + self.rate / 100 * far)

    def loudness(self) -> float | None:
        """The volume of vox; None: the usual one."""
        return None if self.volume >= 100 else _within("volume", (self.volume + 100) / 200)


def parse(lines: Iterable[str]) -> Settings:
    """The settings of the lines `name=value` of a block."""
    given = dict(line.partition("=")[::2] for line in lines)
    language = given.get("language", "").strip().lower().replace("_", "-").partition(".")[0]
    voice = given.get("synthesis_voice", "").strip()
    return Settings(
        rate=_number(given, "rate", 0),
        volume=_number(given, "volume", 100),
        punctuation=given.get("punctuation_mode", "none"),
        spells=given.get("spelling_mode") == "on",
        capitals=given.get("cap_let_recogn", "none"),
        voice_type=_voice_type(given.get("voice", "")),
        language=None if language in _NO_LANGUAGE else language,
        voice=None if voice.lower() in _NO_VOICE else voice,
    )


def _number(given: Mapping[str, str], name: str, usual: int) -> int:
    try:
        return max(-100, min(100, int(given[name])))
    except (KeyError, ValueError):
        return usual


def _voice_type(name: str) -> VoiceType | None:
    name = name.strip().lower().removeprefix("child_")
    gender = name.rstrip("0123456789")
    if name == _USUAL_VOICE or gender not in ("male", "female"):
        return None
    return VoiceType(gender, int(name[len(gender) :] or "1"))


def _within(option: str, value: float) -> float:
    limits = OPTIONS[option]
    return round(max(limits.low, min(limits.high, value)), 3)


def local_language(environ: Mapping[str, str] = os.environ) -> str:
    """The language of the environment, "en" if it names none."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        tag = environ.get(name, "").partition(".")[0].replace("_", "-").lower()
        if tag not in _NO_LANGUAGE:
            return tag
    return "en"


def fastest_in(config_path: str | None) -> float:
    """The speed at rate 100 that the module's configuration file sets, else FASTEST."""
    try:
        with open(config_path or "", encoding="utf-8") as file:
            lines = [line.split("#")[0].split() for line in file]
    except (OSError, UnicodeDecodeError):
        return FASTEST
    for words in lines:
        if len(words) == 2 and words[0].lower() == "fastestspeed":
            try:
                return _within("speed", max(1.0, float(words[1].strip('"'))))
            except ValueError:
                return FASTEST
    return FASTEST


def how(settings: Settings, fastest: float) -> dict[str, Any]:
    """The fields `speed` and `volume` of a request; what is usual is left out."""
    found = {"speed": settings.speed(fastest), "volume": settings.loudness()}
    return {name: value for name, value in found.items() if value is not None}
