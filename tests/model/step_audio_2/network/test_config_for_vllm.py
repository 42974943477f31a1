"""The configuration that vLLM reads says the same as the native model's, from all forms of config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs transformers: make test-local")

from agentaudio.model.step_audio_2.network.config import StepAudio2Config as Native
from agentaudio.model.step_audio_2.vllm.config import CONFIGS, StepAudio2Config

TEXT = {
    "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
    "num_key_value_heads": 4, "num_attention_groups": 4, "vocab_size": 158720, "rms_norm_eps": 1e-6,
    "rope_theta": 1e6, "rope_scaling": None, "max_position_embeddings": 16384, "max_seq_len": 16384,
    "eos_token_id": 151643, "pad_token_id": 151643, "torch_dtype": "bfloat16",
}  # fmt: skip
AUDIO = {
    "n_mels": 128, "n_audio_ctx": 1500, "n_audio_state": 1280, "n_audio_head": 20, "n_audio_layer": 32,
    "n_codebook_size": 4096, "llm_dim": 3584, "kernel_size": 3, "adapter_stride": 2,
}  # fmt: skip
FILES: dict[str, dict[str, Any]] = {
    "published": {"text_config": TEXT, "audio_encoder_config": AUDIO},
    "flat": {**TEXT, "audio_encoder_config": AUDIO, "model_type": "step_audio_qwen2"},
    "bare": {"text_config": {"hidden_size": 64}, "audio_encoder_config": {"llm_dim": 64}},
    "other_theta": {"text_config": TEXT | {"rope_theta": 5e5}, "audio_encoder_config": AUDIO},
}
READ = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "rms_norm_eps", "max_position_embeddings", "hidden_act", "eos_token_id", "tie_word_embeddings", "sliding_window",
    "rope_parameters",
)  # fmt: skip


def written(folder: Path, fields: dict[str, Any]) -> Path:
    names = {"architectures": ["StepAudio2ForCausalLM"], "model_type": "step_audio_2", "torch_dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(names | fields), encoding="utf-8")
    return folder


def assert_same(config: Any, native: Any) -> None:
    for name in READ:
        assert getattr(config.text_config, name) == getattr(native.text_config, name), name
    for name, value in config.audio_encoder_config.items():
        assert value == getattr(native.audio_encoder_config, name) == getattr(config.audio, name), name
    assert config.architectures == ["StepAudio2ForCausalLM"]
    assert config.text_config.architectures == ["Qwen2ForCausalLM"]
    assert config.get_text_config() is config.text_config
    assert config.eos_token_id == native.text_config.eos_token_id


@pytest.mark.parametrize("form", FILES)
def test_each_form_of_the_file_reads_as_in_the_native_model(form: str, tmp_path: Path) -> None:
    folder = written(tmp_path, FILES[form])
    kind = next(one for one in CONFIGS if one.model_type == FILES[form].get("model_type", "step_audio_2"))
    assert_same(kind.from_pretrained(folder), Native.from_pretrained(folder))


def test_a_file_that_transformers_has_written_reads_the_same(tmp_path: Path) -> None:
    native = Native.from_pretrained(written(tmp_path, FILES["published"]))
    native.architectures = ["StepAudio2ForCausalLM"]
    native.save_pretrained(tmp_path)
    config = StepAudio2Config.from_pretrained(tmp_path)
    assert_same(config, native)
    config.save_pretrained(tmp_path)
    assert_same(StepAudio2Config.from_pretrained(tmp_path), native)
