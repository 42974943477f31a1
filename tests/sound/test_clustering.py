"""Windows of one speaker are one cluster; those of two speakers are two."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio.sound.clustering import cosine_of_two_clusters


def around(direction: int, count: int, spread: float = 0.1) -> NDArray[np.float32]:
    """(count, 16) float32 of different lengths, near one axis."""
    random = np.random.default_rng(direction)
    vectors = np.eye(16)[direction] + spread * random.normal(size=(count, 16))
    return np.asarray(vectors * random.uniform(0.5, 2, (count, 1)), np.float32)


def test_two_speakers_are_further_apart_than_two_halves_of_one() -> None:
    two = np.concatenate([around(0, 5), around(1, 4)])
    assert cosine_of_two_clusters(two) < 0.2
    assert cosine_of_two_clusters(two[np.random.default_rng(0).permutation(9)]) < 0.2
    assert cosine_of_two_clusters(around(0, 9)) > 0.8


@pytest.mark.parametrize(
    "windows", [np.zeros((0, 16), np.float32), around(0, 3), np.concatenate([around(0, 6), around(1, 1)])],
    ids=["none", "three", "one odd window"],
)  # fmt: skip
def test_a_cluster_needs_two_windows(windows: NDArray[np.float32]) -> None:
    assert cosine_of_two_clusters(windows) == 1.0


def test_the_cosine_is_that_of_the_means_of_the_clusters() -> None:
    one, other = np.eye(4, dtype=np.float32)[[0, 0]], np.asarray([[3, 4, 0, 0]] * 2, np.float32)
    assert cosine_of_two_clusters(np.concatenate([one, other])) == pytest.approx(0.6)
