"""The agent of the tests of the Realtime protocol: it does what it is told, and says what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from agentaudio import Agent
from agentaudio.conversation import AudioPart, Conversation, TextPart, ToolCall, ToolSpec
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    Delta,
    End,
    GenerateOptions,
    Heard,
    ReferenceVoice,
    TextDelta,
)
from agentaudio.tools.tool import tool
from support.sounds import tone

RATE = 16_000
WORD_S = 0.1


@tool
def time_in(city: str) -> str:
    """The time in a city.

    city: its name
    """
    return "nine o'clock"


def says(text: str, *, pause_s: float = 0.0) -> list[Delta | float]:
    """Words of WORD_S each. pause_s: how long the model takes for each"""
    pieces: list[Delta | float] = []
    for word in text.split():
        pieces += [pause_s, TextDelta(f"{word} "), AudioDelta(tone(duration_s=WORD_S, sample_rate=RATE))]
    return [*pieces, End(usage={"input_tokens": 7, "output_tokens": 5, "input_audio_tokens": 4})]


def answer(
    conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None
) -> Sequence[Delta | float]:
    """What the model does. A number is a pause of so many seconds."""
    last = conversation.messages[-1]
    if last.role == "tool":
        return says("results: " + "; ".join(output.text for output in last.tool_outputs))
    texts = [part.text for part in last.parts if isinstance(part, TextPart)]
    match texts[-1].split() if texts else []:
        case ["call", *names]:
            calls = [CallDelta(ToolCall(f"c{n}", one, {"city": "Tokyo"})) for n, one in enumerate(names)]
            return [*says("One moment.")[:3], *calls]
        case ["count", number, *how]:
            words = " ".join(f"w{n}" for n in range(1, int(number) + 1))
            return says(words, pause_s=WORD_S if how == ["slowly"] else 0.0)
        case ["wait", seconds, *_]:
            return [float(seconds), *says("at last")]
        case ["tools", *_]:
            return says(",".join(sorted(spec.name for spec in tools)) or "none")
        case ["system", *_]:
            return says(conversation.messages[0].text)
        case ["history", *_]:
            return says(" | ".join(f"{message.role}: {message.text}" for message in conversation))
        case ["voice", *_]:
            return says("own" if voice is None else voice.id)
    sounds = [part.audio.duration for part in last.parts if isinstance(part, AudioPart)]
    if sounds:
        return [Heard(f"a sound of {sounds[0]:.1f} s"), *says("I heard you well")]
    return says(f"You wrote {last.text}")


class Talker(Scripted):
    """Answers by `answer`."""

    def __init__(self) -> None:
        super().__init__(["unused"])

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        for piece in answer(conversation, tools, voice):
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            elif options.speak or not isinstance(piece, AudioDelta):
                yield piece


def talker(**options: Any) -> Agent:
    """The agent, with voices and a tool of its own."""
    return Agent(Talker(), tools=[time_in], voices="demo", **options)
