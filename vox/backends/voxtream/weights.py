"""Where voxtream's weights lie, whether they are there, and how they are fetched.

All under `weights/` of the backend's folder, laid out as Hugging Face's cache, torch.hub and nltk
expect it, so that the package finds them offline. The speaker encoder's code comes file by file
from a pinned commit, so that torch.hub downloads nothing itself.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Mapping, Sequence

from ... import files
from ...errors import LoadFailed
from ..base import Progress, Settings
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
    """The Hugging Face repository of the model. Raises LoadFailed for what is none."""
    model = settings.model or DEFAULT_MODEL
    if not _REPOSITORY.fullmatch(model):
        raise LoadFailed(
            f"voxtream has no model called {model!r}",
            f"give a Hugging Face repository like {DEFAULT_MODEL}",
        )
    return model


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
    return {model_of(settings): MODEL_FILES, GENERATOR["mimi_repo"]: (GENERATOR["mimi_name"],)}


def _folder_name(repo: str) -> str:
    return "models--" + repo.replace("/", "--")


def repository_dir(settings: Settings, repo: str) -> str:
    return os.path.join(environment(settings)["HF_HUB_CACHE"], _folder_name(repo))


def _is_partial(settings: Settings, repo: str, names: tuple[str, ...]) -> bool:
    try:
        with open(os.path.join(repository_dir(settings, repo), "refs", "main")) as file:
            revision = file.read().strip()
    except FileNotFoundError:
        return True
    snapshot = os.path.join(repository_dir(settings, repo), "snapshots", revision)
    return not all(os.path.exists(os.path.join(snapshot, name)) for name in names)
