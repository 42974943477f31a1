"""`Embedded`: hear, route, call, answer, speak - each part replaceable, none of them a language model."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from uuid import uuid4

from agentaudio.conversation import AudioPart, Conversation, Message, ToolCall, ToolOutput, ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.embedded.answering.answer import VOICE_TOOL, Answer, answer
from agentaudio.model.embedded.answering.small_talk import not_understood, small_talk
from agentaudio.model.embedded.hearing.recogniser import Recogniser, Recognition, SphinxRecogniser
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.model.embedded.routing.expectations import expected_sentences
from agentaudio.model.embedded.routing.router import Route, Router
from agentaudio.model.embedded.speaking.phrasing import phrases
from agentaudio.model.embedded.speaking.synthesiser import EspeakSynthesiser, Synthesiser
from agentaudio.model.embedded.speaking.timbre import TimbreTransfer, WorldTimbre
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    Capabilities,
    CitationDelta,
    Delta,
    End,
    GenerateOptions,
    Heard,
    ReferenceVoice,
    TextDelta,
)
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream
from agentaudio.text.sentence_embedder import SentenceEmbedder
from agentaudio.text.spoken_form import spoken_form

SAMPLE_RATE_HZ = 16_000
MAX_AUDIO_S = 60.0
VOICES_KEPT = 8


class Embedded:
    """A SpeechLM made of small parts: PocketSphinx, a router, eSpeak NG, and WORLD for the voice.

    It understands spoken English about what its tools do, answers in words taken from what they
    return, and says so when it did not understand.

    recogniser, router, synthesiser: other parts in place of its own
    timbre: makes a TimbreTransfer from a reference clip
    """

    name = "embedded"
    capabilities = Capabilities(
        hears=True, voices="any", calls_tools=True, cites=True,
        sample_rate_hz=SAMPLE_RATE_HZ, max_audio_s=MAX_AUDIO_S,
        languages=("en",), options=frozenset({"language"}),
    )  # fmt: skip

    def __init__(
        self,
        *,
        recogniser: Recogniser | None = None,
        router: Router | None = None,
        synthesiser: Synthesiser | None = None,
        timbre: Callable[[Audio], TimbreTransfer] = WorldTimbre,
    ) -> None:
        self._embed = SentenceEmbedder()
        self._synthesiser = synthesiser or EspeakSynthesiser()
        phonemes = self._synthesiser.phonemes if isinstance(self._synthesiser, EspeakSynthesiser) else None
        self._recogniser = recogniser or SphinxRecogniser(phonemes)
        self._router = router or Router(self._embed)
        self._new_timbre = timbre
        self._timbres: OrderedDict[str, TimbreTransfer] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        if self._closed:
            raise BackendError("this embedded engine was closed; load it again")
        user = conversation.last_user
        if user is None:
            raise BackendError("there is nothing to answer: the conversation has no user message yet")
        outputs = conversation.last_outputs
        if outputs:
            composed = await asyncio.to_thread(self._answer, user.text, outputs, tools)
            async for delta in self._say(composed, voice, options):
                yield delta
            yield End()
            return
        heard = await asyncio.to_thread(self._hear, user, tools)
        if heard is not None:
            yield Heard(heard.text, heard.confidence)
        text = user.text if heard is None else heard.text
        routes = await asyncio.to_thread(self._router.route, text, tools) if text else []
        calls = [route for route in routes if route.tool is not None and not route.missing]
        if calls:
            for route in calls:
                yield CallDelta(ToolCall(f"call_{uuid4().hex[:12]}", str(route.tool), route.arguments))
            yield End("tool_calls")
            return
        async for delta in self._say(Answer(_without_tools(text, routes, tools), ()), voice, options):
            yield delta
        yield End()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Start the workers, load the models and compile the language model of these tools."""
        await asyncio.to_thread(self._warm_up, tools)

    def _warm_up(self, tools: Sequence[ToolSpec]) -> None:
        self._synthesiser.speak("ready")
        self._router.route("hello", tools)
        self._recogniser.prepare(expected_sentences(tools))

    async def aclose(self) -> None:
        """End the worker processes."""
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._synthesiser.close()
        self._recogniser.close()

    def _answer(self, text: str, outputs: Sequence[ToolOutput], tools: Sequence[ToolSpec]) -> Answer:
        """Answer what was asked, apart from the voice that it was to be answered in."""
        parts = clauses(text)
        if len(parts) > 1 and any(output.name == VOICE_TOOL for output in outputs):
            parts = [part for part in parts if self._router.route(part, tools)[0].tool != VOICE_TOOL] or parts
            text = " ".join(parts)
        return answer(text, outputs, self._embed)

    def _hear(self, user: Message, tools: Sequence[ToolSpec]) -> Recognition | None:
        """What was said; None for a written message."""
        sounds = [part.audio for part in user.parts if isinstance(part, AudioPart) and part.transcript is None]
        if not sounds:
            return None
        return self._recogniser.recognise(Audio.concat(sounds), expected_sentences(tools))

    async def _say(
        self, composed: Answer, voice: ReferenceVoice | None, options: GenerateOptions
    ) -> AsyncGenerator[Delta, None]:
        """Phrase by phrase: the words, then their sound, so that the first is heard while the rest is made."""
        for citation in composed.citations:
            yield CitationDelta(citation)
        sound = PcmStream(SAMPLE_RATE_HZ)
        for number, piece in enumerate(phrases(composed.text)):
            yield TextDelta(piece if number == 0 else " " + piece)
            if options.speak:
                audio = await asyncio.to_thread(self._speak, piece, voice, sound)
                if audio:
                    yield AudioDelta(audio)
        if rest := sound.finish():
            yield AudioDelta(rest)

    def _speak(self, piece: str, voice: ReferenceVoice | None, sound: PcmStream) -> Audio:
        """Speak a phrase into the stream of the answer; return what comes out of it."""
        if voice is None:
            return sound.push(self._synthesiser.speak(spoken_form(piece)))
        timbre = self._timbre_of(voice)
        return sound.push(timbre.apply(self._synthesiser.speak(spoken_form(piece), pitch_hz=timbre.pitch_hz)))

    def _timbre_of(self, voice: ReferenceVoice) -> TimbreTransfer:
        clip = voice.clip
        key = f"{voice.id} {hash(clip)}"
        with self._lock:
            if key not in self._timbres:
                self._timbres[key] = self._new_timbre(clip)
                while len(self._timbres) > VOICES_KEPT:
                    self._timbres.popitem(last=False)
            self._timbres.move_to_end(key)
            return self._timbres[key]


def _without_tools(text: str, routes: Sequence[Route], tools: Sequence[ToolSpec]) -> str:
    """What to say when nothing is called: ask for what is missing, chat, or admit it."""
    for route in routes:
        if route.tool is not None and route.missing:
            return f"I need to know the {' and the '.join(name.replace('_', ' ') for name in route.missing)} for that."
    if any(route.kind == "chat" for route in routes):
        return small_talk(text, tools)
    return not_understood(text, tools)


def load(argument: str | None) -> Embedded:
    """The entry point `embedded`. Raises OptionError for an argument: there is only one embedded engine."""
    if argument is not None:
        raise OptionError(f"model 'embedded' takes no argument, but was given {argument!r}; write 'embedded'")
    return Embedded()
