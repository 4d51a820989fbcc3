"""The two configurations that voxtream 0.2.5 needs and that its wheel leaves out.

Values as in `configs/generator.json` and `configs/speaking_rate.json` of its sdist (MIT), but for
one: the speaker encoder's repository names its commit, else torch.hub asks github.com for its
branch at every load. Data alone.
"""

from __future__ import annotations

from typing import Any

from .pins import SPEAKER_ENCODER_COMMIT

GENERATOR: dict[str, Any] = {
    "sil_token": 120,
    "bos_token": 123,
    "eos_token": 124,
    "unk_token": 122,
    "eop_token": 122,
    "num_codebooks": 16,
    "num_phones_per_frame": 2,
    "audio_delay_frames": 1,
    "temperature": 0.9,
    "topk": 5,
    "top_p": 0.9,
    "max_audio_length_ms": 60000,
    "model_repo": "herimor/voxtream2.1",
    "model_name": "model.safetensors",
    "model_weight_path": None,
    "model_config_name": "config.json",
    "mimi_sr": 24000,
    "mimi_vocab_size": 2048,
    "mimi_frame_ms": 80,
    "mimi_repo": "kyutai/moshiko-pytorch-bf16",
    "mimi_name": "tokenizer-e351c8d8-checkpoint125.safetensors",
    "spk_enc_sr": 16000,
    "spk_enc_repo": f"IDRnD/ReDimNet:{SPEAKER_ENCODER_COMMIT}",
    "spk_enc_model": "ReDimNet",
    "spk_enc_model_name": "M",
    "spk_enc_train_type": "ft_mix",
    "spk_enc_dataset": "vb2+vox2+cnc",
    "phoneme_dict_name": "phoneme_to_token.json",
    "max_prompt_sec": 20,
    "min_prompt_sec": 1,
    "max_phone_tokens": 2000,
    "cache_prompt": False,
    "cfg_gamma": 1.5,
    "cfg_ac_gamma": 2.0,
    "text_context": " context",
    "text_context_length": 18,
    "spk_proj_weight": 1.0,
    "audio_pad_token": 2049,
    "enhance_prompt": False,
    "sidon_se_reload_model": False,
    "reset_streaming_state": False,
    "hf_token": None,
    "apply_vad": False,
    "normalize_prompt_loudness": True,
    "prompt_loudness_lufs": -23.0,
    "min_speech_seg_sec": 0.3,
    "min_look_ahead_phones": 3,
    "phonemizer": "espeak",
    "spk_rate_window_sec": 2.0,
    "frame_repeat_counter": 25,
    "punct_map": {".": 117, ",": 118, "?": 119, "!": 121},
    "phoneme_index_map": {
        "0": [0, 1],
        "1": [0, 2],
        "2": [1, 1],
        "3": [1, 2],
        "4": [2, 1],
        "5": [2, 2],
    },
}

# Keys: syllables per second.
SPEAKING_RATE: dict[str, dict[str, Any]] = {
    "2": {"duration_state": [52, 15, 1, 2, 1, 3], "weight": 2.0, "cfg_gamma": 1.25},
    "3": {"duration_state": [29, 24, 2, 3, 1, 1], "weight": 2.0, "cfg_gamma": 1.5},
    "4": {"duration_state": [40, 59, 5, 12, 1, 2], "weight": 2.0, "cfg_gamma": 2.0},
    "5": {"duration_state": [27, 69, 6, 30, 2, 7], "weight": 2.0, "cfg_gamma": 2.5},
    "6": {"duration_state": [24, 83, 6, 41, 1, 15], "weight": 2.0, "cfg_gamma": 3.0},
}
