"""`StepAudio2`: Step-Audio 2 mini as a speech model for agents."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from pathlib import Path
from typing import Any

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.errors import BackendError, MissingExtra, OptionError
from agentaudio.free_memory import FreeMemory
from agentaudio.model.speech_lm import Capabilities, Delta, GenerateOptions, ReferenceVoice

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.decoding.generation import Generation, Request
from agentaudio.model.step_audio_2.decoding.hearing_ahead import ArrivingSound
from agentaudio.model.step_audio_2.decoding.runtime import Runtime
from agentaudio.model.step_audio_2.delivery import Delivery, History
from agentaudio.model.step_audio_2.failures import as_model_error, is_out_of_memory
from agentaudio.model.step_audio_2.hub import HUB_ID, located
from agentaudio.model.step_audio_2.language.dialect import Language
from agentaudio.model.step_audio_2.language.framing import Framed, framed
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder, Reply, check_sounds
from agentaudio.model.step_audio_2.language.segments import Prompt
from agentaudio.model.step_audio_2.llama.precision import WeightType
from agentaudio.model.step_audio_2.loading import Placing, RuntimeName, load_runtime, load_speech
from agentaudio.model.step_audio_2.read_ahead import Reading
from agentaudio.model.step_audio_2.settings import OPTIONS, Sampling, longest_sound_s, sampling_and_limit
from agentaudio.model.step_audio_2.tasks import Tasks
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.speaking import VoiceMaker
from agentaudio.sound.audio import Audio


class StepAudio2(Tasks):
    """A SpeechLM that runs Step-Audio 2 mini on this machine.

    It hears, calls tools under the names that it was trained on, and answers in text and speech
    tokens (25 per second, 0 to 6560). With `speech` it also makes their sound, in any voice.
    mini-Think reasons before it answers.

    A later turn reuses what earlier turns have read, so old sound is not encoded again. Generations
    may overlap: each reads its prompt in its own thread, and all of them decode in one batch.

    runtime: the weights, and what computes with them
    language: of the system prompt and the tool descriptions, zh or en; None for the user's, see `users_language`
    think: the checkpoint is mini-Think
    kept_tokens: positions whose keys and values are kept for later turns; None for twice the context, or with
        llama.cpp for those that it has memory for
    max_tokens: of an answer where the options have no limit; None is the authors' 2,048 (4,096 with tools)
    speech: makes sound of the speech tokens; None emits the tokens alone

    Raises OptionError for an unknown language.
    """

    name = "step-audio-2-mini"

    def __init__(
        self,
        runtime: Runtime,
        *,
        language: Language | None = None,
        think: bool = False,
        kept_tokens: int | None = None,
        max_tokens: int | None = None,
        speech: VoiceMaker | None = None,
    ) -> None:
        if language not in (None, "zh", "en"):
            raise OptionError(f"there are no prompts in language {language!r} for Step-Audio 2; give zh or en")
        self._weights: Runtime | None = runtime
        self._prompts = PromptBuilder(runtime.vocabulary)
        self._kept = runtime.prefix_cache(kept_tokens)
        self.speech = speech
        self._language: Language | None = language
        self._think = think
        self._max_tokens = max_tokens
        self._prompts_lock = threading.Lock()
        self._memory = FreeMemory()
        self._running: weakref.WeakSet[Delivery | Reading] = weakref.WeakSet()
        self.capabilities = Capabilities(
            words_lead=True,
            hears=True,
            voices="any" if speech else "none",
            imitates="cloned" if speech else None,
            calls_tools=True,
            streams_input=False,
            sample_rate_hz=SAMPLE_RATE,
            max_audio_s=longest_sound_s(runtime.context),
            languages=("zh", "en"),
            options=OPTIONS,
            at_once=runtime.batch.max_rows,
        )

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        language: Language | None = None,
        think: bool | None = None,
        kept_tokens: int | None = None,
        max_tokens: int | None = None,
        speech: VoiceMaker | None = None,
        **placing: Any,
    ) -> StepAudio2:
        """Load a checkpoint folder: mini or mini-Think, as published or made by `init_tiny`.

        language, kept_tokens, max_tokens: see the class
        think: None for True if the path names mini-Think
        speech: None for the decoder in the folder's `token2wav`; without that, there is no sound
        placing: runtime, device, dtype, compiled and others; see the function `load`

        Raises BackendError or ModelError naming the file when the folder is not such a checkpoint, BackendError when
        it does not fit into the memory, OptionError for an unknown option, an unavailable device or dtype, and for
        max_rows below 1.
        """
        folder, how = Path(path), Placing.of(placing)
        if speech is None:  # a file of it that is missing should be told before gigabytes are read
            speech = load_speech(folder, how)
        runtime = load_runtime(folder, how)
        if think is None:
            think = any("mini-think" in part.lower() for part in folder.absolute().parts)
        return cls(
            runtime,
            language=language,
            think=think,
            kept_tokens=kept_tokens,
            max_tokens=max_tokens,
            speech=speech,
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
        """Answer the conversation so far; see SpeechLM.

        options: what is None takes the authors' settings for spoken dialogue: temperature 0.7, top-p
            0.9, repetition penalty 1.05, 2,048 tokens (4,096 with tools). `stop` ends the answer
            before the first of its strings. `must_call` begins the answer as a call.
        verbatim: the prompt holds the conversation alone: no default system message, date or thought

        For End.reason and End.usage see `Generation.run`.

        Raises BackendError when the conversation has no user message or does not fit into the context,
        or the model fails; AudioError for a sound without samples; OptionError for options out of range.
        """
        weights = self._open()
        sampling, max_tokens = sampling_and_limit(options, bool(tools), self._max_tokens)
        if not any(message.role == "user" for message in conversation):
            raise BackendError("there is nothing to answer: the conversation has no user message; add one")

        def begin() -> Generation:
            request = self._request(conversation, tools, sampling, max_tokens, options, verbatim)
            return Generation(weights, self._prompts, self._kept, request)

        delivery = Delivery(
            begin,
            History(self._prompts, self._prompts_lock),
            decoder=self.speech if options.speak else None,
            voice=voice,
            seed=abs(options.seed or 0),
            as_model_error=self._as_model_error,
        )
        self._running.add(delivery)
        try:
            async with contextlib.aclosing(delivery.deltas()) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._running.discard(delivery)
            self._memory.give_back_soon()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Prepare decoding, see `compiled`, and read the system message and the tools into the prefix cache."""
        await asyncio.to_thread(self._open().prepare)
        if self.speech is not None:
            await asyncio.to_thread(self.speech.warm_up)
        conversation = Conversation()
        conversation.add("user", TextPart("."))
        options = GenerateOptions(max_tokens=1)
        async for _ in self.generate(conversation, tools=tools, options=options):
            pass

    @property
    def context_tokens(self) -> int:
        """Tokens of the longest conversation with its answer: 16,384 for the published checkpoints."""
        return self._open().context

    def count_tokens(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> int:
        """Tokens that `generate` would read, sound included. It blocks for some milliseconds."""
        return len(self._prompt(self._framed(conversation, tools, options), tools, speak=options.speak).ids)

    async def read_ahead(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> None:
        """Read a conversation into the prefix cache; see HasContext. One that does not fit is not read."""

        def prompt() -> Prompt:
            return self._prompt(self._framed(conversation, tools, options), tools, speak=options.speak)

        reading = Reading(prompt, self._open(), self._kept, self._as_model_error)
        self._running.add(reading)  # until its thread has ended, which holds it
        await reading.run()

    async def hear_ahead(self, sound: AsyncIterable[Audio]) -> None:
        """Compute the log-mel of a sound while it arrives, and encode its pieces of 25 s; see HearsAhead."""
        ahead = self._open().ahead
        arriving: ArrivingSound | None = None
        try:
            async for part in sound:
                if arriving is None:
                    arriving = ahead.begin(part.sample_rate)
                await asyncio.to_thread(arriving.push, part.samples)
        except Exception as failure:
            raise self._as_model_error(failure) from failure
        finally:
            if arriving is not None:
                ahead.drop(arriving)

    async def aclose(self) -> None:
        """Stop all generations, which then raise BackendError, and free the weights and all states."""
        weights, self._weights, self.speech = self._weights, None, None
        for work in (running := tuple(self._running)):
            work.stop(BackendError(f"model {self.name!r} was closed while it was generating"))
        for work in running:
            await asyncio.to_thread(work.join)
        self._kept.close()
        if weights is not None:
            weights.ahead.clear()
            await asyncio.to_thread(weights.close)
            del weights
            # Modules and their hooks refer to each other.
            gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _open(self) -> Runtime:
        if self._weights is None:
            raise BackendError(f"model {self.name!r} was closed; load it again")
        return self._weights

    def _request(
        self,
        conversation: Conversation,
        tools: Sequence[ToolSpec],
        sampling: Sampling,
        max_tokens: int,
        options: GenerateOptions,
        verbatim: bool,
    ) -> Request:
        asked = self._framed(conversation, tools, options, verbatim=verbatim)
        speak = options.speak and asked.must_call is None
        prompt = self._prompt(asked, tools, speak=speak, think=self._think and not verbatim)
        opening = () if asked.must_call is None else self._prompts.call_opening(asked.must_call)
        return Request(prompt, asked.translation, sampling, max_tokens, options.stop, speak, opening)

    def _framed(
        self, conversation: Conversation, tools: Sequence[ToolSpec], options: GenerateOptions, *, verbatim: bool = False
    ) -> Framed:
        check_sounds(conversation)
        return framed(conversation, tools, options, language=self._language, think=self._think, verbatim=verbatim)

    def _prompt(self, asked: Framed, tools: Sequence[ToolSpec], *, speak: bool, think: bool | None = None) -> Prompt:
        reply: Reply = "think" if (self._think if think is None else think) else "speech" if speak else "text"
        with self._prompts_lock:
            return self._prompts.build(asked.conversation, tools, reply=reply, dialect=asked.dialect)

    def _as_model_error(self, failure: Exception) -> Exception:
        if is_out_of_memory(failure):
            self._kept.clear()
        return as_model_error(failure)


def load(
    argument: str | None,
    *,
    runtime: RuntimeName = "torch",
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    language: Language | None = None,
    think: bool | None = None,
    quantization_config: Any = None,
    weights: WeightType | None = None,
    context: int | None = None,
    threads: int | None = None,
    gpu_layers: int | None = None,
    pieces_together: bool = False,
    kept_tokens: int | None = None,
    compiled: bool | None = None,
    max_rows: int | None = None,
    max_tokens: int | None = None,
    speech: VoiceMaker | None = None,
) -> StepAudio2:
    """The entry point `step-audio-2-mini`.

    argument: a checkpoint folder, or the Hugging Face id of an official checkpoint; None for
        `stepfun-ai/Step-Audio-2-mini`. What the local hub cache lacks is downloaded (about 17 GB).
    runtime: what the language model runs on. For llama.cpp it is converted once; see `llama.store`.
    device: None for CUDA if available, else Metal, else the CPU; "auto" spreads the layers over all devices (needs
        accelerate). With llama.cpp, of the audio encoder and of the speech decoder.
    dtype: such as "float32" or torch.bfloat16; None for the checkpoint's own (bfloat16), or float16 on a GPU without
        bfloat16. With llama.cpp, of the audio encoder.
    pieces_together: encode the 25 s pieces of longer sound in one padded batch, as the reference does, so that the
        features of a piece depend on the others; see StepAudio2Config
    max_rows: answers that decode together; further ones wait. None for 64 with torch, and 1 with llama.cpp, whose
        memory grows with it.
    language, think, kept_tokens, max_tokens, speech: see `StepAudio2.load`

    With torch alone:
    quantization_config: of transformers, such as `BitsAndBytesConfig(load_in_4bit=True)`
    compiled: whether `warm_up` compiles decoding, which takes minutes and makes it faster; None for on a GPU. On a
        GPU it records CUDA graphs, for at most 8 answers at once.

    With llama.cpp alone:
    weights: their precision; None for q4_k_m, about 4.9 bits a weight
    context: positions of a conversation with its answer, for which memory is reserved; None for the model's limit
    threads: None for half of the processor's cores
    gpu_layers: layers on the GPU, where llama.cpp was built for one; -1 for all, None for 0

    Raises BackendError when the checkpoint cannot be downloaded, and what `StepAudio2.load` raises.
    """
    return StepAudio2.load(
        located(HUB_ID if argument is None else argument),
        language=language,
        think=think,
        kept_tokens=kept_tokens,
        max_tokens=max_tokens,
        speech=speech,
        runtime=runtime,
        device=device,
        dtype=dtype,
        quantization_config=quantization_config,
        weights=weights,
        context=context,
        threads=threads,
        gpu_layers=gpu_layers,
        pieces_together=pieces_together,
        compiled=compiled,
        max_rows=max_rows,
    )
