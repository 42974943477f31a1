"""`OfficialEngine`: Pocket TTS by Kyutai's package `pocket-tts`, on torch."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import warnings
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from agentaudio.errors import BackendError, MissingExtra, VoiceError
from agentaudio.model.pocket_tts.checkpoint import Checkpoint
from agentaudio.model.pocket_tts.engine import FRAME, MOST_TOKENS, SAMPLE_RATE_HZ, Arrays, Floats
from agentaudio.sound.audio import Audio

EXTRA = "pocket-tts"


class OfficialEngine:
    """A PocketEngine on the package pocket-tts.

    checkpoint: the files
    temperature: of the sampling; None is the one that the weights were published with, mostly 0.3
    steps: of the sampling, for each frame
    threads: of torch, which has one number for the whole process
    int8: round the weights of the transformer to 8 bits, which takes less memory and time

    Importing the package needs seconds and happens in `load`.
    Raises MissingExtra without the extra `pocket-tts`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        temperature: float | None = None,
        steps: int = 1,
        threads: int = 1,
        int8: bool = False,
    ) -> None:
        if not (find_spec("pocket_tts") and find_spec("torch")):
            raise MissingExtra("speaking with Pocket TTS", EXTRA)
        self._checkpoint = checkpoint
        self._temperature, self._steps, self._threads, self._int8 = temperature, steps, threads, int8
        self._model: Any = None

    @property
    def name(self) -> str:
        return self._checkpoint.name

    @property
    def languages(self) -> tuple[str, ...]:
        return self._checkpoint.languages

    @cached_property
    def fingerprint(self) -> str:
        """Of weights and configuration. The weights are read for it, unless the ledger has verified them."""
        digest = hashlib.sha256(f"{self._checkpoint.digest} {self._int8}".encode()).hexdigest()[:16]
        return f"torch-{digest}"

    def load(self) -> None:
        if self._model is None:
            self._model = self._loaded()

    def encode(self, clip: Audio) -> Arrays:
        """The keys and values of the transformer after the clip, with their places; see PocketEngine."""
        self.load()
        import torch

        with _Explained(self.name):
            state = self._model.get_state_for_audio_prompt(torch.from_numpy(clip.samples.copy())[None])
        arrays = {
            f"{module}/{key}": tensor.detach().cpu().numpy().copy()
            for module, tensors in state.items()
            for key, tensor in tensors.items()
        }
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise VoiceError("Pocket TTS computed numbers that are not finite; give another clip")
        return arrays

    def tokens(self, text: str) -> int:
        self.load()
        return len(self._model.flow_lm.conditioner.tokenizer.encode(text))

    def speak(self, text: str, voice: Arrays, stop: threading.Event) -> Iterator[Floats]:
        """The sound of a text while it is generated; see PocketEngine. The package uses two threads of its own."""
        self.load()
        with _Explained(self.name):
            # The text is one piece already: the package cuts only what has more tokens.
            sounds = self._model.generate_audio_stream(
                _tensors(voice), text, max_tokens=2 * MOST_TOKENS, copy_state=False, stop=stop
            )
            for sound in sounds:
                yield np.asarray(sound.detach().cpu().numpy(), np.float32)

    def close(self) -> None:
        self._model = None

    def _loaded(self) -> Any:
        """The model. The package downloads nothing: it is given paths of files."""
        from pocket_tts import TTSModel

        with (
            _Explained(self.name, f"the weights in {self._checkpoint.weights.parent} cannot be loaded"),
            tempfile.TemporaryDirectory(prefix="agentaudio-pocket-") as place,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of torch, about ways of rounding weights that will be replaced
            config = Path(place, "config.yaml")
            config.write_text(yaml.safe_dump(self._checkpoint.local_config()), "utf-8")
            model = TTSModel.load_model(
                config=config, temp=self._temperature, sampler_decode_steps=self._steps, quantize=self._int8
            )
        self._check(model)
        import torch

        torch.set_num_threads(self._threads)
        return model

    def _check(self, model: Any) -> None:
        """Raises BackendError for weights of another kind of sound, and for those that cannot clone."""
        mimi = model.config.mimi
        if mimi.sample_rate != SAMPLE_RATE_HZ or mimi.sample_rate / mimi.frame_rate != FRAME:
            raise BackendError(
                f"the weights {self.name!r} make {mimi.frame_rate:g} frames a second of {mimi.sample_rate} Hz; "
                f"{SAMPLE_RATE_HZ / FRAME:g} of {SAMPLE_RATE_HZ} Hz are needed"
            )
        encoder = [model.flow_lm.speaker_proj_weight, *model.mimi.encoder.parameters()]
        if self._checkpoint.is_without_cloning or not all(bool(weight.any()) for weight in encoder[:2]):
            raise BackendError(
                f"the weights {self.name!r} were published without the encoder that clones voices; accept the terms at "
                "https://huggingface.co/kyutai/pocket-tts, and take those"
            )


class _Explained:
    """Turns the errors of the package into BackendError, in one line."""

    def __init__(self, name: str, what: str = "") -> None:
        self._what = what or f"Pocket TTS ({name}) failed"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if error is None or not isinstance(error, Exception) or isinstance(error, BackendError):
            return
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines[:2])[:300] or repr(error)
        raise BackendError(f"{self._what}: {reason}") from error


def _tensors(voice: Arrays) -> dict[str, dict[str, Any]]:
    """A voice state as the package has it, in tensors of its own, which the package changes while it speaks."""
    import torch

    state: dict[str, dict[str, Any]] = {}
    for name, array in voice.items():
        module, _, key = name.rpartition("/")
        state.setdefault(module, {})[key] = torch.from_numpy(np.array(array))
    return state
