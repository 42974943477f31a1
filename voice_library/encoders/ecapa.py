"""SpeechBrain's ECAPA-TDNN, trained on VoxCeleb, as a speaker encoder."""

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
    from huggingface_hub import hf_hub_download
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
except ImportError as error:
    raise MissingExtra("the ECAPA-TDNN speaker encoder", "speechbrain") from error

SAMPLE_RATE_HZ = 16_000
MEL_BANDS = 80
SHORTEST_S = 0.5
REPOSITORY, WEIGHTS = "speechbrain/spkrec-ecapa-voxceleb", "embedding_model.ckpt"


class EcapaEncoder:
    """ECAPA-TDNN of speechbrain/spkrec-ecapa-voxceleb, with 192 dimensions.

    Only the weights are read; the network is built here, because the repository's YAML recipe can run any code.

    folder: where embedding_model.ckpt is; None downloads it from the Hugging Face hub

    name: includes a fingerprint of the weights, because embeddings of different weights cannot be compared
    same_speaker_above: SpeechBrain's own default (SpeakerRecognition.verify_batch); not calibrated here

    Raises OptionError when the weights cannot be read or downloaded, or belong to another network.
    Source: Desplanques et al. 2020, "ECAPA-TDNN: Emphasized channel attention, propagation and aggregation
    in TDNN based speaker verification"; sizes from hyperparams.yaml of that repository.
    """

    dim = 192
    same_speaker_above = 0.25

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        file = _download() if folder is None else Path(folder) / WEIGHTS
        self._fbank = Fbank(n_mels=MEL_BANDS)
        self._network = ECAPA_TDNN(
            MEL_BANDS, channels=[1024, 1024, 1024, 1024, 3072], kernel_sizes=[5, 3, 3, 3, 1], dilations=[1, 2, 3, 4, 1],
            attention_channels=128, lin_neurons=self.dim,
        ).eval()  # fmt: skip
        try:
            self._network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
            with file.open("rb") as content:
                self.name = f"ecapa-{hashlib.file_digest(content, 'sha256').hexdigest()[:16]}"
        except OSError as error:
            raise OptionError(f"cannot read {file}: {error.strerror}; download {WEIGHTS} of {REPOSITORY}") from None
        except Exception as error:  # torch's errors for a broken file have no common base class
            reason = str(error).splitlines()[0]
            raise OptionError(
                f"{file} does not hold ECAPA-TDNN's weights: {reason}; download {WEIGHTS} of {REPOSITORY}"
            ) from error
        self._running = threading.Lock()  # torch uses every core for one clip

    def encode(self, audio: Audio) -> NDArray[np.float32]:
        """(192,) float32, unit length. Raises VoiceError for silence or less than SHORTEST_S of sound."""
        if audio.is_silent or audio.duration < SHORTEST_S:
            raise VoiceError(
                f"this clip of {audio.duration:.2f} s (peak {audio.peak:.1g} of 1.0) is too short or silent; "
                f"a voice needs at least {SHORTEST_S} s of one person speaking"
            )
        samples = torch.from_numpy(audio.resample(SAMPLE_RATE_HZ).samples.copy())[None]
        with self._running, torch.inference_mode():
            features = self._fbank(samples)
            embedding = self._network(features - features.mean(dim=1, keepdim=True))[0, 0].numpy()
        return np.asarray(embedding / np.linalg.norm(embedding), np.float32)


def _download() -> Path:
    try:
        return Path(hf_hub_download(REPOSITORY, WEIGHTS))
    except Exception as error:  # errors of the hub and of its HTTP client have no common base class
        raise OptionError(
            f"cannot download {WEIGHTS} of {REPOSITORY}: {str(error).splitlines()[0]}; give its folder: ecapa:FOLDER"
        ) from error
