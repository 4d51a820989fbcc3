"""The protocol of speech-dispatcher's output modules: requests on one stream, replies on another.

Every request is answered at once, whatever vox does: the server waits for the answer, and all of
its clients with it. See "Communication Protocol for Output Modules" in speech-dispatcher's manual.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, BinaryIO

from . import ssml
from .marked import Marked
from .message import Message, Output, plain
from .settings import Settings, how, local_language, parse
from .speaker import Speaker
from .voices import Voice, Voices
from .warmth import Habit, Warmth
from .wording import Wording, tidied

_SPACE = "space"
"""What clients send for a blank."""
_ONE = re.compile(".", re.DOTALL)


class EndOfInput(Exception):
    """The server has gone."""


class Module:
    """Reads requests until the server has gone or says QUIT."""

    def __init__(
        self,
        stream: BinaryIO,
        output: Output,
        speaker: Speaker,
        voices: Voices,
        warmth: Warmth,
        fastest: float,
    ) -> None:
        """`fastest`: the speed at rate 100."""
        self._stream = stream
        self._output = output
        self._speaker = speaker
        self._voices = voices
        self._warmth = warmth
        self._fastest = fastest
        self._settings = Settings()
        self._message: Message | None = None
        """The last message; it may have ended."""
        self._paused: Message | None = None
        """The last one that was paused."""
        self._requests: dict[str, Callable[[], None]] = {
            "INIT": self._init,
            "AUDIO": self._audio,
            "LOGLEVEL": self._log_level,
            "LIST VOICES": self._list_voices,
            "SET": self._set,
            "SPEAK": self._speak,
            "CHAR": self._char,
            "KEY": self._key,
            "SOUND_ICON": self._sound_icon,
            "STOP": self._stop,
            "PAUSE": self._pause,
        }

    def run(self) -> None:
        try:
            while (request := self._line()) != "QUIT":
                self._answer(request)
            self._output.send("210 OK QUIT")
        except EndOfInput:
            pass
        self._stop()

    def _answer(self, request: str) -> None:
        known = self._requests.get(request)
        if known is not None:
            known()
        elif request.startswith("DEBUG"):
            self._output.send("200 OK DEBUGGING")
        else:  # also LIST VOICES with a filter: the server asks again without it
            self._output.send("300 ERR UNKNOWN COMMAND")

    def _line(self) -> str:
        raw = self._stream.readline()
        if not raw.endswith(b"\n"):
            raise EndOfInput
        return raw.decode("utf-8", "replace").rstrip("\r\n")

    def _block(self) -> list[str]:
        """The lines to the one with a dot."""
        lines = []
        while (line := self._line()) != ".":
            lines.append(line[1:] if line.startswith(".") else line)
        return lines

    # -- what is set up ----------------------------------------------------------------------

    def _init(self) -> None:
        self._output.send("299-vox speaks", "299 OK LOADED SUCCESSFULLY")

    def _audio(self) -> None:
        self._output.send("207 OK RECEIVING AUDIO SETTINGS")
        if "audio_output_method=server" in self._block():
            # vox plays: so its other speech does not overlap, and a device may come back.
            self._output.send("303 ERROR INVALID PARAMETER OR VALUE")
        else:
            self._output.send("203 OK AUDIO INITIALIZED")

    def _log_level(self) -> None:
        self._output.send("207 OK RECEIVING LOGLEVEL SETTINGS")
        self._block()
        self._output.send("203 OK LOGLEVEL SET")

    def _list_voices(self) -> None:
        lines = (f"200-{line}" for line in self._voices.lines())
        self._output.send(*lines, "200 OK VOICE LIST SENT")
        self._warmth.look()

    def _set(self) -> None:
        self._output.send("203 OK RECEIVING SETTINGS")
        self._settings = parse(self._block())
        self._output.send("203 OK SETTINGS RECEIVED")

    # -- messages ----------------------------------------------------------------------------

    def _speak(self) -> None:
        self._output.send("202 OK RECEIVING MESSAGE")
        source = "\n".join(self._block())
        settings, wording = self._settings, self._wording()
        self._accept(source, lambda: _said(source, settings, wording))

    def _char(self) -> None:
        self._one_line(lambda wording, char: wording.character(" " if char == _SPACE else char))
        self._warmth.note(Habit(self._wishes(), self._language()))

    def _key(self) -> None:
        self._one_line(lambda wording, name: wording.key(name))

    def _sound_icon(self) -> None:
        self._one_line(lambda _, name: name.replace("-", " ").replace("_", " "))

    def _one_line(self, say: Callable[[Wording, str], str]) -> None:
        self._output.send("202 OK RECEIVING MESSAGE")
        lines, wording = self._block(), self._wording()
        if len(lines) == 1:
            self._accept(lines[0], lambda: Marked(say(wording, lines[0])))
        else:
            self._output.send("305 DATA MORE THAN ONE LINE")

    def _accept(self, source: str, make: Callable[[], Marked]) -> None:
        self._stop()  # the server sends the next one only after the end of the last
        paused = self._paused
        is_resumed = paused is not None and plain(source) == paused.rest()
        message = Message(self._output, source, make, is_resumed)
        self._message = message
        self._output.send("200 OK SPEAKING")
        self._speaker.say(message, self._wishes())
        self._warmth.touch()

    def _stop(self) -> None:
        if (message := self._message) is not None:
            message.stop()
            self._speaker.drop(message)

    def _pause(self) -> None:
        if (message := self._message) is not None and not message.has_ended:
            message.pause()
            self._paused = message
            if message.has_ended:  # else it goes on to its next mark
                self._speaker.drop(message)

    def _wording(self) -> Wording:
        return Wording(self._language(), says_capitals=self._settings.capitals != "none")

    def _language(self) -> str:
        """In lower case. That of the voice, if one is wanted."""
        voice = self._voice()
        lang = (voice.lang if voice else None) or self._settings.language or local_language()
        return lang.lower()

    def _voice(self) -> Voice | None:
        """The voice that was asked for, by its name or its type; None: vox's own choice."""
        settings = self._settings
        if settings.voice is not None:
            return self._voices.named(settings.voice)
        if settings.voice_type is None:
            return None
        return self._voices.of_type(settings.voice_type, settings.language or local_language())

    def _wishes(self) -> dict[str, Any]:
        found = how(self._settings, self._fastest)
        if (voice := self._voice()) is not None:
            return {**found, **voice.wish}
        lang = self._settings.language
        return {**found, "lang": lang} if lang else found


def _said(source: str, settings: Settings, wording: Wording) -> Marked:
    """What is said of a text: one character, a spelled text, or the text with its symbols."""
    text = tidied(ssml.read(source, wording.spelled))
    if len(text.text) == 1:
        text = text.sub(_ONE, lambda found: wording.character(found[0]))
    elif settings.spells:
        text = wording.spell(text)
    else:
        text = wording.punctuated(text, settings.punctuation)
    return tidied(text)
