"""A run of a benchmark in a process of its own, which a test kills: python eval_child.py DATA RUN GENERATED."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from agentaudio.conversation import AudioPart, Conversation, ToolSpec
from agentaudio.evaluation.benchmarks.big_bench_audio import BENCHMARK
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, End, GenerateOptions, ReferenceVoice, TextDelta
from support.benchmarks import measured

SECONDS = 0.1
"""An answer and a verdict take."""


class Slow(Scripted):
    """Answers with the length of the sound, and writes each answer to a file; as a judge it looks for one digit."""

    def __init__(self, generated: Path) -> None:
        super().__init__(["x"])
        self._generated = generated

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        await asyncio.sleep(SECONDS)
        user = conversation.messages[-1]
        sound = next((part.audio for part in user.parts if isinstance(part, AudioPart)), None)
        if sound is None:
            yield TextDelta("CORRECT" if "1" in user.text.partition("Candidate:")[2] else "INCORRECT")
        else:
            said = f"{sound.duration:.2f}"
            with open(self._generated, "a", encoding="utf-8") as file:
                file.write(f"{round(sound.duration * 10) - 1}\n")
            yield TextDelta(said)
        yield End()


async def main(data: Path, run: Path, generated: Path) -> None:
    model = Slow(generated)
    await measured(BENCHMARK, data, run, model, judge=model, parallel=2)


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:])))
