"""`Engines`: several search engines as one, each with a rate limit; the next one answers when one fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from time import monotonic

from agentaudio.cache import Cache
from agentaudio.errors import OptionError, RetrievalError, did_you_mean
from agentaudio.retrieval.web.passage import WebPassage
from agentaudio.retrieval.web.providers import Brave, Ddgs, SearchEngine, SearXNG, Tavily
from agentaudio.retrieval.web.refusal import EngineError
from agentaudio.retry import pause_s

log = logging.getLogger(__name__)

SHORTEST_REST_S, LONGEST_REST_S = 2.0, 300.0
LONGEST_WAIT_S = 5.0

SETTINGS = {"searxng": "SEARXNG_URL", "tavily": "TAVILY_API_KEY", "brave": "BRAVE_API_KEY"}
ORDER = "AGENTAUDIO_WEB_SEARCH"


class Engines:
    """Queries the engines in order until one finds something.

    interval_s: least time between two queries to one engine
    keep_s: how long results are cached

    An engine that fails is skipped for a while: up to SHORTEST_REST_S at first, twice as long after each
    further failure in a row, or for as long as it asks, and at most for LONGEST_REST_S. One that only does not take a
    query is asked the next one.

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
        """The engines whose variable in SETTINGS is set, then ddgs.

        environment: may also name the engines and their order, AGENTAUDIO_WEB_SEARCH="searxng, ddgs"

        Raises OptionError for an engine that is unknown or whose variable is missing.
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
        """The k best pages, best first; none when the engines found nothing.

        Raises RetrievalError, with the reason of each engine, when none could answer.
        """
        query = " ".join(query.split())
        if (known := self._answers.get((query, k))) is not None:
            return known
        problems = []
        for engine, pace in zip(self.engines, self._paces, strict=True):
            if rest_s := pace.rest_s():
                problems.append(f"{engine.name} failed and is skipped for {rest_s:.0f} s more ({pace.problem})")
                continue
            if (wait_s := pace.turn_s()) is None:
                problems.append(f"too many queries are waiting for {engine.name}")
                continue
            await asyncio.sleep(wait_s)
            try:
                found = await engine.search(query, k)
            except RetrievalError as error:
                pace.failed(error)
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
    """When an engine may be queried: not more often than once an interval, and not soon after a failure."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._next = self._rested = 0.0
        self._failures = 0
        self.problem = ""  # of the last failure

    def rest_s(self) -> float:
        return max(0.0, self._rested - monotonic())

    def turn_s(self) -> float | None:
        """Reserve the next free moment: the seconds until then, None (and no reservation) if above LONGEST_WAIT_S."""
        with self._lock:
            now = monotonic()
            turn = max(now, self._next)
            if turn - now > LONGEST_WAIT_S:
                return None
            self._next = turn + self._interval_s
            return turn - now

    def failed(self, error: RetrievalError) -> None:
        """Begin a rest, unless the engine only did not take this query. A wrong key or a used-up plan rests longest."""
        reason = error.reason if isinstance(error, EngineError) else "outage"
        if reason == "query":
            return
        retry_after_s = error.retry_after_s if isinstance(error, EngineError) else None
        with self._lock:
            self._failures += 1
            rest_s = pause_s(self._failures, first_s=SHORTEST_REST_S, longest_s=LONGEST_REST_S)
            if reason == "account":
                rest_s = LONGEST_REST_S
            elif retry_after_s is not None:
                rest_s = min(retry_after_s, LONGEST_REST_S)
            self._rested = monotonic() + rest_s
            self.problem = str(error)

    def worked(self) -> None:
        with self._lock:
            self._failures = 0
