"""`KokoroSynthesiser`: Kokoro-82M, phrase by phrase, in a stock style or moved towards a reference voice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np

from agentaudio.errors import BackendError, MissingExtra, OptionError, VoiceError
from agentaudio.model.kokoro.network import KokoroNetwork
from agentaudio.model.kokoro.phrases import SafePhrases
from agentaudio.model.kokoro.pronunciation import Pronunciation, Said
from agentaudio.model.kokoro.short_phrases import TAIL, followed, pace
from agentaudio.model.kokoro.spoken import CLAUSE_MARKS, SAMPLE_RATE_HZ, Spoken
from agentaudio.model.kokoro.voice import KokoroVoice
from agentaudio.model.kokoro.voices import KokoroVoices
from agentaudio.model.parts import SynthesiserVoices
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.timbre import WorldTimbre
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import from_dbfs, peak
from agentaudio.sound.loudness import loudness
from agentaudio.weights.store import folder

log = logging.getLogger(__name__)

OWN_STYLE = "af_heart"
SLOWEST, FASTEST = 0.5, 2.0
LOUDNESS_LUFS = -21.0
LOUDEST_PEAK = 0.95
SENTENCE_PAUSE_S, CLAUSE_PAUSE_S, OTHER_PAUSE_S = 0.3, 0.1, 0.02
"""Silence between two phrases, by the end of the first; the phrases themselves end and begin with 45 ms."""


class KokoroSynthesiser:
    """A Synthesiser (see agentaudio.model.parts) on Kokoro-82M, 24 kHz.

    network: makes the sound
    pronunciation: makes the symbols of a text
    voices: makes and keeps the states of reference voices
    speed: 1 is a style's own; SLOWEST to FASTEST

    Raises OptionError for another speed.
    """

    voices: SynthesiserVoices = "moves"
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(
        self, network: KokoroNetwork, pronunciation: Pronunciation, voices: KokoroVoices, *, speed: float = 1.0
    ) -> None:
        if not SLOWEST <= speed <= FASTEST:
            raise OptionError(f"a speed of {speed:g} cannot be spoken; give {SLOWEST:g} to {FASTEST:g}")
        self._network, self._pronunciation, self._voices, self._speed = network, pronunciation, voices, speed

    @property
    def languages(self) -> tuple[str, ...]:
        return self._pronunciation.languages

    async def prepare(self, voice: ReferenceVoice | None) -> KokoroVoice:
        """The state of a voice: see KokoroVoices.get. Raises what it raises."""
        return await asyncio.to_thread(self._voices.get, voice)

    async def speak(
        self, text: AsyncIterator[str], state: KokoroVoice, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text while it arrives, phrase by phrase; see Synthesiser.

        Raises BackendError when the weights are missing or damaged, or when a phrase cannot be spoken.
        """
        phrases, utterance = SafePhrases(language), _Utterance(self, state, language)
        async for piece in text:
            for phrase in phrases.push(piece):
                yield await asyncio.to_thread(utterance.next, phrase)
        for phrase in phrases.finish():
            yield await asyncio.to_thread(utterance.next, phrase)

    def unspoken(self, text: str) -> tuple[str, ...]:
        """The words of a text that it cannot speak: see NamesUnspoken."""
        return self._pronunciation.unspoken(text)

    async def warm_up(self) -> None:
        """Load the weights, both lexicons and WORLD, and speak once."""
        await asyncio.to_thread(self._warm_up)

    def _warm_up(self) -> None:
        text = "One moment, please."
        spoken = self.say(text, self._voices.get(None))
        with contextlib.suppress(VoiceError, MissingExtra):  # too short at a high speed; no WORLD for a stock style
            WorldTimbre(spoken)
        self._pronunciation(text, is_british=True)

    async def aclose(self) -> None:
        """Nothing runs between two utterances; the weights are freed with this object."""

    def say(self, phrase: str, state: KokoroVoice, language: str | None = None) -> Audio:
        """The sound of one phrase, without pauses around it; empty when there is nothing to say.

        It takes a second or so: call it in a thread. Raises what `speak` raises.
        """
        parts = []
        for said in self._pronunciation(phrase, language=language, is_british=state.is_british):
            spoken = self._whole(said, state)
            moved = state.moved(Audio(spoken.trimmed(), SAMPLE_RATE_HZ), said.language).resample(SAMPLE_RATE_HZ)
            parts.append(_levelled(moved.samples))
        return Audio(np.concatenate(parts) if parts else np.zeros(0, np.float32), SAMPLE_RATE_HZ)

    def _whole(self, said: Said, state: KokoroVoice) -> Spoken:
        """What the network makes of symbols: a broken sound is made again, and then in the synthesiser's own style."""
        style, own = state.speaker(said.language).style, self._voices.get(None).speaker(said.language).style
        text, speed = said.phonemes, self._speed
        if said.language == "en":
            text = followed(text)
            speed = min(FASTEST, speed * pace(len(text))) if text == said.phonemes else speed
        for attempt, more in ((style, 0), (style, OTHER_ROW), (own, 0)):
            spoken = self._network.run(text, attempt.row(len(text) + more), speed)
            if text != said.phonemes:
                spoken = spoken.without(TAIL)
            if not spoken.is_broken(speed):
                return spoken
            seconds = len(spoken.samples) / SAMPLE_RATE_HZ
            log.warning("Kokoro spoke %r in %.2f s, which cannot be right; it is spoken again", said.phonemes, seconds)
        raise BackendError(f"Kokoro cannot speak {said.phonemes!r}; say it in other words")


OTHER_ROW = 40
"""Symbols that the second attempt at a phrase counts on top, which gives it a slightly different style."""


class _Utterance:
    """The phrases of one utterance, with the pauses between them."""

    def __init__(self, synthesiser: KokoroSynthesiser, state: KokoroVoice, language: str | None) -> None:
        self._synthesiser, self._state, self._language = synthesiser, state, language
        self._pause_s = 0.0

    def next(self, phrase: str) -> Audio:
        """The pause after the phrase before, and the sound of the next one."""
        sound = self._synthesiser.say(phrase, self._state, self._language)
        if not len(sound):
            return sound
        pause = Audio.silence(self._pause_s, SAMPLE_RATE_HZ)
        self._pause_s = _pause_after(phrase)
        return Audio.concat([pause, sound])


def _pause_after(phrase: str) -> float:
    last = phrase.rstrip("\"')]}”’»」』）】》 ")[-1:]
    if last in CLAUSE_MARKS or last in "，、；：-–":
        return CLAUSE_PAUSE_S
    return SENTENCE_PAUSE_S if last and not last.isalnum() else OTHER_PAUSE_S


def _levelled(samples: np.ndarray) -> np.ndarray:
    """The sound at LOUDNESS_LUFS; peaks above LOUDEST_PEAK are rounded off."""
    level = loudness(samples, SAMPLE_RATE_HZ)
    if not np.isfinite(level):
        return samples
    louder = samples * from_dbfs(LOUDNESS_LUFS - level)
    if peak(louder) <= LOUDEST_PEAK:
        return louder.astype(np.float32)
    knee = 0.7
    over = np.abs(louder) > knee
    room = LOUDEST_PEAK - knee
    louder[over] = np.sign(louder[over]) * (knee + room * np.tanh((np.abs(louder[over]) - knee) / room))
    return louder.astype(np.float32)


def load(argument: str | None, *, speed: float = 1.0, threads: int = 1) -> KokoroSynthesiser:
    """The entry point `kokoro`.

    argument: name of the stock style that speaks where no voice is given; None is OWN_STYLE
    speed: 1 is a style's own; SLOWEST to FASTEST
    threads: of the CPU, for one phrase

    Raises OptionError for an unknown style and for options out of range, WeightsMissing when the weights `kokoro`
    or `misaki` are not on this machine.
    """
    if not 1 <= threads <= 64:
        raise OptionError(f"threads is {threads}; give a whole number from 1 to 64")
    network = KokoroNetwork(folder("kokoro"), threads=threads)
    voices = KokoroVoices(argument or OWN_STYLE, network)
    return KokoroSynthesiser(network, Pronunciation(folder("misaki")), voices, speed=speed)
