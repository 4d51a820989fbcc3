"""The one suite that every backend passes, run inside the backend's own interpreter.

    PYTHONPATH=<checkout> INTERPRETER contract.py ORDER_JSON ANSWER_PATH

ORDER_JSON: {"spec", "settings", "text"}. The answer maps the name of each check below to "" or to
what is wrong. `test_contract` starts this and reports each check as a test.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

Check = Callable[["Subject"], None]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


class Subject:
    """A loaded backend, and what it said of itself."""

    def __init__(self, spec: str, settings: dict[str, Any], text: str) -> None:
        from vox.backends.base import Settings
        from vox.backends.registry import load_class

        self.text = text
        self.settings = Settings(**settings)
        self.adapter = load_class(spec)
        self.backend = self.adapter(self.settings)
        self.progress: list[tuple[str, float | None]] = []
        self.loaded = self.backend.load(lambda text, done: self.progress.append((text, done)))

    def say(self, text: str | None = None, **how: Any) -> list[Any]:
        from vox.backends.base import Utterance

        return list(self.backend.synthesize(Utterance(text or self.text, **how)))


def check_sound(chunks: list[Any]) -> int:
    """The chunks' sample rate, once all of them are what the contract says."""
    import numpy as np

    assert chunks, "no chunk came"
    rates = {chunk.sample_rate for chunk in chunks}
    assert len(rates) == 1, f"several sample rates: {rates}"
    for samples, _ in chunks:
        assert samples.dtype == np.float32, f"dtype {samples.dtype}"
        assert samples.ndim == 1, f"shape {samples.shape}"
        assert np.isfinite(samples).all(), "NaN or infinity"
        assert np.abs(samples).max(initial=0.0) <= 1.0, "beyond [-1, 1]"
    assert sum(len(samples) for samples, _ in chunks) > 0, "all chunks are empty"
    rate = int(rates.pop())
    assert 8_000 <= rate <= 192_000, f"sample rate {rate} Hz"
    return rate


@check
def loading_says_on_what_it_runs(subject: Subject) -> None:
    device = subject.loaded.device
    assert re.fullmatch(r"cpu|mps|cuda(:\d+)?", device) and subject.backend.info.can_use(device)
    for text, done in subject.progress:
        assert isinstance(text, str) and (done is None or 0.0 <= done <= 1.0), (text, done)


@check
def what_is_loaded_is_not_loaded_again(subject: Subject) -> None:
    from vox.backends.base import Utterance

    def nothing_to_do(text: str, _done: float | None) -> None:
        raise AssertionError(f"it was loaded again: {text}")

    for wish in (None, Utterance("")):
        assert subject.backend.load_more(wish, nothing_to_do) is None


@check
def two_utterances_are_sound_at_one_rate(subject: Subject) -> None:
    assert check_sound(subject.say()) == check_sound(subject.say("And one more."))


@check
def frames_come_one_by_one(subject: Subject) -> None:
    if subject.adapter.info.streaming == "frame":
        assert len(subject.say()) > 1, "all came in one chunk"


@check
def a_closed_synthesis_stops_and_the_next_one_works(subject: Subject) -> None:
    from vox.backends.base import Utterance

    whole = subject.say()
    chunks = subject.backend.synthesize(Utterance(" ".join([subject.text] * 3)))
    next(iter(chunks))
    chunks.close()  # type: ignore[attr-defined]
    assert next(iter(chunks), None) is None, "a chunk came after close"
    check_sound(subject.say())
    check_sound(whole)


@check
def a_synthesis_that_never_began_can_be_closed(subject: Subject) -> None:
    from vox.backends.base import Utterance

    subject.backend.synthesize(Utterance(subject.text)).close()  # type: ignore[attr-defined]


@check
def an_unknown_voice_is_refused(subject: Subject) -> None:
    from vox.errors import UnknownVoice

    said = ""
    try:
        subject.say(voice="no-such-voice")
    except UnknownVoice as exc:
        said = exc.message
    assert "no-such-voice" in said, said or "it spoke"


@check
def installed_voices_speak(subject: Subject) -> None:
    voices = [v for v in subject.adapter.voices(subject.settings) if v.installed]
    for voice in [v for v in voices if v.is_default][:2] or voices[:1]:
        check_sound(subject.say("Yes, of course.", voice=voice.name))


@check
def a_speed_beyond_its_range_is_taken_as_the_nearest(subject: Subject) -> None:
    for speed in (0.25, 4.0):
        check_sound(subject.say("Yes, of course.", speed=speed))


@check
def text_without_words_does_no_harm(subject: Subject) -> None:
    from vox.errors import VoxError

    for text in ("...", "🙂", "<b>&amp;</b>", "-v"):
        try:
            chunks = subject.say(text)
        except VoxError:
            continue
        if chunks:
            check_sound(chunks)
    check_sound(subject.say())


@check
def memory_on_the_gpu_is_a_number_or_nothing(subject: Subject) -> None:
    vram = subject.backend.vram_mb()
    assert vram is None or vram >= 0


@check
def it_closes(subject: Subject) -> None:
    subject.backend.close()


def main() -> None:
    order, answer_path = json.loads(sys.argv[1]), sys.argv[2]
    answer: dict[str, str] = {}
    subject = Subject(order["spec"], order["settings"], order["text"])
    for name, function in CHECKS.items():
        try:
            function(subject)
            answer[name] = ""
        except Exception:
            answer[name] = traceback.format_exc()
    with open(answer_path, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
