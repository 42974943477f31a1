"""Sentences to vectors of meaning: a pruned all-MiniLM-L6-v2 that ships with agentaudio."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentaudio.errors import MissingExtra, ModelError
from agentaudio.text.wordpiece import WordPieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ASSET = Path(__file__).parents[1] / "assets" / "sentence_embedder.onnx.gz"
MOST_PIECES = 128
SENTENCES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Network:
    """What the asset holds: an onnxruntime session and the word pieces it was trained on."""

    session: Any
    pieces: WordPieces


def read_network(path: Path = ASSET) -> Network:
    """Read the asset that scripts/export_sentence_embedder.py wrote.

    Raises MissingExtra without numpy or onnxruntime, ModelError when the file cannot be used.
    """
    try:
        import numpy  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("the sentence embedder", "embedded") from error
    settings = onnxruntime.SessionOptions()
    # One thread: for ten words a second one gains nothing, and beside a recogniser and a
    # synthesiser on two cores it costs tenfold. Callers may embed in threads of their own.
    settings.intra_op_num_threads = 1
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            gzip.decompress(path.read_bytes()), settings, providers=["CPUExecutionProvider"]
        )
        vocabulary = session.get_modelmeta().custom_metadata_map["vocabulary"].split("\n")
        return Network(session, WordPieces(vocabulary))
    except Exception as error:  # onnxruntime raises errors of many modules
        raise ModelError(
            f"cannot read the sentence embedder {path}: {error}; install agentaudio again, or run "
            "scripts/export_sentence_embedder.py"
        ) from error


class SentenceEmbedder:
    """Sentence vectors by all-MiniLM-L6-v2 (Apache-2.0), pruned to English and quantised.

    Calls may come from several threads at once. The weights are read on the first call and
    shared by all later ones. Source: Reimers and Gurevych 2019, "Sentence-BERT"; Wang et al.
    2020, "MiniLM". Use one embedder for everything: each holds about 60 MB.
    """

    name = "minilm-l6-embedded"
    dim = 384

    def __init__(self, path: Path = ASSET) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._network: Network | None = None

    def load(self) -> Network:
        """Read the weights now instead of on the first call.

        Raises MissingExtra without onnxruntime, ModelError for an unreadable file.
        """
        with self._lock:
            if self._network is None:
                self._network = read_network(self._path)
            return self._network

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of sentences or short passages, in the order given.

        texts: English; words past about 126 pieces (90 words) are not read
        returns: (len(texts), 384) float32 rows of length 1; the row of an empty text is zero
        """
        network = self.load()
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), np.float32)
        ids = [network.pieces(text, MOST_PIECES) for text in texts]
        # Neighbours in length are padded least.
        order = sorted((row for row in range(len(ids)) if ids[row]), key=lambda row: len(ids[row]))
        for start in range(0, len(order), SENTENCES_AT_ONCE):
            rows = order[start : start + SENTENCES_AT_ONCE]
            padded = np.zeros((len(rows), len(ids[rows[-1]])), np.int64)
            seen = np.zeros(padded.shape, np.float32)
            for place, row in enumerate(rows):
                padded[place, : len(ids[row])] = ids[row]
                seen[place, : len(ids[row])] = 1
            vectors[rows] = network.session.run(None, {"ids": padded, "seen": seen})[0]
        return vectors
