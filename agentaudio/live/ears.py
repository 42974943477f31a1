"""The words of a turn while it is spoken: whose ears hear them."""

from __future__ import annotations

from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.live.settings import EarsLike
from agentaudio.model.parts import Recogniser, Recognises, Recognition
from agentaudio.model.registry import load_recogniser
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.sound.audio import Audio
from agentaudio.weights.store import missing

DEFAULT = "whisper:base"
DEFAULT_WEIGHTS = "whisper-base"


class Ears:
    """Recognises what the user has said so far.

    model: of the agent
    recogniser: other ears than the model's own; None takes those of a model that recognises speech apart
    """

    def __init__(self, model: SpeechLM, recogniser: Recogniser | None) -> None:
        self._model, self._recogniser = model, recogniser

    @property
    def are_the_models(self) -> bool:
        """Whether the model would hear the same words, so that it need not hear the sound again."""
        return self._recogniser is None

    async def recognise(self, audio: Audio, tools: Sequence[ToolSpec], language: str | None) -> Recognition:
        """The words of a sound. Raises BackendError when the ears fail."""
        if self._recogniser is not None:
            return await self._recogniser.recognise(audio, language=language)
        assert isinstance(self._model, Recognises)
        return await self._model.recognise(audio, tools=tools, language=language)

    async def warm_up(self) -> None:
        if self._recogniser is not None:
            await self._recogniser.warm_up()

    async def aclose(self) -> None:
        if self._recogniser is not None:
            await self._recogniser.aclose()


def ears_of(model: SpeechLM, wanted: EarsLike) -> Ears | None:
    """The ears of a live session; None for turn taking by voice activity alone.

    wanted: a Recogniser, or its name; "auto" takes the model's own, else Whisper if its weights are on this machine

    Raises what the recogniser's loader raises.
    """
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        return Ears(model, wanted)
    if wanted != "auto":
        return Ears(model, load_recogniser(wanted))
    if isinstance(model, Recognises):
        return Ears(model, None)
    return Ears(model, load_recogniser(DEFAULT)) if not missing(DEFAULT_WEIGHTS) else None
