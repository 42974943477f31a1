"""What vLLM sets for Step-Audio 2 where its user has not."""

from __future__ import annotations

from typing import Any

from vllm.model_executor.models.config import VerifyAndUpdateConfig


class Settings(VerifyAndUpdateConfig):
    """Chooses our renderer, so that `vllm serve FOLDER` needs no flag for prompts."""

    @staticmethod
    def verify_and_update_model_config(model_config: Any) -> None:
        if model_config.tokenizer_mode == "auto":
            model_config.tokenizer_mode = "step_audio_2"
