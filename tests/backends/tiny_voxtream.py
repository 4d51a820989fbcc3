"""A tiny voxtream world: random weights and an environment in which the package takes them.

Run under the interpreter of voxtream's environment, `tiny_voxtream.py BACKEND_DIR` fills
`BACKEND_DIR/weights` as `Voxtream.fetch` would: a language model of 5 M numbers, Mimi of 0.8 M, a
stand-in for the speaker encoder. `lay_over` makes `BACKEND_DIR/venv`: the real environment plus
one module that, when the package is imported, adds transformers of the tiny sizes to the fixed
table from which its config.json may choose. The sound it makes is noise; the code that makes it is
the package's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from vox.backends.base import Settings
from vox.backends.kit.torch_tools import no_initial_values
from vox.backends.kit.weights import weights_dir
from vox.backends.voxtream import weights
from vox.backends.voxtream.configs import GENERATOR
from vox.files import write

DIM = 64
LAYERS = {"tiny_phone": 1, "tiny_temp": 2, "tiny_dep": 1}
"""Keys for config.json, and how many layers each of these transformers has."""

# Upstream's configs/train.yaml, section model; the repository's config.json has these fields.
MODEL = {
    "phone_former": "tiny_phone",
    "temp_former": "tiny_temp",
    "dep_former": "tiny_dep",
    "phone_vocab_size": 125,
    "audio_vocab_size": 2050,
    "audio_pad_size": 0,
    "embedding_dim": DIM,
    "spk_embedding_dim": 192,
    "num_codebooks": 16,
    "num_phone_states": 6,
    "amortization_divisor": 16,
    "max_look_ahead": 5,
    "audio_window_size": 625,
    "phone_window_size": 625,
}

FULL_SIZE = {
    **MODEL,
    "phone_former": "phone_former",
    "temp_former": "temp_former",
    "dep_former": "dep_former_csm",
    "embedding_dim": 1024,
}
"""The published model's. The speaker encoder stays a stand-in."""

# Of espeak's phones for en-us; whatever is not here becomes "unk".
PHONES = (
    "a aɪ aɪə aʊ b d dʒ eɪ f h i iː iə j k l m n oʊ oː oːɹ p s t tʃ uː v w z æ ð ŋ ɐ ɑː ɑːɹ ɔ ɔː "
    "ɔːɹ ɔɪ ə əl ɚ ɛ ɛɹ ɜː ɡ ɪ ɪɹ ɹ ɾ ʃ ʊ ʊɹ ʌ ʒ θ ᵻ ˈaɪ ˈaʊ ˈeɪ ˈiː ˈoʊ ˈuː ˈæ ˈɑː ˈɑːɹ ˈɔː "
    "ˈɔːɹ ˈɔɪ ˈɛ ˈɛɹ ˈɜː ˈɪ ˈɪɹ ˈʊ ˈʌ ˌaɪ ˌaʊ ˌeɪ ˌiː ˌoʊ ˌuː ˌæ ˌɑː ˌɔː ˌɛ ˌɜː ˌɪ ˌʊ ˌʌ n̩ ʔ x ɬ"
).split()

HUBCONF = '''"""Stands in for the speaker encoder: same entry and shapes, fixed random weights."""
import torch
from torch import nn

dependencies = ["torch"]


class Bands(nn.Module):
    def __init__(self, n_fft=512, bands=64):
        super().__init__()
        self.n_fft, self.bands = n_fft, bands
        self.register_buffer("window", torch.hann_window(n_fft))

    def forward(self, x):
        s = torch.stft(x, self.n_fft, 160, window=self.window, return_complex=True).abs()[:, :256]
        s = s.reshape(s.shape[0], self.bands, -1, s.shape[-1]).mean(2)
        return torch.log(s + 1e-5)


class StandIn(nn.Module):
    def __init__(self, dim=192):
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.spec = Bands()
        self.bn = nn.BatchNorm1d(128)
        self.linear = nn.Linear(128, dim)
        with torch.no_grad():
            self.linear.weight.copy_(torch.randn(dim, 128, generator=generator) / 128**0.5)
            self.linear.bias.zero_()

    def forward(self, x):
        bands = self.spec(x)
        return self.linear(self.bn(torch.cat([bands.mean(-1), bands.std(-1)], 1)))


def ReDimNet(model_name, train_type="ptn", dataset="vox2"):
    return StandIn().eval()
'''

# Runs at every start of the laid-over interpreter, so it imports nothing before voxtream does.
SITE_MODULE = f'''"""Lets voxtream's config.json name tiny transformers (see tests/backends)."""
import importlib.abc
import importlib.util
import sys

LAYERS = {LAYERS!r}
DIM = {DIM!r}
MODULE = "voxtream.utils.model"


def shrink_mimi():
    from moshi.models import loaders

    loaders._seanet_kwargs.update(dimension={DIM}, n_filters=4)
    loaders._quantizer_kwargs.update(
        dimension=16, n_q=16, input_dimension={DIM}, output_dimension={DIM})
    loaders._transformer_kwargs.update(
        d_model={DIM}, num_heads=2, num_layers=1, dim_feedforward=128,
        input_dimension={DIM}, output_dimensions=[{DIM}])


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        self.loader = importlib.util.find_spec(name).loader
        return importlib.util.spec_from_loader(name, self, origin=self.loader.path)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.loader.exec_module(module)
        for key, layers in LAYERS.items():
            module.MODEL_POOL[key] = module.get_llama3_2(
                num_layers=layers, num_heads=2, num_kv_heads=1, embed_dim=DIM,
                intermediate_dim=2 * DIM, vocab_size=8)
        shrink_mimi()


sys.meta_path.insert(0, Finder())
'''


def lay_over(interpreter: str, backend_dir: Path) -> str:
    """Make `backend_dir/venv` over the environment of `interpreter`; returns its interpreter."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    real = subprocess.run(
        [interpreter, "-c", ask], check=True, capture_output=True, text=True
    ).stdout.strip()
    venv = backend_dir / "venv"
    subprocess.run([interpreter, "-m", "venv", "--without-pip", venv], check=True)
    (site_packages,) = venv.glob("lib/python3*/site-packages")
    (site_packages / "tiny_voxtream_site.py").write_text(SITE_MODULE)
    (site_packages / "tiny_voxtream.pth").write_text(f"{real}\nimport tiny_voxtream_site\n")
    return str(venv / "bin" / "python")


def make(interpreter: str, backend_dir: Path, checkout: Path) -> str:
    """The whole world in `backend_dir`, made anew; returns the interpreter to run a host under."""
    shutil.rmtree(backend_dir, ignore_errors=True)
    backend_dir.mkdir(parents=True)
    python = lay_over(interpreter, backend_dir)
    subprocess.run(
        [python, __file__, backend_dir],
        check=True,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
    )
    return python


def _write_repository(settings: Settings, repo: str, files: dict[str, bytes]) -> None:
    folder, revision = weights.repository_dir(settings, repo), "0" * 39 + "1"
    write(os.path.join(folder, "refs", "main"), revision.encode())
    for name, data in files.items():
        write(os.path.join(folder, "snapshots", revision, name), data)


def _language_model(config: dict[str, Any]) -> bytes:
    from safetensors.torch import save
    from torch import nn, no_grad

    with no_initial_values():  # for the full-size ones that the package builds beside ours
        from voxtream.model import Model, ModelConfig

    model = Model(ModelConfig(**config))
    with no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:  # norms stay at one
                continue
            wide = parameter.shape[1] if name == "audio_head" else parameter.shape[-1]
            nn.init.normal_(parameter, std=1.0 if "embeddings" in name else wide**-0.5)
    return bytes(save({k: v.contiguous() for k, v in model.state_dict().items()}))


def _mimi() -> bytes:
    import torch
    from moshi.models import loaders
    from safetensors.torch import save

    mimi: Any = loaders.get_mimi(None, num_codebooks=GENERATOR["num_codebooks"])
    heard = []
    with torch.no_grad():
        for name, buffer in mimi.named_buffers():
            if name.endswith("embedding_sum"):  # code books start as zeros
                buffer.normal_()
            elif name.endswith("_initialized"):
                buffer.fill_(1)
        for module in [*mimi.encoder.modules(), *mimi.decoder.modules()]:
            # Else the biases, not the codes, would make the wave.
            if getattr(module, "bias", None) is not None and module.weight.dim() == 3:
                module.bias.zero_()
        last = [m for m in mimi.decoder.modules() if isinstance(m, torch.nn.Conv1d)][-1]
        hook = last.register_forward_hook(lambda _module, _inputs, output: heard.append(output))
        shape = (1, GENERATOR["num_codebooks"], 25)
        mimi.decode(torch.randint(0, GENERATOR["mimi_vocab_size"], shape))
        hook.remove()
        scale = 0.1 / heard[0].std()  # a level well inside [-1, 1], no offset
        last.weight.mul_(scale)
        if last.bias is not None:
            last.bias.copy_((last.bias - heard[0].mean()) * scale)
    return bytes(save({k: v.contiguous() for k, v in mimi.state_dict().items()}))


def fill(backend_dir: str, config: dict[str, Any]) -> None:
    """Fill `backend_dir/weights` with a language model of these sizes and what belongs to it."""
    settings = Settings(voices_dir="", env_dir=backend_dir)
    variables = weights.environment(settings)
    os.environ.update(variables)
    weights.write_nltk_archives(settings)
    import torch

    torch.manual_seed(0)
    phones = {phone: index for index, phone in enumerate(PHONES)}
    phones.update(GENERATOR["punct_map"], sil=120, unk=122, bos=123, eos=124)
    names = ("model_config_name", "phoneme_dict_name", "model_name")
    contents = (json.dumps(config).encode(), json.dumps(phones).encode(), _language_model(config))
    _write_repository(
        settings,
        GENERATOR["model_repo"],
        {GENERATOR[name]: data for name, data in zip(names, contents, strict=True)},
    )
    _write_repository(settings, GENERATOR["mimi_repo"], {GENERATOR["mimi_name"]: _mimi()})
    for artefact in weights.speaker_encoder():
        stand_in = HUBCONF.encode() if artefact.path.endswith("hubconf.py") else b""
        write(os.path.join(weights_dir(settings), artefact.path), stand_in)


if __name__ == "__main__":
    fill(sys.argv[1], MODEL)
