"""Where voxtream's weights lie, whether they are there, and how they are fetched.

All under `weights/` of the backend's folder, laid out as Hugging Face's cache, torch.hub and nltk
expect it, so that the package finds them offline. Only `fetch` needs torch and the network.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

from ... import files
from ...errors import LoadFailed
from ..base import Progress, Settings
from ..kit.weights import download, weights_dir
from .configs import GENERATOR

DEFAULT_MODEL: str = GENERATOR["model_repo"]
MODEL_FILES: tuple[str, ...] = (
    GENERATOR["model_config_name"],
    GENERATOR["phoneme_dict_name"],
    GENERATOR["model_name"],
)
# g2p_en looks for these when it is imported and would fetch them; voxtream never reads them,
# for it asks espeak-ng, so that empty archives will do.
NLTK_ARCHIVES = ("taggers/averaged_perceptron_tagger.zip", "corpora/cmudict.zip")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_LOOKUP_TIMEOUT_S = 20.0


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
        "HF_HUB_CACHE": os.path.join(root, "hf", "hub"),
        "HF_HUB_OFFLINE": "1",
        "TORCH_HOME": os.path.join(root, "torch"),
        "NLTK_DATA": os.path.join(root, "nltk_data"),
    }


def absent(settings: Settings) -> bool:
    """True if something of the weights is still to be fetched."""
    if not os.path.exists(_encoder_stamp(settings)):
        return True
    return any(_is_partial(settings, repo, names) for repo, names in _needed(settings).items())


def fetch(settings: Settings, progress: Progress) -> None:
    """Fetch what is absent. Raises LoadFailed (at once without a network), StorageError."""
    for repo, names in _needed(settings).items():
        if _is_partial(settings, repo, names):
            _fetch_repository(settings, repo, names, progress)
    write_nltk_archives(settings)
    if not os.path.exists(_encoder_stamp(settings)):
        _fetch_speaker_encoder(settings, progress)
        mark_encoder_fetched(settings)


def write_nltk_archives(settings: Settings) -> None:
    for name in NLTK_ARCHIVES:
        path = os.path.join(environment(settings)["NLTK_DATA"], name)
        if not os.path.exists(path):
            archive = io.BytesIO()
            zipfile.ZipFile(archive, "w").close()
            files.write(path, archive.getvalue())


def mark_encoder_fetched(settings: Settings) -> None:
    """Say that the speaker encoder is whole: only torch.hub knows which files belong to it."""
    files.write(_encoder_stamp(settings), b"")


def _needed(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {model_of(settings): MODEL_FILES, GENERATOR["mimi_repo"]: (GENERATOR["mimi_name"],)}


def _encoder_stamp(settings: Settings) -> str:
    return os.path.join(environment(settings)["TORCH_HOME"], "speaker-encoder-fetched")


def repository_dir(settings: Settings, repo: str) -> str:
    folder = "models--" + repo.replace("/", "--")
    return os.path.join(environment(settings)["HF_HUB_CACHE"], folder)


def _revision(settings: Settings, repo: str) -> str | None:
    """The commit whose files we have (or began to fetch), None before the first look-up."""
    ref = os.path.join(repository_dir(settings, repo), "refs", "main")
    try:
        with open(ref, encoding="ascii") as file:
            return file.read().strip() or None
    except FileNotFoundError:
        return None


def _is_partial(settings: Settings, repo: str, names: tuple[str, ...]) -> bool:
    revision = _revision(settings, repo)
    if revision is None:
        return True
    snapshot = os.path.join(repository_dir(settings, repo), "snapshots", revision)
    return not all(os.path.exists(os.path.join(snapshot, name)) for name in names)


def _fetch_repository(
    settings: Settings, repo: str, names: tuple[str, ...], progress: Progress
) -> None:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    folder = repository_dir(settings, repo)
    revision = _revision(settings, repo)
    if revision is None:
        progress(f"looking up {repo}", None)
        revision = str(_lookup(f"{endpoint}/api/models/{repo}/revision/main").get("sha"))
        files.write(os.path.join(folder, "refs", "main"), revision.encode())
    for name in names:
        url = f"{endpoint}/{repo}/resolve/{revision}/{urllib.parse.quote(name)}"
        download(url, os.path.join(folder, "snapshots", revision, name), progress)


def _lookup(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=_LOOKUP_TIMEOUT_S) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as exc:
        raise LoadFailed(f"{url} cannot be fetched: {exc.code} {exc.reason}") from exc
    except OSError as exc:
        host = urllib.parse.urlsplit(url).hostname
        reason = getattr(exc, "reason", exc)
        raise LoadFailed(f"no connection to {host}: {reason}", "connect and run it again") from exc
    return found


def _fetch_speaker_encoder(settings: Settings, progress: Progress) -> None:
    progress("fetching the speaker encoder", None)
    with _variables(environment(settings)):
        import torch.hub

        with _our_downloads(torch.hub, progress):
            try:
                torch.hub.load(
                    GENERATOR["spk_enc_repo"],
                    GENERATOR["spk_enc_model"],
                    model_name=GENERATOR["spk_enc_model_name"],
                    train_type=GENERATOR["spk_enc_train_type"],
                    dataset=GENERATOR["spk_enc_dataset"],
                    trust_repo=True,
                    verbose=False,
                    # The check asks GitHub's rate-limited API whether the branch is a fork's.
                    skip_validation=True,
                )
            except LoadFailed:
                raise
            except Exception as exc:
                raise LoadFailed(
                    f"the speaker encoder cannot be fetched: {type(exc).__name__}: {exc}"
                ) from exc


@contextlib.contextmanager
def _our_downloads(hub: Any, progress: Progress) -> Iterator[None]:
    """Let torch.hub download with our progress, time limit and errors, and go on where it ended."""
    original = hub.download_url_to_file

    def download_url_to_file(url: str, dst: str, *_args: object, **_kwargs: object) -> None:
        download(url, str(dst), progress)

    hub.download_url_to_file = download_url_to_file
    try:
        yield
    finally:
        hub.download_url_to_file = original


@contextlib.contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
