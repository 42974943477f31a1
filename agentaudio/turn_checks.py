"""`TurnChecks`: the checks of one turn, between the model and the listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from agentaudio.checks import Judgement, Stop, judge
from agentaudio.conversation import AudioPart, Part, TextPart
from agentaudio.deltas import checked
from agentaudio.errors import CheckError
from agentaudio.model.parts import Recognises, Speaks
from agentaudio.model.speech_lm import (
    CallDelta,
    CitationDelta,
    Delta,
    End,
    GenerateOptions,
    Heard,
    ReferenceVoice,
    TextDelta,
    UnspokenDelta,
)
from agentaudio.model.spoken import spoken
from agentaudio.record import Record
from agentaudio.setup import SessionState, Setup
from agentaudio.sound.audio import Audio
from agentaudio.speech_gate import SpeechGate

WITHHELD = "(The user's words were withheld by a check.)"
"""What the conversation holds in the place of words that a check has refused."""

AT_ONCE = 16
"""Number of earlier words of the user that are checked at the same time."""

Begin = Callable[[GenerateOptions], AsyncGenerator[Delta, None]]
"""Begins the generation, with these options."""
Speak = Callable[[AsyncGenerator[Delta, None]], AsyncGenerator[Delta, None]]


@dataclass(frozen=True, slots=True)
class Talk:
    """What checks need of a turn.

    place: replaces a part of what the user said; None removes the part
    heard: takes the user's words, once they are recognised
    """

    place: Callable[[Part, Part | None], None]
    heard: Callable[[Heard], Awaitable[None]]


class TurnChecks:
    """Reads the user's words before the model does, and the model's words before anybody does.

    progressed: called for each delta of the model, which may be held afterwards
    """

    def __init__(
        self,
        setup: Setup,
        state: SessionState,
        record: Record,
        talk: Talk,
        *,
        progressed: Callable[[Delta], None],
    ) -> None:
        self._setup, self._state, self._record = setup, state, record
        self._place, self._heard = talk.place, talk.heard
        self._progressed = progressed
        self._awaited: list[AudioPart] = []  # sounds of the user whose words only the model will know
        self._speak: Speak | None = None  # gives sound to words that are not spoken by the stages that follow

    async def deltas(
        self, begin: Begin, *, voice: ReferenceVoice | None, options: GenerateOptions, is_first: bool
    ) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of a generation, as far as the checks allow. Its calls come last.

        When the model can speak given words, it is asked for words only, and those that are approved are spoken.

        is_first: whether the model reads words of the user for the first time

        Raises CheckError when a check fails, and for sound whose words no check can read.
        """
        model, speak = self._setup.model, None
        if isinstance(model, Speaks) and options.speak and model.capabilities.voices != "none":
            speak = partial(_aloud, model, voice=voice, options=options)
        speaks_last = speak is not None and bool(self._setup.output_checks)
        self._speak = None if speaks_last else speak
        refused = await self._read(options) if is_first and self._setup.input_checks else None
        if refused is not None:
            answer = self._said(refused)
        elif speaks_last:
            answer = self._approved(self._answer(begin, replace(options, speak=False)))
        elif self._setup.output_checks:
            answer = self._approved(self._answer(begin, options))
        else:
            answer = self._answer(begin, options)
        if speak is not None and speaks_last:
            # Its sound has the limits that the model's own would have.
            answer = checked(model, speak(answer), options, limits=self._setup.limits, used_ids=set())
        async with aclosing(answer):
            async for delta in answer:
                yield delta

    async def _read(self, options: GenerateOptions) -> Stop | None:
        """Check what the user said, and earlier words that no check has read.

        Returns what is said in place of an answer when the latest words are refused.
        """
        unheard = [part for part in self._asked if isinstance(part, AudioPart) and part.transcript is None]
        latest = self._state.conversation.unanswered
        if unheard and isinstance(self._setup.model, Recognises):
            await self._recognise(self._setup.model, unheard, options)
            latest = self._state.conversation.unanswered
        elif any(not _holds(latest, part) for part in unheard):
            raise CheckError("an earlier sound of the user has no words that an input check can read; transcribe it")
        else:
            self._awaited = unheard
        words = [(part, text) for part in self._asked if (text := _text(part)) and text != WITHHELD]
        unknown = list(dict.fromkeys(text for _, text in words if text not in self._state.judged))
        for start in range(0, len(unknown), AT_ONCE):
            try:
                async with asyncio.TaskGroup() as tasks:
                    for text in unknown[start : start + AT_ONCE]:
                        tasks.create_task(self._judged(text))
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
        refused: Judgement | None = None
        for part, text in words:
            found = await self._judged(text)
            if found.stop is not None:
                self._place(part, TextPart(WITHHELD))
                refused = refused or (found if _holds(latest, part) else None)
            elif found.text != text:
                self._place(part, TextPart(found.text))
        return None if refused is None else self._stop(refused)

    @property
    def _asked(self) -> list[Part]:
        return [part for message in self._state.conversation if message.role == "user" for part in message.parts]

    async def _recognise(self, model: Recognises, unheard: Sequence[AudioPart], options: GenerateOptions) -> None:
        """Let the model recognise sounds of the user before it answers."""
        tools = self._setup.specs() if self._setup.tools else ()
        latest = self._state.conversation.unanswered
        words, sure = list[str](), list[float]()
        for part in unheard:
            found = await model.recognise(part.audio, tools=tools, language=options.language)
            if _holds(latest, part):
                words.append(found.text)
                sure += [] if found.confidence is None else [found.confidence]
            else:
                self._place(part, AudioPart(part.audio, found.text))
        if words:
            await self._heard(Heard(" ".join(words), min(sure, default=None)))

    async def _judged(self, text: str) -> Judgement:
        """The verdict on words of the user, each asked for once in a session."""
        known = self._state.judged
        if text not in known:
            found = await judge("input", self._setup.input_checks, text)
            if found.stop is None and not found.text.strip():
                raise CheckError("an input check has left nothing of the user's words; return a Stop to refuse them")
            known[text] = found
            known.setdefault(found.text, found)
        return known[text]

    async def _answer(self, begin: Begin, options: GenerateOptions) -> AsyncGenerator[Delta, None]:
        """The generation, held until the user's words are known; begun again when a check replaces them."""
        is_over = False
        while not is_over:
            is_over = True
            held: list[Delta] = []
            async with aclosing(begin(options)) as deltas:
                async for delta in deltas:
                    self._progressed(delta)
                    if not self._awaited or (isinstance(delta, Heard) and not delta.final):
                        yield delta
                    elif isinstance(delta, End):
                        raise CheckError(
                            f"model {self._setup.model.name!r} does not say what it hears, so no input check can read "
                            "it; use a cascade, or a model with a recogniser (routed)"
                        )
                    elif not isinstance(delta, Heard):
                        held.append(delta)
                    else:
                        await self._heard(delta)
                        found = await self._judged(delta.text) if delta.text.strip() else Judgement(delta.text)
                        self._take_words(found, delta.text)
                        if found.stop is not None:
                            async for said in self._said(self._stop(found)):
                                yield said
                            return
                        if found.text != delta.text:
                            is_over = False
                            break
                        for one in held:
                            yield one

    def _take_words(self, found: Judgement, heard: str) -> None:
        """The awaited words were judged: where they were refused or replaced, the sound goes."""
        awaited, self._awaited = self._awaited, []
        if found.stop is None and found.text == heard:
            return
        new: Part | None = TextPart(WITHHELD if found.stop is not None else found.text)
        for part in self._state.conversation.unanswered:
            if isinstance(part, AudioPart) and any(part.audio is one.audio for one in awaited):
                self._place(part, new)
                new = None

    async def _approved(self, answer: AsyncGenerator[Delta, None]) -> AsyncGenerator[Delta, None]:
        """The answer, with words that the output checks approve."""
        gate = SpeechGate(words_lead=self._setup.model.capabilities.words_lead)
        calls: list[CallDelta] = []
        async with aclosing(answer) as deltas:
            async for delta in deltas:
                if self._record.stop is not None:
                    yield delta  # what an input check says
                elif isinstance(delta, CallDelta):
                    calls.append(delta)
                elif isinstance(delta, Heard | CitationDelta | UnspokenDelta):
                    yield delta
                else:
                    for sentence in gate.finish() if isinstance(delta, End) else gate.push(delta):
                        stop = await self._judge_sentence(gate, sentence)
                        if stop is not None:
                            gate.mute()
                            for ready in gate.ready():
                                yield ready
                            async for said in self._said(stop, follows=gate.has_spoken):
                                yield said
                            return
                    if isinstance(delta, End) and gate.has_sound and not gate.has_words:
                        name = self._setup.model.name
                        raise CheckError(f"model {name!r} made sound without words, which no output check can read")
                    for ready in gate.ready():
                        yield ready
                    if isinstance(delta, End):
                        for call in calls:
                            yield call
                        yield delta

    async def _judge_sentence(self, gate: SpeechGate, sentence: str) -> Stop | None:
        """Give the gate the verdict on a sentence; returns a Stop instead."""
        words = sentence.strip()
        found = await judge("output", self._setup.output_checks, words) if words else Judgement(words)
        if found.stop is not None:
            return self._stop(found)
        gate.approve(sentence, sentence if found.text == words else found.text + sentence[len(sentence.rstrip()) :])
        return None

    def _stop(self, found: Judgement) -> Stop:
        assert found.stop is not None
        self._record.stopped("refused", found.by)
        return found.stop

    async def _said(self, stop: Stop, *, follows: bool = False) -> AsyncGenerator[Delta, None]:
        """The words of a check, and the end. follows: words of the answer come before them"""
        deltas = _words(f" {stop.words}" if follows and stop.words else stop.words)
        async with aclosing(self._speak(deltas) if self._speak is not None else deltas) as said:
            async for delta in said:
                yield delta


class _Voice:
    """What `spoken` asks of a synthesiser, done by a speech model that can speak given words."""

    def __init__(self, model: Speaks) -> None:
        self._model = model

    async def prepare(self, voice: ReferenceVoice | None) -> ReferenceVoice | None:
        await self._model.prepare(voice)
        return voice

    def speak(
        self, text: AsyncIterator[str], state: ReferenceVoice | None, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        return self._model.say(text, voice=state, language=language)


async def _aloud(
    model: Speaks, answer: AsyncGenerator[Delta, None], *, voice: ReferenceVoice | None, options: GenerateOptions
) -> AsyncGenerator[Delta, None]:
    """The deltas of an answer in words, with their sound."""
    async with aclosing(answer), aclosing(spoken(_Voice(model), answer, voice, language=options.language)) as deltas:
        async for delta in deltas:
            yield delta


async def _words(text: str) -> AsyncGenerator[Delta, None]:
    if text:
        yield TextDelta(text)
    yield End()


def _text(part: Part) -> str | None:
    return part.text if isinstance(part, TextPart) else part.transcript if isinstance(part, AudioPart) else None


def _holds(parts: Sequence[Part], part: Part) -> bool:
    return any(part is one for one in parts)
