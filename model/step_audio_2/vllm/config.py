"""The configuration of a checkpoint for vLLM, which pins versions of transformers that our native model does not."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from transformers import PretrainedConfig, Qwen2Config

from agentaudio.model.step_audio_2.tokens import TokenIds

_IDS = TokenIds()
_STOP = [_IDS.eot, _IDS.endoftext, _IDS.im_end]

# The defaults of the reference code for fields that config.json lacks.
_TEXT = {
    "vocab_size": 64012, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 48,
    "num_attention_heads": 32, "max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "hidden_act": "silu",
    "initializer_range": 0.02, "pad_token_id": None, "use_cache": True,
}  # fmt: skip
_ROPE = ("rope_theta", "rope_scaling", "rope_parameters")
_HEADS = ("num_key_value_heads", "num_attention_groups", "eos_token_id", "head_dim")
_AUDIO = {
    "n_mels": 128, "n_audio_ctx": 1500, "n_audio_state": 512, "n_audio_head": 8, "n_audio_layer": 6, "llm_dim": 4096,
    "kernel_size": 3, "adapter_stride": 2,
}  # fmt: skip


class StepAudio2Config(PretrainedConfig):
    """Step-Audio 2 mini: a Qwen2 decoder and an audio encoder. Fields that vLLM has no use for are ignored.

    text_config: fields of the decoder, or a Qwen2Config; None takes them from the top level, as in the flat files
    audio_encoder_config: fields of the encoder
    """

    model_type = "step_audio_2"

    def __init__(
        self,
        text_config: Mapping[str, Any] | Qwen2Config | None = None,
        audio_encoder_config: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        flat = {name: kwargs.pop(name) for name in (*_TEXT, *_ROPE, *_HEADS) if name in kwargs}
        self.text_config = text_config if isinstance(text_config, Qwen2Config) else _text(text_config or flat)
        self.audio_encoder_config = _AUDIO | {
            name: value for name, value in (audio_encoder_config or {}).items() if name in _AUDIO
        }
        kwargs |= {"eos_token_id": self.text_config.eos_token_id, "tie_word_embeddings": False}
        kwargs.setdefault("architectures", ["StepAudio2ForCausalLM"])
        super().__init__(**kwargs)

    @property
    def audio(self) -> SimpleNamespace:
        """The fields of the encoder, as AudioEncoder and Adaptor read them."""
        return SimpleNamespace(**self.audio_encoder_config)

    def get_text_config(self, *args: Any, **kwargs: Any) -> Qwen2Config:
        """The decoder's configuration."""
        return self.text_config


class StepAudioQwen2Config(StepAudio2Config):
    """The same under the model_type of the flat config.json."""

    model_type = "step_audio_qwen2"

    def __init__(self, **kwargs: Any) -> None:  # transformers would make one of the fields
        super().__init__(**kwargs)


CONFIGS = (StepAudio2Config, StepAudioQwen2Config)


def _text(fields: Mapping[str, Any]) -> Qwen2Config:
    known = {name: fields[name] for name in (*_TEXT, *_ROPE, "head_dim") if fields.get(name) is not None}
    if not {"rope_theta", "rope_parameters"} & known.keys():
        known["rope_theta"] = 1_000_000.0
    groups = fields.get("num_attention_groups") or fields.get("num_key_value_heads") or 4
    stops = fields.get("eos_token_id")
    stops = stops if isinstance(stops, list) else [stops]
    return Qwen2Config(
        **_TEXT | known,
        num_key_value_heads=groups,
        eos_token_id=list(dict.fromkeys([*_STOP, *(stop for stop in stops if stop is not None)])),
        tie_word_embeddings=False,
        use_sliding_window=False,
        architectures=["Qwen2ForCausalLM"],
    )
