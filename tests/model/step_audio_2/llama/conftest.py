"""Checkpoints that say unambiguous things, and the ids that a runtime generates."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose best token is clearly the best: rounding does not change it. Rows are whole blocks."""
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    text = {
        "initializer_range": 0.3, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 4096,
    }  # fmt: skip
    return init_tiny(tmp_path_factory.mktemp("sure"), text=text, audio={"initializer_range": 0.3})
