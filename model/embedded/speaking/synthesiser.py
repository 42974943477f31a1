"""`EmbeddedSynthesiser`: eSpeak NG, phrase by phrase, moved towards a reference voice with WORLD."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from agentaudio.errors import OptionError
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.parts import SynthesiserVoices
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.timbre import SAMPLE_RATE_HZ, OwnTimbre, TimbreTransfer, WorldTimbreMaker
from agentaudio.model.voice_states import StateMaker, VoiceStates
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream
from agentaudio.text.phrases import SpokenPhrases


class EmbeddedSynthesiser:
    """A Synthesiser (see agentaudio.model.parts) that speaks English and moves towards a reference voice.

    espeak: speaks the words
    timbres: makes the timbre of a reference voice
    """

    voices: SynthesiserVoices = "moves"
    by_rules = "eSpeak NG"
    sample_rate_hz = SAMPLE_RATE_HZ
    languages = ("en",)

    def __init__(self, espeak: Espeak | None = None, *, timbres: StateMaker[TimbreTransfer] | None = None) -> None:
        self._espeak = espeak or Espeak()
        self._timbres: VoiceStates[TimbreTransfer] = VoiceStates(timbres or WorldTimbreMaker())

    async def prepare(self, voice: ReferenceVoice | None) -> TimbreTransfer:
        """The timbre of a voice, kept in memory; None is eSpeak's own.

        Raises ConsentError when the voice may not be used, VoiceError for less than half a second of
        voiced speech, MissingExtra without the extra `embedded`.
        """
        return OwnTimbre() if voice is None else await asyncio.to_thread(self._timbres.get, voice)

    async def speak(
        self, text: AsyncIterator[str], state: TimbreTransfer, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text while it arrives, phrase by phrase; see Synthesiser.

        Raises MissingExtra without the extra `espeak`, BackendError when eSpeak NG fails twice.
        """
        phrases, sound = SpokenPhrases("en"), PcmStream(self.sample_rate_hz)
        async for piece in text:
            for phrase in phrases.push(piece):
                yield await asyncio.to_thread(self._speak, phrase, state, sound)
        for phrase in phrases.finish():
            yield await asyncio.to_thread(self._speak, phrase, state, sound)
        yield sound.finish()

    async def warm_up(self) -> None:
        """Start eSpeak NG."""
        await asyncio.to_thread(self._espeak.speak, "ready")

    async def aclose(self) -> None:
        """End the process of eSpeak NG."""
        await asyncio.to_thread(self._espeak.close)

    def _speak(self, phrase: str, timbre: TimbreTransfer, sound: PcmStream) -> Audio:
        """Speak a phrase into the stream of the utterance; returns the sound that leaves it."""
        return sound.push(timbre.apply(self._espeak.speak(phrase, pitch_hz=timbre.pitch_hz)))


def load(argument: str | None) -> EmbeddedSynthesiser:
    """The entry point `espeak`. Raises OptionError for an argument."""
    if argument is not None:
        raise OptionError(f"synthesiser 'espeak' takes no argument, but was given {argument!r}; write 'espeak'")
    return EmbeddedSynthesiser()
