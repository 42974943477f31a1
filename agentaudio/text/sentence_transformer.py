"""Text embeddings by any Sentence Transformers model, on a GPU where there is one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import MissingExtra, RetrievalError

UNRELATED = (
    "The train to the coast leaves at seven.", "Yeast makes the dough rise overnight.", "She plays the violin.",
    "The court adjourned until Monday.", "A low and hoarse voice.", "Saturn has rings of ice.",
    "Water the ferns weekly.", "他昨天买了一辆自行车。", "電車が遅れています。",
    "Der Schlüssel liegt unter der Matte.", "El volcán está en calma.", "Le musée ferme à six heures.",
)  # fmt: skip
"""Texts that have nothing in common; their mean embedding is what a model says of any text."""
ALIKE_ABOVE = 0.3
"""Mean cosine of unrelated texts from which their mean is subtracted."""


class SentenceTransformerEmbedder:
    """An embedder whose queries and passages may differ (`EmbedsQueries`); several threads may share it.

    Some models give any two texts a cosine of 0.7 or more, but searches add cosines to other scores and compare them
    with thresholds. Of such a model, the mean embedding of UNRELATED texts is subtracted, which brings them near 0.

    model: a folder in Sentence Transformers' layout, or an id on the Hugging Face hub; loaded by the first call.
        Code that comes with a model is never run.
    device: as torch names it; None takes a GPU where there is one
    query_prompt, passage_prompt: put before each query and passage, such as "query: " for E5; None takes the prompts
        in the model's own configuration

    Raises MissingExtra without the extra `local`, RetrievalError when the model cannot be loaded.
    Source: Reimers and Gurevych 2019, "Sentence-BERT"; Mu and Viswanath 2018, "All-but-the-Top" (the mean).
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        device: str | None = None,
        query_prompt: str | None = None,
        passage_prompt: str | None = None,
    ) -> None:
        self._model, self._device = os.fspath(model), device
        self._query_prompt, self._passage_prompt = query_prompt, passage_prompt
        self._lock = threading.Lock()
        self._loaded: Any = None
        self._means: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        prompt = "" if self._passage_prompt is None else f", passages as {self._passage_prompt!r}"
        return f"sentence-transformers {self._model}{prompt}"

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dim) float32 rows of unit length, in order: of passages."""
        with self._lock:
            return self._rows("encode_document", texts, self._passage_prompt)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dim) float32 rows of unit length, in order: of queries."""
        with self._lock:
            return self._rows("encode_query", texts, self._query_prompt)

    def _rows(self, way: str, texts: Sequence[str], prompt: str | None) -> NDArray[np.float32]:
        if self._loaded is None:
            self._loaded = self._load()
        encode = getattr(self._loaded, way)
        if way not in self._means:  # queries and passages are apart, as their prompts are
            mean = _encoded(encode, UNRELATED, prompt).mean(axis=0)
            self._means[way] = mean if mean @ mean > ALIKE_ABOVE else np.zeros_like(mean)
        # The width of no rows is known from one.
        rows = _encoded(encode, list(texts) or [""], prompt) - self._means[way]
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return rows[: len(texts)].astype(np.float32)

    def _load(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtra("a Sentence Transformers model", "local") from error
        try:
            return SentenceTransformer(self._model, device=self._device, trust_remote_code=False)
        except Exception as error:  # errors of torch, transformers and the hub have no common base class
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise RetrievalError(f"the embedder {self._model!r} cannot be loaded: {reason}; check its name") from error


def _encoded(encode: Callable[..., Any], texts: Sequence[str], prompt: str | None) -> NDArray[np.float32]:
    rows = encode(list(texts), prompt=prompt, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
    return np.asarray(rows, np.float32)
