"""`CallOutgoing`: the events of a call on their way to its data channel, and its sound on the way to its track."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np

from agentaudio.server.realtime.formats import SoundFormat
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.realtime.webrtc.track import RATE_HZ, PlayedTrack

AHEAD_S = 3.0
"""Sound that is made ahead of what is played."""


class CallOutgoing(Outgoing):
    """Sound is played instead of being sent as events; an answer waits while AHEAD_S of it are not played."""

    form = SoundFormat(rate_hz=RATE_HZ)

    def __init__(self) -> None:
        super().__init__()
        self.track = PlayedTrack(
            started=lambda id: self._tell("started", id), stopped=lambda id: self._tell("stopped", id), played=self.wake
        )

    def post(
        self,
        event: dict[str, Any],
        *,
        sound_of: str | None = None,
        seconds: float = 0.0,
        sent: Callable[[], None] | None = None,
    ) -> None:
        if sound_of is not None:
            self.track.add(sound_of, np.frombuffer(base64.b64decode(event["delta"]), "<i2"), sent)
            return
        super().post(event, sent=sent)
        if event["type"] == "response.done":
            self.track.finish(event["response"]["id"])

    async def room(self, unless: Callable[[], bool] = lambda: False) -> None:
        await super().room(unless)
        while self.track.waiting_s > AHEAD_S and not self.is_closed and not unless():
            await self.woken()

    def withdraw_sound(self, response_id: str) -> None:
        if self.track.drop(response_id):
            self._tell("cleared", response_id)
        super().withdraw_sound(response_id)

    def _tell(self, what: str, response_id: str) -> None:
        super().post({"type": f"output_audio_buffer.{what}", "response_id": response_id})
