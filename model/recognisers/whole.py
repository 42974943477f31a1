"""`WholeRecogniser`: what recognisers have in common that take whole sounds and load a model on first use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from agentaudio.model.parts import Recognition
from agentaudio.model.recognisers.apart import Apart, CheckStop, check_length
from agentaudio.sound.audio import Audio

SAMPLE_RATE_HZ = 16_000


class WholeRecogniser(ABC):
    """A Recogniser that hears one sound after the other, in a thread. Subclasses load and run the model.

    language: BCP-47 code of what is spoken, where a call gives none; None detects it
    """

    max_audio_s = 3600.0

    def __init__(self, language: str | None) -> None:
        self._language = language
        self._apart = Apart(1)
        self._model: Any = None

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        """Recognise a whole sound; see Recogniser."""
        check_length(audio.duration, self.max_audio_s)

        def work(check_stop: CheckStop) -> Recognition:
            sound = audio.resample(SAMPLE_RATE_HZ)
            return self._recognise(self._loaded(), sound, language or self._language, hint, check_stop)

        return await self._apart.run(work)

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        """Recognise a sound when it has ended; there are no partial results."""
        yield await self.recognise(Audio.concat([piece async for piece in sound]), language=language, hint=hint)

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        """Load the model."""
        await self._apart.run(lambda _: self._loaded())

    async def aclose(self) -> None:
        """Stop what runs, and free the model."""
        self._apart.close()
        self._model = None

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = self._load()
        return self._model

    @abstractmethod
    def _load(self) -> Any:
        """The model. Raises BackendError when it cannot be loaded."""

    @abstractmethod
    def _recognise(
        self, model: Any, sound: Audio, language: str | None, hint: Sequence[str], check_stop: CheckStop
    ) -> Recognition:
        """Recognise a sound of 16 kHz in the calling thread; `check_stop` is called between two of its pieces."""
