"""`SphinxRecogniser`: PocketSphinx as the recogniser of a cascade."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from agentaudio.errors import OptionError
from agentaudio.model.embedded.hearing.language_model import Phonemes
from agentaudio.model.embedded.hearing.sphinx_pool import DOMAIN_WEIGHT, LONGEST_AUDIO_S, SphinxPool
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.parts import Recognition
from agentaudio.sound.audio import Audio


class SphinxRecogniser:
    """A Recogniser (see agentaudio.model.parts) of US English, without weights to download.

    The hint matters: its sentences become a language model, which is mixed with the general one.
    phonemes, domain_weight, processes: see SphinxPool
    """

    languages = ("en",)
    max_audio_s = LONGEST_AUDIO_S

    def __init__(
        self, phonemes: Phonemes | None = None, *, domain_weight: float = DOMAIN_WEIGHT, processes: int = 2
    ) -> None:
        self._pool = SphinxPool(phonemes, domain_weight=domain_weight, processes=processes)

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        """Recognise a whole sound; see Recogniser. The text is in lower case, without punctuation."""
        words = await asyncio.to_thread(self._pool.recognise, audio, hint)
        return Recognition(words.text, words.confidence, "en" if words.text else None)

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        """Recognise a sound when it has ended. PocketSphinx gives no partial results here."""
        yield await self.recognise(Audio.concat([piece async for piece in sound]), language=language, hint=hint)

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        """Start a process and compile the language model of the hint."""
        await asyncio.to_thread(self._pool.prepare, hint)

    async def aclose(self) -> None:
        """End the processes."""
        await asyncio.to_thread(self._pool.close)


def load(argument: str | None, *, domain_weight: float = DOMAIN_WEIGHT, processes: int = 2) -> SphinxRecogniser:
    """The entry point `sphinx`; eSpeak NG gives the pronunciation of names when it is installed.

    domain_weight: of the language model of the hint, above 0 and up to 1
    processes: number of sounds recognised at the same time
    """
    if argument is not None:
        raise OptionError(f"recogniser 'sphinx' takes no argument, but was given {argument!r}; write 'sphinx'")
    return SphinxRecogniser(Espeak().phonemes, domain_weight=domain_weight, processes=processes)
