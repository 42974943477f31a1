"""Sentences to vectors of meaning: a pruned all-MiniLM-L6-v2 that ships with agentaudio."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentaudio.errors import BackendError
from agentaudio.onnx import INSTALL_AGAIN, OnnxNetwork
from agentaudio.text.wordpiece import WordPieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ASSET = Path(__file__).parents[1] / "assets" / "sentence_embedder.onnx.gz"
MOST_PIECES = 128
SENTENCES_AT_ONCE = 16


class SentenceEmbedder:
    """Sentence vectors by all-MiniLM-L6-v2 (Apache-2.0), pruned to English and quantised.

    Calls may come from several threads at once. The weights are read on the first call and
    shared by all later ones. Source: Reimers and Gurevych 2019, "Sentence-BERT"; Wang et al.
    2020, "MiniLM". Use one embedder for everything: each holds about 60 MB.
    """

    name = "minilm-l6-embedded"
    dim = 384

    def __init__(self, path: Path = ASSET) -> None:
        # One thread: for ten words a second one gains nothing, and beside a recogniser and a
        # synthesiser on two cores it costs tenfold. Callers may embed in threads of their own.
        self._network = OnnxNetwork(
            path, "the sentence embedder", inputs=((None, None), (None, None)), extra="embedded",
            remedy=f"{INSTALL_AGAIN}, or run scripts/export_sentence_embedder.py", threads=1,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._pieces: WordPieces | None = None

    def load(self) -> WordPieces:
        """Read the weights now instead of on the first call; returns the word pieces they were trained on.

        Raises MissingExtra without ONNX Runtime, BackendError for an unreadable file.
        """
        with self._lock:
            if self._pieces is None:
                vocabulary = self._network.metadata().get("vocabulary")
                if vocabulary is None:
                    raise BackendError(
                        f"{self._network.path} is another network: it has no vocabulary; {INSTALL_AGAIN}"
                    )
                self._pieces = WordPieces(vocabulary.split("\n"))
            return self._pieces

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of sentences or short passages, in the order given.

        texts: English; words past about 126 pieces (90 words) are not read
        returns: (len(texts), 384) float32 rows of length 1; the row of an empty text is zero
        """
        pieces = self.load()
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), np.float32)
        ids = [pieces(text, MOST_PIECES) for text in texts]
        # Neighbours in length are padded least.
        order = sorted((row for row in range(len(ids)) if ids[row]), key=lambda row: len(ids[row]))
        for start in range(0, len(order), SENTENCES_AT_ONCE):
            rows = order[start : start + SENTENCES_AT_ONCE]
            padded = np.zeros((len(rows), len(ids[rows[-1]])), np.int64)
            seen = np.zeros(padded.shape, np.float32)
            for place, row in enumerate(rows):
                padded[place, : len(ids[row])] = ids[row]
                seen[place, : len(ids[row])] = 1
            vectors[rows] = self._network.run(padded, seen)[0]
        return vectors
