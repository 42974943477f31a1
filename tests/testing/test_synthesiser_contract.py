"""The contract of synthesisers, kept by eSpeak and Kokoro; Pocket TTS keeps it in its own tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.parts import Beeps
from support.weights import require_weights

from agentaudio.model.parts import Synthesiser
from agentaudio.model.registry import load_synthesiser
from agentaudio.testing import SynthesiserContract


class TestEspeak(SynthesiserContract):
    @asynccontextmanager
    async def synthesiser(self) -> AsyncGenerator[Synthesiser[Any], None]:
        pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
        espeak = load_synthesiser("espeak")
        try:
            yield espeak
        finally:
            await espeak.aclose()


@pytest.mark.neural
class TestKokoro(SynthesiserContract):
    @asynccontextmanager
    async def synthesiser(self) -> AsyncGenerator[Synthesiser[Any], None]:
        require_weights("kokoro", "misaki")
        kokoro = load_synthesiser("kokoro")
        try:
            yield kokoro
        finally:
            await kokoro.aclose()


def test_the_contract_notices_a_synthesiser_that_holds_its_sound_back() -> None:
    class Late(Beeps):
        async def speak(self, text: Any, state: Any, *, language: str | None = None) -> AsyncGenerator[Any, None]:
            words = [word async for word in text]
            async for sound in super().speak(_again(words), state):
                yield sound

    with pytest.raises(TimeoutError):
        _contract(Late(), timeout_s=0.5).test_sound_starts_before_the_text_has_ended()


def test_the_contract_notices_work_that_goes_on_after_the_close() -> None:
    contract = _contract(Beeps())
    contract.busy = lambda synthesiser: True  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="work goes on"):
        contract.test_closing_an_utterance_in_the_middle_stops_all_work()


async def _again(words: list[str]) -> AsyncGenerator[str, None]:
    for word in words:
        yield word


def _contract(synthesiser: Beeps, timeout_s: float = 120.0) -> SynthesiserContract:
    class Contract(SynthesiserContract):
        longest_scene_s = timeout_s

        @asynccontextmanager
        async def synthesiser(self) -> AsyncGenerator[Synthesiser[Any], None]:
            yield synthesiser

    return Contract()
