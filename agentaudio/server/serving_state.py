"""`Serving`: what every application of this package has, so that gate, health routes and socket serve them all."""

from __future__ import annotations

from typing import Protocol

from agentaudio.server.auth import CallerLimits, Keys
from agentaudio.server.drain import Drain
from agentaudio.server.metrics import Metrics
from agentaudio.server.settings import ServerSettings


class Serving(Protocol):
    """The state of an application, as `app.state.server`.

    ready: whether what it serves is loaded
    failed: whether loading it failed
    """

    settings: ServerSettings
    keys: Keys
    limits: CallerLimits
    metrics: Metrics
    drain: Drain
    ready: bool
    failed: bool
