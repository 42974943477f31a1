"""Text embeddings by any Sentence Transformers model, on a GPU where there is one."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import MissingExtra, RetrievalError


class SentenceTransformerEmbedder:
    """An `Embed` callable; several threads may share it.

    model: a folder in Sentence Transformers' layout, or an id on the Hugging Face hub; loaded by the first call.
        Code that comes with a model is never run.
    device: as torch names it; None takes a GPU where there is one

    Raises MissingExtra without the extra `embedders`, RetrievalError when the model cannot be loaded.
    Source: Reimers and Gurevych 2019, "Sentence-BERT".
    """

    def __init__(self, model: str | os.PathLike[str], *, device: str | None = None) -> None:
        self._model, self._device = os.fspath(model), device
        self._lock = threading.Lock()
        self._loaded: Any = None

    @property
    def name(self) -> str:
        return f"sentence-transformers {self._model}"

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dim) float32 rows of unit length, in order."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            # The width of no rows is known from one.
            rows = self._loaded.encode(
                list(texts) or [""], normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
        return np.asarray(rows, np.float32)[: len(texts)]

    def _load(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtra("a Sentence Transformers model", "embedders") from error
        try:
            return SentenceTransformer(self._model, device=self._device, trust_remote_code=False)
        except Exception as error:  # errors of torch, transformers and the hub have no common base class
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise RetrievalError(f"the embedder {self._model!r} cannot be loaded: {reason}; check its name") from error
