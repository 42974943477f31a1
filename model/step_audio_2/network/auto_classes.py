"""transformers' Auto classes know Step-Audio 2 once this is imported; no checkpoint's own code is run."""

from __future__ import annotations

from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING

from agentaudio.model.step_audio_2.network.config import StepAudio2Config, StepAudioQwen2Config
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM

# The mappings rather than AutoModelForCausalLM.register: that one takes a single configuration per model.
for _config in (StepAudio2Config, StepAudioQwen2Config):
    CONFIG_MAPPING.register(_config.model_type, _config, exist_ok=True)
    MODEL_FOR_CAUSAL_LM_MAPPING.register(_config, StepAudio2ForCausalLM, exist_ok=True)
