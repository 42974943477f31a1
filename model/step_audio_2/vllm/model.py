"""The model for vLLM: our audio encoder and adaptor in front of vLLM's Qwen2 decoder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from vllm.model_executor.models.interfaces import SupportsMultiModal, SupportsPP
from vllm.model_executor.models.utils import (
    AutoWeightsLoader,
    WeightsMapper,
    init_vllm_registered_model,
    maybe_prefix,
)
from vllm.multimodal import MULTIMODAL_REGISTRY

from agentaudio.model.step_audio_2.network.encoder import Adaptor, AudioEncoder
from agentaudio.model.step_audio_2.network.features import token_count
from agentaudio.model.step_audio_2.vllm.processor import PLACE, AudioProcessor, DummyInputs, Info


@MULTIMODAL_REGISTRY.register_processor(AudioProcessor, info=Info, dummy_inputs=DummyInputs)
class StepAudio2ForCausalLM(nn.Module, SupportsMultiModal, SupportsPP):
    """Text and sound in, text and speech tokens out.

    The decoder is vLLM's, with its tensor and pipeline parallelism, quantization and graphs. Encoder and adaptor are
    whole on each device.
    """

    packed_modules_mapping = {
        "qkv_proj": ["q_proj", "k_proj", "v_proj"],
        "gate_up_proj": ["gate_proj", "up_proj"],
    }
    hf_to_vllm_mapper = WeightsMapper(
        orig_to_new_prefix={"model.": "language_model.model.", "lm_head.": "language_model.lm_head."}
    )

    @classmethod
    def get_placeholder_str(cls, modality: str, i: int) -> str | None:
        """The place of a sound in a prompt."""
        return PLACE

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        super().__init__()
        self.config = config = vllm_config.model_config.hf_config
        with self._mark_tower_model(vllm_config, "audio"):
            self.encoder = AudioEncoder(config.audio)
            self.adapter = Adaptor(config.audio)
        with self._mark_language_model(vllm_config):
            self.language_model = init_vllm_registered_model(
                vllm_config=vllm_config,
                hf_config=config.text_config,
                prefix=maybe_prefix(prefix, "language_model"),
                architectures=["Qwen2ForCausalLM"],
            )
        self.make_empty_intermediate_tensors = self.language_model.make_empty_intermediate_tensors

    def embed_multimodal(
        self, input_features: Any = None, frames: Any = None, **kwargs: object
    ) -> tuple[Tensor, ...] | list[Tensor]:
        """The rows of each sound, (token_count(frames), hidden_size).

        input_features: (128, frames) log-mels of each
        """
        if input_features is None:
            return []
        rows: dict[int, Tensor] = {}
        lengths = [mel.shape[-1] for mel in input_features]
        # Only sounds of the same length go together: the encoder's result depends on padding.
        for length in dict.fromkeys(lengths):
            members = [k for k, one in enumerate(lengths) if one == length]
            mels = torch.stack([input_features[k] for k in members])
            encoded = self.adapter(self.encoder(mels, torch.full((len(members),), length - 2, device=mels.device)))
            rows |= zip(members, encoded[:, : token_count(length)], strict=True)
        return tuple(rows[k] for k in range(len(lengths)))

    def forward(
        self,
        input_ids: Tensor | None,
        positions: Tensor,
        intermediate_tensors: Any = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: object,
    ) -> Any:
        """The decoder's hidden states."""
        if intermediate_tensors is not None:
            inputs_embeds = None
        return self.language_model.model(input_ids, positions, intermediate_tensors, inputs_embeds=inputs_embeds)

    def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
        """Scores of the next token."""
        logits: Tensor | None = self.language_model.compute_logits(hidden_states)
        return logits

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        """Read the published files, whose names map by their prefix."""
        loaded: set[str] = AutoWeightsLoader(self).load_weights(weights, mapper=self.hf_to_vllm_mapper)
        return loaded
