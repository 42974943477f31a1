"""`ServedStepAudio2`: Step-Audio 2 on a server, as a speech model for agents."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.openai.messages import tool_list
from agentaudio.model.openai.progress import PROGRESS_TIMEOUT_S, progressing
from agentaudio.model.speech_lm import (
    Capabilities,
    Delta,
    End,
    GenerateOptions,
    ReferenceVoice,
    TokensDelta,
)
from agentaudio.model.step_audio_2.language.dialect import Language
from agentaudio.model.step_audio_2.language.framing import Framed, framed
from agentaudio.model.step_audio_2.language.interleave import Mode
from agentaudio.model.step_audio_2.language.messages import START
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder, check_sounds
from agentaudio.model.step_audio_2.language.segments import Prompt
from agentaudio.model.step_audio_2.served.answer import ServedAnswer
from agentaudio.model.step_audio_2.served.counting import RoughVocabulary
from agentaudio.model.step_audio_2.served.messages import SERVER_DIALECTS, Messages
from agentaudio.model.step_audio_2.served.server import CONTEXT, SERVE_IT, ModelServer, ServedModel
from agentaudio.model.step_audio_2.served.voicing import Voicing
from agentaudio.model.step_audio_2.settings import OPTIONS, longest_sound_s, sampling_and_limit
from agentaudio.model.step_audio_2.tasks import Tasks
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.speaking import VoiceMaker
from agentaudio.model.step_audio_2.tokens import TokenIds, Vocabulary

log = logging.getLogger(__name__)


class ServedStepAudio2(Tasks):
    """A SpeechLM that asks a server which runs Step-Audio 2, and makes sound of its speech tokens here or elsewhere.

    Prompts, tools and settings are those of `StepAudio2`, which runs the model in this process. Nothing of a
    conversation is kept on the server but its prefix cache.

    server: with the model
    speech: makes the sound; None emits speech tokens alone, or the sound of a server that makes it
    vocabulary: of the checkpoint; None reads answers by their spelling, see `ServedAnswer`
    speaks_itself: the server makes the sound where `speech` is None
    calls_tools: False for a server that cannot be given tools
    language: of the system prompt and the tool descriptions, zh or en; None for the user's, see `users_language`
    max_tokens: of an answer where the options have no limit; None is the authors' 2,048 (4,096 with tools)
    progress_timeout_s: longest wait for words, speech or calls
    """

    name = "step-audio-2"

    def __init__(
        self,
        server: ModelServer,
        *,
        speech: VoiceMaker | None = None,
        vocabulary: Vocabulary | None = None,
        speaks_itself: bool = False,
        calls_tools: bool = True,
        language: Language | None = None,
        max_tokens: int | None = None,
        progress_timeout_s: float = PROGRESS_TIMEOUT_S,
    ) -> None:
        self._server = server
        self.speech = speech
        self._vocabulary = vocabulary
        self._speaks_itself = speaks_itself and speech is None
        self._prompts = PromptBuilder(vocabulary or RoughVocabulary())
        self._prompts_lock = threading.Lock()
        self._language: Language | None = language
        self._max_tokens = max_tokens
        self._progress_timeout_s = progress_timeout_s
        self._running: set[asyncio.Queue[Delta | Exception | None]] = set()
        self._closed = self._warned = False
        self.capabilities = Capabilities(
            words_lead=True,
            hears=True,
            voices="any" if speech else "fixed" if speaks_itself else "none",
            imitates="cloned" if speech else None,
            calls_tools=calls_tools,
            sample_rate_hz=SAMPLE_RATE,
            max_audio_s=longest_sound_s(CONTEXT),
            languages=("zh", "en"),
            options=OPTIONS,
        )

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
        verbatim: bool = False,
    ) -> AsyncGenerator[Delta, None]:
        """Answer the conversation so far; see SpeechLM, and `StepAudio2.generate` for `options` and `verbatim`.

        Closing the generator closes the request, so that the server stops, and ends the making of the sound.

        Raises BackendError when the conversation has no user message, and when the server cannot be reached, does not
        serve Step-Audio 2, refuses the request, goes silent, breaks off or sends what cannot be read; AudioError for a
        sound without samples; OptionError for options out of range; and what `speech` raises.
        """
        self._check_open()
        if not any(message.role == "user" for message in conversation):
            raise BackendError("there is nothing to answer: the conversation has no user message; add one")
        check_sounds(conversation)
        body, answer = await self._asked(conversation, tools, options, verbatim)
        queue: asyncio.Queue[Delta | Exception | None] = asyncio.Queue()
        self._running.add(queue)
        maker = self.speech if options.speak else None
        voicing = None if maker is None else Voicing(maker, voice, abs(options.seed or 0), queue.put_nowait)
        reading = asyncio.ensure_future(self._read(body, answer, queue, voicing))
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._running.discard(queue)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            if voicing is not None:
                await voicing.close()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Look up what the server serves, have it read the system message and the tools, and prepare the voice.

        Raises BackendError as `generate` does, for a server that cannot be used.
        """
        self._check_open()
        await self._server.model()
        if self.speech is not None:
            await asyncio.to_thread(self.speech.warm_up)
        conversation = Conversation()
        conversation.add("user", TextPart("."))
        await self.read_ahead(conversation, tools=tools)

    @property
    def context_tokens(self) -> int:
        """Tokens of the longest conversation with its answer, as the server says; 16,384 before it was asked."""
        known = self._server.known
        return CONTEXT if known is None else known.context

    def count_tokens(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> int:
        """Tokens that `generate` would read, sound included; without the tokenizer, an estimate that is rather high."""
        asked = framed(conversation, tools, options, language=self._language)
        reply: Mode = "speech" if options.speak else "text"
        with self._prompts_lock:
            return len(self._prompts.build(asked.conversation, tools, reply=reply, dialect=asked.dialect).ids)

    async def read_ahead(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> None:
        """Have the server read a conversation into its prefix cache, by an answer of one token; see HasContext."""
        if not any(message.role == "user" for message in conversation):
            return
        body, answer = await self._asked(conversation, tools, replace(options, max_tokens=1), verbatim=False)
        async with contextlib.aclosing(self._deltas(body, answer)) as deltas:
            async for _ in deltas:
                pass

    async def aclose(self) -> None:
        """Stop all generations, which then raise BackendError, and close the connections."""
        self._closed = True
        for queue in tuple(self._running):
            queue.put_nowait(BackendError(f"model {self.name!r} was closed while it was generating"))
        await self._server.aclose()
        if self.speech is not None:
            await asyncio.to_thread(self.speech.close)

    async def _read(
        self,
        body: dict[str, Any],
        answer: ServedAnswer,
        queue: asyncio.Queue[Delta | Exception | None],
        voicing: Voicing | None,
    ) -> None:
        """Put the deltas of an answer into the queue, End after all sound; then None, or what ended it."""
        try:
            async with contextlib.aclosing(self._deltas(body, answer)) as deltas:
                async for delta in deltas:
                    if isinstance(delta, End) and voicing is not None:
                        await voicing.finish()
                    queue.put_nowait(delta)
                    if isinstance(delta, TokensDelta) and voicing is not None:
                        voicing.say(delta.tokens.ids)
        except Exception as error:
            queue.put_nowait(error)
        else:
            queue.put_nowait(None)

    async def _deltas(self, body: dict[str, Any], answer: ServedAnswer) -> AsyncGenerator[Delta, None]:
        chunks = self._server.events(body)
        progress = progressing(chunks, answer.push, name=self.name, timeout_s=self._progress_timeout_s)
        async with contextlib.aclosing(chunks), contextlib.aclosing(progress) as deltas:
            async for delta in deltas:
                yield delta
                if answer.stopped:
                    break
        rest = answer.finish()
        known = self._server.known
        speaks = body["messages"][-1]["content"] == START
        if answer.has_only_words and speaks and (known is None or not known.has_vocabulary):
            raise BackendError(f"{self.name} wrote an answer without speech tokens; {SERVE_IT}")
        if answer.generated and not answer.stopped:
            opened = Prompt((), lead=(TokenIds().tts_start,) if speaks else (), mode="speech" if speaks else "text")
            said, ids = answer.said, answer.generated
            with self._prompts_lock:
                self._prompts.remember(opened, ids, text=said.text, codes=said.codes, call_ids=said.call_ids)
        for delta in rest:
            yield delta

    async def _asked(
        self, conversation: Conversation, tools: Sequence[ToolSpec], options: GenerateOptions, verbatim: bool
    ) -> tuple[dict[str, Any], ServedAnswer]:
        """The body of a request, and what reads its answer."""
        sampling, max_tokens = sampling_and_limit(options, bool(tools), self._max_tokens)
        served = await self._server.model()
        if served.kind == "vllm" and self._vocabulary is None and not self._warned:
            self._warned = True
            log.warning("answers are read by the spelling of tokens, which tears some characters; give tokenizer=")
        if tools and not SERVER_DIALECTS[served.kind].calls_tools:
            raise BackendError(f"{self.name}: {served.kind} cannot be given tools; leave them out, or serve with vLLM")
        asked = framed(conversation, tools, options, language=self._language, verbatim=verbatim)
        if asked.must_call is not None and not SERVER_DIALECTS[served.kind].must_call:
            raise OptionError(f"{self.name}: {served.kind} cannot be made to call a tool; leave must_call out")
        speak = options.speak and asked.must_call is None
        body = await asyncio.to_thread(self._body, served, asked, speak)
        body |= {
            "max_tokens": max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "repetition_penalty": sampling.repetition_penalty,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        mode: Mode = "speech" if speak else "text"
        return body, ServedAnswer(self.name, self._vocabulary, mode, asked.translation, options.stop)

    def _body(self, served: ServedModel, asked: Framed, speak: bool) -> dict[str, Any]:
        dialect, translation = SERVER_DIALECTS[served.kind], asked.translation
        with self._prompts_lock:
            messages = Messages(dialect, self._prompts).of(asked.conversation, translation, speak=speak)
        body: dict[str, Any] = {
            "model": served.name,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "continue_final_message": speak,
            "add_generation_prompt": not speak,
            "skip_special_tokens": False,
            "stop_token_ids": list(TokenIds().stop),
        }
        if served.kind == "vllm":
            body["return_token_ids"] = True
        elif served.kind == "vllm-omni":
            body["modalities"] = ["text", "audio"] if speak and self._speaks_itself else ["text"]
        if translation.specs and dialect.calls_tools:
            body["tools"] = tool_list(translation.specs)
            body["parallel_tool_calls"] = served.kind == "vllm"
            if asked.must_call is not None:
                named = {"type": "function", "function": {"name": asked.must_call}}
                body["tool_choice"] = named if asked.must_call else "required"
        return body

    def _check_open(self) -> None:
        if self._closed:
            raise BackendError(f"model {self.name!r} was closed; load it again")
