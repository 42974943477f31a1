"""The agent of the tests of the Realtime protocol: it does what it is told, and says what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
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


def says(text: str | Iterable[str], *, pause_s: float = 0.0) -> Iterator[Delta | float]:
    """Words of WORD_S each. pause_s: how long the model takes for each"""
    for word in text.split() if isinstance(text, str) else text:
        yield pause_s
        yield TextDelta(f"{word} ")
        yield AudioDelta(tone(duration_s=WORD_S, sample_rate=RATE))
    yield End(usage={"input_tokens": 7, "output_tokens": 5, "input_audio_tokens": 4})


def answer(
    conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None
) -> Iterable[Delta | float]:
    """What the model does. A number is a pause of so many seconds."""
    last = conversation.messages[-1]
    if last.role == "tool":
        return says("results: " + "; ".join(output.text for output in last.tool_outputs))
    texts = [part.text for part in last.parts if isinstance(part, TextPart)]
    match texts[-1].split() if texts else []:
        case ["call", *names]:
            calls = [CallDelta(ToolCall(f"c{n}", one, {"city": "Tokyo"})) for n, one in enumerate(names)]
            return [TextDelta("One "), AudioDelta(tone(duration_s=WORD_S, sample_rate=RATE)), *calls]
        case ["count", number, *how]:
            words = (f"w{n}" for n in range(1, int(number) + 1))
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
    """Answers by `answer`.

    open: generations that run; made: pieces of answers so far
    stubborn_s: how long it goes on after it was cancelled
    """

    def __init__(self, *, stubborn_s: float = 0.0) -> None:
        super().__init__(["unused"])
        self.open, self.made, self._stubborn_s = 0, 0, stubborn_s

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        self.open += 1
        try:
            for piece in answer(conversation, tools, voice):
                if isinstance(piece, float):
                    await self._pause(piece)
                elif options.speak or not isinstance(piece, AudioDelta):
                    self.made += 1
                    yield piece
        finally:
            self.open -= 1

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if not self._stubborn_s:
                raise
            await asyncio.sleep(self._stubborn_s)


def talker(model: Talker | None = None, *, voices: Any = "demo") -> Agent:
    """The agent, with voices and a tool of its own."""
    return Agent(model or Talker(), tools=[time_in], voices=voices)
