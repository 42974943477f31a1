"""The fixed sizes that compiled passes have, so that everything is compiled before the first answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentaudio.errors import OptionError

LENGTHS = (2048, 4096, 8192, 16_384)
ROWS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Sizes of passes: rows and positions.

    rows, lengths: in ascending order
    """

    rows: tuple[int, ...]
    lengths: tuple[int, ...]

    @classmethod
    def up_to(cls, rows: int, length: int) -> Buckets:
        """The usual sizes below these, and these.

        Raises OptionError for less than one row.
        """
        if rows < 1:
            raise OptionError(f"max_rows is {rows}; give 1 or more")
        return cls(
            (*(one for one in ROWS if one < rows), rows),
            (*(one for one in LENGTHS if one < length), length),
        )

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """All sizes: (rows, length) each."""
        return ((rows, length) for rows in self.rows for length in self.lengths)

    def of(self, rows: int, length: int) -> tuple[int, int]:
        """The smallest size for a pass of so many rows and positions."""
        return next(one for one in self.rows if one >= rows), next(one for one in self.lengths if one >= length)
