"""Prompts for voxtream: the recordings whose voice it takes on.

`make_default` runs in vox's own environment: it starts a process (`main`) in which hibari speaks
the default prompt, once. `cut` runs in voxtream's environment: it shortens a clone's recording to
what the model takes. No silence goes behind a recording: the model does not see its words, and it
was trained with prompts that end anywhere, in mid-word too (the package's `dataset.py`).
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

from ... import files
from ...bootstrap import bootstrap_args, environ_for
from ...errors import LoadFailed, StorageError, SynthesisFailed, UnknownVoice
from ..base import Settings, Utterance

if TYPE_CHECKING:
    from ..base import Samples

MIN_S = 1.0
MAX_S = 10.0
"""Upstream asks for 3 to 10 s and takes 1 to 20."""
_CUT_SEARCH_S = 2.0
_CUT_WINDOW_S = 0.05
_SENTENCE = (
    "The morning train was early today, so we walked along the quiet river "
    "and talked about the plans for the summer."
)
_PAD_S = 0.1
_SILENCE = 0.01
_MAKE_TIMEOUT_S = 120.0
_MODULE = "vox.backends.voxtream.prompt"


def default_path(settings: Settings) -> str:
    return os.path.join(settings.env_dir, "prompt.wav")


def make_default(settings: Settings) -> None:
    """Have hibari speak the default prompt in a process of its own, unless it is there.

    Raises LoadFailed, StorageError.
    """
    path = default_path(settings)
    if os.path.exists(path):
        return
    try:
        os.makedirs(settings.env_dir, exist_ok=True)
        done = subprocess.run(
            [sys.executable, *bootstrap_args(_MODULE), path],
            check=False,
            env=environ_for(sys.executable),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MAKE_TIMEOUT_S,
        )
    except OSError as exc:
        raise StorageError(f"{settings.env_dir} cannot be written: {exc.strerror}") from exc
    except subprocess.TimeoutExpired as exc:
        raise LoadFailed("hibari took too long to speak voxtream's prompt") from exc
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise LoadFailed(f"hibari could not speak voxtream's prompt: {last}")


def main() -> int:
    """Speak the default prompt into the WAV file that the last argument names."""
    import numpy as np

    from ..hibari import Hibari

    path = sys.argv[-1]
    hibari = Hibari(Settings(voices_dir="", env_dir=""))
    hibari.load(lambda _text, _fraction: None)
    chunks = list(hibari.synthesize(Utterance(_SENTENCE)))
    sample_rate = chunks[0].sample_rate
    speech = _without_silence(np.concatenate([chunk.samples for chunk in chunks]), sample_rate)
    spoken = io.BytesIO()
    with wave.open(spoken, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes((np.clip(speech, -1, 1) * 32767).astype("<i2").tobytes())
    files.write(path, spoken.getvalue())
    return 0


def _without_silence(samples: Samples, sample_rate: int) -> Samples:
    import numpy as np

    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    pad = int(_PAD_S * sample_rate)
    return samples[max(0, loud[0] - pad) : loud[-1] + pad]


def cut(recording: Path, folder: str) -> Path:
    """The recording, mono and at most MAX_S long, as a file in `folder`.

    A long one ends at the quietest place near its limit, not in the middle of a word. Raises
    UnknownVoice if it cannot be read, SynthesisFailed if it is too short.
    """
    import soundfile

    try:
        with soundfile.SoundFile(recording) as audio:
            sample_rate = int(audio.samplerate)
            samples: Samples = audio.read(
                int(MAX_S * sample_rate), dtype="float32", always_2d=True
            ).mean(axis=1)
            is_whole = audio.frames <= len(samples)
    except (OSError, soundfile.SoundFileError) as exc:
        raise UnknownVoice(
            f"the recording {recording.name} cannot be read: {exc}", "see: vox clone list"
        ) from exc
    if len(samples) < MIN_S * sample_rate:
        raise SynthesisFailed(
            f"the recording {recording.name} lasts only {len(samples) / sample_rate:.1f} s",
            f"voxtream needs {MIN_S:.0f} s at least, best 3 to {MAX_S:.0f}",
        )
    if not is_whole:
        samples = samples[: _quiet_place(samples, sample_rate)]
    path = Path(folder, "prompt.wav")
    soundfile.write(path, samples, sample_rate)
    return path


def _quiet_place(samples: Samples, sample_rate: int) -> int:
    """The index, in the last _CUT_SEARCH_S of `samples`, around which it is quietest."""
    import numpy as np

    window = int(_CUT_WINDOW_S * sample_rate)
    tail = samples[-int(_CUT_SEARCH_S * sample_rate) :].astype(np.float64)
    energy = np.convolve(tail * tail, np.ones(window), mode="valid")
    return len(samples) - len(tail) + int(energy.argmin()) + window // 2
