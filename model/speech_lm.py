"""The protocol that every speech model implements, and the deltas it emits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from agentaudio.conversation import Citation, Conversation, SpeechTokens, ToolCall, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.sound.audio import Audio


class VoicePermit(Protocol):
    """Permission to speak in a voice, checked before each use. It does not hold the clip."""

    def refusal(self) -> str | None:
        """Why the voice must not be used now; None when it may. Raises VoiceError when the card cannot be read."""

    def state_path(self, model: str, version: str, suffix: str) -> Path | None:
        """Path where (model, version) may store data computed from the clip; None when it must stay in memory.

        The file is deleted when the voice is revoked. Raises VoiceError for arguments unfit for a file name.
        """


class ReferenceVoice(Protocol):
    """What a model needs in order to speak in a voice."""

    @property
    def id(self) -> str: ...

    @property
    def transcript(self) -> str:
        """The words of the clip; empty when unknown."""

    @property
    def clip(self) -> Audio:
        """A few seconds of speech in the voice."""

    @property
    def permit(self) -> VoicePermit:
        """Permission to use the voice, and where data computed from its clip may be stored."""


Imitation = Literal["cloned", "moved", "preset", "converted"]
"""How a model speaks in a reference voice.

cloned: it generates speech in the voice
moved: its own voice is moved towards the reference
preset: it speaks in the one of its own voices that is nearest to the reference
converted: its sound is converted to the voice afterwards
"""


SpeechMade = Literal["trained", "rules"]
"""How speech is made: by a network that learnt it from recordings, or by rules, as eSpeak does."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model supports. The agent refuses anything else.

    hears: takes sound as input
    voices: "any" speaks in a given reference voice, "fixed" only in its own, "none" makes no sound
    imitates: how it speaks in a reference voice; None when it does not, or when that is not known
    calls_tools: emits tool calls
    cites: emits CitationDelta for the passages it used
    streams_input: recognises while the user is speaking, and may emit `Heard(final=False)`; other models
        get whole utterances
    words_lead: emits the words of a sound before the sound; output checks hold the sound of other models until the
        generation ends
    sample_rate_hz: of its sound
    max_audio_s: longest user sound that it takes
    languages: BCP-47 codes of the languages it understands and speaks, where "en" covers "en-GB"; empty
        when unknown
    options: names of the GenerateOptions that it supports, besides `speak`, which all models support
    speech: how it makes its sound, which signed files state
    at_once: generations that run at the same time, where further ones wait; None when that is not limited or not known
    """

    hears: bool
    voices: Literal["any", "fixed", "none"]
    calls_tools: bool
    cites: bool = False
    imitates: Imitation | None = None
    streams_input: bool = False
    words_lead: bool = False
    sample_rate_hz: int = 24_000
    max_audio_s: float = 600.0
    languages: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()
    speech: SpeechMade = "trained"
    at_once: int | None = None


_RANGES = (
    ("temperature", 0.0, 100.0),
    ("top_p", 0.0, 1.0),
    ("repetition_penalty", 0.01, 100.0),
    ("max_tokens", 1, 10_000_000),
    ("seed", -(2**63), 2**63 - 1),
)


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """How to generate. None leaves the choice to the model.

    language: BCP-47 code of the language to hear and answer in
    must_call: the name of a tool that the answer has to call, without words before it; True for any tool. In a turn of
        an agent it holds for the first answer, so that the next one can tell the result.
    """

    speak: bool = True
    language: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    must_call: str | Literal[True] | None = None

    def __post_init__(self) -> None:
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool | str) or not least <= value <= most):
                first, last = (f"{one:,}" if isinstance(one, int) else f"{one:g}" for one in (least, most))
                raise OptionError(f"{name} is {value!r}; give a number from {first} to {last}, or None")
        if isinstance(self.stop, str):
            raise OptionError(f"stop is {self.stop!r}; give several strings, such as ({self.stop!r},)")
        named = isinstance(self.must_call, str) and self.must_call
        if not (self.must_call is None or self.must_call is True or named):
            raise OptionError(f"must_call is {self.must_call!r}; give the name of a tool, True for any, or None")

    def check(self, model: SpeechLM) -> GenerateOptions:
        """Return these options. Raises OptionError for one that `model` does not support."""
        able = model.capabilities
        chosen = {name for name in _CHOICES if getattr(self, name) not in (None, ())}
        if refused := sorted(chosen - able.options):
            honoured = ", ".join(["speak", *sorted(able.options)])
            raise OptionError(f"model {model.name!r} does not take {', '.join(refused)}; it takes: {honoured}")
        if self.language and able.languages and not language_is_covered(self.language, able.languages):
            known = ", ".join(able.languages)
            raise OptionError(f"model {model.name!r} does not speak {self.language!r}; it speaks: {known}")
        return self


_CHOICES = tuple(one.name for one in fields(GenerateOptions) if one.name != "speak")


def language_is_covered(tag: str, known: Sequence[str]) -> bool:
    """Whether a known tag is `tag` or a prefix of it in whole subtags, in any case: "en" covers "en-GB".

    Source: basic filtering of RFC 4647, section 3.3.1.
    """
    return any(f"{tag}-".lower().startswith(f"{one}-".lower()) for one in known)


@dataclass(frozen=True, slots=True)
class Heard:
    """The words that the model recognised.

    confidence: 0 to 1; None when unknown
    final: False for words recognised while the user is still speaking; the next Heard replaces them
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
    """More speech tokens of the answer, from models that have them."""

    tokens: SpeechTokens


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A complete tool call.

    problem: why the call cannot be run (malformed JSON, for example), as a message for the model; None when it can
    is_native: whether the model wrote it in its own form, and not as text that only resembles a call
    """

    call: ToolCall
    problem: str | None = None
    is_native: bool = True


@dataclass(frozen=True, slots=True)
class CitationDelta:
    """A passage that the answer uses."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class UnspokenDelta:
    """Words of the answer that have no sound, because the synthesiser cannot speak them."""

    words: tuple[str, ...]


EndReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class End:
    """The last delta.

    reason: "length" when a length limit ended the answer early
    usage: counts of this generation by name, such as `input_tokens` and `output_tokens`
    """

    reason: EndReason = "stop"
    usage: Mapping[str, float] = field(default_factory=dict, hash=False)


Delta = Heard | TextDelta | AudioDelta | TokensDelta | CallDelta | CitationDelta | UnspokenDelta | End


@runtime_checkable
class SpeechLM(Protocol):
    """A model that takes a conversation and emits words, sound and tool calls."""

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
        """Generate the next answer as a stream of deltas; the last is `End`.

        Implement it as an `async def` that yields. It must not change the conversation. Closing the
        generator, or cancelling the task that awaits it, must stop the work at once. Several generators
        may run at the same time.

        Raises BackendError when the model fails, and AudioError for sound that it cannot take.
        """

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load now what the first answer would otherwise wait for. May do nothing."""

    async def aclose(self) -> None:
        """Release weights, processes and connections. May be called twice."""


@runtime_checkable
class HasContext(SpeechLM, Protocol):
    """A SpeechLM that knows what a conversation takes of its context, so that an agent can keep long ones within it.

    context_tokens: tokens of the longest conversation with its answer
    """

    @property
    def context_tokens(self) -> int: ...

    def count_tokens(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> int:
        """Tokens that `generate` would read. It blocks for milliseconds, so call it in a thread."""

    async def read_ahead(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> None:
        """Read a conversation now, so that an answer to its continuation need not. Cancelling it stops the work.

        Raises what `generate` raises.
        """


@runtime_checkable
class HearsAhead(SpeechLM, Protocol):
    """A SpeechLM that works on the user's sound while it arrives, so that the answer begins sooner."""

    async def hear_ahead(self, sound: AsyncIterable[Audio]) -> None:
        """Take the sound of a user who speaks, and compute what an answer to it will need.

        sound: parts that follow each other, of any length

        `generate` finds by itself what was computed, for a sound that begins as this one does. It is kept until
        `sound` ends, or this is cancelled. The answer does not depend on it. Raises what `generate` raises.
        """


def with_context(model: SpeechLM) -> HasContext | None:
    """The model that knows its context: this one, or the one that it wraps as its attribute `wrapped`."""
    found = _with_method(model, "count_tokens")
    return found if found is not None and isinstance(found, HasContext) else None


def that_hears_ahead(model: SpeechLM) -> HearsAhead | None:
    """The model that works on sound while it arrives: this one, or the one that it wraps as its attribute `wrapped`."""
    found = _with_method(model, "hear_ahead")
    return found if found is not None and isinstance(found, HearsAhead) else None


def _with_method(model: SpeechLM, name: str) -> SpeechLM | None:
    # The name is looked for first because asking for a protocol is slow, also of None, and each generation asks.
    inner: SpeechLM | None = model
    while inner is not None and not hasattr(inner, name):
        inner = getattr(inner, "wrapped", None)
    return inner
