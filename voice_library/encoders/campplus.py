"""CAM++ as it ships in a Step-Audio 2 checkpoint, as a speaker encoder of voice libraries."""

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
    """The speaker embedding that also conditions the decoder: 192 numbers.

    folder: the checkpoint, or its token2wav folder

    name: with a fingerprint of the weights, since embeddings of other weights do not compare

    Raises OptionError when the folder holds no CAM++; see CamPlusPlus for the rest.
    """

    dim = CamPlusPlus.dim
    same_speaker_above = CamPlusPlus.same_speaker_above

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        file = next((path for place in PLACES if (path := Path(folder) / place).is_file()), None)
        if file is None:
            raise OptionError(f"{folder} holds neither {' nor '.join(PLACES)}; give the folder of a checkpoint")
        self._network = CamPlusPlus(file)
        self.name = f"{CamPlusPlus.name}-{self._network.fingerprint()}"

    def encode(self, audio: Audio) -> NDArray[np.float32]:
        """(192,) float32, unit length. Raises VoiceError for silence or too little sound."""
        embedding = self._network.encode(audio)
        return np.asarray(embedding / np.linalg.norm(embedding), np.float32)
