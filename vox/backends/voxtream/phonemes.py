"""Phonemes of English text from the library of espeak-ng, as the package voxtream wants them.

The package runs the program espeak-ng for each clause. PyPI's `espeakng-loader` brings the library
and its data, so no program is needed on the system, and the library gives what the program of its
version prints: but text in double brackets is read as text.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import os
import re
import shutil
import tempfile
from typing import Any

PACKAGE = "espeakng_loader"
_VOICE = b"en-us"
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_IPA = 0x02
_LONGEST_PATH = 150
"""espeak-ng keeps the path of its data, with a slash, in 160 bytes."""


class Espeak:
    """The library. It has one state in a process, and one thread at a time may use it."""

    def __init__(self, library_path: str, data_dir: str) -> None:
        """`data_dir`: the folder `espeak-ng-data`. Raises OSError."""
        self._library = ctypes.CDLL(library_path)
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        path = os.fsencode(_short(data_dir))
        sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, path, _DO_NOT_EXIT)
        if sample_rate <= 0 or self._library.espeak_SetVoiceByName(_VOICE):
            raise OSError(f"espeak-ng cannot read its data in {data_dir}")

    def clauses(self, text: str, separator: str) -> list[str]:
        """The IPA of each clause, with `separator` between the phonemes of a word."""
        rest = ctypes.c_char_p(text.replace("\0", " ").encode())
        mode = _IPA | ord(separator) << 8
        found = []
        while rest.value is not None:  # it moves on to the next clause
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, mode)
            found.append((clause or b"").decode())
        return found


class Phonemizer:
    """Stands in for the package's `ESpeak`, which needs the program."""

    def __init__(self) -> None:
        loader: Any = importlib.import_module(PACKAGE)
        punctuation: Any = importlib.import_module("voxtream.utils.text.punctuation")
        self._espeak = Espeak(loader.get_library_path(), loader.get_data_path())
        self._punctuation = punctuation.Punctuation()

    def phonemize(self, text: str, separator: str = "|", language: str = "en-us") -> str:
        """As the package's: words, their phonemes separated, and the punctuation of the text."""
        parts, marks = self._punctuation.strip_to_restore(text.strip())
        return str(self._punctuation.restore([self._part(p, separator) for p in parts], marks)[0])

    def _part(self, text: str, separator: str) -> str:
        # What the package makes of the program's lines. In parentheses is a change of language.
        clauses = (clause.strip() for clause in self._espeak.clauses(text, "_"))
        joined = "".join(re.sub(r"\(.+?\)", "", clause).strip() for clause in clauses)
        return joined.replace("_", separator)


def _short(data_dir: str) -> str:
    """The folder, or a link to it, by a path that espeak-ng has room for."""
    if len(os.fsencode(data_dir)) <= _LONGEST_PATH:
        return data_dir
    folder = tempfile.mkdtemp(prefix="vox-espeak-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = os.path.join(folder, "espeak-ng-data")
    os.symlink(data_dir, link)
    return link
