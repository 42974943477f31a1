"""`KnownVectors`: an embedder that has the vectors of some texts from a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.text.embedding import Embed

DIGEST_BYTES = 16


class KnownVectors:
    """An `Embed` callable: texts of a file by their vectors there, others by another embedder.

    embed: the embedder that made the file
    path: written by `write_vectors`, read on the first call; texts do not stand in it, only their digests. A file by an
        embedder of another name, or a missing one, knows no text
    """

    def __init__(self, embed: Embed, path: Path) -> None:
        self._embed, self._path = embed, path
        self.name: str | None = getattr(embed, "name", None)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dim) float32 rows of unit length, in order. Raises what the other embedder raises."""
        found = [self._known.get(_digest(text)) for text in texts]
        new = [text for text, row in zip(texts, found, strict=True) if row is None]
        if len(new) == len(texts):
            return self._embed(texts)
        rows = iter(self._embed(new) if new else ())
        return np.stack([next(rows) if row is None else row for row in found])

    @cached_property
    def _known(self) -> dict[bytes, NDArray[np.float32]]:
        if not self._path.is_file():
            return {}
        with np.load(self._path, allow_pickle=False) as held:
            if str(held["embedder"]) != self.name:
                return {}
            return {row.tobytes(): vector for row, vector in zip(held["digests"], held["vectors"], strict=True)}


def write_vectors(path: Path, texts: Sequence[str], embed: Embed) -> None:
    """Write the vectors of texts for `KnownVectors`. embed: needs a `name`."""
    digests = np.frombuffer(b"".join(map(_digest, texts)), np.uint8).reshape(-1, DIGEST_BYTES)
    np.savez_compressed(path, embedder=embed.name, digests=digests, vectors=embed(texts))  # type: ignore[attr-defined]


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "replace")).digest()[:DIGEST_BYTES]
