"""The example of a voice switch on models whose weights are on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="the extra local is not installed")

from support.qwen_tiny import qwen2_5_omni, qwen2_audio  # noqa: E402
from support.voice_switch import printed  # noqa: E402

from agentaudio.model.step_audio_2.init_tiny import init_tiny  # noqa: E402


@pytest.mark.parametrize("name", ["step-audio-2-mini", "qwen2.5-omni", "qwen2-audio"])
def test_a_checkpoint_of_random_weights_answers_all_three(name: str, tmp_path: Path) -> None:
    folder = {"step-audio-2-mini": init_tiny, "qwen2.5-omni": qwen2_5_omni, "qwen2-audio": qwen2_audio}[name](tmp_path)
    # Random weights end no answer by themselves.
    asyncio.run(printed("--model", f"{name}:{folder}", "--option", "device=cpu", "--option", "max_tokens=40"))
