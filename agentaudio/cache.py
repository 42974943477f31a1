"""`Cache`: recent values, each for a limited time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from time import monotonic
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Keeps up to `size` values for `keep_s` seconds each; the oldest is dropped first. Thread-safe."""

    def __init__(self, *, size: int, keep_s: float) -> None:
        self._size, self._keep_s = size, keep_s
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        with self._lock:
            until, value = self._held.get(key, (0.0, None))
            if monotonic() < until:
                return value
            self._held.pop(key, None)
            return None

    def put(self, key: Hashable, value: Value) -> None:
        with self._lock:
            self._held.pop(key, None)
            self._held[key] = monotonic() + self._keep_s, value
            while len(self._held) > self._size:
                self._held.popitem(last=False)

    def __len__(self) -> int:
        return len(self._held)
