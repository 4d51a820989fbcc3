"""Commits and checksums of what voxtream needs beside its packages. Data alone.

For `herimor/voxtream2.1` itself none was to be found: its commit and its files are those of the
first installation (see `kit.manifest`).
"""

from __future__ import annotations

from ..kit.huggingface import Pin

PINS = {
    "kyutai/moshiko-pytorch-bf16": Pin(
        "2bfc9ae6e89079a5cc7ed2a68436010d91a3d289",
        {
            "tokenizer-e351c8d8-checkpoint125.safetensors": (
                "09b782f0629851a271227fb9d36db65c041790365f11bbe5d3d59369cf863f50"
            )
        },
    ),
}

SPEAKER_ENCODER_COMMIT = "c994fce84d592930697852f8aa4884ba75760b18"
SPEAKER_ENCODER_CODE = {
    "hubconf.py": "15fdab36b92cb126429fcb03e877094d1bd747e78954c9bdff471b4c8cc9fe6a",
    "redimnet/__init__.py": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "redimnet/model.py": "1377db4aad1e024526cf9335ef93674005dfafa0e70aa064a5db4ea8de81af15",
    "redimnet/layers/attention.py": (
        "dcfb82870e66af8ca3c33dcf6d7d5c8aa5d6596d5f71f2543b8868308618f67f"
    ),
    "redimnet/layers/convnext.py": (
        "beaf94aa2c3661951b0b1ef1e6d65f77901f35fa7e19bd30469eee716496c5e1"
    ),
    "redimnet/layers/features.py": (
        "41287a9b52ddbc884e0bc910d683ba6bf0914806036aee55b2933d800a9aea88"
    ),
    "redimnet/layers/features_tf.py": (
        "bf5e3736c288b9582f2ff405ab6344237bc0b2ba647450f74b4002b3ce13d0a1"
    ),
    "redimnet/layers/layernorm.py": (
        "23900399027f6cae34b260e5778e076e0942ef886204b401221fe7c0c21bcabc"
    ),
    "redimnet/layers/poolings.py": (
        "f03849e5944e9fa6a7392b60cf3722e3e537a3e5cfd2988bd992c92ffc39a6a6"
    ),
    "redimnet/layers/redim_structural.py": (
        "93bae419bfdf11868c9e52dfb95578762b9c0a81e27a32ce930adcaefe457738"
    ),
    "redimnet/layers/resblocks.py": (
        "f79fbc2c7a6d88e9aa5efc4f5764ad137eafe1f5481b33ff7ed8811ee6a80778"
    ),
}
"""The Python files of https://github.com/IDRnD/ReDimNet (MIT) at that commit."""
SPEAKER_ENCODER_WEIGHTS = "M-vb2+vox2+cnc-ft_mix.pt"
"""An asset of its release `latest`, which is a name that moves: the checksum pins it."""
SPEAKER_ENCODER_SHA256 = "1e0716c2f351e79df054554f17c525b899045d2d05e4c839208b975e87d94e6a"
