"""`CrossEncoder`: scores how well a text answers a query with a model that reads both together."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from agentaudio.errors import MissingExtra, RetrievalError

TEXTS_AT_ONCE = 32
MAX_TOKENS = 512


class CrossEncoder:
    """A reranker for `DocumentIndex` and `Web`: slower than comparing vectors, and more accurate.

    model: a sequence classifier with one output in Hugging Face's layout, as a folder or an id on the hub, such
        as `BAAI/bge-reranker-v2-m3`; loaded by the first query, on a GPU where there is one

    Several threads may share one. Raises MissingExtra without the extra `local`, RetrievalError when
    the model cannot be loaded or has more than one output.
    Source: Nogueira and Cho 2019, "Passage Re-ranking with BERT".
    """

    def __init__(self, model: str | os.PathLike[str]) -> None:
        self._name = os.fspath(model)
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def __call__(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score for each text, in order; higher is better."""
        tokenizer, model = self._load()
        import torch

        scores: list[float] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = list(texts[start : start + TEXTS_AT_ONCE])
            pairs = tokenizer([query] * len(some), some, padding=True, truncation=True, max_length=MAX_TOKENS,
                              return_tensors="pt").to(model.device)  # fmt: skip
            with self._lock, torch.inference_mode():
                scores += model(**pairs).logits[:, 0].float().tolist()
        return scores

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._open()
            return self._loaded

    def _open(self) -> tuple[Any, Any]:
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise MissingExtra("a cross-encoder", "local") from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._name)
            model = AutoModelForSequenceClassification.from_pretrained(self._name).eval()
        except Exception as error:
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise RetrievalError(
                f"the cross-encoder {self._name!r} cannot be loaded: {reason}; check its name"
            ) from error
        if model.config.num_labels != 1:
            raise RetrievalError(
                f"{self._name!r} has {model.config.num_labels} outputs; a cross-encoder has one, choose another model"
            )
        return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu")
