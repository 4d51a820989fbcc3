"""Our loop of Qwen3-TTS makes the codes of the package's own, on tiny random checkpoints."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.backends.conftest import Environment
from tests.backends.worlds import QWEN, run

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def probe(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    python, settings = environment("qwen-native")
    folder = tmp_path_factory.mktemp("loop")
    for kind, published in QWEN["qwen-native"].items():
        (folder / kind).symlink_to(os.path.join(settings.env_dir, "weights", published))
    answer = folder / "answer.json"
    run(python, "qwen_loop_probe.py", str(folder), str(answer))
    found: dict[str, Any] = json.loads(Path(answer).read_text())
    return found


def test_its_codes_are_those_of_the_package(probe: dict[str, Any]) -> None:
    codes = probe["codes"]
    assert len(codes) == 17
    assert [name for name, found in codes.items() if not found["equal"]] == []
    assert min(found["frames"] for found in codes.values()) == 12


def test_it_ends_where_the_package_does(probe: dict[str, Any]) -> None:
    ends = probe["ends"]
    assert ends["at once"]["equal"]
    assert ends["late"]["equal"]
    assert 2 <= ends["at once"]["frames"] < ends["late"]["frames"] < 40


def test_an_utterance_leaves_nothing_to_the_next(probe: dict[str, Any]) -> None:
    assert [name for name, equal in probe["again"].items() if not equal] == []


def test_a_step_recorded_once_is_right_for_every_frame(probe: dict[str, Any]) -> None:
    """So a graph of it is: what a step reads from Python is the same each time."""
    replayed = probe["replayed"]
    assert replayed["equal"]
    assert replayed["level"] > 0.01
    assert replayed["error"] < 1e-4


def test_a_step_waits_for_no_value(probe: dict[str, Any]) -> None:
    waiting = probe["replayed"]["waiting"]
    assert len(waiting) == 8
    assert [name for name, operations in waiting.items() if operations] == []


def test_weights_of_eight_bits_compute_nearly_the_same_in_half_of_the_memory(
    probe: dict[str, Any],
) -> None:
    found = probe["eight bits"]
    assert found["error"] < 0.03 and found["error of our layers"] < 0.03
    assert found["same after joining"]
    assert found["shrunk to"] < 0.55 and found["joined to"] == found["shrunk to"]
    assert found["frames"] == 12
