"""`KokoroNetwork`: the Kokoro-82M graph, from symbols and a style to sound and the length of each symbol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError
from agentaudio.model.kokoro.spoken import Spoken
from agentaudio.model.kokoro.symbols import END, IDS, LONGEST
from agentaudio.onnx import OnnxNetwork

STYLE_SIZE = 256
FILE = "kokoro-v1.0.int8.onnx"

_DURATIONS = "/encoder/Clip_output_0"
"""Inner tensor of the graph: (1, symbols) float32, frames of each symbol, the two ends included."""


class KokoroNetwork:
    """The graph kokoro-v1.0.int8.onnx, opened on first use. Several threads may share an instance.

    folder: holds the file
    threads: of one run
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self._network = OnnxNetwork(
            folder / FILE, "speaking with Kokoro", inputs=((1, None), (1, STYLE_SIZE), (1,)),
            extra="embedded", threads=threads, inner=(_DURATIONS,),
        )  # fmt: skip

    def run(self, phonemes: str, style: NDArray[np.float32], speed: float) -> Spoken:
        """The sound of phonemes, with the silence that the network makes before and after.

        phonemes: 1 to LONGEST symbols; unknown ones are left out
        style: (256,)
        speed: 1 is the style's own; 2 is twice as fast

        Raises BackendError for no or too many symbols, when the file is missing or another network, and when the
        run fails; MissingExtra without ONNX Runtime.
        """
        known = "".join(symbol for symbol in phonemes if symbol in IDS)
        if not 1 <= len(known) <= LONGEST:
            raise BackendError(f"{len(known)} symbols cannot be spoken in one run; give 1 to {LONGEST}")
        tokens = np.array([[END, *(IDS[symbol] for symbol in known), END]], np.int64)
        audio, frames = self._network.run(tokens, style[None].astype(np.float32), np.array([speed], np.float32))
        return Spoken(known, np.asarray(audio, np.float32).reshape(-1), np.asarray(frames, np.float64).reshape(-1))
