"""The keys and values of the answers in a decode batch, one row for each answer."""

from __future__ import annotations

from collections.abc import Sequence

from agentaudio.errors import MissingExtra

try:
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

MIN_LENGTH = 256
Layers = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of one answer for each layer, (1, heads, length, head_size) each."""


class Rows:
    """The cache that a pass reads and writes: for each layer (rows, heads, length, head_size), twice.

    It grows with the answers, unless `fix` has allocated all that it may ever need. Then each tensor is a
    view of the same memory, whatever its length, so that a CUDA graph of any size finds its rows there.
    """

    def __init__(self) -> None:
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._memory: dict[str, list[Tensor]] = {}

    def fix(self, rows: int, length: int, like: Layers) -> None:
        """Allocate memory for `rows` answers of up to `length` positions, and never again. The contents are lost.

        like: any answer's keys and values; they set heads, head size, dtype and device

        Raises torch.OutOfMemoryError; no memory is allocated then.
        """
        self.clear()
        memory: dict[str, list[Tensor]] = {}
        for name, part in (("keys", 0), ("values", 1)):
            shapes = [(layer[part], layer[part].shape[1] * layer[part].shape[3]) for layer in like]
            memory[name] = [one.new_zeros(rows * length * size) for one, size in shapes]
        self._memory = memory
        self._keys = [memory["keys"][k].view(rows, one.shape[1], length, -1) for k, (one, _) in enumerate(like)]
        self._values = [memory["values"][k].view(rows, one.shape[1], length, -1) for k, (_, one) in enumerate(like)]

    @property
    def length(self) -> int:
        """Positions of each row."""
        return self._keys[0].shape[2] if self._keys else 0

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        return sum(one.nbytes for one in (*self._keys, *self._values))

    def reserve(self, rows: int, length: int, like: Layers = ()) -> None:
        """Have room for `rows` answers of up to `length` positions.

        In fixed memory the rows then have exactly this length. Otherwise what is missing is allocated.
        like: see `fix`; needed for the first answer

        Raises torch.OutOfMemoryError; the contents are then as before.
        """
        if not self._keys:
            self._keys = [keys[:, :, :0] for keys, _ in like]
            self._values = [values[:, :, :0] for _, values in like]
        if self._memory:
            for kept, memory in ((self._keys, self._memory["keys"]), (self._values, self._memory["values"])):
                for layer, old in enumerate(kept):
                    if old.shape[2] != length:
                        kept[layer] = _laid_out(old, memory[layer], rows, length)
            return
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
                    new = old.new_zeros(allocated_rows, old.shape[1], allocated_length, old.shape[3])
                    new[: old.shape[0], :, : old.shape[2]] = old
                    kept[layer] = new

    def layers(self, rows: int, length: int) -> list[tuple[Tensor, Tensor]]:
        """Views of the first rows and positions, for a pass to read and write."""
        pairs = zip(self._keys, self._values, strict=True)
        return [(keys[:rows, :, :length], values[:rows, :, :length]) for keys, values in pairs]

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
        """Free the memory while no answer runs, unless it is fixed."""
        if not self._memory:
            self.clear()

    def clear(self) -> None:
        """Free all memory."""
        self._keys, self._values, self._memory = [], [], {}


def _laid_out(old: Tensor, memory: Tensor, rows: int, length: int) -> Tensor:
    """The first rows of `old` in the same memory, in rows of another length."""
    shared = min(old.shape[2], length)
    contents = old[:rows, :, :shared].clone()
    all_rows = len(memory) // (old.shape[1] * length * old.shape[3])
    new = memory[: all_rows * old.shape[1] * length * old.shape[3]].view(all_rows, old.shape[1], length, old.shape[3])
    new[:rows, :, :shared] = contents
    return new


def power_of_two(least: int) -> int:
    """The smallest power of two that is at least `least`."""
    return 1 << (least - 1).bit_length()
