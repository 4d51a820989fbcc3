"""Where voxtream's weights lie, whether they are there, and how they are fetched.

All under `weights/` of the backend's folder, laid out as Hugging Face's cache, torch.hub and nltk
expect it, so that the package finds them offline; but a model may lie in a folder of the user's
own. The speaker encoder's code comes file by file from a pinned commit, so that torch.hub downloads
nothing itself.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Mapping, Sequence

from ... import files
from ...errors import UnknownModel
from ..base import Progress, Settings, install_hint
from ..kit.huggingface import Pin, fetch_files
from ..kit.manifest import Artefact, Manifest
from ..kit.weights import weights_dir
from .configs import GENERATOR
from .pins import (
    PINS,
    SPEAKER_ENCODER_CODE,
    SPEAKER_ENCODER_COMMIT,
    SPEAKER_ENCODER_SHA256,
    SPEAKER_ENCODER_WEIGHTS,
)

DEFAULT_MODEL: str = GENERATOR["model_repo"]
MODEL_FILES: tuple[str, ...] = (
    GENERATOR["model_config_name"],
    GENERATOR["phoneme_dict_name"],
    GENERATOR["model_name"],
)
# g2p_en fetches these when it is imported, unless they are there. voxtream uses espeak-ng and never
# reads them, so empty archives suffice.
NLTK_ARCHIVES = ("taggers/averaged_perceptron_tagger.zip", "corpora/cmudict.zip")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
# Both below `weights/`: Hugging Face's cache and the folder that torch.hub keeps.
_HF_CACHE, _TORCH_HUB = "hf/hub", "torch/hub"


def model_of(settings: Settings) -> str:
    """The model's folder or Hugging Face repository. Raises UnknownModel for what is neither."""
    model = folder_of(settings) or settings.model or DEFAULT_MODEL
    if not (os.path.isabs(model) or _REPOSITORY.fullmatch(model)):
        raise UnknownModel(
            f"voxtream has no model called {model!r}",
            f"give a folder, or a Hugging Face repository like {DEFAULT_MODEL}",
        )
    return model


def folder_of(settings: Settings) -> str | None:
    """The user's own folder with the model's files; None: the model is one of a repository."""
    model = settings.model or ""
    folder = os.path.abspath(os.path.expanduser(model))
    if model.startswith(("/", "~", ".")) or (os.sep in model and os.path.isdir(folder)):
        return folder
    return None


def file_of(settings: Settings, repo: str, name: str) -> str:
    """Where a file of the model's folder, or of a repository that was fetched, lies."""
    return os.path.join(repo if os.path.isabs(repo) else _snapshot(settings, repo), name)


def environment(settings: Settings) -> dict[str, str]:
    """The variables under which the package looks into our folder and never asks the network."""
    root = weights_dir(settings)
    return {
        "HF_HOME": os.path.join(root, "hf"),
        "HF_HUB_CACHE": os.path.join(root, *_HF_CACHE.split("/")),
        "HF_HUB_OFFLINE": "1",
        "TORCH_HOME": os.path.join(root, "torch"),
        "NLTK_DATA": os.path.join(root, "nltk_data"),
    }


def speaker_encoder() -> tuple[Artefact, ...]:
    """The speaker encoder's files, laid out as torch.hub would do it."""
    owner_and_name = "IDRnD/ReDimNet"
    folder = f"{_TORCH_HUB}/{owner_and_name.replace('/', '_')}_{SPEAKER_ENCODER_COMMIT}"
    raw = f"https://raw.githubusercontent.com/{owner_and_name}/{SPEAKER_ENCODER_COMMIT}"
    release = f"https://github.com/{owner_and_name}/releases/download/latest"
    return (
        *(
            Artefact(f"{raw}/{name}", f"{folder}/{name}", sha256)
            for name, sha256 in SPEAKER_ENCODER_CODE.items()
        ),
        Artefact(
            f"{release}/{SPEAKER_ENCODER_WEIGHTS}",
            f"{_TORCH_HUB}/checkpoints/{SPEAKER_ENCODER_WEIGHTS}",
            SPEAKER_ENCODER_SHA256,
        ),
    )


def lacking(settings: Settings) -> str | None:
    """What the user's own folder lacks of a model; None: nothing, or the model is in no folder."""
    folder = folder_of(settings)
    names = [name for name in MODEL_FILES if folder and not os.path.isfile(f"{folder}/{name}")]
    return f"there is no {' and no '.join(names)} in {folder}" if names else None


def missing(settings: Settings) -> str | None:
    """What is not there of the weights, and what to do; None if all of them are."""
    lacks = lacking(settings)
    if lacks or not absent(settings):
        return lacks
    if settings.model and not folder_of(settings):
        return f"{settings.model} is not fetched; {install_hint('voxtream')} -m {settings.model}"
    return f"its weights are not fetched; {install_hint('voxtream')}"


def absent(settings: Settings, encoder: Sequence[Artefact] | None = None) -> bool:
    """True if something of the weights is still to be fetched."""
    root = weights_dir(settings)
    needed = speaker_encoder() if encoder is None else encoder
    return not all(os.path.exists(os.path.join(root, artefact.path)) for artefact in needed) or any(
        _is_partial(settings, repo, names) for repo, names in _needed(settings).items()
    )


def fetch(
    settings: Settings,
    progress: Progress,
    pins: Mapping[str, Pin] = PINS,
    encoder: Sequence[Artefact] | None = None,
) -> None:
    """Fetch what is absent. Raises LoadFailed (at once without a network), StorageError.

    Tests name other `pins` and other files of the speaker encoder.
    """
    manifest = Manifest(weights_dir(settings))
    for repo, names in _needed(settings).items():
        if _is_partial(settings, repo, names):
            _fetch_repository(repo, names, manifest, progress, pins.get(repo))
    write_nltk_archives(settings)
    for artefact in speaker_encoder() if encoder is None else encoder:
        manifest.fetch(artefact, progress)


def _fetch_repository(
    repo: str, names: Sequence[str], manifest: Manifest, progress: Progress, pin: Pin | None
) -> None:
    folder = f"{_HF_CACHE}/{_folder_name(repo)}"

    def snapshot(commit: str) -> str:
        return f"{folder}/snapshots/{commit}"

    commit = fetch_files(repo, names, manifest, snapshot, progress, pin)
    # The package asks for the main branch: this is what it gets.
    files.write(manifest.place(f"{folder}/refs/main"), commit)


def check(settings: Settings) -> None:
    """Raise LoadFailed if a file is not what was fetched."""
    root = weights_dir(settings)
    Manifest(root).check_folder(root)


def write_nltk_archives(settings: Settings) -> None:
    for name in NLTK_ARCHIVES:
        path = os.path.join(environment(settings)["NLTK_DATA"], name)
        if not os.path.exists(path):
            archive = io.BytesIO()
            zipfile.ZipFile(archive, "w").close()
            files.write(path, archive.getvalue())


def _needed(settings: Settings) -> dict[str, tuple[str, ...]]:
    of_model = {} if folder_of(settings) else {model_of(settings): MODEL_FILES}
    return {**of_model, GENERATOR["mimi_repo"]: (GENERATOR["mimi_name"],)}


def _folder_name(repo: str) -> str:
    return "models--" + repo.replace("/", "--")


def repository_dir(settings: Settings, repo: str) -> str:
    return os.path.join(environment(settings)["HF_HUB_CACHE"], _folder_name(repo))


def _snapshot(settings: Settings, repo: str) -> str:
    """The folder with the files of the commit that was fetched. Raises FileNotFoundError."""
    folder = repository_dir(settings, repo)
    with open(os.path.join(folder, "refs", "main"), encoding="utf-8") as file:
        return os.path.join(folder, "snapshots", file.read().strip())


def _is_partial(settings: Settings, repo: str, names: tuple[str, ...]) -> bool:
    try:
        folder = _snapshot(settings, repo)
    except FileNotFoundError:
        return True
    return not all(os.path.exists(os.path.join(folder, name)) for name in names)
