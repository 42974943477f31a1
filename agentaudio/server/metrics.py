"""What the server counts, for Prometheus. Each app has its own registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The counters. Labels hold routes and outcomes, never what a client sent."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "agentaudio_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        self.request_s = Histogram(
            "agentaudio_request_seconds", "From the first byte of a request to the last of its answer.", ("route",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.first_sound_s = Histogram(
            "agentaudio_first_sound_seconds", "From the end of a request to the first sound of the answer.", ("route",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.sound_s = Counter(
            "agentaudio_sound_seconds", "Sound received (in) and sent (out).", ("direction",), registry=self.registry
        )
        self.sessions = Gauge(
            "agentaudio_sessions", "Answers and conversations that run now.", registry=self.registry
        )  # fmt: skip
        self.turns = Counter(
            "agentaudio_turns", "Turns of the agent by the way they ended.", ("stop",), registry=self.registry
        )
