"""The parts that a speech model can be composed of: so far `Synthesiser`, from text to sound."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Literal, Protocol

from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.voice_states import State
from agentaudio.sound.audio import Audio


class Synthesiser(Protocol[State]):
    """Speaks text, in a voice that was prepared once. Several utterances may be spoken at the same time.

    voices: "any" clones a reference voice or moves its own towards it; "fixed" speaks in its own voice
        and ignores references
    sample_rate_hz: of all the sound it emits
    languages: BCP-47 codes of what it can speak; empty when that is not known
    """

    @property
    def voices(self) -> Literal["any", "fixed"]: ...

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

    def speak(self, text: AsyncIterator[str], state: State) -> AsyncGenerator[Audio, None]:
        """Speak a text while it arrives.

        text: pieces of any length, such as a language model's deltas; joined they are the text
        state: what `prepare` returned
        yields: sound to be played without pause, the first as soon as a first phrase is complete; all
            at `sample_rate_hz`

        Closing the generator stops the work: no phrase is begun afterwards. It does not close `text`.
        Raises BackendError when the synthesiser fails.
        """

    async def warm_up(self) -> None:
        """Load what the first utterance would otherwise wait for."""

    async def aclose(self) -> None:
        """Free what the synthesiser holds: weights, processes, connections. It may be called twice."""
