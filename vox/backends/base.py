"""What a backend is: the contract between vox and an adapter to one text-to-speech system.

An adapter's module is imported in three places: in vox's own process, where only the class
methods are called (so the module imports nothing heavy at its top); in the host, under the
interpreter of the backend's own environment, where an instance loads the model and synthesizes;
and in the tests. Besides the standard library and `numpy` it may import only its siblings in
`vox.backends` and vox's basics (`vox.errors`, `vox.checks`, `vox.languages`, `vox.files`).
"""

from __future__ import annotations

import abc
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from ..checks import Key

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

Gender = Literal["female", "male"]
Accelerator = Literal["cpu", "cuda", "mps"]
"""What an environment is built for."""
Progress = Callable[[str, float | None], None]
"""Called with what is being done ("downloading model.onnx: 12 of 88 MB, 20 s to go") and the
fraction done, 0 to 1, or None where that is not known."""


def install_hint(name: str, voice: str = "") -> str:
    """The hint with the one command that installs a backend, or goes on installing it.

    `voice`: a voice to fetch as well, or the language of one.
    """
    return f"run: vox backends install {name}" + (f" --voice {voice}" if voice else "")


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that a user picks by name."""

    name: str
    backend: str
    lang: str | None = None
    """BCP 47 ("en-US", "de"); None: any that the backend speaks."""
    gender: Gender | None = None
    description: str = ""
    installed: bool = True
    """False: known, but its files must be fetched first (`vox backends install`)."""
    is_clone: bool = False
    is_default: bool = False
    """The backend's own choice for its language."""


@dataclass(frozen=True, slots=True)
class Clone:
    """Reference audio from which a voice is cloned (`vox clone add`)."""

    name: str
    audio_path: str
    """A mono WAV file, 1 to 30 s."""
    transcript: str | None = None
    """The words that are said in it; some backends clone better with them."""
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """What a backend can do: fixed, known without importing its package."""

    name: str
    summary: str
    """One line for `vox backends`."""
    package: str
    """The import name of the package that does the work, "" if none is needed."""
    light: bool = False
    """Loads so quickly that a call without a daemon speaks by itself and starts none."""
    languages: tuple[str, ...] = ()
    """Primary language subtags ("en", "de"); empty: whatever its voices speak (see `voices`)."""
    streaming: Literal["frame", "sentence"] = "sentence"
    """How soon the first chunk comes: after some frames, or after the whole utterance."""
    clone: bool = False
    speed: tuple[float, float] | None = None
    """The range of speeds that it follows; None: it has no such setting."""
    style: bool = False
    """Follows `--style "..."`, a description of how to speak."""
    gender: bool = False
    """Can choose a voice by `--gender`."""
    max_chars: int = 400
    """Longest utterance, in characters, that it speaks well in one call."""
    models: tuple[str, ...] = ()
    """Names that `-m` takes, the default first; paths and repository ids may do as well."""
    requirements: tuple[str, ...] = ()
    """Pinned pip requirements of its own environment; empty: nothing to install."""
    license: str = ""
    asked_by_default: Literal["never", "first", "last"] = "never"
    """Whether it may speak where a request names neither backend nor voice, in its languages.

    Those that say "first" are asked in the registry's order, those that say "last" after them.
    """
    shares_environment_of: str | None = None
    """The backend whose environment, weights, settings and warm host it uses; None: its own."""
    same_voices_as: str | None = None
    """A backend that has the same voices: one that both have is spoken by this one."""
    options: Mapping[str, Key] = field(default_factory=dict, hash=False)
    """Settings of its own, in `[backends.NAME]`: the adapter finds them in `Settings.options`."""
    heavy: InitVar[bool | None] = None
    """Adapters written before `light` was there say this instead."""
    uses_gpu: InitVar[bool] = False
    """Such adapters may say this as well; nobody asks."""

    def __post_init__(self, heavy: bool | None, uses_gpu: bool) -> None:
        if heavy is not None:
            object.__setattr__(self, "light", not heavy)

    def nearest_speed(self, speed: float) -> float:
        """The speed that it follows when asked for this one; 1 where it has no such setting."""
        low, high = self.speed or (1.0, 1.0)
        return min(high, max(low, speed))


@dataclass(frozen=True, slots=True)
class Settings:
    """What an adapter is told about the machine and the user's wishes."""

    voices_dir: str
    """Where clones are kept."""
    env_dir: str
    """The backend's folder: `venv/` and `weights/` in it are made by `vox backends install`."""
    model: str | None = None
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The backend's own table in config.toml (`[backends.NAME]`)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a host says once its model is loaded."""

    device: str
    dtype: str | None = None
    model: str | None = None
    detail: InitVar[str] = ""
    """Such adapters may say this as well; nobody asks."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """The piece of text of one synthesis call, and how to say it."""

    text: str
    voice: str | None = None
    lang: str | None = None
    speed: float = 1.0
    style: str | None = None
    gender: str | None = None
    clone: Clone | None = None


class Chunk(NamedTuple):
    """A block of PCM audio: float32, mono, 1-D, in [-1, 1]; `sample_rate` in Hz."""

    samples: Samples
    sample_rate: int


class Backend(abc.ABC):
    """An adapter. One instance serves one model, one synthesis at a time, in its host."""

    info: ClassVar[Info]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # -- in vox's own process: quick, and without the backend's package ----------------------

    @classmethod
    @abc.abstractmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        """The voices at hand, without clones, the default of each language marked."""

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        """What beside its package is missing for it to speak (weights, a program), or None."""
        return None

    @classmethod
    def accepts(cls, settings: Settings, wish: Utterance) -> list[str]:
        """Asked before a job is taken in, when `missing` says None: what of the wish it ignores.

        The wish has no text yet. Raises BackendNotInstalled, with the one command that mends it,
        if speaking like that takes further weights.
        """
        return []

    @classmethod
    def importable(cls) -> bool:
        """True if vox's own environment has the package."""
        return not cls.info.package or importlib.util.find_spec(cls.info.package) is not None

    @classmethod
    def requirements(cls, accelerator: Accelerator) -> tuple[str, ...]:
        """The lines of the requirements file for its own environment on such a machine.

        A line may be an option of pip's requirements format. An `--extra-index-url` only picks
        a smaller build of what is pinned, so the installer leaves it out where it is unreachable.
        """
        return cls.info.requirements

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        """Megabytes that its environment and weights take on such a machine; 0: not known."""
        return 0

    @classmethod
    def after_install(cls, site_packages: str) -> None:
        """Mend the environment right after pip filled it; `site_packages` is its folder."""

    @classmethod
    def prepare(cls, settings: Settings) -> None:
        """Make what the backend needs from vox's own environment (a prompt, say).

        Called at install and before every start of the host: quick when it is done already, and
        atomic, for several processes may do it at once. Raises LoadFailed, StorageError.
        """

    # -- in the backend's own environment, at install time -----------------------------------

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        """Fetch the weights that the default voice needs (those of `settings.model`, if set).

        Nothing is fetched that is there already, and what was half fetched goes on. Afterwards
        `missing` says None. Raises LoadFailed, at once where there is no network.
        """

    # -- in the host -------------------------------------------------------------------------

    @abc.abstractmethod
    def load(self, progress: Progress) -> Loaded:
        """Load the model and warm it up, so that the first utterance is as quick as the others.

        Raises LoadFailed, OutOfMemory, BackendNotInstalled.
        """

    @abc.abstractmethod
    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        """Yield the utterance's audio as it is made, all chunks with one sample rate.

        The generator is closed when the job is cancelled: it must then stop within a frame or,
        where `info.streaming` is "sentence", as soon as the package lets it. Silence at either
        end is trimmed by the caller. An empty chunk says no more than that work goes on, so that
        the caller can close the generator there. Raises UnknownVoice, SynthesisFailed, OutOfMemory.
        """

    def vram_mb(self) -> float | None:
        """Megabytes of GPU memory that the host holds, None where there is no GPU."""
        return None

    def close(self) -> None:
        """Called when the host leaves in order; what is not freed here the system takes back."""
