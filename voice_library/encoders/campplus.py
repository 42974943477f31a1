"""The CAM++ of a Step-Audio 2 checkpoint as a speaker encoder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import OptionError
from agentaudio.sound.audio import Audio
from agentaudio.sound.campplus import CamPlusPlus

PLACES = ("token2wav/campplus.onnx", "campplus.onnx")


class CamPlusPlusEncoder:
    """The 192-dimensional speaker embedding that also conditions the checkpoint's decoder.

    folder: the checkpoint, or its token2wav folder

    name: includes a fingerprint of the weights, because embeddings of different weights cannot be compared

    Raises OptionError when the folder has no CAM++; otherwise raises like CamPlusPlus.
    """

    dim = CamPlusPlus.dim
    same_speaker_above = CamPlusPlus.same_speaker_above

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        file = next((path for place in PLACES if (path := Path(folder) / place).is_file()), None)
        if file is None:
            raise OptionError(f"{folder} has neither {' nor '.join(PLACES)}; give the folder of a checkpoint")
        self._network = CamPlusPlus(file)
        self.name = f"{CamPlusPlus.name}-{self._network.fingerprint()}"

    def encode(self, audio: Audio) -> NDArray[np.float32]:
        """(192,) float32, unit length. Raises VoiceError for silence or too little sound."""
        embedding = self._network.encode(audio)
        return np.asarray(embedding / np.linalg.norm(embedding), np.float32)
