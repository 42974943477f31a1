"""WavLM with an x-vector head, from transformers, as a speaker encoder."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import MissingExtra, OptionError, VoiceError
from agentaudio.sound.audio import Audio

try:
    import torch
    from transformers import AutoFeatureExtractor, WavLMForXVector
except ImportError as error:
    raise MissingExtra("the WavLM speaker encoder", "local") from error

SAMPLE_RATE_HZ = 16_000
SHORTEST_S = 0.5
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class WavLMEncoder:
    """A WavLM x-vector model, such as microsoft/wavlm-base-plus-sv (512 dimensions, 94 million weights).

    folder: of the downloaded model; nothing is fetched from a hub

    name: includes a fingerprint of the weights, because embeddings of different weights cannot be compared
    same_speaker_above: the authors' own threshold (model card of wavlm-base-plus-sv); not calibrated here

    Raises OptionError when the folder does not hold such a model.
    Source: Chen et al. 2022, "WavLM: Large-scale self-supervised pre-training for full stack speech processing".
    """

    same_speaker_above = 0.86

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        weights = next((path for name in WEIGHTS if (path := Path(folder) / name).is_file()), None)
        if weights is None:
            raise OptionError(f"{folder} has neither {' nor '.join(WEIGHTS)}; download a WavLM x-vector model there")
        try:
            self._features = AutoFeatureExtractor.from_pretrained(str(folder), local_files_only=True)
            self._model = WavLMForXVector.from_pretrained(str(folder), local_files_only=True).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise OptionError(
                f"{folder} is not a WavLM x-vector model: {str(error).splitlines()[0]}; download one there"
            ) from None
        with weights.open("rb") as file:
            self.name = f"wavlm-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
        self.dim = int(self._model.config.xvector_output_dim)
        self._running = threading.Lock()  # torch uses every core for one clip

    def encode(self, audio: Audio) -> NDArray[np.float32]:
        """(dim,) float32, unit length. Raises VoiceError for silence or less than SHORTEST_S of sound."""
        if audio.is_silent or audio.duration < SHORTEST_S:
            raise VoiceError(
                f"this clip of {audio.duration:.2f} s (peak {audio.peak:.1g} of 1.0) is too short or silent; "
                f"a voice needs at least {SHORTEST_S} s of one person speaking"
            )
        samples = audio.resample(SAMPLE_RATE_HZ).samples
        inputs = self._features(samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        with self._running, torch.inference_mode():
            embedding = self._model(**inputs).embeddings[0].float().numpy()
        return np.asarray(embedding / np.linalg.norm(embedding), np.float32)
