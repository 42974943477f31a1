"""Web search behind one protocol; `ddgs` needs no key."""

from __future__ import annotations

from typing import Protocol

from agentaudio.conversation import Passage
from agentaudio.errors import MissingExtra, RetrievalError


class WebSearch(Protocol):
    """A search engine: blocking, called in a thread."""

    def search(self, query: str, k: int) -> list[Passage]:
        """The k best results, best first. Raises RetrievalError when the engine cannot be asked."""


class Ddgs:
    """Public search engines through the `ddgs` package: no key, no promise.

    backend: which of its engines, or "auto"
    """

    def __init__(self, *, backend: str = "auto", timeout_s: int = 8) -> None:
        self._backend = backend
        self._timeout_s = timeout_s

    def search(self, query: str, k: int) -> list[Passage]:
        try:
            from ddgs import DDGS
            from ddgs.exceptions import DDGSException
        except ImportError:
            raise MissingExtra("web search", "web") from None
        try:
            rows = DDGS(timeout=self._timeout_s).text(query, backend=self._backend, max_results=k)
        except DDGSException as error:
            # The package says the same for "nothing found" and "refused to answer".
            raise RetrievalError(
                f"the web search for {query!r} gave nothing ({error}); try other words or later"
            ) from None
        return [
            Passage(str(row.get("body", "")), str(row.get("title", "")), str(row.get("href", "")), 0, 1 / (rank + 1))
            for rank, row in enumerate(rows[:k])
        ]
