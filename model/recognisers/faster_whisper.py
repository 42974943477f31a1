"""`FasterWhisper`: a Recogniser on the package faster-whisper, for who has it already."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from agentaudio.errors import BackendError
from agentaudio.model.parts import Recognition
from agentaudio.model.recognisers.apart import CheckStop
from agentaudio.model.recognisers.whole import WholeRecogniser
from agentaudio.sound.audio import Audio

MOST_HINT_CHARS = 600
"""About the 200 tokens that Whisper reads of a prompt."""


class FasterWhisper(WholeRecogniser):
    """See Recogniser. Its own options, such as the voice detector's, have the package's defaults.

    model: a size, a repository of the hub, or a folder in CTranslate2 format
    """

    def __init__(self, model: str, *, device: str, compute_type: str, beam: int, language: str | None) -> None:
        super().__init__(language)
        self._name, self._device, self._compute_type, self._beam = model, device, compute_type, beam

    @property
    def languages(self) -> tuple[str, ...]:
        """Unknown before the model is loaded."""
        return tuple(self._model.supported_languages) if self._model is not None else ()

    def _load(self) -> Any:
        from faster_whisper import WhisperModel

        try:
            return WhisperModel(self._name, device=self._device, compute_type=self._compute_type)
        except Exception as error:  # of the hub's client, of files, of CTranslate2
            raise BackendError(f"faster-whisper cannot load {self._name!r}: {str(error)[:200]}") from error

    def _recognise(
        self, model: Any, sound: Audio, language: str | None, hint: Sequence[str], check_stop: CheckStop
    ) -> Recognition:
        try:
            segments, info = model.transcribe(
                sound.samples, language=language, beam_size=self._beam, vad_filter=True,
                initial_prompt=" ".join(hint)[-MOST_HINT_CHARS:] or None, condition_on_previous_text=False,
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
