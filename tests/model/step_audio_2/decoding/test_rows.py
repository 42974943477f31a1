"""Rows keep their contents when they grow, move and change their length."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="rows are tensors")

from agentaudio.errors import OptionError  # noqa: E402
from agentaudio.model.step_audio_2.decoding.buckets import Buckets  # noqa: E402
from agentaudio.model.step_audio_2.decoding.rows import Rows  # noqa: E402

LAYERS, HEADS, SIZE = 2, 3, 4


def layers(length: int, seed: int = 0) -> Any:
    random = torch.Generator().manual_seed(seed)
    return [tuple(torch.randn(2, 1, HEADS, length, SIZE, generator=random)) for _ in range(LAYERS)]


def holds(rows: Rows, row: int, length: int, expected: Any) -> bool:
    return all(
        torch.equal(mine, its[:, :, :length])
        for kept, given in zip(rows.read(row, length), expected, strict=True)
        for mine, its in zip(kept, given, strict=True)
    )


@pytest.mark.parametrize("fixed", [False, True])
def test_contents_survive_other_lengths_and_rows(fixed: bool) -> None:
    rows, one, two = Rows(), layers(5, 1), layers(7, 2)
    if fixed:
        rows.fix(4, 64, one)
    rows.reserve(1, 8, one)
    rows.write(0, one)
    rows.reserve(2, 16)
    rows.write(1, two)
    for length in (32, 64, 8):
        rows.reserve(2, length)
        assert holds(rows, 0, 5, one) and holds(rows, 1, 7, two)
    rows.move(1, 0, 7)
    assert holds(rows, 0, 7, two)


def test_fixed_memory_stays_where_it_is() -> None:
    rows = Rows()
    rows.fix(4, 64, layers(1))
    rows.reserve(1, 8)
    addresses = [one.data_ptr() for pair in rows.layers(1, 8) for one in pair]
    size = rows.nbytes
    for count, length in ((4, 64), (2, 16), (1, 8)):
        rows.reserve(count, length)
        assert rows.length == length
        assert [one.data_ptr() for pair in rows.layers(count, length) for one in pair] == addresses
        assert all(one.is_contiguous() for pair in rows.layers(count, length) for one in pair)
    rows.release()
    assert rows.nbytes == size, "released memory would move"


def test_buckets_are_the_usual_sizes_up_to_the_limits() -> None:
    assert Buckets.up_to(8, 16_384) == Buckets((1, 2, 4, 8), (2048, 4096, 8192, 16_384))
    small = Buckets.up_to(3, 3000)
    assert small == Buckets((1, 2, 3), (2048, 3000))
    assert list(small) == [(1, 2048), (1, 3000), (2, 2048), (2, 3000), (3, 2048), (3, 3000)]
    assert small.of(1, 2048) == (1, 2048) and small.of(3, 2049) == (3, 3000)
    with pytest.raises(OptionError, match="max_rows is 0"):
        Buckets.up_to(0, 100)
