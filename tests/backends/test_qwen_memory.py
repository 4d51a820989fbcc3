"""Which Qwen3-TTS models an instance holds when memory does not hold all that are asked for."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from vox.backends.base import Clone, Info, Loaded, Progress, Settings, Utterance
from vox.backends.qwen.base import QwenBase
from vox.backends.qwen.family import Checkpoint, Kind
from vox.errors import LoadFailed, OutOfMemory

CLONED = Utterance("", clone=Clone("me", "/me.wav"))
KINDS = ("0.6B-CustomVoice", "0.6B-Base")


class Model:
    """A model that takes up memory as long as somebody refers to it."""


class Machine(QwenBase):
    """Holds so many models; one more fails as it is opened, or only as it is warmed up."""

    info: ClassVar[Info] = Info(name="machine", summary="", package="")
    repo_pattern = "somebody/{size}-{kind}"

    def __init__(self, settings: Settings, room: int, fails_at: str) -> None:
        super().__init__(settings)
        self.room = room
        self.fails_at = fails_at
        self.alive: weakref.WeakSet[Model] = weakref.WeakSet()
        self.steps: list[str] = []

    def _prepare(self) -> None:
        pass

    def _open(self, checkpoint: Checkpoint) -> Any:
        model = Model()
        self.alive.add(model)
        if self.fails_at == "open":
            self._check_room()
        return model

    def _warm_up(self, model: Any, kind: Kind, progress: Progress) -> None:
        self._check_room()

    def _check_room(self) -> None:
        if len(self.alive) > self.room:
            raise RuntimeError("CUDA out of memory: tried to allocate 1 GiB")

    def _speak(
        self, model: Any, kind: Kind, utterance: Utterance, frames: int
    ) -> Generator[Any, None, None]:
        yield np.zeros(1920, dtype=np.float32)

    def _forget_models(self) -> None:
        self.steps.append("forgot")

    def _loaded(self, model: str) -> Loaded:
        return Loaded("cpu", "float32", model)

    def tell(self, text: str, _fraction: float | None) -> None:
        self.steps.append(text)


def machine(tmp_path: Path, room: int, fails_at: str = "open") -> Machine:
    for kind in KINDS:
        folder = tmp_path / "weights" / f"somebody--{kind}"
        for part in (folder, folder / "speech_tokenizer"):
            part.mkdir(parents=True)
            (part / "config.json").write_text("{}")
    return Machine(Settings(str(tmp_path), str(tmp_path)), room, fails_at)


def test_both_stay_where_there_is_room(tmp_path: Path) -> None:
    backend = machine(tmp_path, room=2)
    first = backend.load(backend.tell)
    further = backend.load_more(CLONED, backend.tell)
    assert first.model == "somebody/0.6B-CustomVoice"
    assert further is not None and further.model == "somebody/0.6B-CustomVoice, 0.6B-Base"
    assert backend.load_more(None, backend.tell) is None
    assert backend.steps == ["loading 0.6B-CustomVoice", "loading 0.6B-Base"]


@pytest.mark.parametrize("fails_at", ["open", "warm-up"])
def test_the_next_replaces_the_last_where_there_is_room_for_one(
    tmp_path: Path, fails_at: str
) -> None:
    backend = machine(tmp_path, 1, fails_at)
    backend.load(backend.tell)
    replaced = backend.load_more(CLONED, backend.tell)
    assert replaced is not None and replaced.model == "somebody/0.6B-Base"
    assert backend.steps[-1] == "forgot"
    gc.collect()
    assert len(backend.alive) == 1
    assert len(list(backend.synthesize(Utterance("Hi.", clone=CLONED.clone)))) == 1


def test_a_model_that_does_not_fit_at_all_is_told_as_such(tmp_path: Path) -> None:
    backend = machine(tmp_path, 0)
    with pytest.raises(OutOfMemory, match="does not fit into memory"):
        backend.load(backend.tell)


def test_what_else_fails_as_a_model_is_opened_names_the_model(tmp_path: Path) -> None:
    backend = machine(tmp_path, 1)
    backend._check_room = lambda: 1 / 0  # type: ignore[assignment,method-assign]
    with pytest.raises(LoadFailed, match=r"somebody/0\.6B-CustomVoice cannot be loaded: division"):
        backend.load(backend.tell)
