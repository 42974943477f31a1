"""`Engines`: several search engines as one; the next answers when one fails or must be spared."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from time import monotonic

from agentaudio.errors import OptionError, RetrievalError, did_you_mean
from agentaudio.retrieval.web.cache import Cache
from agentaudio.retrieval.web.passage import WebPassage
from agentaudio.retrieval.web.providers import Brave, Ddgs, EngineError, SearchEngine, SearXNG, Tavily

log = logging.getLogger(__name__)

SHORTEST_REST_S, LONGEST_REST_S = 2.0, 300.0
LONGEST_WAIT_S = 5.0

SETTINGS = {"searxng": "SEARXNG_URL", "tavily": "TAVILY_API_KEY", "brave": "BRAVE_API_KEY"}
ORDER = "AGENTAUDIO_WEB_SEARCH"


class Engines:
    """Asks the engines in order until one finds something.

    interval_s: least time between two questions to one engine
    keep_s: how long an answer holds

    An engine that fails rests for SHORTEST_REST_S, twice as long each time, or as long as it says.
    Raises OptionError without an engine.
    """

    name = "web"

    def __init__(self, engines: Sequence[SearchEngine], *, interval_s: float = 1.0, keep_s: float = 600.0) -> None:
        if not engines:
            raise OptionError("there is no search engine; give at least one, such as Ddgs()")
        self.engines = tuple(engines)
        self._paces = [_Pace(interval_s) for _ in engines]
        self._answers: Cache[list[WebPassage]] = Cache(size=256, keep_s=keep_s)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Engines:
        """The engines that are set up, by SETTINGS, and ddgs after them.

        AGENTAUDIO_WEB_SEARCH names which, in order: `searxng, ddgs`

        Raises OptionError for one that is unknown or not set up.
        """
        make = {"searxng": SearXNG, "tavily": Tavily, "brave": Brave}
        set_up = [name for name, setting in SETTINGS.items() if environment.get(setting)]
        wanted = [name.strip() for name in environment.get(ORDER, "").split(",") if name.strip()]
        engines: list[SearchEngine] = []
        for name in wanted or [*set_up, "ddgs"]:
            if name == "ddgs":
                engines.append(Ddgs())
            elif name not in make:
                raise OptionError(f"{ORDER} names {name!r}; {did_you_mean(name, [*make, 'ddgs'])}")
            elif name not in set_up:
                raise OptionError(f"{ORDER} names {name!r}, which needs {SETTINGS[name]} in the environment")
            else:
                engines.append(make[name](environment[SETTINGS[name]]))
        return cls(engines)

    async def search(self, query: str, k: int) -> list[WebPassage]:
        """The k best pages. Raises RetrievalError, naming each engine's trouble, when none could answer."""
        query = " ".join(query.split())
        if (known := self._answers.get((query, k))) is not None:
            return known
        problems = []
        for engine, pace in zip(self.engines, self._paces, strict=True):
            if rest_s := pace.rest_s():
                problems.append(f"{engine.name} is left alone for {rest_s:.0f} s more")
                continue
            if (wait_s := pace.turn_s()) is None:
                problems.append(f"too many questions wait for {engine.name}")
                continue
            await asyncio.sleep(wait_s)
            try:
                found = await engine.search(query, k)
            except RetrievalError as error:
                pace.failed(error.retry_after_s if isinstance(error, EngineError) else None)
                log.warning("web search: %s", error)
                problems.append(str(error))
                continue
            pace.worked()
            if found:
                self._answers.put((query, k), found)
                return found
        if problems:
            raise RetrievalError(f"the web cannot be searched for {query[:100]!r}: {'; '.join(problems)}")
        return []


class _Pace:
    """When an engine may be asked."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._next = self._rested = 0.0
        self._failures = 0

    def rest_s(self) -> float:
        return max(0.0, self._rested - monotonic())

    def turn_s(self) -> float | None:
        """Seconds until it is this question's turn, which is taken by asking; None when that is too long."""
        with self._lock:
            now = monotonic()
            turn = max(now, self._next)
            if turn - now > LONGEST_WAIT_S:
                return None
            self._next = turn + self._interval_s
            return turn - now

    def failed(self, retry_after_s: float | None) -> None:
        with self._lock:
            rest_s = SHORTEST_REST_S * 2**self._failures if retry_after_s is None else retry_after_s
            self._failures = min(self._failures + 1, 10)
            self._rested = monotonic() + min(rest_s, LONGEST_REST_S)

    def worked(self) -> None:
        with self._lock:
            self._failures = 0
