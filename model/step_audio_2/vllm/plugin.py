"""Registers Step-Audio 2 with vLLM: the entry point `step_audio_2` of `vllm.general_plugins`."""

from __future__ import annotations

import logging

log = logging.getLogger("vllm.agentaudio")  # vLLM shows what is below its own name
HERE = "agentaudio.model.step_audio_2.vllm"
NAME = "step_audio_2"
ARCHITECTURE = "StepAudio2ForCausalLM"


def register() -> None:
    """Make configuration, model, prompts and tool parser known. vLLM calls it in each of its processes, and it may be
    called again. In a vLLM that lacks a place for one of them, it only says so: other models are served there."""
    try:
        _register()
    except (ImportError, AttributeError) as error:
        log.warning("Step-Audio 2 cannot be served: agentaudio's plug-in needs vLLM 0.32 or newer (%s)", error)


def _register() -> None:
    from transformers import AutoConfig
    from vllm.model_executor.models.config import MODELS_CONFIG_MAP
    from vllm.model_executor.models.registry import ModelRegistry
    from vllm.renderers.registry import RENDERER_REGISTRY
    from vllm.tokenizers.registry import TokenizerRegistry
    from vllm.tool_parsers.abstract_tool_parser import ToolParserManager
    from vllm.transformers_utils.config import _CONFIG_REGISTRY

    from agentaudio.model.step_audio_2.vllm.config import CONFIGS
    from agentaudio.model.step_audio_2.vllm.settings import Settings

    for config in CONFIGS:
        AutoConfig.register(config.model_type, config, exist_ok=True)
        # vLLM looks here first, so the class of our native model, which is registered too, makes no difference.
        _CONFIG_REGISTRY[config.model_type] = config
    if ARCHITECTURE not in ModelRegistry.models:
        ModelRegistry.register_model(ARCHITECTURE, f"{HERE}.model:{ARCHITECTURE}")
    MODELS_CONFIG_MAP[ARCHITECTURE] = Settings
    if NAME not in RENDERER_REGISTRY.renderers:
        RENDERER_REGISTRY.register(NAME, f"{HERE}.renderer", "StepAudio2Renderer")
    if NAME not in TokenizerRegistry.tokenizers:
        TokenizerRegistry.register(NAME, "vllm.tokenizers.hf", "CachedHfTokenizer")
    ToolParserManager.register_lazy_module(NAME, f"{HERE}.tool_parser", "StepAudio2ToolParser")
