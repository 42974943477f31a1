"""The contract of speech models, kept by a cascade over a tiny random GGUF file in llama.cpp."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
from support.gguf_tiny import Script, gguf_model
from support.parts import Beeps, Ears

from agentaudio.model.cascade.cascade import Cascade
from agentaudio.testing import ModelContract, Stage

pytest.importorskip("llama_cpp", reason="installed by make test-native")
pytest.importorskip("gguf", reason="installed by make test-native")

from agentaudio.model.chat_models.llama_chat import load  # noqa: E402
from agentaudio.model.chat_models.local_chat import LocalChat  # noqa: E402


@cache
def file() -> Path:
    return gguf_model(Path(tempfile.mkdtemp()) / "tiny.gguf")


class Directed:
    """A Stage. script: what the model says; beeps: at work, too"""

    def __init__(self, model: Cascade, script: Script, beeps: Beeps) -> None:
        self.model, self.next, self._script, self._beeps = model, script.next, script, beeps

    def busy(self) -> bool:
        return self._script.busy() or bool(self._beeps.open)


class TestLlamaCpp(ModelContract):
    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        chat: LocalChat = load(str(file()), max_tokens=250, context=2048, threads=1)
        script, beeps = Script(chat._weights), Beeps()
        beeps.voices = "clones"
        model = Cascade(Ears(), chat, beeps)
        try:
            yield Directed(model, script, beeps)
        finally:
            script.remove()
            await model.aclose()
