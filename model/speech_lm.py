"""The protocol that every speech model implements, and the deltas it emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from agentaudio.conversation import Citation, Conversation, ToolCall, ToolSpec
from agentaudio.sound.audio import Audio


class ReferenceVoice(Protocol):
    """What a model needs to know of a voice to speak in it."""

    @property
    def id(self) -> str: ...

    @property
    def transcript(self) -> str:
        """The words of the clip; empty when nobody wrote them down."""

    @property
    def clip(self) -> Audio:
        """A few seconds of the voice."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do, so that the loop need not try.

    voices: "any" speaks in a given reference voice, "fixed" only in its own, "none" is mute
    cites: emits CitationDelta for the passages it used
    sample_rate_hz: of the sound it emits
    max_audio_s: longest user sound it takes
    """

    hears: bool
    voices: Literal["any", "fixed", "none"]
    calls_tools: bool
    cites: bool = False
    sample_rate_hz: int = 24_000
    max_audio_s: float = 600.0
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """How to generate. None leaves a choice to the model; a model ignores what it has no notion of."""

    speak: bool = True
    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """The words that the model recognised. confidence: 0 to 1, None when unknown."""

    text: str
    confidence: float | None = None


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

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A complete tool call.

    problem: why it cannot be run as it stands (broken JSON, say); it goes back to the model
    """

    call: ToolCall
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CitationDelta:
    """A passage that the answer uses."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class End:
    """The last delta. usage: counts such as `input_tokens`, `output_tokens`, by name."""

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
    ) -> AsyncIterator[Delta]:
        """Answer the conversation so far, piece by piece; the last piece is `End`.

        It never changes the conversation. Closing the iterator or cancelling the task that
        awaits it stops the work at once. Several may run at the same time.

        Raises BackendError when the model fails, AudioError for sound it cannot take.
        """

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load now what the first answer would otherwise wait for; it may do nothing."""

    async def aclose(self) -> None:
        """Free what the model holds: weights, processes, connections. It may be called twice."""
