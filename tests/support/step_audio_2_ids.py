"""The ids that a Step-Audio 2 generates, whatever it runs on, and conversations to generate them for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    SpeechPart,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.model.step_audio_2.decoding.generation import Generation
from agentaudio.model.step_audio_2.generate import StepAudio2
from agentaudio.model.step_audio_2.settings import sampling_and_limit
from support.step_audio_2 import speech_tokens
from support.step_audio_2_answers import noise, torch

QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
SEARCH = ToolSpec("web_search", "Search the web.", QUERY)


def conversations() -> dict[str, tuple[Conversation, tuple[ToolSpec, ...]]]:
    """Text, sound of one and of several pieces, spoken history, and a tool call with its output; with their tools."""

    def made(*messages: tuple[object, ...]) -> Conversation:
        talk = Conversation()
        for role, *parts in messages:
            talk.add(role, *parts)  # type: ignore[arg-type]
        return talk

    answered = ("assistant", SpeechPart("OK then", tokens=speech_tokens(tuple(range(7, 6000, 400)))))
    called = (
        "assistant",
        SpeechPart("wait", tokens=speech_tokens((1, 2, 3))),
        ToolCall("c1", "web_search", {"query": "茶"}),
    )
    asked = ("user", TextPart("What is this?"), AudioPart(noise(3, 1.7)))
    return {
        "text": (made(("user", "Good morning, 你好")), ()),
        "long text": (made(("user", "All work and no play. " * 40)), ()),
        "sound": (made(("user", AudioPart(noise(1, 2.0)))), ()),
        "long sound": (made(("system", "Be brief."), ("user", AudioPart(noise(2, 27.0)), TextPart("and?"))), ()),
        "spoken history": (made(asked, answered, ("user", AudioPart(noise(4, 0.9)))), ()),
        "tool call": (
            made(asked, called, ("tool", ToolOutput("c1", "web_search", "Tea is green.")), ("user", "Go on")),
            (SEARCH,),
        ),
    }


async def gaps(
    native: StepAudio2, conversation: Conversation, tools: Sequence[ToolSpec], ids: list[int]
) -> list[float]:
    """How far each of these ids is from the native model's best one, in standard deviations of its logits.

    0 is the best one itself. No repetition penalty applies.
    """
    return await asyncio.to_thread(_gaps, native, conversation, tools, ids)


def _gaps(native: StepAudio2, conversation: Conversation, tools: Sequence[ToolSpec], ids: list[int]) -> list[float]:
    weights = native._open()
    prompt = native._prompt(native._framed(conversation, tools, GenerateOptions()), tools, speak=True)
    states = native._kept.take(prompt)
    with torch.inference_mode():
        rows = [weights.read(prompt, states, lambda: True)]
        for number in ids[:-1]:
            rows.append(weights._forward([number], states, []))  # type: ignore[attr-defined]
    return [
        float((row.max() - row[number]) / row.std()) for row, number in zip(rows, ids, strict=True) if row is not None
    ]


async def generated(
    model: StepAudio2, conversation: Conversation, tools: Sequence[ToolSpec] = (), **options: object
) -> list[int]:
    """The ids of an answer, greedily and at most 24 unless the options say otherwise."""
    chosen = GenerateOptions(**{"temperature": 0.0, "max_tokens": 24, **options})  # type: ignore[arg-type]
    sampling, limit = sampling_and_limit(chosen, bool(tools))
    request = model._request(conversation, tools, sampling, limit, chosen, False)
    generation = Generation(model._open(), model._prompts, model._kept, request)
    end = await asyncio.to_thread(generation.run, lambda delta, count: None)
    assert end is not None and end.usage["output_tokens"] == len(generation.generated)
    return generation.generated
