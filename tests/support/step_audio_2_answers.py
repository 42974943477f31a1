"""Helpers to query a Step-Audio 2 with random weights, and to prescribe its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from agentaudio.conversation import AudioPart, Conversation, TextPart
from agentaudio.model.speech_lm import Delta, End, GenerateOptions, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.language.interleave import interleave
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds
from agentaudio.sound.audio import Audio

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402

IDS = TokenIds()
GREEDY = GenerateOptions(temperature=0, max_tokens=8)


def noise(seed: int = 0, seconds: float = 0.5, rate: int = 16_000) -> Audio:
    return Audio(np.random.default_rng(seed).normal(0, 0.1, round(rate * seconds)), rate)


def asked(*parts: Audio | str) -> Conversation:
    made = Conversation()
    made.add("user", *(TextPart(part) if isinstance(part, str) else AudioPart(part) for part in parts))
    return made


async def answer(model: StepAudio2, conversation: Conversation, **options: Any) -> list[Delta]:
    return [delta async for delta in model.generate(conversation, **({"options": GREEDY} | options))]


def text(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def codes(deltas: Sequence[Delta]) -> list[int]:
    return [code for delta in deltas if isinstance(delta, TokensDelta) for code in delta.tokens.ids]


def ending(deltas: Sequence[Delta]) -> End:
    assert isinstance(deltas[-1], End)
    assert not any(isinstance(delta, End) for delta in deltas[:-1])
    return deltas[-1]


def dictate(model: StepAudio2, *answers: Sequence[int]) -> Any:
    """Make the model prefer these ids, one answer after the other. Everything but the logits is unchanged."""
    script = iter([number for ids in answers for number in ids])

    def prefer(_: Any, __: Any, logits: Any) -> Any:
        number = next(script, IDS.eot)
        return logits.index_fill(-1, torch.tensor([number]), 1e4)

    # Logits of the chunks of a prompt before its last one are not looked at; these prompts have one chunk.
    return network(model).lm_head.register_forward_hook(prefer)


def network(model: StepAudio2) -> Any:
    """The torch network of a model."""
    runtime: Any = model._open()
    return runtime.model


def call(vocabulary: BpeVocabulary, name: str, arguments: str) -> list[int]:
    return [IDS.tool_call, *vocabulary.encode(f"function\n{name}\n{arguments}"), IDS.tool_call_end]


def spoken(vocabulary: BpeVocabulary, words: str, codes: Sequence[int]) -> list[int]:
    """An answer that follows <tts_start>, the last token of the prompt."""
    return [*interleave(vocabulary.encode(words), codes)[1:], IDS.eot]
