"""Text embedders: the type that searches and routers take, and where to get one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""n texts to (n, dim) float32 rows of unit length, in order; called from several threads at once.

An embedder with a `name` lets searches keep its vectors on disk: equal names promise equal vectors.
"""


@cache
def default_embedder() -> Embed | None:
    """The sentence embedder that agentaudio ships, shared by all callers; None without ONNX Runtime."""
    if find_spec("onnxruntime") is None:
        return None
    from agentaudio.text.sentence_embedder import SentenceEmbedder

    return SentenceEmbedder()


def load_embedder(name: str) -> Embed:
    """An embedder by name: "default" is the one that ships, any other a Sentence Transformers model.

    name: otherwise a folder or an id on the Hugging Face hub, such as "BAAI/bge-m3"

    Raises MissingExtra when the library that it needs is not installed, RetrievalError when the model cannot be
    loaded; for hub models that is on the first call.
    """
    if name == "default":
        from agentaudio.text.sentence_embedder import SentenceEmbedder

        return default_embedder() or SentenceEmbedder()
    from agentaudio.text.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(name)
