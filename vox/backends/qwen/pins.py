"""The commits of the published checkpoints, and the checksums of their weights. Data alone."""

from __future__ import annotations

from ..kit.huggingface import Pin

_WEIGHTS = "model.safetensors"
_CODEC = {
    "speech_tokenizer/model.safetensors": (
        "836b7b357f5ea43e889936a3709af68dfe3751881acefe4ecf0dbd30ba571258"
    )
}
"""The same file in all of them."""

PINS = {
    "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice": Pin(
        "85e237c12c027371202489a0ec509ded67b5e4b5",
        {_WEIGHTS: "bc3c7e785eb961179c25450d1acff03f839e0002f2f3a5aeb67b5735c0fa2adb", **_CODEC},
    ),
    "Qwen/Qwen3-TTS-12Hz-0.6B-Base": Pin(
        "5d83992436eae1d760afd27aff78a71d676296fc",
        {_WEIGHTS: "180b3b10eb1c9f1b4db7806d5475bae3071c0243c299d49926bab1da3b6946f6", **_CODEC},
    ),
    "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice": Pin(
        "0c0e3051f131929182e2c023b9537f8b1c68adfe",
        {_WEIGHTS: "38b1d5971bdbd982b561cccec982669a53b0537c3cf5e9bd4778ed07bb2f5137", **_CODEC},
    ),
    "Qwen/Qwen3-TTS-12Hz-1.7B-Base": Pin(
        "fd4b254389122332181a7c3db7f27e918eec64e3",
        {_WEIGHTS: "38fc7fc51c5e776e840414b6fd443962e9411b9654888fd7913e4da643cb857c", **_CODEC},
    ),
    "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign": Pin(
        "5ecdb67327fd37bb2e042aab12ff7391903235d3",
        {_WEIGHTS: "391e8db219f292c515297cdceeb43e4eae67cdde35fa57e79a6a8a532fca0522", **_CODEC},
    ),
    "mlx-community/Qwen3-TTS-12Hz-0.6B-CustomVoice-bf16": Pin(
        "6415d95f88be018ff9e46813119dc3bc12261328",
        {_WEIGHTS: "e6eb20e645c5a28ee66bf8434edb5b67a5f151530dab63afe22787d71bcf5382", **_CODEC},
    ),
    "mlx-community/Qwen3-TTS-12Hz-0.6B-Base-bf16": Pin(
        "1eccf1cb2519b5a4e8a95b5f0544f3303568164f",
        {_WEIGHTS: "d7c7ed3e3464e3e59de0f955b3755891fa8319ff061c3f0307fe2e1343bc122d", **_CODEC},
    ),
    "mlx-community/Qwen3-TTS-12Hz-1.7B-CustomVoice-bf16": Pin(
        "52f4770fd9726457eae3d3b6aa92047a25a10776",
        {_WEIGHTS: "3a791fb8250fc32ab0259b679d834159d3c8516af62f033ff2b9f42913e3fab6", **_CODEC},
    ),
    "mlx-community/Qwen3-TTS-12Hz-1.7B-Base-bf16": Pin(
        "a6eb4f68e4b056f1215157bb696209bc82a6db48",
        {_WEIGHTS: "81fb76175ff74e69be25fef2cc3e54f016df3034f1514c8e1c89da06a3510cff", **_CODEC},
    ),
    "mlx-community/Qwen3-TTS-12Hz-1.7B-VoiceDesign-bf16": Pin(
        "7d3824abff87e49756bb0f83fb5411de75d160c4"
    ),
}
