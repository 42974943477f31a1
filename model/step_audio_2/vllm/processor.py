"""From sound to what vLLM gives the model: log-mels, and one `<audio_patch>` for each row that the encoder makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature
from vllm.multimodal.inputs import MultiModalFieldConfig
from vllm.multimodal.parse import AudioProcessorItems, MultiModalDataParser
from vllm.multimodal.processing import (
    BaseDummyInputsBuilder,
    BaseMultiModalProcessor,
    BaseProcessingInfo,
    PromptReplacement,
)

from agentaudio.model.step_audio_2.network.features import (
    PIECE_SAMPLES,
    SAMPLE_RATE,
    Float,
    at_16_khz,
    frame_count,
    log_mel,
    token_count,
)
from agentaudio.model.step_audio_2.tokens import TokenIds
from agentaudio.sound.audio import Audio

PLACE = "<audio_start><audio_patch><audio_end>"
PATCH = TokenIds().audio_patch


class DataParser(MultiModalDataParser):
    """Resamples as our native model does, which vLLM's resamplers do not."""

    def _parse_audio_data(self, data: Any) -> Any:
        if data is None or isinstance(data, dict) or self.is_embeddings(data):
            return super()._parse_audio_data(data)
        several = isinstance(data, list) and not (data and isinstance(data[0], float))
        sounds = data if several else [data]
        return AudioProcessorItems([None if one is None else self._samples(one) for one in sounds])

    def _samples(self, sound: Any) -> Float:
        samples, rate = self._get_audio_with_sr(sound)
        found = at_16_khz(Audio(samples, SAMPLE_RATE if rate is None else round(rate)))
        if not token_count(frame_count(len(found))) or len(found) > PIECE_SAMPLES:
            raise ValueError(
                f"a sound of {len(found) / SAMPLE_RATE:.2f} s does not fit one place in the prompt, which takes 0.03 "
                "to 25 s: cut it into several, or use chat completions, which cut it"
            )
        return found


class Processor:
    """What vLLM calls in place of a processor of transformers."""

    def __call__(self, audio: Sequence[Float] = (), **kwargs: Any) -> BatchFeature:
        mels = [torch.from_numpy(log_mel(np.asarray(one, np.float32))) for one in audio]
        return BatchFeature({"input_features": mels, "frames": torch.tensor([mel.shape[1] for mel in mels])})


class Info(BaseProcessingInfo):
    """The limits of a sound in a prompt."""

    def get_hf_processor(self, **kwargs: object) -> Processor:
        return Processor()

    def get_data_parser(self) -> DataParser:
        return DataParser(expected_hidden_size=self._get_expected_hidden_size())

    def get_supported_mm_limits(self) -> Mapping[str, int | None]:
        return {"audio": None}

    def get_mm_max_tokens_per_item(self, seq_len: int, mm_counts: Mapping[str, int] | None = None) -> Mapping[str, int]:
        return {"audio": token_count(frame_count(PIECE_SAMPLES))}


class DummyInputs(BaseDummyInputsBuilder[Info]):
    """The largest inputs, with which vLLM measures memory."""

    def get_dummy_text(self, mm_counts: Mapping[str, int]) -> str:
        return PLACE * mm_counts.get("audio", 0)

    def get_dummy_mm_data(self, seq_len: int, mm_counts: Mapping[str, int], mm_options: Mapping[str, Any]) -> Any:
        count, overrides = mm_counts.get("audio", 0), mm_options.get("audio")
        return {"audio": self._get_dummy_audios(length=PIECE_SAMPLES, num_audios=count, overrides=overrides)}


class AudioProcessor(BaseMultiModalProcessor[Info]):
    """Writes as many `<audio_patch>` as the encoder makes rows of a sound."""

    def _get_mm_fields_config(self, hf_inputs: Any, hf_processor_mm_kwargs: Any) -> Mapping[str, Any]:
        return {
            "input_features": MultiModalFieldConfig.batched("audio"),
            "frames": MultiModalFieldConfig.batched("audio", keep_on_cpu=True),
        }

    def _get_prompt_updates(self, mm_items: Any, hf_processor_mm_kwargs: Any, out_mm_kwargs: Any) -> Sequence[Any]:
        def patches(index: int) -> list[int]:
            return [PATCH] * token_count(int(out_mm_kwargs["audio"][index]["frames"].data))

        return [PromptReplacement(modality="audio", target=[PATCH], replacement=patches)]
