"""`spoken`: the deltas of a text answer, with the sound of its words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

from agentaudio.model.manner import Manner
from agentaudio.model.parts import NamesUnspoken
from agentaudio.model.speech_lm import AudioDelta, Delta, End, ReferenceVoice, TextDelta, UnspokenDelta
from agentaudio.sound.audio import Audio
from agentaudio.text.sentences import SentenceStream

AHEAD = 1
"""Sounds that wait for a slow consumer while the next one is synthesised."""


class SpeaksText(Protocol):
    """What is asked of a synthesiser here."""

    async def prepare(self, voice: ReferenceVoice | None) -> Any: ...

    def speak(
        self, text: AsyncIterator[str], state: Any, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]: ...


async def spoken(
    synthesiser: SpeaksText,
    answer: AsyncIterator[Delta | Manner],
    voice: ReferenceVoice | None = None,
    *,
    language: str | None = None,
) -> AsyncGenerator[Delta, None]:
    """Yield the deltas of an answer, with the sound of its words.

    Words come when the synthesiser reads them, so before their sound, and their order tells which sound
    is theirs. A sentence with words that the synthesiser cannot speak is followed by their `UnspokenDelta`.
    A `Manner` holds for all the sound of the answer and is not yielded.
    Calls and citations come as soon as the answer has them; `End` is last.
    voice: is prepared while the answer begins; without words in the answer that has no effect
    language: BCP-47 code of the answer; None lets the synthesiser judge by the text

    Closing the generator stops the synthesiser before this
    returns; it does not close `answer`.
    Raises what `answer` and the synthesiser raise, after the deltas that came before.
    """
    speech = _Speech(synthesiser, answer, voice, language)
    work = asyncio.create_task(speech.run())
    try:
        while (delta := await speech.ready.get()) is not None:
            yield delta
            if isinstance(delta, AudioDelta):
                speech.room.release()
        await work
        if speech.end is not None:
            yield speech.end
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


class _Speech:
    """Reads an answer and speaks it, in two tasks.

    ready: the deltas to yield; None ends them
    room: held for each sound that waits in `ready`
    """

    def __init__(
        self,
        synthesiser: SpeaksText,
        answer: AsyncIterator[Delta | Manner],
        voice: ReferenceVoice | None,
        language: str | None,
    ) -> None:
        self._synthesiser, self._answer, self._voice, self._language = synthesiser, answer, voice, language
        self.ready: asyncio.Queue[Delta | None] = asyncio.Queue()
        self.room = asyncio.Semaphore(AHEAD)
        self.end: End | None = None
        self._manner = Manner()
        self._words: asyncio.Queue[str | None] = asyncio.Queue()

    async def run(self) -> None:
        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._speak())
        except BaseExceptionGroup as group:
            error = _first(group)
        finally:
            self.ready.put_nowait(None)
        if error is not None:  # raised here, so that its traceback is its own and not the group's
            raise error

    async def _read(self) -> None:
        try:
            async for delta in self._answer:
                if isinstance(delta, End):
                    self.end = delta
                    break
                if isinstance(delta, Manner):
                    self._manner = delta
                elif isinstance(delta, TextDelta):
                    self._words.put_nowait(delta.text)
                else:
                    self.ready.put_nowait(delta)
        finally:
            self._words.put_nowait(None)

    async def _speak(self) -> None:
        preparing = asyncio.create_task(self._synthesiser.prepare(self._voice))
        try:
            words = self._text()
            first = await anext(words, None)
            if first is None:
                return
            state = await preparing
            text = _chain(first, words)
            sounds = self._synthesiser.speak(text, state, language=self._language)
            async with contextlib.aclosing(sounds):
                async for sound in sounds:
                    if len(sound):
                        if self._manner != Manner():
                            sound = await asyncio.to_thread(self._manner.applied, sound)
                        self.ready.put_nowait(AudioDelta(sound))
                        await self.room.acquire()
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)

    async def _text(self) -> AsyncGenerator[str, None]:
        sentences = SentenceStream()
        while (piece := await self._words.get()) is not None:
            if piece:
                self.ready.put_nowait(TextDelta(piece))
                self._name_unspoken(sentences.push(piece))
                yield piece
        self._name_unspoken(sentences.finish())

    def _name_unspoken(self, sentences: list[str]) -> None:
        if sentences and isinstance(self._synthesiser, NamesUnspoken):
            if words := self._synthesiser.unspoken(" ".join(sentences)):
                self.ready.put_nowait(UnspokenDelta(words))


async def _chain(first: str, rest: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    yield first
    async for piece in rest:
        yield piece


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """The first exception of a group, however deep."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
