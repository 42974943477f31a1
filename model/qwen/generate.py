"""`Qwen`: Qwen2-Audio, Qwen2.5-Omni and Qwen3-Omni as speech models for agents."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.errors import BackendError, MissingExtra, OptionError, did_you_mean
from agentaudio.model.cascade.cascade import IMITATIONS
from agentaudio.model.hub import located
from agentaudio.model.parts import ChatDelta, Synthesiser
from agentaudio.model.presets import Presets
from agentaudio.model.registry import load_synthesiser
from agentaudio.model.speech_lm import Capabilities, Delta, GenerateOptions, ReferenceVoice
from agentaudio.model.spoken import spoken

try:
    import torch
    import transformers  # noqa: F401
except ImportError as error:
    raise MissingExtra("a model of Qwen", "local") from error

from agentaudio.model.generation.line import CheckStop, Line
from agentaudio.model.qwen.answer import SPEECH_RATE_HZ, Answer, Request
from agentaudio.model.qwen.family import AUDIO, FILES, OMNI, OMNI_3, OWNER, Family
from agentaudio.model.qwen.network import Network

OPTIONS = frozenset({"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop"})
MAX_TOKENS = 1024
"""Tokens of an answer where the options have no limit; transformers' limit for Qwen2.5-Omni."""
LONGEST_SPEECH_S = 80.0
"""Of one answer; transformers' limit for Qwen2.5-Omni, 4,096 speech tokens, is 82 s."""


class Qwen:
    """A SpeechLM that runs Qwen2-Audio, Qwen2.5-Omni or Qwen3-Omni on this machine.

    It hears, and writes text and tool calls. A synthesiser speaks the text while it is written; without
    one, Qwen2.5-Omni speaks in a voice of its own as soon as the text is complete, and the others are silent.

    Answers are generated one after the other; further ones wait. The whole conversation, with its
    sounds, is read again for each answer.

    synthesiser: speaks instead of the network
    speaker: a voice of Qwen2.5-Omni, such as Chelsie or Ethan
    presets: samples of these voices; the one nearest to a retrieved voice speaks for it
    max_tokens: of an answer where the options have no limit
    longest_speech_s: longest sound of one answer by the network itself

    Raises OptionError for an unknown speaker, or a preset of another name.
    """

    def __init__(
        self,
        network: Network,
        *,
        synthesiser: Synthesiser[Any] | None = None,
        speaker: str = "Chelsie",
        presets: Presets | None = None,
        max_tokens: int = MAX_TOKENS,
        longest_speech_s: float = LONGEST_SPEECH_S,
    ) -> None:
        self.name = network.family.name
        self._network: Network | None = network
        self._line = Line(self.name)
        self._synthesiser, self._presets = synthesiser, presets
        self._max_tokens, self._longest_speech_s = max_tokens, longest_speech_s
        self._speaker: str | None = None
        if synthesiser is None and network.family.speaks and network.whole.has_talker:
            self._speaker = speaker
            for name in (speaker, *(presets.names if presets else ())):
                if name not in network.whole.speaker_map:
                    known = did_you_mean(name, network.whole.speaker_map)
                    raise OptionError(f"model {self.name!r} has no voice {name!r}; {known}")
        self.capabilities = self._capabilities(network.family)

    def _capabilities(self, family: Family) -> Capabilities:
        able = Capabilities(
            words_lead=True,
            hears=True,
            voices="none",
            calls_tools=True,
            max_audio_s=family.longest_audio_s,
            options=OPTIONS,
        )
        if (own := self._synthesiser) is not None:
            return replace(
                able, voices="fixed" if own.voices == "fixed" else "any", imitates=IMITATIONS.get(own.voices),
                sample_rate_hz=own.sample_rate_hz, languages=own.languages,
            )  # fmt: skip
        if self._speaker is None:
            return able
        return replace(
            able, voices="any" if self._presets else "fixed", imitates="preset" if self._presets else None,
            sample_rate_hz=SPEECH_RATE_HZ,
        )  # fmt: skip

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Answer the conversation so far; see SpeechLM.

        options: what is None is as in the checkpoint's generation_config.json

        Raises BackendError when the conversation has no user message or does not fit into the context, or the
        model fails; AudioError for a sound that is empty or too long; OptionError for an empty stop string.
        """
        network = self._network
        if network is None:
            raise BackendError(f"model {self.name!r} was closed; load it again")
        if conversation.last_user is None:
            raise BackendError("there is nothing to answer: the conversation has no user message; add one")
        if not all(options.stop):
            raise OptionError(f"stop is {options.stop!r}; none of the strings may be empty")
        speaker = self._speaker if options.speak else None
        if speaker is not None and voice is not None and self._presets is not None:
            speaker = (await self._presets.nearest(voice)).name
        conversation, tools = conversation.copy(), tuple(tools)

        def work(emit: Callable[[Any], None], check_stop: CheckStop) -> None:
            prompt = network.prompts.build(conversation, tools)
            request = Request(prompt, tools, options, speaker, self._max_tokens, self._longest_speech_s)
            Answer(network, request, emit, check_stop).run()

        async with contextlib.aclosing(self._line.deltas(work)) as answer:
            if self._synthesiser is None or not options.speak:
                async for delta in answer:
                    yield delta
                return
            written = cast(AsyncIterator[ChatDelta], answer)  # there is no sound without a speaker
            async with contextlib.aclosing(spoken(self._synthesiser, written, voice)) as deltas:
                async for delta in deltas:
                    yield delta

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load the synthesiser, and generate one token."""
        if self._synthesiser is not None:
            await self._synthesiser.warm_up()
        conversation = Conversation()
        conversation.add("user", TextPart("."))
        async for _ in self.generate(conversation, tools=tools, options=GenerateOptions(speak=False, max_tokens=1)):
            pass

    async def aclose(self) -> None:
        """Stop all generations, which then raise BackendError, and free the weights. It may be called twice."""
        await self._line.aclose()
        self._network = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self._synthesiser is not None:
            await self._synthesiser.aclose()


def load_audio(
    argument: str | None,
    *,
    synthesiser: str | None = "kokoro",
    max_tokens: int = MAX_TOKENS,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    quantization_config: Any = None,
) -> Qwen:
    """The entry point `qwen2-audio`.

    argument: a checkpoint folder, or a hub id under `Qwen/`; None for Qwen2-Audio-7B-Instruct. What the local
        hub cache lacks is downloaded (about 17 GB).
    synthesiser: speaks the text, such as `kokoro`; none for text only
    max_tokens: of an answer where `GenerateOptions` has no limit
    device: None for CUDA if available, else Metal, else the CPU; "auto" spreads the layers over all devices
    dtype: such as "float32"; None for the checkpoint's own
    quantization_config: of transformers, such as `BitsAndBytesConfig(load_in_4bit=True)`

    Raises BackendError when the checkpoint cannot be downloaded or read, and what the synthesiser's loader raises.
    """
    speech = load_synthesiser(synthesiser) if synthesiser else None
    network = _network(AUDIO, argument, device, dtype, quantization_config, speaks=False)
    return Qwen(network, synthesiser=speech, max_tokens=max_tokens)


def load_omni(
    argument: str | None,
    *,
    speaker: str = "Chelsie",
    presets: Path | None = None,
    synthesiser: str | None = None,
    speaks: bool = True,
    max_tokens: int = MAX_TOKENS,
    longest_speech_s: float = LONGEST_SPEECH_S,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    quantization_config: Any = None,
) -> Qwen:
    """The entry point `qwen2.5-omni`.

    argument: a checkpoint folder, or a hub id under `Qwen/`; None for Qwen2.5-Omni-7B. What the local hub cache
        lacks is downloaded (about 22 GB).
    speaker: Chelsie or Ethan
    presets: folder with a sample of each voice, as NAME.wav; the one nearest to a retrieved voice speaks for it
    synthesiser: speaks instead of the model, such as `kokoro`, as soon as a phrase is written
    speaks: False loads the part that writes text alone
    longest_speech_s: longest sound of one answer by the model itself, in seconds
    max_tokens, device, dtype, quantization_config: as of `qwen2-audio`

    Raises as `load_audio` does, and OptionError for an unknown speaker.
    """
    speaks = speaks and synthesiser is None
    if presets is not None and not speaks:
        raise OptionError("presets are for the model's own voices; leave out presets, or the synthesiser and speaks=no")
    speech = load_synthesiser(synthesiser) if synthesiser else None
    network = _network(OMNI, argument, device, dtype, quantization_config, speaks=speaks)
    return Qwen(
        network, synthesiser=speech, speaker=speaker, max_tokens=max_tokens, longest_speech_s=longest_speech_s,
        presets=Presets.from_folder(presets) if presets else None,
    )  # fmt: skip


def load_omni_3(
    argument: str | None,
    *,
    synthesiser: str | None = "kokoro",
    max_tokens: int = MAX_TOKENS,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    quantization_config: Any = None,
) -> Qwen:
    """The entry point `qwen3-omni`: hears and writes; its own sound is not supported.

    argument: a checkpoint folder, or a hub id under `Qwen/`; None for Qwen3-Omni-30B-A3B-Instruct. What the local
        hub cache lacks is downloaded (about 70 GB).
    options: as of `qwen2-audio`

    Raises as `load_audio` does.
    """
    speech = load_synthesiser(synthesiser) if synthesiser else None
    network = _network(OMNI_3, argument, device, dtype, quantization_config, speaks=False)
    return Qwen(network, synthesiser=speech, max_tokens=max_tokens)


def _network(
    family: Family, argument: str | None, device: Any, dtype: Any, quantization_config: Any, *, speaks: bool
) -> Network:
    folder = located(argument or family.hub_id, FILES, model=family.name, owner=OWNER)
    return Network.load(
        family, folder, device=device, dtype=dtype, quantization_config=quantization_config, speaks=speaks
    )
