"""Embed the passages of the demo documents: agentaudio/demo/documents.npz, read by agentaudio/resources.py.

    python scripts/embed_demo_documents.py

Run it after the documents, their splitting into passages or the sentence embedder changed; a test says when.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.resources import open_documents
from agentaudio.text.known_vectors import write_vectors
from agentaudio.text.sentence_embedder import SentenceEmbedder

DEMO = Path(__file__).parents[1] / "agentaudio" / "demo"


def main() -> None:
    embed = SentenceEmbedder()
    texts: list[str] = []

    def watched(asked: Sequence[str]) -> NDArray[np.float32]:
        if len(asked) > 1:  # one text alone is a probe of the embedder, which opens it before the first question
            texts.extend(asked)
        return embed(asked)

    open_documents("demo", embed=watched).prepare()
    write_vectors(DEMO / "documents.npz", list(dict.fromkeys(texts)), embed)


if __name__ == "__main__":
    main()
