"""A model for servers: it answers by what the user wrote, and notes what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from agentaudio.conversation import AudioPart, Conversation, ToolCall, ToolSpec
from agentaudio.errors import BackendError
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
from support.sounds import tone


@dataclass
class Given:
    """What one generation was given."""

    conversation: Conversation
    tools: tuple[ToolSpec, ...]
    voice: ReferenceVoice | None
    options: GenerateOptions


@dataclass
class Rehearsed(Scripted):
    """Speaks a word in a third of a second of tone.

    given: what each generation was given, in order
    running: generations that run now

    A sound is heard as "a sound". The latest words of the user choose the answer:
        "call NAME" calls the tool of that name
        "fail" and "fail late" raise, before and after the first words
        "long" answers until the generation is closed
        anything else is repeated after "You said"; results of tools after "Result"
    """

    given: list[Given] = field(default_factory=list)
    running: int = 0

    def __post_init__(self) -> None:
        super().__init__(["unused"])

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        self.given.append(Given(conversation, tuple(tools), voice, options))
        self.running += 1
        try:
            async for delta in self._answer(conversation):
                if options.speak or not isinstance(delta, AudioDelta):
                    yield delta
            yield End(usage={"input_tokens": 5, "output_tokens": 7, "input_audio_tokens": 3})
        finally:
            self.running -= 1

    async def _answer(self, conversation: Conversation) -> AsyncGenerator[Delta, None]:
        assert conversation.last_user is not None
        said = conversation.last_user.text
        if any(isinstance(part, AudioPart) and part.transcript is None for part in conversation.last_user.parts):
            yield Heard("a sound", 1.0)
            said = f"{said} a sound".strip()
        if outputs := conversation.last_outputs:
            for delta in words(f"Result {' and '.join(output.text for output in outputs)}"):
                yield delta
        elif "call " in said:
            for delta in words("One moment."):
                yield delta
            for name in said.partition("call ")[2].split():
                used = len(conversation.call_ids)
                yield CallDelta(ToolCall(f"call-{used}-{name}", name, {"place": "München"}))
        elif "fail" in said:
            if "late" in said:
                for delta in words("So far so good."):
                    yield delta
            raise BackendError("weights in /secret/folder/weights.bin are broken")
        elif "long" in said:
            while True:
                for delta in words("and so on"):
                    yield delta
                await asyncio.sleep(0)
        else:
            for delta in words(f"You said {said}"):
                yield delta


def words(text: str) -> list[Delta]:
    deltas: list[Delta] = []
    for number, word in enumerate(text.split()):
        deltas += [TextDelta(f" {word}" if number else word), AudioDelta(tone(440, 1 / 3))]
    return deltas
