"""Compares our loop's codes with those of the package's own loop; runs in its environment.

    PYTHONPATH=<checkout> INTERPRETER qwen_loop_probe.py FOLDER ANSWER_PATH
        [--only FRAMES [--device cuda]]

FOLDER holds checkpoints called custom_voice, base and voice_design. With `--only` it is one
CustomVoice checkpoint of any size, and one utterance is compared: the check for full-size weights
(`bench.checkpoints`) and, with captured graphs, on CUDA, by hand.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from tests.backends.tiny_qwen import make_model, tiny
from vox.backends.qwen.decoder import BLOCKS, BlockDecoder, _Block
from vox.backends.qwen.graphs import Step
from vox.backends.qwen.int8 import shrink
from vox.backends.qwen.layers import Layers
from vox.backends.qwen.loop import SHORTEST, USUAL, FrameLoop
from vox.backends.qwen.prompt import read_prompt

TEXT = "Some words to be said, and a few more of them than there are frames to say them in."
GREEDY = {"do_sample": False, "subtalker_dosample": False}
Generate = Callable[[], object]

WAITING = ("_local_scalar_dense", "nonzero", "lift_fresh", "unique", "is_nonzero", "equal")
"""Operations that wait for a value, or bring one from the host."""


class _Decoding(Exception):
    pass


def package_codes(model: Any, generate: Generate, recording: int = 0) -> Any:
    """The codes that the package would decode, behind those of a recording."""
    found: list[Any] = []

    def take(given: list[dict[str, Any]]) -> None:
        found.append(given[0]["audio_codes"][recording:])
        raise _Decoding

    model.model.speech_tokenizer.decode = take
    try:
        torch.manual_seed(7)
        generate()
    except _Decoding:
        return found[0]
    finally:
        del model.model.speech_tokenizer.decode
    raise AssertionError


def our_codes(model: Any, generate: Generate, loop: FrameLoop | None = None) -> Any:
    prompt = read_prompt(model.model, generate)
    on = str(model.model.device)
    loop = loop or FrameLoop(model.model, prompt.sampling, on if on.startswith("cuda") else None)
    torch.manual_seed(7)
    return torch.stack([codes.clone() for codes in loop.frames(prompt)])


def compared(model: Any, generate: Generate, recording: int = 0) -> dict[str, Any]:
    theirs, ours = package_codes(model, generate, recording), our_codes(model, generate)
    return {"frames": len(ours), "equal": torch.equal(theirs, ours)}


def opened(folder: Path, device: str = "cpu") -> Any:
    return Qwen3TTSModel.from_pretrained(folder, device_map=device, dtype=torch.float32)


def custom_voice(model: Any, frames: int = 12, **how: Any) -> Generate:
    given = {"text": TEXT, "speaker": "ryan", "language": "English", **GREEDY, **how}
    return functools.partial(model.generate_custom_voice, max_new_tokens=frames + 1, **given)


def custom_voice_cases(model: Any) -> Iterator[tuple[str, Generate]]:
    sampled = {"do_sample": True, "subtalker_dosample": True}
    yield "a speaker and a language", custom_voice(model)
    yield "no language", custom_voice(model, language=None)
    yield "a speaker of a dialect", custom_voice(model, speaker="dylan", language="Chinese")
    yield "a style", custom_voice(model, instruct="An old giant.")
    yield "text by and by", custom_voice(model, non_streaming_mode=False)
    yield "text by and by, and its end", custom_voice(model, text="Hi.", non_streaming_mode=False)
    yield "past the first length of memory", custom_voice(model, SHORTEST)
    yield "sampled, with the same seed", custom_voice(model, 40, **sampled)
    yield (
        "sampled by other rules",
        custom_voice(
            model,
            **sampled,
            top_p=0.7,
            top_k=0,
            temperature=1.3,
            repetition_penalty=1.5,
            subtalker_top_k=5,
            subtalker_top_p=0.9,
            subtalker_temperature=1.0,
        ),
    )


def base_cases(model: Any) -> Iterator[tuple[str, Generate, int]]:
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    for transcript in (None, "what is said in it", "much is said in it " * 20):
        prompt = model.create_voice_clone_prompt(
            (noise, 24_000), transcript, x_vector_only_mode=transcript is None
        )
        codes = prompt[0].ref_code
        recording = 0 if codes is None else len(codes)
        for at_once in (False, True):
            name = f"transcript of {len(transcript or '')}, text at once: {at_once}"
            generate = functools.partial(
                model.generate_voice_clone,
                TEXT,
                "German",
                voice_clone_prompt=prompt,
                non_streaming_mode=at_once,
                max_new_tokens=13,
                **GREEDY,
            )
            yield name, generate, recording


def ends(model: Any) -> dict[str, Any]:
    """Utterances that come to an end: its score is made to beat that of a code they contain."""
    weights = model.model.talker.codec_head.weight
    end = model.model.config.talker_config.codec_eos_token_id
    generate, found = custom_voice(model, 40), {}
    firsts = package_codes(model, generate)[:, 0].tolist()
    late = max(firsts, key=firsts.index)
    with torch.no_grad():
        for name, code in (("at once", firsts[0]), ("late", late)):
            weights[end] = 1.0001 * weights[code]
            found[name] = compared(model, generate)
        weights[end] = 0
    return found


def with_smaller_predictor(folder: Path) -> dict[str, Any]:
    """As in the 1.7B, whose code predictor is as wide as the 0.6B's."""
    predictor = {**tiny().predictor, "hidden_size": 32, "intermediate_size": 96}
    torch.manual_seed(0)
    make_model("custom_voice", folder, dataclasses.replace(tiny(), predictor=predictor))
    model = opened(folder)
    return compared(model, custom_voice(model))


def again(model: Any) -> dict[str, Any]:
    """One loop after a longer utterance, a broken-off one and one that needs more memory."""
    generate = custom_voice(model)
    loop = FrameLoop(model.model, read_prompt(model.model, generate).sampling)
    first, found = our_codes(model, generate, loop), {}
    for _ in range(2):  # what no memory is there for fails each time, and no other
        with contextlib.suppress(RuntimeError):
            next(
                loop.frames(
                    dataclasses.replace(read_prompt(model.model, generate), most_frames=10**13)
                )
            )
        found["after one that failed"] = torch.equal(first, our_codes(model, generate, loop))
    for name, frames, until in (("longer", 40, 40), ("cancelled", 40, 5), ("huge", USUAL, 5)):
        spoken = loop.frames(read_prompt(model.model, custom_voice(model, frames, speaker="eric")))
        for _ in range(until):
            next(spoken)
        spoken.close()
        found[f"after a {name} one"] = torch.equal(first, our_codes(model, generate, loop))
    return found


class _Tape(TorchDispatchMode):
    """What a captured graph is: a step's operations, on the tensors that it used when recorded."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._recorded: list[tuple[Any, Any, Any, Any]] = []
        # What a step makes without naming its device is made on another one, and so refused.
        with torch.inference_mode(), torch.device("meta"), self:
            step()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._recorded.append((func, args, kwargs or {}, result))
        return result

    @property
    def waiting(self) -> list[str]:
        names = {str(func) for func, *_ in self._recorded}
        return sorted(name for name in names if any(part in name for part in WAITING))

    def replay(self) -> None:
        made: dict[int, Any] = {}

        def now(leaf: Any) -> Any:
            return made.get(id(leaf), leaf) if isinstance(leaf, torch.Tensor) else leaf

        with torch.inference_mode():
            for func, args, kwargs, before in self._recorded:
                result = func(*tree_map(now, args), **tree_map(now, kwargs))
                for old, new in zip(tree_leaves(before), tree_leaves(result), strict=True):
                    if isinstance(old, torch.Tensor):
                        made[id(old)] = new


def replayed(model: Any) -> dict[str, Any]:
    """All steps recorded once and replayed for every frame, as CUDA would."""
    generate = custom_voice(model, SHORTEST, do_sample=True, subtalker_dosample=True)
    loop = FrameLoop(model.model, read_prompt(model.model, generate).sampling)
    decoder = BlockDecoder(model.model.speech_tokenizer)
    decoder._steps = {frames: _Block(decoder, frames) for frames in BLOCKS}
    steps = {
        "codes": loop._predict,
        **{f"next code of {length}": step for length, step in loop._talk.items()},
        **{f"block of {frames}": block.step for frames, block in decoder._steps.items()},
    }
    for step in steps.values():
        step._graph = _Tape(step)
    codes = our_codes(model, generate, loop)
    decoder.begin()
    audio = np.concatenate([decoder.decode(part) for part in codes.tensor_split((1, 3, 7, 18))])
    with torch.no_grad():
        whole = model.model.speech_tokenizer.model.decoder(codes.T[None])[0, 0].numpy()
    return {
        "equal": torch.equal(package_codes(model, generate), codes),
        "error": float(np.abs(audio - whole).max()),
        "level": float(whole.std()),
        "waiting": {name: step._graph.waiting for name, step in steps.items()},
    }


def distance(found: Any, expected: Any) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def eight_bits(folder: Path) -> dict[str, Any]:
    """Weights of eight bits: in the package's layers, in ours, and how much memory they take."""
    exact = opened(folder).model.talker
    model = Qwen3TTSModel.from_pretrained(folder, device_map="cpu", dtype=torch.bfloat16)
    talker = model.model.talker
    before = sum(tensor.nbytes for tensor in talker.model.layers.parameters())
    for layers in (talker.model.layers, talker.code_predictor.model.layers):
        shrink(layers)
    after = sum(tensor.nbytes for tensor in talker.model.layers.parameters())
    inputs = torch.randn(1, 1, talker.config.hidden_size)
    with torch.inference_mode():
        expected = exact.model(inputs_embeds=inputs).last_hidden_state[0]
        theirs = talker.model(inputs_embeds=inputs.bfloat16()).last_hidden_state[0]
        ours = Layers(talker.model)
        ours.reserve(SHORTEST)
        found = ours(inputs[0].bfloat16(), torch.zeros(1, dtype=torch.int64), 1, None)
        again = talker.model(inputs_embeds=inputs.bfloat16()).last_hidden_state[0]
    joined = sum(tensor.nbytes for tensor in talker.model.layers.parameters())
    return {
        "shrunk to": after / before,
        "error": distance(theirs, expected),
        "error of our layers": distance(found, expected),
        "same after joining": torch.equal(theirs, again),
        "joined to": joined / before,
        "frames": len(our_codes(model, custom_voice(model))),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--only", type=int, metavar="FRAMES")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.only:
        model = opened(options.folder, options.device)
        answer: dict[str, Any] = compared(model, custom_voice(model, options.only))
    else:
        speaking = opened(options.folder / "custom_voice")
        designing = opened(options.folder / "voice_design")
        cloning = opened(options.folder / "base")
        design = functools.partial(
            designing.generate_voice_design,
            TEXT,
            "An old giant.",
            language="German",
            max_new_tokens=13,
            **GREEDY,
        )
        answer = {
            "codes": {
                **{name: compared(speaking, case) for name, case in custom_voice_cases(speaking)},
                "a described voice": compared(designing, design),
                "a smaller predictor": with_smaller_predictor(options.folder / "smaller"),
                **{name: compared(cloning, *case) for name, *case in base_cases(cloning)},
            },
            "ends": ends(speaking),
            "again": again(speaking),
            "replayed": replayed(speaking),
            "eight bits": eight_bits(options.folder / "custom_voice"),
        }
    options.answer.write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
