"""The configuration of a Step-Audio 2 checkpoint, in both forms of config.json: nested and flat."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from agentaudio.errors import MissingExtra, OptionError
from agentaudio.model.step_audio_2.versions import check_versions

try:
    check_versions()  # before anything of another version fails to import
    from transformers import PreTrainedConfig
    from transformers.configuration_utils import SubConfigSpec
    from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.tokens import TokenIds

_IDS = TokenIds()
STOP_IDS = (_IDS.eot, _IDS.endoftext, _IDS.im_end)
"""`<|EOT|>` ends a turn; the reference code also stops at the other two."""
PAD_ID = _IDS.endoftext


class StepAudio2TextConfig(Qwen2Config):
    """The language model: Qwen2, with the reference code's defaults for missing fields.

    `eos_token_id` always includes STOP_IDS, as the published files lack the token that ends a turn.
    `num_attention_groups`, if given, must equal `num_key_value_heads`. Attention is always full;
    sliding windows that a file declares were not used in training.

    Raises OptionError when `num_attention_groups` differs from `num_key_value_heads`, and for sizes that no model has.
    """

    model_type = "step_audio_2_text"
    default_theta = 1_000_000.0
    base_config_key = "text_config"

    vocab_size: int = 64012
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 48
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 4
    eos_token_id: int | list[int] | None = None
    max_position_embeddings: int = 8192
    pad_token_id: int | None = PAD_ID

    def __post_init__(self, **kwargs: Any) -> None:
        groups = kwargs.pop("num_attention_groups", None)
        if groups is not None and groups != self.num_key_value_heads:
            raise OptionError(
                f"num_attention_groups is {groups} but num_key_value_heads is {self.num_key_value_heads}; "
                "both are the number of key-value heads, so correct config.json"
            )
        stops = self.eos_token_id if isinstance(self.eos_token_id, list) else [self.eos_token_id]
        self.eos_token_id = list(dict.fromkeys([*STOP_IDS, *(stop for stop in stops if stop is not None)]))
        self.use_sliding_window = False
        self.layer_types = None
        super().__post_init__(**{name: value for name, value in kwargs.items() if name in _LEGACY})
        _check_counts(self, "vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings")
        _check_counts(self, "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
        _check_share(self, "num_attention_heads", "num_key_value_heads")

    def to_dict(self) -> dict[str, Any]:
        """As transformers writes it, and also under the names that the reference code reads."""
        names: dict[str, Any] = super().to_dict()
        names["num_attention_groups"] = self.num_key_value_heads
        names["rope_theta"] = self.rope_parameters["rope_theta"]
        return names


def _check_counts(config: PreTrainedConfig, *names: str) -> None:
    for name in names:
        count = getattr(config, name)
        if count is not None and count < 1:
            raise OptionError(f"{name} is {count}, which must be at least 1; correct config.json")


def _check_share(config: PreTrainedConfig, whole: str, part: str) -> None:
    parts = getattr(config, part)
    if parts is not None and getattr(config, whole) % parts:
        raise OptionError(
            f"{whole} is {getattr(config, whole)}, which must be a multiple of {part}, {parts}; correct config.json"
        )


class StepAudio2AudioConfig(PreTrainedConfig):
    """The audio encoder, and the adaptor between it and the language model.

    n_mels: log-mel bands
    n_audio_ctx: longest input in frames of 20 ms
    n_audio_state: width
    llm_dim: width of the language model
    adapter_stride: stride of the adaptor's convolution; -1 for no convolution
    """

    model_type = "step_audio_2_audio"
    base_config_key = "audio_encoder_config"

    n_mels: int = 128
    n_audio_ctx: int = 1500
    n_audio_state: int = 512
    n_audio_head: int = 8
    n_audio_layer: int = 6
    n_codebook_size: int = 4096
    llm_dim: int = 4096
    kernel_size: int = 3
    adapter_stride: int = 2

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**{name: value for name, value in kwargs.items() if name in _LEGACY})
        _check_counts(self, "n_mels", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "llm_dim")
        _check_share(self, "n_audio_state", "n_audio_head")
        if self.adapter_stride != -1:
            _check_counts(self, "kernel_size", "adapter_stride")


class StepAudio2Config(PreTrainedConfig):
    """Configuration of Step-Audio 2 mini, mini-Base and mini-Think.

    text_config: StepAudio2TextConfig or its fields; if absent, its fields are read from the top level,
        as in the flat files
    audio_encoder_config: StepAudio2AudioConfig or its fields
    audio_start_token_id, audio_patch_token_id: ids of `<audio_start>` and `<audio_patch>`
    pieces_together: encode all audio pieces of a prompt in one padded batch, as the reference does;
        the features of a piece then depend on the length of the others. False encodes each piece by
        itself, so that its features do not depend on which turns are cached.

    Unknown fields are ignored. Raises OptionError when the widths do not match.
    """

    model_type = "step_audio_2"
    sub_configs_defaults = {  # transformers 5.20 and 5.21 do not take the classes themselves
        "text_config": SubConfigSpec(StepAudio2TextConfig),
        "audio_encoder_config": SubConfigSpec(StepAudio2AudioConfig),
    }
    keys_to_ignore_at_inference = ["past_key_values", "cache"]

    text_config: Any = None
    audio_encoder_config: Any = None
    audio_start_token_id: int = _IDS.audio_start
    audio_patch_token_id: int = _IDS.audio_patch
    pieces_together: bool = True
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        if self.text_config is None:
            flat = {field.name for field in fields(StepAudio2TextConfig)} - {field.name for field in fields(self)}
            flat |= {"num_attention_groups", "rope_theta", "rope_scaling"}
            self.text_config = {name: kwargs.pop(name) for name in list(kwargs) if name in flat}
        super().__post_init__(**{name: value for name, value in kwargs.items() if name in _LEGACY | _LOADING})
        width, expected = self.audio_encoder_config.llm_dim, self.text_config.hidden_size
        if width != expected:
            raise OptionError(
                f"audio_encoder_config.llm_dim is {width} but the language model is {expected} wide; "
                "correct config.json"
            )


class StepAudioQwen2Config(StepAudio2Config):
    """The same under the model_type of the flat config.json."""

    model_type = "step_audio_qwen2"


_LEGACY = {"rope_theta", "rope_scaling", "torch_dtype"}
_LOADING = {"name_or_path", "attn_implementation", "quantization_config", "output_attentions"}
