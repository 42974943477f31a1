"""The contract of speech models, kept by tiny random checkpoints of the real classes, which say what a script says."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.parts import Beeps
from support.qwen_tiny import Script, qwen2_5_omni, qwen2_audio

from agentaudio.model.speech_lm import SpeechLM
from agentaudio.testing import ModelContract, Stage

pytest.importorskip("torch", reason="torch is installed by make test-local")

from agentaudio.model.qwen.family import AUDIO, OMNI  # noqa: E402
from agentaudio.model.qwen.generate import Qwen  # noqa: E402
from agentaudio.model.qwen.network import Network  # noqa: E402


@cache
def network(omni: bool) -> Network:
    with tempfile.TemporaryDirectory() as name:
        folder = (qwen2_5_omni if omni else qwen2_audio)(Path(name))
        return Network.load(
            OMNI if omni else AUDIO, folder, device="cpu", dtype="float32", quantization_config=None, speaks=True
        )


class Directed:
    """A Stage. script: what the network says; beeps: at work, too"""

    def __init__(self, model: SpeechLM, script: Script, beeps: Beeps | None) -> None:
        self.model, self.next, self._script, self._beeps = model, script.next, script, beeps

    def busy(self) -> bool:
        return self._script.busy() or bool(self._beeps and self._beeps.open)


@asynccontextmanager
async def staged(omni: bool, beeps: Beeps | None, **settings: Any) -> AsyncIterator[Stage]:
    script = Script(network(omni))
    model = Qwen(network(omni), synthesiser=beeps, max_tokens=250, **settings)
    try:
        yield Directed(model, script, beeps)
    finally:
        await model.aclose()
        script.remove()


class TestQwen2Audio(ModelContract):
    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        beeps = Beeps()
        beeps.voices = "clones"
        async with staged(False, beeps) as stage:
            yield stage


class TestQwenOmni(ModelContract):
    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        async with staged(True, None, longest_speech_s=0.4) as stage:
            yield stage
