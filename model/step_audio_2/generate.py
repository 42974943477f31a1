"""Step-Audio 2 mini as a speech model for agents: `StepAudio2`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentaudio.conversation import AudioPart, Conversation, Message, TextPart, ToolSpec
from agentaudio.errors import AgentAudioError, AudioError, BackendError, MissingExtra, OptionError
from agentaudio.model.speech_lm import Capabilities, Delta, GenerateOptions, ReferenceVoice
from agentaudio.sound.audio import Audio

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.decoding.generation import Generation, Request, Weights
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache
from agentaudio.model.step_audio_2.decoding.sampling import Sampling
from agentaudio.model.step_audio_2.delivery import Delivery, History
from agentaudio.model.step_audio_2.hub import HUB_ID, located
from agentaudio.model.step_audio_2.language.dialect import Language, step_audio_2
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.language.stop_strings import StopStrings
from agentaudio.model.step_audio_2.language.system_prompts import system_prompt
from agentaudio.model.step_audio_2.network.checkpoint import load_checkpoint, read_config
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.network.placement import chosen_device, chosen_dtype
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
from agentaudio.model.step_audio_2.tasks import DESCRIBE, TRANSCRIBE, TRANSLATE, Target, written
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, Vocabulary

MAX_TOKENS, MAX_TOKENS_WITH_TOOLS = 2048, 4096
TOKENS_PER_S = 12.5


class StepAudio2:
    """A SpeechLM that runs Step-Audio 2 mini on this machine.

    It hears, thinks where the checkpoint is made for it, calls tools in the words it was trained
    on, and answers in text, speech tokens (TokensDelta: 25 a second, 0 to 6560) and, where `speech`
    makes sound of these, in any voice.

    A conversation that goes on re-uses what was read before: old sound is not encoded again.
    Any number of generations may run at once over the same weights; each reads its prompt in a thread
    of its own, and then one pass of the model gives the next token to all of them.

    model: in evaluation mode, on its device
    language: of the system prompt and of the tools' descriptions
    think: the checkpoint reasons before it answers (mini-Think)
    kept_tokens: positions whose states are kept for later turns; None is twice the context
    compiled: decode through `torch.compile`, on a GPU with CUDA graphs: faster, after a start of minutes
    speech: makes sound of the speech tokens; None leaves them as they are
    """

    name = "step-audio-2-mini"

    def __init__(
        self,
        model: StepAudio2ForCausalLM,
        vocabulary: Vocabulary,
        *,
        language: Language = "zh",
        think: bool = False,
        kept_tokens: int | None = None,
        compiled: bool = False,
        speech: SpeechDecoder | None = None,
    ) -> None:
        if language not in ("zh", "en"):
            raise OptionError(f"language {language!r} is not one that Step-Audio 2 is told things in; give zh or en")
        # Metal bears one thread at a time.
        turns = threading.Lock() if model.device.type == "mps" else contextlib.nullcontext()
        self._weights: Weights | None = Weights(model, vocabulary, turns, compiled=compiled)
        self._prompts = PromptBuilder(vocabulary, dialect=step_audio_2(language))
        self._kept = PrefixCache(2 * self._weights.context if kept_tokens is None else kept_tokens)
        self.speech = speech
        self._language, self._think = language, think
        self._building = threading.Lock()
        self._running: weakref.WeakSet[Delivery] = weakref.WeakSet()
        self.capabilities = Capabilities(
            hears=True, voices="any" if speech else "none", calls_tools=True, sample_rate_hz=24_000,
            languages=("zh", "en"),
            options=frozenset({"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop"}),
            # A tenth of the context is left for words.
            max_audio_s=float(int(0.9 * self._weights.context / TOKENS_PER_S)),
        )  # fmt: skip

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        language: Language = "zh",
        think: bool | None = None,
        quantization_config: Any = None,
        pieces_together: bool = False,
        kept_tokens: int | None = None,
        compiled: bool = False,
        speech: SpeechDecoder | None = None,
    ) -> StepAudio2:
        """Load a checkpoint folder: mini or mini-Think, as published or made by `init_tiny`.

        device: None takes CUDA, else Metal, else the CPU; "auto" spreads the layers over all there is
            (with the library accelerate)
        dtype: such as "float32" or torch.bfloat16; None keeps the checkpoint's own (bfloat16), on a
            CPU too, except that a GPU without it gets float16
        think: None tells it by the folder's name
        quantization_config: of transformers, such as `BitsAndBytesConfig(load_in_4bit=True)`
        pieces_together: encode sounds longer than 25 s in one padded batch, as the reference does,
            instead of each piece by itself; then a turn's states depend on the turns that are cached
        kept_tokens, compiled: see the class
        speech: makes the sound; None is that of the folder, which is mute without its `token2wav`

        Raises BackendError or ModelError naming the file when the folder is not such a checkpoint,
        OptionError for a device or dtype that is not there.
        """
        folder = Path(path)
        placed = chosen_device(device)
        options: dict[str, Any] = {"dtype": chosen_dtype(dtype, placed)}
        # What is small comes first: it should not fail after gigabytes were read.
        read_config(folder)
        vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
        if speech is None and (folder / "token2wav").is_dir():
            place = str(placed) if str(placed).startswith("cuda") else None if placed == "auto" else "cpu"
            speech = SpeechDecoder(folder / "token2wav", device=place, compiled=compiled)
        if quantization_config is not None:
            options |= {"quantization_config": quantization_config, "device_map": placed}
        elif placed == "auto":
            options["device_map"] = placed
        elif str(placed) != "cpu" and find_spec("accelerate"):
            options["device_map"] = {"": placed}  # past the host's memory
        model = load_checkpoint(folder, **options)
        if "device_map" not in options:
            model.to(placed)  # type: ignore[arg-type, unused-ignore]
        model.config.pieces_together = pieces_together
        if think is None:
            think = any("mini-think" in part.lower() for part in folder.absolute().parts)
        return cls(
            model, vocabulary, language=language, think=think, kept_tokens=kept_tokens, compiled=compiled, speech=speech
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

        options: None takes the authors' settings for spoken dialogue: temperature 0.7, top-p 0.9,
            repetition penalty 1.05, 2,048 tokens (4,096 with tools). `stop` ends the answer before
            any of its strings.
        verbatim: the prompt is the conversation and nothing else: no date, no thought

        End.usage counts `input_tokens`, how many of them were `cached_tokens`, `output_tokens`
        and, for a checkpoint that thinks, how many of those were `thought_tokens`.

        Raises BackendError when the conversation does not fit into the context, or the model fails,
        AudioError for a sound without samples, OptionError for options that cannot be.
        """
        weights = self._open()
        sampling, max_tokens = _settings(options, bool(tools))
        if not any(message.role == "user" for message in conversation):
            raise BackendError("there is nothing to answer: the conversation has no user message yet")

        def begin() -> Generation:
            request = self._request(conversation, tools, sampling, max_tokens, options, verbatim)
            return Generation(weights, self._prompts, self._kept, request)

        delivery = Delivery(
            begin, History(self._prompts, self._building), decoder=self.speech if options.speak else None,
            voice=voice, seed=abs(options.seed or 0), failed=self._typed,
        )  # fmt: skip
        self._running.add(delivery)
        try:
            async with contextlib.aclosing(delivery.deltas()) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._running.discard(delivery)

    async def transcribe(self, audio: Audio, *, options: GenerateOptions | None = None) -> str:
        """What is said in a sound, word for word, in its language.

        options: None is greedy, at most 256 tokens, or more for more than 25 s of sound

        Raises AudioError for a sound that is empty or silent, and what `generate` raises.
        """
        return await written(self, TRANSCRIBE, audio, options=options)

    async def translate(self, audio: Audio, to: Target = "en", *, options: GenerateOptions | None = None) -> str:
        """What is said in a sound, in English ("en") or Chinese ("zh").

        options: None is temperature 0.1, and as in `transcribe`

        Raises OptionError for another language, and what `transcribe` raises.
        """
        if to not in TRANSLATE:
            raise OptionError(f"cannot translate to {to!r}; give one of: {', '.join(sorted(TRANSLATE))}")
        return await written(self, TRANSLATE[to], audio, options=options)

    async def describe(self, audio: Audio, *, options: GenerateOptions | None = None) -> str:
        """What can be heard in a sound, in a few sentences.

        options: None is temperature 0.1 and at most 256 tokens

        Raises what `transcribe` raises.
        """
        return await written(self, DESCRIBE, audio, options=options)

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Read the system prompt and the tools' descriptions, so that the first answer need not."""
        conversation = Conversation()
        conversation.add("user", TextPart("."))
        options = GenerateOptions(max_tokens=1)
        async for _ in self.generate(conversation, tools=tools, options=options):
            pass

    async def aclose(self) -> None:
        """Stop what runs, and free the weights and all states."""
        weights, self._weights, self.speech = self._weights, None, None
        for delivery in (running := tuple(self._running)):
            delivery.stop(BackendError(f"this model {self.name} was closed while it was generating"))
        for delivery in running:
            await asyncio.to_thread(delivery.join)
        self._kept.close()
        if weights is not None:
            weights.batch.close()
            await asyncio.to_thread(weights.batch.wait_closed)
            del weights
            gc.collect()  # modules and their hooks refer to each other
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _open(self) -> Weights:
        if self._weights is None:
            raise BackendError(f"this model {self.name} was closed; load it again")
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
        for message in conversation:
            if any(isinstance(part, AudioPart) and not len(part.audio) for part in message.parts):
                raise AudioError(f"a sound of a {message.role} message holds no samples; record it again")
        if not verbatim:
            conversation = self._with_system(conversation, bool(tools))
        with self._building:
            translation = self._prompts.translation(conversation, tools)
            spoken = "speech" if options.speak else "text"
            reply = "think" if self._think and not verbatim else spoken
            prompt = self._prompts.build(conversation, tools, reply=reply)  # type: ignore[arg-type]
        return Request(prompt, translation, sampling, max_tokens, options.stop, options.speak)

    def _with_system(self, conversation: Conversation, tools: bool) -> Conversation:
        messages = list(conversation)
        told = messages.pop(0).text if messages and messages[0].role == "system" else None
        tools = tools or any(message.tool_calls for message in messages)
        system = system_prompt(self._language, instructions=told, tools=tools, think=self._think)
        return Conversation([Message("system", (TextPart(system),)), *messages])

    def _typed(self, failure: Exception) -> Exception:
        if isinstance(failure, AgentAudioError):
            return failure
        if isinstance(failure, torch.OutOfMemoryError):
            self._kept.clear()
            typed = BackendError("the device's memory is full; shorten the conversation, or load the model in 4 bits")
        else:
            typed = BackendError(f"Step-Audio 2 failed: {failure!r}; see `agentaudio doctor`")
        typed.__cause__ = failure
        return typed


def load(
    argument: str | None,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    language: Language = "zh",
    think: bool | None = None,
    quantization_config: Any = None,
    pieces_together: bool = False,
    kept_tokens: int | None = None,
    compiled: bool = False,
    speech: SpeechDecoder | None = None,
) -> StepAudio2:
    """The entry point `step-audio-2-mini`.

    argument: a checkpoint folder, or the id of one of the authors' on the Hugging Face hub; None is
        `stepfun-ai/Step-Audio-2-mini`, from the local hub cache or else downloaded (about 17 GB)
    The options are those of `StepAudio2.load`.

    Raises BackendError when the checkpoint cannot be downloaded, and what `StepAudio2.load` raises.
    """
    return StepAudio2.load(
        located(HUB_ID if argument is None else argument),
        device=device, dtype=dtype, language=language, think=think, quantization_config=quantization_config,
        pieces_together=pieces_together, kept_tokens=kept_tokens, compiled=compiled, speech=speech,
    )  # fmt: skip


def _settings(options: GenerateOptions, tools: bool) -> tuple[Sampling, int]:
    usual = Sampling()
    sampling = Sampling(
        temperature=usual.temperature if options.temperature is None else options.temperature,
        top_p=usual.top_p if options.top_p is None else options.top_p,
        repetition_penalty=(
            usual.repetition_penalty if options.repetition_penalty is None else options.repetition_penalty
        ),
        seed=options.seed,
    )
    StopStrings(options.stop)
    if options.max_tokens is None:
        return sampling, MAX_TOKENS_WITH_TOOLS if tools else MAX_TOKENS
    if not isinstance(options.max_tokens, int) or options.max_tokens < 1:
        raise OptionError(f"max_tokens is {options.max_tokens!r}; give a whole number, at least 1")
    return sampling, options.max_tokens
