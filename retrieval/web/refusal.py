"""`refusal`: why a search engine did not answer a query, from its status and its message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from agentaudio.errors import RetrievalError
from agentaudio.http import Fetched, retry_after_s
from agentaudio.quotation import visible

MAX_SAID_CHARS = 160
BAD_QUERY = frozenset({400, 404, 413, 414, 422})
WRONG_KEY = frozenset({401, 403})
USED_UP = frozenset({402, 432, 433})
"""402 is "Payment Required"; 432 and 433 are Tavily's limits of a plan and of what was paid for."""

_ABOUT_KEY = re.compile(r"(?i)(?:api[ _-]?key|token|unauthori[sz]ed|credential)")
_ABOUT_PLAN = re.compile(r"(?i)quota|credit|usage limit|monthly|plan.{0,20} limit|exceeds your plan")


Reason = Literal["outage", "query", "account"]
"""Why an engine did not answer: it cannot now, it does not take this query, or not from this account."""


class EngineError(RetrievalError):
    """A search engine failed.

    retry_after_s: seconds to wait before the next query, where the engine says so
    reason: why; another query may work at once only after "query"
    """

    def __init__(self, message: str, retry_after_s: float | None = None, *, reason: Reason = "outage") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.reason = reason


def refusal(engine: str, answer: Fetched, hints: Mapping[int, str], key: str) -> EngineError:
    """The error for an answer that is not 200.

    hints: what to do about a status, where the engine differs from others
    key: of the account, which the message does not show
    """
    said, code = _said(answer.body), answer.status
    shown = said.replace(key, "***") if key else said
    status = f"{engine} answers {code}{f' ({shown})' if shown else ''}"
    if code in hints:
        return EngineError(f"{status}; {hints[code]}", reason="account")
    if code in USED_UP or (code in (403, 429) and (_ABOUT_PLAN.search(said) or _no_quota(answer))):
        problem = f"{status}; its plan is used up: wait for its next period, or raise its limit"
        return EngineError(problem, retry_after_s(answer.headers), reason="account")
    if key and (code in WRONG_KEY or (code in BAD_QUERY and _ABOUT_KEY.search(said))):
        return EngineError(f"{status}; its key is wrong or not permitted: check it", reason="account")
    if code in BAD_QUERY:
        return EngineError(f"{status}; it does not take this query: ask in other words", reason="query")
    wait = "it is asked too often: try later" if code == 429 else "try later"
    return EngineError(f"{status}; {wait}", retry_after_s(answer.headers))


def _no_quota(answer: Fetched) -> bool:
    """Whether the answer says in numbers that a long period is used up, as Brave's do beside those of a second.

    Source: the header X-RateLimit-Remaining lists what is left of each period of X-RateLimit-Policy, whose `w` is
    its length in seconds.
    """
    left = re.findall(r"-?\d+", answer.headers.get("x-ratelimit-remaining", ""))
    periods = re.findall(r"w=(\d+)", answer.headers.get("x-ratelimit-policy", ""))
    return any(int(rest) <= 0 and int(period) > 3600 for rest, period in zip(left, periods, strict=False))


def _said(body: bytes) -> str:
    """The message of an error in JSON, on one line; empty without one."""
    try:
        held: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    texts: list[str] = []
    left = [held]
    while left and len(texts) < 3:
        one = left.pop(0)
        if isinstance(one, dict):
            left += [one[name] for name in ("code", "detail", "error", "message", "description") if name in one]
        elif isinstance(one, str):
            texts.append(one)
    return from_outside(": ".join(filter(None, dict.fromkeys(texts))))


def from_outside(text: str, limit: int = MAX_SAID_CHARS) -> str:
    """The beginning of a text of a service, on one line without invisible characters."""
    return " ".join(visible(text[: 4 * limit]).split())[:limit]
