"""`KokoroNetwork`: the Kokoro-82M graph, from symbols and a style to sound and the length of each symbol."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AgentAudioError, BackendError, WeightsError
from agentaudio.model.kokoro.faster_file import faster_file
from agentaudio.model.kokoro.spoken import Spoken
from agentaudio.model.kokoro.symbols import END, IDS, LONGEST
from agentaudio.onnx import OnnxNetwork

log = logging.getLogger(__name__)

STYLE_SIZE = 256
FILE = "kokoro-v1.0.int8.onnx"

INPUTS = ((1, None), (1, STYLE_SIZE), (1,))
"""Shapes of the inputs: symbols int64, style float32, speed float32."""

DURATIONS = "/encoder/Clip_output_0"
"""Inner tensor of the graph: (1, symbols) float32, frames of each symbol, the two ends included."""


SHORT_SYMBOLS = 40
"""Symbols of a run whose memory is kept for the next one: about 50 MB. Giving it back and taking it again costs a
twentieth of the time of a first phrase."""


class KokoroNetwork:
    """The graph kokoro-v1.0.int8.onnx, opened on first use. Several threads may share an instance.

    A faster graph is made of it and kept beside it, which takes about 10 s the first time on a machine; see
    agentaudio.model.kokoro.rewriting. Where that cannot be made, a warning is logged and the graph is used as it is.

    folder: holds the file
    threads: of one run
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self._folder, self._threads = folder, threads
        self._opening = threading.Lock()
        self._network: OnnxNetwork | None = None

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
        inputs = tokens, style[None].astype(np.float32), np.array([speed], np.float32)
        audio, frames = self._opened().run(*inputs, keeps=len(known) <= SHORT_SYMBOLS)
        return Spoken(known, np.asarray(audio, np.float32).reshape(-1), np.asarray(frames, np.float64).reshape(-1))

    def _opened(self) -> OnnxNetwork:
        with self._opening:
            if self._network is None:
                self._network = self._open()
            return self._network

    def _open(self) -> OnnxNetwork:
        source = self._on(self._folder / FILE, (DURATIONS,))
        if not source.path.is_file():
            return source
        problem: AgentAudioError | None = None
        try:
            for again in (False, True):  # a damaged file is made again
                with faster_file(source, (DURATIONS,), again=again) as path:
                    network = self._on(path)
                    try:
                        network.metadata()  # reads the file, which may be a temporary one
                    except BackendError as damage:
                        problem = damage
                    else:
                        return network
        except (BackendError, WeightsError) as error:
            problem = error
        log.warning("Kokoro takes about twice as long to speak, because its faster graph is missing: %s", problem)
        return source

    def _on(self, path: Path, inner: tuple[str, ...] = ()) -> OnnxNetwork:
        return OnnxNetwork(
            path, "speaking with Kokoro", inputs=INPUTS,
            extra="embedded", threads=self._threads, inner=inner, frees=True,
        )  # fmt: skip
