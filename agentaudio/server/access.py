"""The line in the log, and the counts, of each request and each WebSocket. No line holds content."""

from __future__ import annotations

import logging
import secrets

from agentaudio.server.auth import Caller
from agentaudio.server.metrics import Metrics

log = logging.getLogger(__name__)


def new_request_id() -> str:
    return f"req_{secrets.token_hex(12)}"


def report(
    metrics: Metrics,
    *,
    request_id: str,
    method: str,
    route: str,
    status: int,
    seconds: float,
    caller: Caller | None,
    **counts: int,
) -> None:
    """Count a request that has ended, and log it.

    status: of HTTP; 101 for a WebSocket that was accepted
    caller: None where the key was missing or wrong
    counts: more numbers for the log
    """
    metrics.requests.labels(route, str(status)).inc()
    metrics.request_s.labels(route).observe(seconds)
    facts = {
        "request_id": request_id, "method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1),
        **counts, "caller": None if caller is None else caller.id,
    }  # fmt: skip
    log.info(" ".join(f"{name}={value}" for name, value in facts.items()), extra={"facts": facts})
