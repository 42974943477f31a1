"""Step-Audio 2 mini, native: hears and speaks through one exact, cached, streaming Hugging Face model."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from agentaudio.errors import BackendError

_LAZY = {
    "StepAudio2Config": "agentaudio.model.step_audio_2.network.config",
    "StepAudio2ForCausalLM": "agentaudio.model.step_audio_2.network.modeling",
}

# The parsers and prompts of this package work without torch; the model then says which extra is missing.
if find_spec("torch") and find_spec("transformers"):
    try:
        import_module("agentaudio.model.step_audio_2.network.auto_classes")
    except BackendError as problem:  # of the versions
        # For vLLM, which pins its own version of transformers, the plug-in registers classes of its own.
        level = logging.DEBUG if "vllm" in sys.modules else logging.WARNING
        logging.getLogger(__name__).log(level, "Step-Audio 2 is not registered with transformers: %s", problem)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
