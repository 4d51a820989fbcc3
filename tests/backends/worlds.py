"""The backends as the tests find them: environments made by `vox backends install`, small weights.

`VOX_TEST_BACKENDS_DIR` is a folder that `vox backends install` filled, `VOX_TEST_ENV_<NAME>` one
interpreter; a backend that neither names is skipped. Weights that are gigabytes are replaced by
tiny random checkpoints, made once and kept beside that folder; `VOX_TEST_MODEL_<NAME>` is a
checkpoint to load instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backends import tiny_voxtream
from vox.backends import registry
from vox.backends.base import Settings
from vox.backends.voxtream.adapter import Voxtream
from vox.files import locked
from vox.install.status import MARKER, interpreter_for

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent

ADAPTERS = {"qwen-mlx": "vox.backends.qwen.mlx:QwenMlx"}
"""Of those that the registry does not know (see tests/plugins)."""
QWEN = {
    "qwen-native": {
        "custom_voice": "Qwen--Qwen3-TTS-12Hz-0.6B-CustomVoice",
        "base": "Qwen--Qwen3-TTS-12Hz-0.6B-Base",
        "voice_design": "Qwen--Qwen3-TTS-12Hz-1.7B-VoiceDesign",
    },
    "qwen-mlx": {
        "custom_voice": "mlx-community--Qwen3-TTS-12Hz-0.6B-CustomVoice-bf16",
        "base": "mlx-community--Qwen3-TTS-12Hz-0.6B-Base-bf16",
        "voice_design": "mlx-community--Qwen3-TTS-12Hz-1.7B-VoiceDesign-bf16",
    },
}
"""Folders of the weights, as an installation names them, for each kind that is made."""
TINY = (*QWEN, "voxtream")


@dataclass(frozen=True)
class Worlds:
    """Finds environments and makes what is tiny. `folder` is for what need not be kept."""

    named: Mapping[str, str]
    """The variables VOX_TEST_*."""
    folder: Path

    def get(self, name: str) -> tuple[str, Settings]:
        """The interpreter and the settings to test a backend with; skips where there is none."""
        name = _environment_of(name)
        interpreter = self._interpreter(name)
        model = self.named.get(f"VOX_TEST_MODEL_{_suffix(name)}")
        env_dir = Path(self._installed_dir, name)
        if name in TINY and model is None:
            env_dir = self._tiny(name, interpreter)
            interpreter = str(env_dir / "venv" / "bin" / "python")
        voices_dir = self.folder / "voices"
        voices_dir.mkdir(exist_ok=True)
        return interpreter, Settings(str(voices_dir), str(env_dir), model=model, device="cpu")

    def link(self, name: str, backends_dir: Path) -> None:
        """Let the backend count as installed in `backends_dir`; skips where there is none."""
        _, settings = self.get(name)
        backends_dir.mkdir(parents=True, exist_ok=True)
        target = backends_dir / _environment_of(name)
        if os.path.isdir(settings.env_dir) and not target.exists():
            target.symlink_to(settings.env_dir)

    @property
    def _installed_dir(self) -> str:
        return self.named.get("VOX_TEST_BACKENDS_DIR", str(self.folder / "none"))

    def _interpreter(self, name: str) -> str:
        found = self.named.get(f"VOX_TEST_ENV_{_suffix(name)}")
        if found is None and name in ADAPTERS:
            python = Path(self._installed_dir, name, "venv", "bin", "python")
            found = str(python) if python.exists() else None
        elif found is None:
            found = interpreter_for(name, self._installed_dir)
        if found is None:
            pytest.skip(f"no environment for {name}: see contrib/check")
        return found

    def _tiny(self, name: str, interpreter: str) -> Path:
        """A folder as an installation leaves it, with tiny weights, made if it is not there."""
        maker = "tiny_voxtream.py" if name == "voxtream" else "tiny_qwen.py"
        version = hashlib.sha256((HERE / maker).read_bytes() + interpreter.encode()).hexdigest()
        kept = self.named.get("VOX_TEST_BACKENDS_DIR")
        parent = Path(kept).parent / "tiny" if kept else self.folder
        env_dir = parent / version[:12] / name
        parent.mkdir(parents=True, exist_ok=True)
        # Two runs of the tests may share the folder.
        with locked(str(parent / "lock")):
            if not (env_dir / MARKER).exists():
                shutil.rmtree(env_dir, ignore_errors=True)
                env_dir.mkdir(parents=True)
                if name == "voxtream":
                    _make_voxtream(interpreter, env_dir)
                else:
                    self._make_qwen(name, interpreter, env_dir)
                _mark(interpreter, env_dir)
        return env_dir

    def _make_qwen(self, name: str, interpreter: str, env_dir: Path) -> None:
        # Torch makes MLX's checkpoints too.
        python = self._interpreter("qwen-native")
        options = ["--for-mlx"] if name == "qwen-mlx" else []
        run(python, "tiny_qwen.py", str(env_dir / "made"), *options)
        (env_dir / "weights").mkdir()
        for kind, folder in QWEN[name].items():
            (env_dir / "made" / kind).rename(env_dir / "weights" / folder)
        (env_dir / "venv").symlink_to(Path(interpreter).parent.parent)


def _environment_of(name: str) -> str:
    return name if name in ADAPTERS else registry.environment_of(name)


def _make_voxtream(interpreter: str, env_dir: Path) -> None:
    tiny_voxtream.make(interpreter, env_dir, CHECKOUT)
    Voxtream.prepare(Settings(voices_dir="", env_dir=str(env_dir)))


def _mark(interpreter: str, env_dir: Path) -> None:
    """Last, as an installation does it."""
    marker = {
        "requirements": "tiny",
        "accelerator": "cpu",
        "executable": os.path.basename(os.path.realpath(interpreter)),
        "installed_at": "2026-01-01T00:00:00Z",
    }
    (env_dir / MARKER).write_text(json.dumps(marker))


def run(python: str, script: str, *args: str) -> None:
    """Run a script of this folder under a backend's interpreter."""
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
    command = [python, str(HERE / script), *args]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _suffix(name: str) -> str:
    return name.upper().replace("-", "_")
