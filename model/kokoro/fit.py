"""`fit_weights`: the blend of stock styles that comes nearest to a speaker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STEPS = 600
RATE = 2.0


def fit_weights(speakers: Floats, target: Floats) -> Floats:
    """Weights w >= 0 of sum 1 that maximise the cosine of the weighted sum of `speakers` and `target`.

    speakers: (styles, dim) float32, unit length
    target: (dim,) float32, unit length
    returns: (styles,) float32

    Source: Kivinen and Warmuth 1997, "Exponentiated gradient versus gradient descent for linear predictors".
    """
    given = np.asarray(speakers, np.float64)
    weights = np.full(len(given), 1 / len(given))
    for _ in range(STEPS):
        blend = weights @ given
        length = np.linalg.norm(blend)
        cosine = blend @ target / length
        gradient = given @ (target - cosine * blend / length) / length
        weights = weights * np.exp(RATE * gradient)
        weights /= weights.sum()
    return np.asarray(weights, np.float32)
