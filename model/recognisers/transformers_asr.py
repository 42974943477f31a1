"""`TransformersRecogniser`: a Recogniser on transformers' pipelines for speech recognition, on CPU or GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentaudio.errors import BackendError, MissingExtra, OptionError
from agentaudio.model.parts import Recognition
from agentaudio.model.recognisers.apart import CheckStop, Stopped
from agentaudio.model.recognisers.pieces import pieces
from agentaudio.model.recognisers.whole import SAMPLE_RATE_HZ, WholeRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.vad import VoiceActivity, stretches


class TransformersRecogniser(WholeRecogniser):
    """Any model for `automatic-speech-recognition`: Whisper, wav2vec 2.0, Moonshine and others. See Recogniser.

    Silero's voice detector finds the speech, in pieces of up to 28 s. No code of the repository runs, and
    weights are read from safetensors only. Hints are not used.

    model: a folder, or a repository of the hub
    device: such as `cpu` or `cuda:0`
    dtype: such as `float32` or `bfloat16`
    """

    languages = ()

    def __init__(self, model: str, *, device: str = "cpu", dtype: str = "float32", language: str | None = None) -> None:
        super().__init__(language)
        self._name, self._device, self._dtype = model, device, dtype
        self._activity = VoiceActivity()

    def _load(self) -> Any:
        import transformers

        try:
            return transformers.pipeline(
                "automatic-speech-recognition", model=self._name, device=self._device, dtype=self._dtype,
                trust_remote_code=False, model_kwargs={"use_safetensors": True},
            )  # fmt: skip
        except Exception as error:  # of the hub's client, of files, of torch
            folder = Path(self._name)
            unsafe = folder.is_dir() and not any(folder.glob("*.safetensors"))
            why = "it holds no weights as safetensors; convert them" if unsafe else str(error).strip()[:200]
            raise BackendError(
                f"transformers cannot load {self._name!r} as a model for speech recognition: {why}"
            ) from error

    def _recognise(
        self, model: Any, sound: Audio, language: str | None, hint: Sequence[str], check_stop: CheckStop
    ) -> Recognition:
        texts = []
        probabilities = self._activity.probabilities(sound, check_stop)
        for piece in pieces(sound.samples, stretches(probabilities, sound.duration)):
            check_stop()
            samples = sound.slice(piece.start, piece.end).samples
            given: dict[str, Any] = {}
            if model.type != "ctc":
                given["stopping_criteria"] = [_stop_when(check_stop)]
            if language and model.type == "seq2seq_whisper":
                given |= {"language": language, "task": "transcribe"}
            try:
                found = model(
                    {"raw": samples, "sampling_rate": SAMPLE_RATE_HZ}, **({"generate_kwargs": given} if given else {})
                )
            except Stopped:
                raise
            except (RuntimeError, ValueError, TypeError) as error:
                raise BackendError(f"transformers model {self._name!r} failed: {str(error)[:200]}") from error
            texts.append(found["text"].strip())
        text = " ".join(filter(None, texts))
        return Recognition(text, None, language if text else None)


def _stop_when(check_stop: CheckStop) -> Callable[..., Any]:
    """A stopping criterion that raises once nobody waits for the text."""

    def stop(input_ids: Any, scores: Any, **_: Any) -> Any:
        check_stop()
        return input_ids.new_zeros(len(input_ids), dtype=bool)

    return stop


def load(
    argument: str | None, *, device: str = "cpu", dtype: str = "float32", language: str | None = None
) -> TransformersRecogniser:
    """The entry point `transformers`.

    argument: a folder or a repository of the hub, such as `openai/whisper-small`
    """
    if argument is None:
        raise OptionError("recogniser 'transformers' needs a model: write transformers:openai/whisper-small")
    if not (find_spec("torch") and find_spec("transformers")):
        raise MissingExtra("a recogniser of transformers", "local")
    return TransformersRecogniser(argument, device=device, dtype=dtype, language=language)
