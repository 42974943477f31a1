"""Registers Step-Audio 2 with the Auto classes of transformers, so that they need no code of a checkpoint."""

from __future__ import annotations

from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING

from agentaudio.model.step_audio_2.network.config import StepAudio2Config, StepAudioQwen2Config
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM

# AutoModelForCausalLM.register would accept only one configuration class per model.
for _config in (StepAudio2Config, StepAudioQwen2Config):
    CONFIG_MAPPING.register(_config.model_type, _config, exist_ok=True)
    MODEL_FOR_CAUSAL_LM_MAPPING.register(_config, StepAudio2ForCausalLM, exist_ok=True)
