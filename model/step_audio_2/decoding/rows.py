"""The keys and values of the answers in a decode batch, one row for each answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

MIN_LENGTH = 256
Layers = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of one answer for each layer, (1, heads, length, head_size) each."""


class Rows:
    """The cache that the model reads and writes during a pass; a `past_key_values` of transformers.

    padded: use all allocated rows and positions, so that a compiled pass sees few shapes
    used, length: rows and positions that the next pass covers
    positions: (used,) int64, where each row's new token is written; set for each pass
    """

    def __init__(self, padded: bool) -> None:
        self._padded = padded
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self.positions: Tensor
        self.used = 0
        self.length = 0

    def reserve(self, rows: int, length: int, like: Layers = ()) -> None:
        """Cover `rows` answers of up to `length` positions in the next pass, and allocate what is missing.

        like: the first answer's keys and values; they set heads, head size, dtype and device

        Raises torch.OutOfMemoryError; the contents are then as before.
        """
        if not self._keys:
            self._keys = [keys[:, :, :0] for keys, _ in like]
            self._values = [values[:, :, :0] for _, values in like]
        tensors = (*self._keys, *self._values)
        # The least, as an allocation that failed half-way leaves layers of two sizes.
        allocated_rows = min(tensor.shape[0] for tensor in tensors)
        allocated_length = min(tensor.shape[2] for tensor in tensors)
        if rows > allocated_rows or length > allocated_length:
            allocated_rows = max(allocated_rows, power_of_two(rows))
            allocated_length = max(allocated_length, power_of_two(max(length, MIN_LENGTH)))
            # Layer by layer, as the memory may not hold all old and all new tensors at once.
            for kept in (self._keys, self._values):
                for layer, old in enumerate(kept):
                    kept[layer] = self._enlarged(old, allocated_rows, allocated_length)
        self.used, self.length = (allocated_rows, allocated_length) if self._padded else (rows, length)

    def _enlarged(self, old: Tensor, rows: int, length: int) -> Tensor:
        new = old.new_zeros(rows, old.shape[1], length, old.shape[3])
        new[: old.shape[0], :, : old.shape[2]] = old
        if self._padded:
            # Otherwise a CUDA graph would copy the whole tensor in every pass.
            torch._dynamo.mark_static_address(new, guard=False)
        return new

    def mask(self, positions: Tensor) -> Tensor | None:
        """Which positions each row attends to: (rows, 1, 1, length) bool; None when it attends to all.

        positions: (rows, 1) int64, of the new tokens
        """
        if len(positions) == 1 and not self._padded:
            return None
        return (torch.arange(self.length, device=positions.device) <= positions)[:, None, None]

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write the new tokens' keys and values of one layer; called by the model.

        keys, values: (used, heads, 1, head_size) each
        returns: all keys and values of the layer, (used, heads, length, head_size) each
        """
        kept_keys, kept_values = self._keys[layer], self._values[layer]
        positions = self.positions.to(keys.device)
        rows = torch.arange(len(positions), device=keys.device)
        kept_keys[rows, :, positions] = keys[:, :, 0]
        kept_values[rows, :, positions] = values[:, :, 0]
        return kept_keys[: self.used, :, : self.length], kept_values[: self.used, :, : self.length]

    def write(self, row: int, layers: Layers) -> None:
        """Copy an answer's keys and values into a row."""
        for layer, (keys, values) in enumerate(layers):
            self._keys[layer][row, :, : keys.shape[2]] = keys[0]
            self._values[layer][row, :, : values.shape[2]] = values[0]

    def read(self, row: int, length: int) -> list[tuple[Tensor, Tensor]]:
        """Copy the first `length` positions of a row: (1, heads, length, head_size) each."""

        def copied(tensor: Tensor) -> Tensor:
            return tensor[row : row + 1, :, :length].clone()

        return [(copied(keys), copied(values)) for keys, values in zip(self._keys, self._values, strict=True)]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of one row over another."""
        for tensor in (*self._keys, *self._values):
            tensor[target, :, :length] = tensor[source, :, :length]

    def release(self) -> None:
        """Free the memory while no answer runs. Compiled passes keep one row: new tensors would slow them down."""
        if not self._padded or self._keys[0].shape[0] > 1:
            self.clear()

    def clear(self) -> None:
        """Free all memory."""
        self._keys, self._values = [], []


def power_of_two(least: int) -> int:
    """The smallest power of two that is at least `least`."""
    return 1 << (least - 1).bit_length()
