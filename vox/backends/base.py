"""What a backend is: the contract between vox and an adapter to one text-to-speech system.

An adapter's module is imported in three places: in vox's own process, which calls only the class
methods (so the module imports nothing heavy at its top); in the host, under the interpreter of the
backend's own environment, where an instance loads the model and synthesizes; and in the tests.
Besides the standard library and `numpy` it may import only its siblings in `vox.backends` and
vox's basics (`vox.errors`, `vox.checks`, `vox.languages`, `vox.files`).
"""

from __future__ import annotations

import abc
import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from ..checks import Key
from ..files import stamp

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

Gender = Literal["female", "male"]
Accelerator = Literal["cpu", "cuda", "cuda12", "mps"]
"""The device that an environment is built for. `cuda12`: a GPU whose driver or whose age allows no
more than CUDA 12; only adapters that name it in `Info.cuda_builds` are asked for it."""
Progress = Callable[[str, float | None], None]
"""Called with the current step ("downloading model.onnx: 12 of 88 MB, 20 s to go") and the fraction
done, 0 to 1, or None if it is not known."""


COMPILED_DIR = "compiled"
"""The folder, in a backend's own, for what its packages compile at load and keep."""
_NOT_HEARD = ("venv", "tmp", "install.lock", COMPILED_DIR)
"""What of a backend's folder does not change its sound."""


def install_hint(name: str, voice: str = "") -> str:
    """The hint with the command that installs a backend, or resumes its installation.

    `voice`: a voice to fetch too, or its language.
    """
    return f"run: vox backends install {name}" + (f" --voice {voice}" if voice else "")


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that a user picks by name."""

    name: str
    backend: str
    lang: str | None = None
    """BCP 47 ("en-US", "de"); None: every language of the backend."""
    gender: Gender | None = None
    description: str = ""
    installed: bool = True
    """False: its files must be fetched first (`vox backends install`)."""
    is_clone: bool = False
    is_default: bool = False
    """The backend uses it for this language when none is named."""


@dataclass(frozen=True, slots=True)
class Clone:
    """Reference audio of a cloned voice (`vox clone add`)."""

    name: str
    audio_path: str
    """A mono WAV file, 1 to 30 s."""
    transcript: str | None = None
    """The words spoken in it; some backends clone better with them."""
    lang: str | None = None


class CudaBuild(NamedTuple):
    """A build of an adapter's packages for NVIDIA GPUs, and what it needs."""

    accelerator: Accelerator
    """What `requirements` is asked with: cuda or cuda12."""
    driver_cuda: tuple[int, int]
    """The lowest CUDA version that the driver must know."""
    capability: tuple[int, int]
    """The lowest compute capability of a GPU that it has kernels for."""


@dataclass(frozen=True, slots=True)
class Info:
    """What a backend is and can do. Constant, and known without importing its package."""

    name: str
    summary: str
    """One line for `vox backends`."""
    package: str
    """The import name of the package that does the work, "" if none is needed."""
    _: KW_ONLY
    light: bool = False
    """It loads so quickly that a call without a daemon speaks by itself and starts none."""
    languages: tuple[str, ...] = ()
    """Primary language subtags ("en", "de"); empty: whatever its voices speak (see `voices`)."""
    streaming: Literal["frame", "sentence"] = "sentence"
    """When the first chunk comes: after a few frames, or after the whole utterance."""
    clone: bool = False
    """Can speak with a cloned voice."""
    speed: tuple[float, float] | None = None
    """The lowest and the highest speed (1.0 is normal); None: its speed cannot be changed.

    It is asked for no other: the rest of what a request wants is reached by stretching its audio.
    """
    style: bool = False
    """Follows `--style`, a description of how to speak."""
    gender: bool = False
    """Follows `--gender`."""
    max_chars: int = 400
    """The longest utterance, in characters, that it speaks well in one call."""
    reads: tuple[str, ...] = ()
    """The kinds of `vox.text.kinds` that it says well by itself, in each of its languages.

    All others reach it as words: "12:30" as "twelve thirty" unless `times` is among these.
    """
    sample_rate: int | None = None
    """Of its audio, in Hz, if that never changes: the loudspeaker can be opened in advance."""
    devices: tuple[Accelerator, ...] = ()
    """What it can run on; empty: not known, and no setting of `device` is questioned."""
    models: tuple[str, ...] = ()
    """Names for `-m`, the default first; it may accept paths and repository ids too."""
    requirements: tuple[str, ...] = ()
    """Pinned pip requirements of its environment; empty: nothing to install."""
    cuda_builds: tuple[CudaBuild, ...] = ()
    """Its builds for NVIDIA GPUs, the best first; empty: it does not care which GPU there is."""
    license: str = ""
    asked_by_default: Literal["never", "first", "last"] = "never"
    """Whether it may speak a request, in its languages, that names neither backend nor voice.

    Backends with "first" are asked in the registry's order, then those with "last".
    """
    shares_environment_of: str | None = None
    """The backend whose environment, weights, settings and host it uses; None: it has its own."""
    same_voices_as: str | None = None
    """A backend with the same voices. A voice named without a backend is spoken by this one."""
    options: Mapping[str, Key] = field(default_factory=dict, hash=False)
    """Its own settings in `[backends.NAME]`; the adapter reads them from `Settings.options`."""
    heavy: InitVar[bool | None] = None
    """The opposite of `light`, for adapters that were written before it."""
    uses_gpu: InitVar[bool] = False
    """Ignored; for adapters that were written when it had a meaning."""

    def __post_init__(self, heavy: bool | None, uses_gpu: bool) -> None:
        if heavy is not None:
            object.__setattr__(self, "light", not heavy)

    def can_use(self, device: str) -> bool:
        """Whether this setting of `device` has an effect; `auto` always has."""
        kind = device.partition(":")[0]
        return not self.devices or kind in ("auto", *self.devices)

    def device_note(self, device: str) -> str | None:
        """What to tell a user whose setting of `device` has no effect, else None."""
        if self.can_use(device):
            return None
        return f"{self.runs_on}; device = {device} has no effect"

    @property
    def runs_on(self) -> str:
        """ "piper runs on cpu only", for messages."""
        return f"{self.name} runs on {' or '.join(self.devices)} only"

    def nearest_speed(self, speed: float) -> float:
        """The nearest speed to this one that it can speak at; 1 if its speed cannot be changed."""
        low, high = self.speed or (1.0, 1.0)
        return min(high, max(low, speed))

    def tempo(self, speed: float) -> float:
        """How much faster than at its nearest speed its audio is to be heard at this one."""
        return speed / self.nearest_speed(speed)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an adapter needs to know of the machine and of the user's configuration."""

    voices_dir: str
    """The folder of the clones."""
    env_dir: str
    """The backend's folder. `vox backends install` makes `venv/` and `weights/` in it."""
    model: str | None = None
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The backend's table in config.toml (`[backends.NAME]`)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a host reports once its model is loaded."""

    device: str
    dtype: str | None = None
    model: str | None = None
    detail: InitVar[str] = ""
    """Ignored; for adapters that were written when it had a meaning."""
    _: KW_ONLY
    engine: str | None = None
    """How it computes, in a word or two ("graphs"), where that can differ."""
    notes: tuple[str, ...] = ()
    """What the caller should know, for example that it fell back to a slower way.

    Said once: the first job on this host gets them.
    """


@dataclass(frozen=True, slots=True)
class Utterance:
    """The text of one synthesis call, and how to speak it."""

    text: str
    voice: str | None = None
    lang: str | None = None
    speed: float = 1.0
    style: str | None = None
    gender: str | None = None
    clone: Clone | None = None
    private: bool = False
    """Nothing of the text may be kept anywhere: what is printed meanwhile goes into no log."""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What else the request says: options that have no field here yet."""

    @classmethod
    def saying(cls, text: str, clone: Clone | None, given: Mapping[str, Any]) -> Utterance:
        """The utterance of these options: `given` by their names in `vox.jobs`.

        A clone stands for the voice. What has no field here goes into `options`.
        """
        known = {name: given[name] for name in given if name in cls.__dataclass_fields__}
        others = {name: given[name] for name in given if name not in known}
        if clone is not None:
            known["voice"] = None
        return cls(text, **known, clone=clone, options=others)

    @property
    def longest_s(self) -> float:
        """The most sound that it may have, in seconds: far more than any speech needs."""
        return (SPARE_S + SECONDS_PER_CHAR * len(self.text)) / min(1.0, self.speed)


SECONDS_PER_CHAR = 2.0
"""Slow speech takes 0.2 s for a letter, and 0.5 s for a Chinese character, a digit or a sign that
is read as a word; long numbers and emoji take the most, about one second."""
SPARE_S = 300.0
"""For a short text: of the backends' own limits, which end a voice that babbles, the longest is
164 s (2,048 frames of qwen-tts)."""

LOWEST_RATE = 4_000
"""Below it speech cannot be understood; a telephone has 8,000."""
HIGHEST_RATE = 192_000


class Chunk(NamedTuple):
    """A block of PCM audio: float32, mono, 1-D, in [-1, 1]; `sample_rate` in Hz."""

    samples: Samples
    sample_rate: int


_found_at: dict[tuple[str, ...], str] = {}
"""The file of each package that was found, by its name and where it was looked for."""


def _is_findable(package: str) -> bool:
    """Whether Python would find it. Every request asks, so the file of before is tried first."""
    key = (package, *sys.path)
    if (path := _found_at.get(key)) and os.path.exists(path):
        return True
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin:
        _found_at[key] = spec.origin
    return spec is not None


class Backend(abc.ABC):
    """An adapter. One instance serves one model, one synthesis at a time, in its host."""

    info: ClassVar[Info]
    wish: Utterance | None = None
    """What the host is started for: the first request, as an utterance without text, or None.

    Set before `load`, which need not load what that request does not use.
    """
    cut_off = False
    """`synthesize` sets it if the audio ended at a limit of its own: then it is not cached."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # -- in vox's own process: quick, without the backend's package --------------------------

    @classmethod
    @abc.abstractmethod
    def voices(cls, settings: Settings) -> list[Voice]:
        """Its voices without clones, installed or not; the default of each language is marked."""

    @classmethod
    def missing(cls, settings: Settings) -> str | None:
        """What it lacks besides its package (weights, a program), or None if it can speak."""
        return None

    @classmethod
    def accepts(cls, settings: Settings, wish: Utterance) -> list[str]:
        """What it will ignore of a request, one note for each; called when nothing is `missing`.

        `wish` is the request as an utterance without text. Raises BackendNotInstalled, with the
        command to run, if the request needs further weights.
        """
        return []

    @classmethod
    def revision(cls, settings: Settings) -> str:
        """A text that differs once the same request would sound different, with other weights say.

        It is part of each utterance's key in the utterance cache, and asked for each job, so it
        must be quick. This one goes by the files' sizes and times of change: those of the adapter,
        of its package, of `settings.model` if that is a path, and of all in the backend's folder
        but the environment, whose installation leaves its mark beside it, and what is compiled.
        """
        modules = (sys.modules[each.__module__] for each in cls.__mro__)
        paths = {str(getattr(module, "__file__", "")) for module in modules}
        spec = importlib.util.find_spec(cls.info.package) if cls.info.package else None
        paths.add(str(spec.origin) if spec else "")
        paths.add(os.path.expanduser(settings.model or ""))
        with contextlib.suppress(FileNotFoundError):
            own = (name for name in os.listdir(settings.env_dir) if name not in _NOT_HEARD)
            paths |= {os.path.join(settings.env_dir, name) for name in own}
        return stamp(*sorted(paths))

    @classmethod
    def importable(cls) -> bool:
        """True if vox's own environment has the package."""
        return not cls.info.package or _is_findable(cls.info.package)

    @classmethod
    def requirements(cls, accelerator: Accelerator) -> tuple[str, ...]:
        """The lines of the requirements file for its environment, for such a device.

        A line may be an option of pip's requirements format. An `--extra-index-url` only offers
        smaller builds of what is pinned, so the installer leaves it out if it is unreachable.
        """
        return cls.info.requirements

    @classmethod
    def lock(cls, accelerator: Accelerator) -> str:
        """The path of the lock for its `requirements`: in `locks/` beside the adapter's module.

        A lock (see `contrib/lock`) names all packages with their versions and checksums. An
        adapter need not have one; pip then chooses what `requirements` does not pin.
        """
        name = cls.info.shares_environment_of or cls.info.name
        if cls.requirements(accelerator) != cls.info.requirements:
            name = f"{name}-{accelerator}"
        module = sys.modules[cls.__module__].__file__ or os.devnull
        return os.path.join(os.path.dirname(module), "locks", f"{name}.txt")

    @classmethod
    def disk_mb(cls, accelerator: Accelerator) -> int:
        """The size of its environment in megabytes, for such a device; 0: not known.

        As measured once it was installed, without what `weights_mb` counts.
        """
        return 0

    @classmethod
    def weights_mb(cls, settings: Settings) -> int:
        """How many megabytes of weights `fetch` would add; 0: none, or not known.

        Raises BackendNotInstalled if there is no such model: before anything is installed for it.
        """
        return 0

    @classmethod
    def after_install(cls, site_packages: str) -> None:
        """Change the environment right after pip has filled it: `site_packages` is its folder."""

    @classmethod
    def prepare(cls, settings: Settings) -> None:
        """Make what it needs from vox's own environment (a prompt, for example).

        Called at install and before every start of the host, so it must be quick when there is
        nothing to do. Several processes may call it at once. Raises LoadFailed, StorageError.
        """

    # -- in the backend's own environment, at install time -----------------------------------

    @classmethod
    def check_environment(cls, accelerator: Accelerator) -> None:
        """Raise LoadFailed unless its packages can use such a device of this machine."""

    @classmethod
    def fetch(cls, settings: Settings, progress: Progress) -> None:
        """Fetch the weights of the default voice (or those of `settings.model`).

        `settings.options["voices"]` names further voices. Complete files are not fetched again,
        and partial ones are resumed. Afterwards `missing` returns None. Raises LoadFailed, without
        a delay if there is no network.
        """

    # -- in the host -------------------------------------------------------------------------

    @abc.abstractmethod
    def load(self, progress: Progress) -> Loaded:
        """Load the model and warm it up: the first utterance must be as quick as the others.

        Raises LoadFailed, OutOfMemory, BackendNotInstalled.
        """

    def load_more(self, wish: Utterance | None, progress: Progress) -> Loaded | None:
        """Load what a further request needs and `load` did not load.

        Called before each request but the first. It must be quick when there is nothing to do;
        else it first calls `progress`, and then has as long as `load`. `wish` is the request as an
        utterance without text, or None if somebody only wants the model to be warm. Returns what
        is loaded from now on, None if that is as before. What it raises is that of `load`; all but
        OutOfMemory leaves the host with what it had.
        """
        return None

    @abc.abstractmethod
    def synthesize(self, utterance: Utterance) -> Iterator[Chunk]:
        """Yield the utterance's audio as it is made, all chunks with one sample rate.

        The generator is closed when the job is cancelled. It must then stop within a frame or, if
        `info.streaming` is "sentence", as soon as the package allows. The caller trims silence at
        both ends. An empty chunk gives the caller an occasion to close the generator. Raises
        UnknownVoice, SynthesisFailed, OutOfMemory.
        """

    def notes_on(self, loaded: Loaded) -> list[str]:
        """What the first job on this host is told: a setting without effect, what `load` notes."""
        unused = self.info.device_note(self.settings.device)
        return [*filter(None, [unused]), *loaded.notes]

    def vram_mb(self) -> float | None:
        """GPU memory that the host holds, in megabytes of 10**6 bytes; None without a GPU."""
        return None

    def close(self) -> None:
        """Called when the host ends in order. The system frees what is not freed here."""
