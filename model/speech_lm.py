"""The protocol that every speech model implements, and the deltas it emits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from agentaudio.conversation import Citation, Conversation, SpeechTokens, ToolCall, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.sound.audio import Audio


class VoicePermit(Protocol):
    """Whether a voice may be spoken in, asked anew before each use. It does not hold the clip."""

    def refusal(self) -> str | None:
        """Why the voice may not be used now; None when it may. Raises VoiceError when that cannot be read."""

    def state_path(self, model: str, version: str, suffix: str) -> Path | None:
        """The file in which what (model, version) makes of the clip may be kept; None for memory only.

        It is deleted when the voice is revoked. Raises VoiceError when the arguments cannot name a file.
        """


class ReferenceVoice(Protocol):
    """What a model needs of a voice to speak in it."""

    @property
    def id(self) -> str: ...

    @property
    def transcript(self) -> str:
        """The words of the clip; empty when unknown."""

    @property
    def clip(self) -> Audio:
        """A few seconds of the voice."""

    @property
    def permit(self) -> VoicePermit:
        """Whether the voice may be used, and where what is made of its clip may be kept."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. The agent refuses what its model cannot.

    voices: "any" speaks in a given reference voice, "fixed" only in its own, "none" makes no sound
    cites: emits CitationDelta for the passages it used
    streams_input: recognises while the user speaks, and so may emit `Heard(final=False)`; other
        models get whole utterances
    sample_rate_hz: of the sound it emits
    max_audio_s: longest user sound it takes
    languages: BCP-47 codes of what it understands and speaks; empty when that is not known
    options: names of the GenerateOptions it honours, apart from `speak`, which every model honours
    """

    hears: bool
    voices: Literal["any", "fixed", "none"]
    calls_tools: bool
    cites: bool = False
    streams_input: bool = False
    sample_rate_hz: int = 24_000
    max_audio_s: float = 600.0
    languages: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """How to generate. None leaves a choice to the model.

    language: BCP-47 code of the language to hear and answer in
    """

    speak: bool = True
    language: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def check(self, model: SpeechLM) -> GenerateOptions:
        """These options. Raises OptionError for one that the model does not honour."""
        able = model.capabilities
        chosen = {one.name for one in fields(self) if getattr(self, one.name) not in (None, ())} - {"speak"}
        if refused := sorted(chosen - able.options):
            honoured = ", ".join(["speak", *sorted(able.options)])
            raise OptionError(f"model {model.name!r} does not take {', '.join(refused)}; it takes: {honoured}")
        if self.language and able.languages and self.language.split("-")[0] not in able.languages:
            known = ", ".join(able.languages)
            raise OptionError(f"model {model.name!r} does not speak {self.language!r}; it speaks: {known}")
        return self


@dataclass(frozen=True, slots=True)
class Heard:
    """The words that the model recognised.

    confidence: 0 to 1, None when unknown
    final: False for words recognised while the user still speaks; the next Heard replaces them
    """

    text: str
    confidence: float | None = None
    final: bool = True


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """More sound of the answer."""

    audio: Audio


@dataclass(frozen=True, slots=True)
class TokensDelta:
    """More speech tokens of the answer, for models that have them."""

    tokens: SpeechTokens


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A complete tool call.

    problem: why it cannot be run as it stands (broken JSON, for example), as a message to the model
    """

    call: ToolCall
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CitationDelta:
    """A passage that the answer uses."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class End:
    """The last delta.

    reason: "length" when a limit ended the answer before its end
    usage: counts of this generation by name, such as `input_tokens` and `output_tokens`
    """

    reason: Literal["stop", "length", "tool_calls"] = "stop"
    usage: Mapping[str, float] = field(default_factory=dict)


Delta = Heard | TextDelta | AudioDelta | TokensDelta | CallDelta | CitationDelta | End


@runtime_checkable
class SpeechLM(Protocol):
    """A model that hears a conversation and emits words, sound and tool calls."""

    name: str
    capabilities: Capabilities

    def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Answer the conversation so far, piece by piece; the last piece is `End`.

        Write it as an `async def` that yields. It must not change the conversation. Closing the
        generator, or cancelling the task that awaits it, stops the work at once. Several may run
        at the same time.

        Raises BackendError when the model fails, AudioError for sound it cannot take.
        """

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load what the first answer would otherwise wait for; it may do nothing."""

    async def aclose(self) -> None:
        """Free what the model holds: weights, processes, connections. Calling it twice is allowed."""
