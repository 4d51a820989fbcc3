"""The full-size random checkpoints of `bench.checkpoints` have the published models' sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.backends.conftest import Environment
from tests.backends.worlds import run

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def probe(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Any:
    answer_path = tmp_path_factory.mktemp("checkpoints") / "answer.json"
    run(environment("qwen-native")[0], "checkpoint_probe.py", str(answer_path))
    return json.loads(Path(answer_path).read_text(encoding="utf-8"))


def test_weights_take_as_many_bytes_as_the_published_ones(probe: Any) -> None:
    assert probe["talker_mb"]["0.6B"] == pytest.approx(1811, abs=5)
    assert probe["talker_mb"]["1.7B"] == pytest.approx(3833, abs=10)
    assert probe["codec_mb"] == pytest.approx(682, abs=1)


def test_special_tokens_have_the_published_ids(probe: Any) -> None:
    assert probe["specials"] == [151644, 151645, 151671, 151672, 151673]


def test_chat_words_are_one_token_each_in_the_large_vocabulary(probe: Any) -> None:
    assert probe["prompt"][:3] == ["<|im_start|>", "assistant", "\u010a"]
    assert probe["prompt"][-1].endswith("user")
