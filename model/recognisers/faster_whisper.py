"""`FasterWhisper`: a Recogniser on the package faster-whisper, for who has it already."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from importlib.util import find_spec
from typing import Any

from agentaudio.errors import BackendError
from agentaudio.model.parts import Recognition
from agentaudio.model.recognisers.apart import Apart, CheckStop, check_length
from agentaudio.onnx import refuse_telemetry
from agentaudio.sound.audio import Audio

SAMPLE_RATE_HZ = 16_000
LONGEST_AUDIO_S = 3600.0
MOST_HINT_CHARS = 600
"""About the 200 tokens that Whisper reads of a prompt."""


class FasterWhisper:
    """See Recogniser. Its own options, such as the voice detector's, have the package's defaults.

    model: a size, a repository of the hub, or a folder in CTranslate2 format
    """

    max_audio_s = LONGEST_AUDIO_S

    def __init__(self, model: str, *, device: str, compute_type: str, beam: int, language: str | None) -> None:
        self._name, self._device, self._compute_type = model, device, compute_type
        self._beam, self._language = beam, language
        self._model: Any = None
        self._apart = Apart(1)

    @property
    def languages(self) -> tuple[str, ...]:
        """Unknown before the model is loaded."""
        return tuple(self._model.supported_languages) if self._model is not None else ()

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        check_length(audio.duration, self.max_audio_s)
        hints = " ".join(hint)[-MOST_HINT_CHARS:]
        return await self._apart.run(lambda stop: self._recognise(audio, language or self._language, hints, stop))

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        """Recognise a sound when it has ended; there are no partial results."""
        yield await self.recognise(Audio.concat([piece async for piece in sound]), language=language, hint=hint)

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        await self._apart.run(lambda stop: self._loaded())

    async def aclose(self) -> None:
        self._apart.close()
        self._model = None

    def _recognise(self, audio: Audio, language: str | None, hint: str, check_stop: CheckStop) -> Recognition:
        samples = audio.resample(SAMPLE_RATE_HZ).samples
        try:
            segments, info = self._loaded().transcribe(
                samples, language=language, beam_size=self._beam, initial_prompt=hint or None, vad_filter=True,
                condition_on_previous_text=False,
            )  # fmt: skip
            found = []
            for segment in segments:
                check_stop()
                found.append(segment)
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"faster-whisper {self._name!r} failed: {str(error)[:200]}") from error
        if not found:
            return Recognition("")
        mean = sum(one.avg_logprob for one in found) / len(found)
        return Recognition("".join(one.text for one in found).strip(), math.exp(min(0.0, mean)), info.language)

    def _loaded(self) -> Any:
        if self._model is None:
            refuse_telemetry()  # its voice detector runs on ONNX Runtime
            from faster_whisper import WhisperModel

            try:
                self._model = WhisperModel(self._name, device=self._device, compute_type=self._compute_type)
            except Exception as error:  # of the hub's client, of files, of CTranslate2
                raise BackendError(f"faster-whisper cannot load {self._name!r}: {str(error)[:200]}") from error
        return self._model


def load(
    argument: str | None,
    *,
    device: str = "auto",
    compute_type: str = "default",
    beam: int = 5,
    language: str | None = None,
) -> FasterWhisper:
    """The entry point `faster-whisper`.

    argument: a size (`base` is the default), a repository of the hub, or a folder
    device: `cpu`, `cuda` or `auto`
    compute_type: of CTranslate2, such as `int8`
    """
    if find_spec("faster_whisper") is None:
        raise BackendError("the package faster-whisper is not installed: pip install faster-whisper; or use 'whisper'")
    return FasterWhisper(argument or "base", device=device, compute_type=compute_type, beam=beam, language=language)
