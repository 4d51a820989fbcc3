"""Every backend is held to the one contract (see `contract`), in its own interpreter."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backends.contract import CHECKS
from tests.backends.worlds import ADAPTERS
from vox.backends import registry
from vox.backends.base import Info, Loaded, Settings
from vox.bootstrap import environ_for, vox_dir
from vox.languages import normalize, primary
from vox.text.kinds import KINDS

ROOT = Path(vox_dir()).parent
SCRIPTED_DIR = Path(__file__).parent.parent / "plugins" / "scripted"
SENTENCE = "The build is finished, and all the tests pass."


@dataclass(frozen=True)
class Case:
    """A backend to be run. A slow one and one that babbles get a short text."""

    name: str
    spec: str = ""
    """Its adapter, where the registry does not know it."""
    text: str = SENTENCE
    heavy: bool = True
    """It is tested in an environment of its own."""
    timeout_s: float = 600.0


CASES = [
    Case("hibari", heavy=False),
    Case("say", heavy=False),
    Case("kokoro", text="Good morning."),
    Case("piper"),
    Case("qwen", text="Good morning."),
    Case("qwen-native", text="Good morning."),
    Case("qwen-mlx", spec=ADAPTERS["qwen-mlx"], text="Good morning."),
    Case("voxtream", text="Good morning."),
    Case(
        "scripted",
        spec="scripted_backend:Scripted",
        text="Job 7 says so, at some length.",
        heavy=False,
    ),
]
_PARAMS = [
    pytest.param(case, id=case.name, marks=[pytest.mark.heavy] if case.heavy else [])
    for case in CASES
]

Environment = Callable[[str], tuple[str, Settings]]


@pytest.fixture(scope="session")
def answers(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Case], dict[str, str]]:
    """The answer of a backend's run; each is run once, for a model may take long to load."""
    known: dict[str, dict[str, str]] = {}

    def answer(case: Case) -> dict[str, str]:
        # Without MLX, qwen is qwen-native under another name: one load of the model serves both.
        name = case.name if case.spec else registry.environment_of(case.name)
        if name not in known:
            known[name] = run(case, environment, tmp_path_factory.mktemp("contract"))
        return known[name]

    return answer


def run(case: Case, environment: Environment, folder: Path) -> dict[str, str]:
    spec = case.spec or registry.import_string(case.name)
    if case.spec and not case.heavy:
        interpreter, settings = sys.executable, Settings(str(folder), str(folder))
    else:
        interpreter, settings = environment(case.name)
        missing = registry.load_class(spec).missing(settings)
        if missing:
            pytest.skip(f"{case.name}: {missing}")
    order = {
        "spec": spec,
        "settings": dataclasses.asdict(settings),
        "text": case.text,
    }
    answer_path = folder / "answer.json"
    script = Path(__file__).with_name("contract.py")
    done = subprocess.run(
        [interpreter, str(script), json.dumps(order), str(answer_path)],
        env={
            **environ_for(interpreter),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{SCRIPTED_DIR}",
            "SCRIPTED_DIR": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=case.timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(answer_path.read_text())
    return answer


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("case", _PARAMS)
def test_backend(case: Case, check: str, answers: Callable[[Case], dict[str, str]]) -> None:
    wrong = answers(case)[check]
    assert not wrong, wrong


def test_every_built_in_backend_has_a_case() -> None:
    assert {case.name for case in CASES if not case.spec} == set(registry.BUILT_IN)


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_info_is_coherent(name: str) -> None:
    info = registry.get(name).info
    assert info.name == name
    assert info.summary and "\n" not in info.summary
    assert info.license
    assert info.max_chars >= 50
    assert set(info.reads) <= set(KINDS)
    assert all(re.fullmatch("[a-z]{2,3}", lang) for lang in info.languages)
    if info.speed is not None:
        low, high = info.speed
        assert 0.25 <= low <= 1.0 <= high <= 4.0


def test_the_light_backends_are_those_of_the_readme() -> None:
    assert [name for name in registry.BUILT_IN if registry.get(name).info.light] == [
        "say",
        "kokoro",
    ]


def test_a_speed_out_of_range_becomes_the_nearest() -> None:
    info = Info("theirs", "a third party's", "", speed=(0.5, 2.0))
    assert [info.nearest_speed(speed) for speed in (0.25, 1.5, 4.0)] == [0.5, 1.5, 2.0]
    assert dataclasses.replace(info, speed=None).nearest_speed(3.0) == 1.0


@pytest.mark.parametrize("heavy", [True, False])
def test_an_adapter_written_for_the_first_vox_still_loads(heavy: bool) -> None:
    info = Info("theirs", "a third party's", "", heavy=heavy, uses_gpu=True, languages=("en",))
    assert info.light == (not heavy)
    assert dataclasses.replace(info, name="copy").light == info.light
    assert Loaded("cpu", detail="sdpa") == Loaded("cpu")


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_voice_names_are_unique(name: str, tmp_path: Path) -> None:
    adapter = registry.get(name)
    voices = adapter.voices(Settings(str(tmp_path / "voices"), str(tmp_path / name)))
    names = [voice.name for voice in voices]
    assert len(names) == len(set(names))
    for voice in voices:
        assert voice.backend == name
        assert not voice.is_clone
        assert voice.lang is None or voice.lang == normalize(voice.lang)
        if voice.lang and adapter.info.languages:
            assert primary(voice.lang) in adapter.info.languages
    defaults = [voice.lang for voice in voices if voice.is_default]
    assert len(defaults) == len(set(defaults))


@pytest.mark.parametrize("spec", [*registry.BUILT_IN.values(), *ADAPTERS.values()])
def test_requirements_are_pinned(spec: str) -> None:
    adapter = registry.load_class(spec)
    for accelerator in ("cpu", "cuda", "mps"):
        lines = adapter.requirements(accelerator)
        packages = [line for line in lines if not line.startswith("-")]
        assert all(re.search(r"==|~=|@", line) for line in packages), packages
        assert not packages or adapter.disk_mb(accelerator) > 0


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_importing_the_adapter_is_light(name: str) -> None:
    module = registry.import_string(name).partition(":")[0]
    heavy = "numpy torch onnxruntime transformers mlx soundfile hibari piper kokoro_onnx tomlkit"
    code = (
        f"import sys, {module}; print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
