"""`SoundCard`: a live session at the computer's microphone and loudspeaker."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

from agentaudio.errors import AgentAudioError, AudioError, MissingExtra, OptionError
from agentaudio.events import BaseEvent
from agentaudio.live.player import Player
from agentaudio.live.session import LiveSession

log = logging.getLogger(__name__)

MICROPHONE_HZ = 16_000
FRAME_S = 0.02


PORTAUDIO = "install it: apt install libportaudio2, dnf install portaudio, or brew install portaudio"
"""How to get the system library that the package sounddevice needs; its wheels for macOS and Windows bring it along."""


def sounddevice() -> Any:
    """The package sounddevice. Raises MissingExtra without it, AudioError without the system's library PortAudio."""
    try:
        import sounddevice as package
    except ImportError:
        raise MissingExtra("sound from a microphone and to a loudspeaker", "microphone") from None
    except OSError as error:
        raise AudioError(
            f"the microphone and the loudspeaker need the system library PortAudio ({error}); {PORTAUDIO}"
        ) from None
    return package


class SoundCard:
    """Sends the microphone's sound to a live session, plays the session's, and reports how far it was played.

    live: with `sample_rate` 16,000
    microphone, loudspeaker: whether to use them
    loudspeaker_hz: sample rate of the loudspeaker

    Use it as `async with`, and give each event to `take`. Raises MissingExtra without the extra `microphone`, and
    AudioError when the system has no PortAudio or no such device.
    """

    def __init__(
        self, live: LiveSession, *, microphone: bool = True, loudspeaker: bool = True, loudspeaker_hz: int = 24_000
    ) -> None:
        self._live, self._loop = live, asyncio.get_running_loop()
        self.player = Player(loudspeaker_hz)
        self.hears, self.plays = microphone, loudspeaker
        self.muted = False
        self.has_vanished = asyncio.Event()
        self._streams: list[Any] = []
        package = sounddevice()
        try:
            if microphone:
                self._streams.append(
                    package.RawInputStream(
                        MICROPHONE_HZ,
                        round(FRAME_S * MICROPHONE_HZ),
                        channels=1,
                        dtype="int16",
                        callback=self._recorded,
                        finished_callback=self._ended,
                    )  # fmt: skip
                )
            if loudspeaker:
                self._streams.append(
                    package.OutputStream(
                        loudspeaker_hz,
                        round(FRAME_S * loudspeaker_hz),
                        channels=1,
                        dtype="float32",
                        callback=self._play,
                        finished_callback=self._ended,
                    )  # fmt: skip
                )
        except package.PortAudioError as error:
            self._close()
            raise AudioError(f"there is no sound device to use ({error}); type instead, or plug one in") from None

    def take(self, event: BaseEvent) -> None:
        """Play what an event of the session says."""
        self.player.take(event)

    async def __aenter__(self) -> Self:
        for stream in self._streams:
            await asyncio.to_thread(stream.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop = None  # type: ignore[assignment]
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for stream in self._streams:
            stream.close()
        self._streams = []

    def _recorded(self, data: Any, frames: int, time: Any, status: Any) -> None:
        if not self.muted:
            self._in_loop(self._push, bytes(data))

    def _play(self, out: Any, frames: int, time: Any, status: Any) -> None:
        block, played = self.player.fill(frames)
        out[:, 0] = block
        for turn, seconds in played.items():
            self._in_loop(self._report, turn, seconds)

    def _ended(self) -> None:
        self._in_loop(self.has_vanished.set)

    def _in_loop(self, function: Any, *given: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(function, *given)

    def _push(self, data: bytes) -> None:
        try:
            self._live.push(data)
        except OptionError:
            pass  # the session has been closed
        except AgentAudioError as error:
            log.warning("sound of the microphone was dropped: %s", error)

    def _report(self, turn: int, seconds: float) -> None:
        self._live.played(seconds, turn=turn)
