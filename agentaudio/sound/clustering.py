"""Clustering of speaker embeddings: does one person speak in a clip, or two?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]

ROUNDS = 5
"""Of 2-means; the assignment of a few dozen windows settles within that many."""

FEWEST_WINDOWS = 2
"""In a cluster: a single odd window may be a cough."""


def cosine_of_two_clusters(windows: Embedding) -> float:
    """Cosine between the means of the two clusters that a clip's windows fall into; 1.0 for one cluster.

    windows: (n, dim) float32: speaker embeddings of short windows of a clip, of any length but 0

    2-means by cosine, started from the two least similar windows. The result is 1.0 as well when a
    cluster has fewer than FEWEST_WINDOWS.
    """
    if len(windows) < 2 * FEWEST_WINDOWS:
        return 1.0
    units = windows / np.linalg.norm(windows, axis=1, keepdims=True)
    similar = units @ units.T
    centres = units[list(np.unravel_index(similar.argmin(), similar.shape))]
    for _ in range(ROUNDS):
        nearest = (units @ centres.T).argmax(axis=1)
        if min(np.bincount(nearest, minlength=2)) < FEWEST_WINDOWS:
            return 1.0
        centres = np.stack([units[nearest == cluster].mean(axis=0) for cluster in (0, 1)])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return cosine(*centres)


def cosine(one: Embedding, other: Embedding) -> float:
    """Cosine of two embeddings, (dim,) each, of any length but 0."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
