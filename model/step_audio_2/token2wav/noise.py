"""Normal noise as a function of an index: the same in each process, on each device, from any start."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

_BLOCK = 16
"""Rows that one generator makes."""


class Noise(Protocol):
    """An endless table of standard normal numbers."""

    def rows(self, start: int, count: int) -> Tensor:
        """Rows `start` to `start + count` of the table: (count, width) float32 on the CPU."""
        ...


class SeededNoise:
    """Noise made on request, in blocks that have a generator each.

    width: numbers in a row
    seed: integers that name the table
    """

    def __init__(self, width: int, *seed: int) -> None:
        self._width = width
        self._seed = seed

    def rows(self, start: int, count: int) -> Tensor:
        """Rows `start` to `start + count` of the table: (count, width) float32 on the CPU."""
        first, last = start // _BLOCK, -(-(start + count) // _BLOCK)
        blocks = [
            np.random.default_rng((*self._seed, block)).standard_normal((_BLOCK, self._width), np.float32)
            for block in range(first, last)
        ]
        table = np.concatenate(blocks) if blocks else np.empty((0, self._width), np.float32)
        return torch.from_numpy(table[start - first * _BLOCK :][:count].copy())


class Silence:
    """Zeros instead of noise, for comparisons with implementations whose noise is unknown."""

    def __init__(self, width: int) -> None:
        self._width = width

    def rows(self, start: int, count: int) -> Tensor:
        """(count, width) zeros."""
        return torch.zeros(count, self._width)
