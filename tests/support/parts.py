"""Small parts of a cascade, with behaviour that tests can set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.errors import BackendError, ConsentError
from agentaudio.model.parts import ChatDelta, Recognition, SynthesiserVoices
from agentaudio.model.speech_lm import End, GenerateOptions, ReferenceVoice, TextDelta
from agentaudio.sound.audio import Audio
from support.sounds import tone


class Nothing:
    nbytes = 0


class Beeps:
    """A tone for each word, 10 ms for each letter; it counts them, and can be made to wait or to fail."""

    voices: SynthesiserVoices = "fixed"
    sample_rate_hz = 16_000
    languages = ()

    def __init__(self) -> None:
        self.made, self.open = 0, 0
        self.ready = asyncio.Event()
        self.ready.set()
        self.fails_at: str | None = None

    async def prepare(self, voice: ReferenceVoice | None) -> Nothing:
        if voice is not None and (why := voice.permit.refusal()):
            raise ConsentError(why)
        return Nothing()

    async def speak(
        self, text: AsyncIterator[str], state: Nothing, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        self.open += 1
        try:
            async for word in text:
                await self.ready.wait()
                if word == self.fails_at:
                    raise BackendError("no breath")
                self.made += 1
                yield tone(duration_s=0.01 * len(word))
        finally:
            self.open -= 1

    async def warm_up(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Ears:
    """Hears the same words in every sound; keeps what it was given."""

    languages: tuple[str, ...] = ()
    max_audio_s = 30.0

    def __init__(self, text: str = "what is two plus two", language: str | None = None) -> None:
        self.recognition = Recognition(text, 0.9, language)
        self.sounds: list[Audio] = []
        self.hints: list[Sequence[str]] = []
        self.languages_given: list[str | None] = []
        self.closed = False

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        self.sounds.append(audio)
        self.hints.append(hint)
        self.languages_given.append(language)
        return self.recognition

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        yield await self.recognise(Audio.concat([piece async for piece in sound]), language=language, hint=hint)

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        pass

    async def aclose(self) -> None:
        self.closed = True


class Mind:
    """Answers with given deltas, or with an echo of the last words; keeps what it was given."""

    name = "mind"
    calls_tools = True
    cites = False
    languages: tuple[str, ...] = ()
    options = frozenset({"language", "temperature"})

    def __init__(self, *answers: Sequence[ChatDelta]) -> None:
        self._answers = list(answers)
        self.conversations: list[Conversation] = []
        self.given: list[GenerateOptions] = []
        self.open, self.closed = 0, False

    async def chat(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[ChatDelta, None]:
        self.conversations.append(conversation)
        self.given.append(options)
        self.open += 1
        try:
            said = conversation.last_user
            answer = self._answers.pop(0) if self._answers else (TextDelta(said.text if said else ""), End())
            for delta in answer:
                await asyncio.sleep(0)
                yield delta
        finally:
            self.open -= 1

    def expected(self, tools: Sequence[ToolSpec]) -> Sequence[str]:
        return [tool.description for tool in tools]

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        pass

    async def aclose(self) -> None:
        self.closed = True
