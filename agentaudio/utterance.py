"""`Utterance`: one text that is spoken phrase by phrase, by a speech model or a synthesiser."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agentaudio.errors import AgentAudioError, BackendError, ConsentError, OptionError
from agentaudio.model.cascade.cascade import IMITATIONS
from agentaudio.model.parts import NamesUnspoken, Speaks, SpeaksByRules, Synthesiser
from agentaudio.model.speech_lm import Capabilities, Imitation, ReferenceVoice, SpeechLM, SpeechMade
from agentaudio.phrase_sound import JoinedPhrases, PhraseCheck, Seams
from agentaudio.sound.audio import Audio

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A phrase whose sound was broken.

    problem: what was wrong with it
    remedy: "again" when it is said once more, "own voice" when the synthesiser's own voice says it, "left out" when
        words of it are not spoken
    """

    phrase: str
    problem: str
    remedy: Literal["again", "own voice", "left out"]


class Mouth(Protocol):
    """What speaks. name, takes_voices, imitates, languages, sample_rate_hz, speech: of it"""

    name: str
    takes_voices: bool
    imitates: Imitation | None
    languages: tuple[str, ...]
    sample_rate_hz: int
    speech: SpeechMade

    async def prepare(self, voice: ReferenceVoice | None) -> Any:
        """What `say` needs to speak in a voice."""

    def say(self, phrase: str, state: Any, language: str | None) -> AsyncGenerator[Audio, None]:
        """The sound of a phrase."""

    def unspoken(self, phrase: str) -> tuple[str, ...]:
        """The words of a phrase that cannot be spoken, as far as that is known."""


def mouth_of(source: SpeechLM | Synthesiser[Any]) -> Mouth:
    """What speaks for a source. Raises OptionError for a model that cannot speak given words."""
    if not isinstance(source, SpeechLM):
        return _Part(source)
    if not isinstance(source, Speaks):
        raise OptionError(
            f"model {source.name!r} cannot speak given words; use a cascade, such as 'embedded', or a synthesiser"
        )
    return _Model(source.capabilities, source, source.name)


class _Model:
    """A speech model that can speak given words."""

    def __init__(self, able: Capabilities, model: Speaks, name: str) -> None:
        self._model, self.name = model, f"model {name!r}"
        self.takes_voices, self.imitates = able.voices == "any", able.imitates
        self.languages, self.sample_rate_hz = able.languages, able.sample_rate_hz
        self.speech: SpeechMade = able.speech

    async def prepare(self, voice: ReferenceVoice | None) -> ReferenceVoice | None:
        await self._model.prepare(voice)
        return voice

    def say(self, phrase: str, state: ReferenceVoice | None, language: str | None) -> AsyncGenerator[Audio, None]:
        return self._model.say(phrase, voice=state, language=language)

    def unspoken(self, phrase: str) -> tuple[str, ...]:
        return self._model.unspoken(phrase) if isinstance(self._model, NamesUnspoken) else ()


class _Part:
    """A synthesiser."""

    def __init__(self, synthesiser: Synthesiser[Any]) -> None:
        self._synthesiser = synthesiser
        self.name = "the synthesiser"
        self.takes_voices, self.imitates = synthesiser.voices != "fixed", IMITATIONS.get(synthesiser.voices)
        self.languages, self.sample_rate_hz = synthesiser.languages, synthesiser.sample_rate_hz
        self.speech: SpeechMade = "rules" if isinstance(synthesiser, SpeaksByRules) else "trained"

    async def prepare(self, voice: ReferenceVoice | None) -> Any:
        return await self._synthesiser.prepare(voice)

    def say(self, phrase: str, state: Any, language: str | None) -> AsyncGenerator[Audio, None]:
        return self._synthesiser.speak(pieces_of(phrase), state, language=language)

    def unspoken(self, phrase: str) -> tuple[str, ...]:
        return self._synthesiser.unspoken(phrase) if isinstance(self._synthesiser, NamesUnspoken) else ()


class Utterance:
    """One text, phrase by phrase."""

    def __init__(
        self,
        mouth: Mouth,
        voice: ReferenceVoice | None,
        language: str | None,
        noticed: Callable[[Trouble], None],
    ) -> None:
        self._mouth, self._voice, self._language, self._noticed = mouth, voice, language, noticed
        self._seams, self._before = Seams(), ""
        self._states: dict[bool, Any] = {}  # what `prepare` returned, for the own voice or not

    async def spoken(self, text: str | AsyncIterable[str]) -> AsyncGenerator[Audio, None]:
        """The sounds of a text. Raises as `Speaker.speak` does."""
        async with contextlib.aclosing(_phrases(text, self._language)) as phrases:
            async for phrase in phrases:
                if words := self._mouth.unspoken(phrase):
                    log.warning("%s cannot speak %s, which is left out", self._mouth.name, ", ".join(words))
                    self._noticed(Trouble(phrase, f"it cannot speak {', '.join(words)}", "left out"))
                    if set(re.findall(r"[^\W_]+", phrase)) <= set(words):
                        continue
                async with contextlib.aclosing(self._phrase(phrase)) as sounds:
                    async for sound in sounds:
                        yield sound
        if not self._before:
            raise OptionError("the text holds no word that can be spoken; write one")

    async def _phrase(self, phrase: str) -> AsyncGenerator[Audio, None]:
        """The sounds of a phrase, until one attempt at it is whole."""
        problem = ""
        for attempt, is_own in enumerate((self._voice is None, self._voice is None, True)):
            if attempt:
                log.warning("the sound of %r is broken: %s", phrase, problem)
                self._noticed(Trouble(phrase, problem, "own voice" if is_own and self._voice else "again"))
            self._seams.begin(self._before or None)
            check = PhraseCheck(phrase)
            try:
                async with contextlib.aclosing(self._said(phrase, is_own)) as sounds:
                    async for sound in sounds:
                        for held in check.take(sound):
                            if len(joined := self._seams.join(held)):
                                yield joined
                        if check.is_too_long:
                            break
            except (ConsentError, OptionError):
                raise
            except (AgentAudioError, MemoryError) as error:
                problem = str(error) or type(error).__name__
                continue
            if not (problem := check.problem):
                for held in check.rest():
                    if len(joined := self._seams.join(held)):
                        yield joined
                self._before = phrase
                return
        raise BackendError(f"{self._mouth.name} cannot speak {phrase!r}: {problem}")

    async def _said(self, phrase: str, is_own: bool) -> AsyncGenerator[Audio, None]:
        voice = None if is_own else self._voice
        await require_permit(voice)
        if is_own not in self._states:
            self._states[is_own] = await self._mouth.prepare(voice)
        async with contextlib.aclosing(self._mouth.say(phrase, self._states[is_own], self._language)) as sounds:
            async for sound in sounds:
                yield sound


async def require_permit(voice: ReferenceVoice | None) -> None:
    """Raises ConsentError when a voice may not be used now."""
    refusal = None if voice is None else await asyncio.to_thread(voice.permit.refusal)
    if voice is not None and refusal is not None:
        raise ConsentError(f"voice {voice.id!r} may not be spoken in: {refusal}; choose another voice")


async def pieces_of(text: str | AsyncIterable[str]) -> AsyncGenerator[str, None]:
    if isinstance(text, str):
        yield text
        return
    async for piece in text:
        yield piece


async def _phrases(text: str | AsyncIterable[str], language: str | None) -> AsyncGenerator[str, None]:
    phrases = JoinedPhrases(language)
    async for piece in pieces_of(text):
        for phrase in phrases.push(piece):
            yield phrase
    for phrase in phrases.finish():
        yield phrase
