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

from agentaudio.model.chat_models.local_chat import LocalChat  # noqa: E402
from agentaudio.model.chat_models.transformers_network import Network  # noqa: E402


@cache
def network(kind: str) -> Network:
    with tempfile.TemporaryDirectory() as name:
        return Network.load(
            f"transformers:{kind}", language_model(Path(name), kind=kind), device="cpu", dtype="float32",
            quantization_config=None, context=None, thinks=False,
        )  # fmt: skip


class Directed:
    """A Stage. script: what the network says; beeps: at work, too"""

    def __init__(self, model: Cascade, script: Script, beeps: Beeps) -> None:
        self.model, self.next, self._script, self._beeps = model, script.next, script, beeps

    def busy(self) -> bool:
        return self._script.busy() or bool(self._beeps.open)


@asynccontextmanager
async def staged(kind: str) -> AsyncIterator[Stage]:
    script, beeps = Script(network(kind)), Beeps()
    beeps.voices = "clones"
    model = Cascade(Ears(), LocalChat(network(kind), max_tokens=250), beeps)
    try:
        yield Directed(model, script, beeps)
    finally:
        await model.aclose()
        script.remove()


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
