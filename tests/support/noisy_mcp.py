"""`agentaudio mcp` with a model that prints, for tests: python noisy_mcp.py NOTES VOICES

It prints to standard output in every way a library may, and notes in the file NOTES when it begins and ends to speak,
and when it is closed.
The word "long" is spoken until somebody stops it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from agentaudio.agent import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.server.mcp.desk import Bounds
from agentaudio.server.mcp.stdio import serve_stdio
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary

NOTES = Path(sys.argv[1])


def note(line: str) -> None:
    with NOTES.open("a") as file:
        file.write(line + "\n")


class Noisy(Scripted):
    async def say(
        self, text: str | AsyncIterator[str], *, voice: ReferenceVoice | None = None, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        print("print")
        sys.stdout.flush()
        os.write(1, b"os.write\n")
        subprocess.run(["echo", "child"], check=True)
        note("begins")
        try:
            async for sound in super().say(text, voice=voice, language=language):
                yield sound
            while isinstance(text, str) and "long" in text:
                await asyncio.sleep(0.01)
        finally:
            note("ends")

    async def aclose(self) -> None:
        note("closed")


async def load() -> Agent:
    print("loading")
    return Agent(Noisy(["unused"]), voices=VoiceSearch(VoiceLibrary(sys.argv[2])))


if __name__ == "__main__":
    asyncio.run(serve_stdio(load, Bounds(text_chars=200, at_once=2, waiting=2)))
