"""A cache whose values expire."""

from __future__ import annotations

import pytest

from agentaudio.cache import Cache


def test_the_oldest_and_expired_values_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("agentaudio.cache.monotonic", lambda: now[0])
    cache: Cache[int] = Cache(size=2, keep_s=10)
    for number in range(3):
        cache.put(number, number)
    assert [cache.get(number) for number in range(3)] == [None, 1, 2]
    now[0] = 10.0
    assert cache.get(2) is None and len(cache) == 1


def test_a_value_that_is_stored_again_becomes_the_newest() -> None:
    cache: Cache[str] = Cache(size=2, keep_s=10)
    for key, value in (("a", "old"), ("b", "old"), ("a", "new"), ("c", "new")):
        cache.put(key, value)
    assert [cache.get(key) for key in "abc"] == ["new", None, "new"]
