"""The published checkpoints: their commits, and size and checksum of their weights. Data alone."""

from __future__ import annotations

from ..kit.huggingface import Pin

_WEIGHTS, _CODEC = "model.safetensors", "speech_tokenizer/model.safetensors"
_CODEC_SHA256 = "836b7b357f5ea43e889936a3709af68dfe3751881acefe4ecf0dbd30ba571258"
"""The same file in all of them."""
_CODEC_SIZE = 682_293_092


def _pin(revision: str, size: int, sha256: str) -> Pin:
    """`size` (bytes) and `sha256` are those of the model's weights."""
    return Pin(
        revision,
        {_WEIGHTS: sha256, _CODEC: _CODEC_SHA256},
        {_WEIGHTS: size, _CODEC: _CODEC_SIZE},
    )


PINS = {
    "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice": _pin(
        "85e237c12c027371202489a0ec509ded67b5e4b5",
        1_811_626_576,
        "bc3c7e785eb961179c25450d1acff03f839e0002f2f3a5aeb67b5735c0fa2adb",
    ),
    "Qwen/Qwen3-TTS-12Hz-0.6B-Base": _pin(
        "5d83992436eae1d760afd27aff78a71d676296fc",
        1_829_344_272,
        "180b3b10eb1c9f1b4db7806d5475bae3071c0243c299d49926bab1da3b6946f6",
    ),
    "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice": _pin(
        "0c0e3051f131929182e2c023b9537f8b1c68adfe",
        3_833_402_552,
        "38b1d5971bdbd982b561cccec982669a53b0537c3cf5e9bd4778ed07bb2f5137",
    ),
    "Qwen/Qwen3-TTS-12Hz-1.7B-Base": _pin(
        "fd4b254389122332181a7c3db7f27e918eec64e3",
        3_857_413_744,
        "38fc7fc51c5e776e840414b6fd443962e9411b9654888fd7913e4da643cb857c",
    ),
    "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign": _pin(
        "5ecdb67327fd37bb2e042aab12ff7391903235d3",
        3_833_402_552,
        "391e8db219f292c515297cdceeb43e4eae67cdde35fa57e79a6a8a532fca0522",
    ),
    "mlx-community/Qwen3-TTS-12Hz-0.6B-CustomVoice-bf16": _pin(
        "6415d95f88be018ff9e46813119dc3bc12261328",
        1_811_626_550,
        "e6eb20e645c5a28ee66bf8434edb5b67a5f151530dab63afe22787d71bcf5382",
    ),
    "mlx-community/Qwen3-TTS-12Hz-0.6B-Base-bf16": _pin(
        "1eccf1cb2519b5a4e8a95b5f0544f3303568164f",
        1_829_344_448,
        "d7c7ed3e3464e3e59de0f955b3755891fa8319ff061c3f0307fe2e1343bc122d",
    ),
    "mlx-community/Qwen3-TTS-12Hz-1.7B-CustomVoice-bf16": _pin(
        "52f4770fd9726457eae3d3b6aa92047a25a10776",
        3_833_402_589,
        "3a791fb8250fc32ab0259b679d834159d3c8516af62f033ff2b9f42913e3fab6",
    ),
    "mlx-community/Qwen3-TTS-12Hz-1.7B-Base-bf16": _pin(
        "a6eb4f68e4b056f1215157bb696209bc82a6db48",
        3_857_414_009,
        "81fb76175ff74e69be25fef2cc3e54f016df3034f1514c8e1c89da06a3510cff",
    ),
    "mlx-community/Qwen3-TTS-12Hz-1.7B-VoiceDesign-bf16": _pin(
        "7d3824abff87e49756bb0f83fb5411de75d160c4",
        3_833_402_589,
        "96ae28bec2205ec0b5e0c750bea2b8a5deac4f14d33a8a25a5f753299486b70e",
    ),
}
