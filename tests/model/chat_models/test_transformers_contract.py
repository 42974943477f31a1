"""The contract of speech models, kept by a cascade over tiny random language models of transformers."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
from support.llm_tiny import language_model
from support.parts import Beeps, Ears
from support.qwen_tiny import Script

from agentaudio.model.cascade.cascade import Cascade
from agentaudio.testing import ModelContract, Stage

pytest.importorskip("torch", reason="torch is installed by make test-local")

from agentaudio.model.chat_models.transformers_chat import load  # noqa: E402


@cache
def folder(kind: str) -> Path:
    return language_model(Path(tempfile.mkdtemp()), kind=kind)


class Directed:
    """A Stage. script: what the network says; beeps: at work, too"""

    def __init__(self, model: Cascade, script: Script, beeps: Beeps) -> None:
        self.model, self.next, self._script, self._beeps = model, script.next, script, beeps

    def busy(self) -> bool:
        return self._script.busy() or bool(self._beeps.open)


@asynccontextmanager
async def staged(kind: str) -> AsyncIterator[Stage]:
    chat = load(str(folder(kind)), max_tokens=250)
    script, beeps = Script(chat._weights), Beeps()
    beeps.voices = "clones"
    model = Cascade(Ears(), chat, beeps)
    try:
        yield Directed(model, script, beeps)
    finally:
        script.remove()
        await model.aclose()


class TestLlama(ModelContract):
    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        async with staged("Llama") as stage:
            yield stage


class TestQwen3(ModelContract):
    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        async with staged("Qwen3") as stage:
            yield stage
