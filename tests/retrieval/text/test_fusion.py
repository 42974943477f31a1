"""Rank fusion: one ranking from several."""

from __future__ import annotations

from agentaudio.retrieval.text.fusion import reciprocal_rank_fusion


def test_fusion_prefers_items_that_every_list_ranks_high() -> None:
    fused = reciprocal_rank_fusion([(1, 9.0), (2, 8.0), (3, 7.0)], [(2, 0.9), (3, 0.8), (4, 0.1)])
    assert [i for i, _ in fused][0] == 2
    assert reciprocal_rank_fusion([(5, 1.0)], [(5, 1.0)]) == [(5, 1.0)]
    assert reciprocal_rank_fusion([], []) == []
