"""The three parts of a cascade: `Recogniser` (sound to text), `ChatModel` (text to text and calls) and
`Synthesiser` (text to sound)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.model.manner import Manner
from agentaudio.model.speech_lm import (
    CallDelta,
    CitationDelta,
    End,
    GenerateOptions,
    ReferenceVoice,
    TextDelta,
)
from agentaudio.model.voice_states import State
from agentaudio.sound.audio import Audio


@dataclass(frozen=True, slots=True)
class Recognition:
    """The words of a sound.

    text: as the recogniser writes them; empty when there is no speech
    confidence: 0 to 1, the expected share of correct words; None when unknown
    language: BCP-47 code of the language that was spoken; None when unknown
    final: False for words of a sound that goes on; the next Recognition replaces them
    """

    text: str
    confidence: float | None = None
    language: str | None = None
    final: bool = True


class Recogniser(Protocol):
    """Converts speech to text. Several sounds may be recognised at the same time.

    languages: BCP-47 codes of what it can recognise; empty when unknown
    max_audio_s: longest sound that `recognise` takes
    """

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def max_audio_s(self) -> float: ...

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        """Recognise a whole sound.

        language: BCP-47 code of the language spoken; None detects it, where the recogniser can
        hint: sentences that may be said; the recogniser may use them, and other words are recognised too

        Cancelling the task that awaits this stops the work, or leaves its result unused.
        Raises AudioError for a sound that is too long or has no samples, OptionError for a language that it
        does not recognise, BackendError when it fails or was closed.
        """

    def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        """Recognise a sound while it arrives.

        sound: pieces of any length, all of one utterance
        yields: what was said so far (final=False), and at the end of `sound` the whole (final=True)

        Closing the generator stops the work. Raises as `recognise` does.
        """

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        """Load what the first recognition would otherwise wait for."""

    async def aclose(self) -> None:
        """Free what the recogniser holds. It may be called twice."""


@runtime_checkable
class Recognises(Protocol):
    """A speech model whose recognition is a part of its own, and can be asked for while the user speaks."""

    async def recognise(
        self, audio: Audio, *, tools: Sequence[ToolSpec] = (), language: str | None = None
    ) -> Recognition:
        """The words that the model would hear in a sound. An AudioPart with them is not recognised again.

        Raises as `Recogniser.recognise` does.
        """


@runtime_checkable
class Speaks(Protocol):
    """A speech model that can speak given words."""

    async def prepare(self, voice: ReferenceVoice | None) -> None:
        """Make now what speaking in a voice takes, so that its first words come sooner; see `Synthesiser.prepare`."""

    def say(
        self, text: str | AsyncIterator[str], *, voice: ReferenceVoice | None = None, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text in a voice, at the model's `sample_rate_hz`. Closing the generator stops the work.

        text: whole, or in pieces of any length while it arrives, which are not closed

        Raises BackendError when that fails, and what `Synthesiser.prepare` raises.
        """


ChatDelta = TextDelta | CallDelta | CitationDelta | Manner | End
"""What a chat model emits. A `Manner` comes before the text that is spoken in it."""


class ChatModel(Protocol):
    """Answers a conversation in text and tool calls. Several answers may be generated at the same time.

    calls_tools, cites, languages, options: as in `Capabilities`
    """

    @property
    def name(self) -> str: ...

    @property
    def calls_tools(self) -> bool: ...

    @property
    def cites(self) -> bool: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def options(self) -> frozenset[str]: ...

    def chat(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[ChatDelta, None]:
        """Generate the next answer as a stream of deltas; the last is `End`.

        conversation: every AudioPart in it has a transcript. It must not be changed.
        options: `language` is that of the user's words, when it is known

        Closing the generator, or cancelling the task that awaits it, must stop the work at once.
        Raises BackendError when the model fails.
        """

    def expected(self, tools: Sequence[ToolSpec]) -> Sequence[str]:
        """Sentences that users of these tools may say, as a hint for the recogniser; may be empty."""

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load what the first answer would otherwise wait for."""

    async def aclose(self) -> None:
        """Free what the model holds: weights, processes, connections. It may be called twice."""


SynthesiserVoices = Literal["clones", "moves", "presets", "fixed"]


@runtime_checkable
class SpeaksByRules(Protocol):
    """A synthesiser without a network that learnt from recordings. by_rules: for people"""

    by_rules: str


@runtime_checkable
class NamesUnspoken(Protocol):
    """A synthesiser that tells which words it leaves out."""

    def unspoken(self, text: str) -> tuple[str, ...]:
        """The words of a text that it cannot speak, in order; fast."""


class Synthesiser(Protocol[State]):
    """Speaks text, in a voice that was prepared once. Several utterances may be spoken at the same time.

    voices: "clones" speaks in a reference voice, "moves" changes its own voice towards the reference,
        "presets" takes the nearest of its own voices, "fixed" speaks in one voice and ignores references
    sample_rate_hz: of all the sound it emits
    languages: BCP-47 codes of what it can speak; empty when that is not known
    """

    @property
    def voices(self) -> SynthesiserVoices: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    async def prepare(self, voice: ReferenceVoice | None) -> State:
        """What `speak` needs to speak in a voice; None is the synthesiser's own voice.

        It is made once for each clip, and kept in memory and where the voice permits it. Call it at
        the start of each answer: that is when a revoked voice is refused.

        Raises ConsentError when the voice may not be used, VoiceError for a clip that cannot be used.
        """

    def speak(
        self, text: AsyncIterator[str], state: State, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text while it arrives.

        text: pieces of any length, such as a language model's deltas; joined they are the text
        state: what `prepare` returned
        language: BCP-47 code of the text; None lets the synthesiser judge by the text
        yields: sound to be played without pause, the first as soon as a first phrase is complete; all
            at `sample_rate_hz`

        Closing the generator stops the work: no phrase is begun afterwards. It does not close `text`.
        Raises BackendError when the synthesiser fails.
        """

    async def warm_up(self) -> None:
        """Load what the first utterance would otherwise wait for."""

    async def aclose(self) -> None:
        """Free what the synthesiser holds: weights, processes, connections. It may be called twice."""
