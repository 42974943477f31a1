"""Text embedders: the type that searches and routers take, and where to get one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""n texts to (n, dim) float32 rows of unit length, in order; called from several threads at once.

An embedder with a `name` lets searches keep its vectors on disk: equal names promise equal vectors.
"""


@runtime_checkable
class EmbedsQueries(Protocol):
    """An embedder that treats a query otherwise than a passage, because its model was trained so."""

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """Embed passages, as `Embed`."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed queries, as `Embed`."""
        ...


def embed_query(embed: Embed, query: str) -> NDArray[np.float32]:
    """(dim,) float32 of unit length: a query, to be compared with the passages that `embed` embeds."""
    rows = embed.embed_queries([query]) if isinstance(embed, EmbedsQueries) else embed([query])
    return np.asarray(rows[0], np.float32)


@cache
def default_embedder() -> Embed | None:
    """The sentence embedder that agentaudio ships, shared by all callers; None without ONNX Runtime."""
    if find_spec("onnxruntime") is None:
        return None
    from agentaudio.text.sentence_embedder import SentenceEmbedder

    return SentenceEmbedder()


def load_embedder(name: str) -> Embed:
    """An embedder by name: "default" is the one that ships, any other a Sentence Transformers model.

    name: otherwise weights that `agentaudio models fetch` knows ("all-minilm-l6-v2"), a folder, or an id on the
        Hugging Face hub, such as "BAAI/bge-m3"

    Raises MissingExtra when the library that it needs is not installed, WeightsMissing for weights that were not
    fetched, RetrievalError when the model cannot be loaded; for hub models that is on the first call.
    """
    if name == "default":
        from agentaudio.text.sentence_embedder import SentenceEmbedder

        return default_embedder() or SentenceEmbedder()
    from agentaudio.text.sentence_transformer import SentenceTransformerEmbedder
    from agentaudio.weights.ledger import ledger
    from agentaudio.weights.store import folder

    return SentenceTransformerEmbedder(folder(name) if name in ledger() else name)


def find_embedder(embed: Embed | str | None) -> Embed | None:
    """An embedder that a caller may name; "default" is None where the one that ships cannot run.

    Raises what `load_embedder` raises.
    """
    if not isinstance(embed, str):
        return embed
    return default_embedder() if embed == "default" else load_embedder(embed)
