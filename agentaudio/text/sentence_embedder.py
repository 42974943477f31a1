"""Sentence embeddings by the all-MiniLM-L6-v2 that agentaudio ships, pruned to English."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from agentaudio.onnx import INSTALL_AGAIN, OnnxNetwork
from agentaudio.text.wordpiece import WordPieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ASSET = Path(__file__).parents[1] / "assets" / "sentence_embedder.onnx.gz"
"""Written by scripts/export_sentence_embedder.py."""

MOST_PIECES = 128
SENTENCES_AT_ONCE = 16
BATCHES_AT_ONCE, FEW_BATCHES = 2, 4
"""So few batches are embedded in threads: an answer waits for 30 to 40 sentences of the passages that were found. The
many of a collection take one core."""


class SentenceEmbedder:
    """An `Embed` callable for English sentences; all-MiniLM-L6-v2 (Apache-2.0), pruned and quantised.

    Several threads may share one. The weights, about 60 MB in memory, are read by the first call: share one embedder
    instead of making several. Source: Reimers and Gurevych 2019, "Sentence-BERT"; Wang et al. 2020, "MiniLM".
    """

    name = "minilm-l6-embedded"
    dim = 384

    def __init__(self, path: Path = ASSET) -> None:
        # One thread: a second one gains nothing on short sentences, and next to a recogniser and a synthesiser on
        # two cores it makes a call ten times slower. Batches have threads of their own.
        self._network = OnnxNetwork(
            path, "the sentence embedder", inputs=((None, None), (None, None)), extra="embedded",
            remedy=INSTALL_AGAIN, threads=1,
        )  # fmt: skip
        self._reading = threading.Lock()
        self._pieces: WordPieces | None = None

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of sentences or short passages, in order.

        texts: English; everything after about 126 word pieces (90 words) is ignored
        returns: (len(texts), 384) float32 rows of length 1; the row of an empty text is zero

        Raises MissingExtra without ONNX Runtime, BackendError when the file cannot be used.
        """
        pieces = self._word_pieces()
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), np.float32)
        ids = [pieces(text, MOST_PIECES) for text in texts]
        # Sorted by length, a batch needs the least padding.
        order = sorted((row for row in range(len(ids)) if ids[row]), key=lambda row: len(ids[row]))
        batches = [order[start : start + SENTENCES_AT_ONCE] for start in range(0, len(order), SENTENCES_AT_ONCE)]

        def embed(rows: list[int]) -> None:
            padded = np.zeros((len(rows), len(ids[rows[-1]])), np.int64)
            seen = np.zeros(padded.shape, np.float32)
            for place, row in enumerate(rows):
                padded[place, : len(ids[row])] = ids[row]
                seen[place, : len(ids[row])] = 1
            vectors[rows] = self._network.run(padded, seen)[0]

        if 1 < len(batches) <= FEW_BATCHES:
            with ThreadPoolExecutor(BATCHES_AT_ONCE, "agentaudio-embedding") as threads:
                list(threads.map(embed, batches))
        else:
            for batch in batches:
                embed(batch)
        return vectors

    def _word_pieces(self) -> WordPieces:
        with self._reading:
            if self._pieces is None:
                self._pieces = WordPieces(self._network.metadata()["vocabulary"].split("\n"))
            return self._pieces
