"""`Call`: one WebRTC connection, which carries a Realtime session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import av
from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError, log_failure
from agentaudio.server.realtime.items import new_id
from agentaudio.server.realtime.session import RealtimeSession
from agentaudio.server.realtime.webrtc.outgoing import CallOutgoing
from agentaudio.server.state import ServerState
from agentaudio.sound.audio import Audio

log = logging.getLogger(__name__)

EVENTS = "oai-events"
"""Label of the data channel with the events."""
RATE_HZ = 24_000
ANSWER_S = 10.0
"""Time for an answer to an offer: finding the own addresses, also by STUN."""
CONNECT_S = 20.0
"""Time from the answer until the data channel is open."""
MOST_UNREAD = 1_000_000
"""Bytes on the way to a client at which the next event waits."""
MOST_EVENTS = 1_000
"""Client events that wait; a client that sends faster than they can be taken is cut off."""


class Call:
    """Answer an offer with `answer`, then `run` until either side ends.

    session: settings that came with the offer
    asks_events: whether the client asked for events of our own
    """

    def __init__(
        self, state: ServerState, caller: Caller, session: Mapping[str, Any], *, asks_events: bool = False
    ) -> None:
        self.id = new_id("rtc")
        self._state, self._caller, self._given, self._asks_events = state, caller, session, asks_events
        servers = [_ice_server(url) for url in state.settings.ice_servers]
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._out = CallOutgoing()
        self._microphone: MediaStreamTrack | None = None
        self._channel: RTCDataChannel | None = None
        self._events: asyncio.Queue[str | bytes] = asyncio.Queue(MOST_EVENTS)
        self._gone = asyncio.Event()
        self._decided = asyncio.Event()  # the data channel is open, or the client has gone
        self._peer.on("track", self._take_track)
        self._peer.on("datachannel", self._take_channel)
        self._peer.on("connectionstatechange", self._look)

    async def answer(self, offer: str) -> str:
        """The answer to an offer, both in SDP. Raises ApiError 400."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
                if self._microphone is None:
                    raise ApiError(
                        400, "the offer has no audio; add a track or a transceiver of kind audio", param="sdp"
                    )
                self._peer.addTrack(self._out.track)
                await self._peer.setLocalDescription(await self._peer.createAnswer())
        except ApiError:
            await self.close()
            raise
        except Exception as error:  # aiortc raises many kinds for a malformed offer
            await self.close()
            log.info("an offer was refused: %r", error)
            raise ApiError(
                400, "the offer is not SDP that can be answered", param="sdp", code="invalid_value"
            ) from None
        return with_address(self._peer.localDescription.sdp, self._state.settings.public_address)

    async def run(self) -> None:
        """Hold the session. Returns when the client has gone, when `hang_up` was called, or when the server stops."""
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._decided.wait()
            if not self._gone.is_set():
                await self._converse()
        except TimeoutError:
            log.info("call %s was not connected within %g s", self.id, CONNECT_S)
        except Exception as error:
            log_failure(error)
        finally:
            await self.close()

    def hang_up(self) -> None:
        """End the call."""
        self._gone.set()
        self._decided.set()

    async def close(self) -> None:
        """Free the connection; `run` does it at its end."""
        self.hang_up()
        self._out.track.stop()
        self._out.close()
        with suppress(Exception):
            await self._peer.close()

    async def _converse(self) -> None:
        session = RealtimeSession(
            self._state, self._caller, self._out, given=self._given, wants_events=self._asks_events
        )
        async with session:
            works = [
                asyncio.create_task(work, name=f"agentaudio-call-{name}")
                for name, work in (
                    ("read", self._read(session)), ("write", self._write()), ("hear", self._hear(session)),
                    ("drain", self._drained(session)), ("gone", self._gone.wait()),
                )
            ]  # fmt: skip
            ending = [work for work in works if work is not works[2]]  # a microphone may end before the call
            try:
                await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for work in works:
                    work.cancel()
                await asyncio.gather(*works, return_exceptions=True)

    async def _read(self, session: RealtimeSession) -> None:
        while True:
            await session.receive(await self._events.get())
            await self._out.patience()

    async def _write(self) -> None:
        channel = self._channel
        assert channel is not None
        while (event := await self._out.get()) is not None and channel.readyState == "open":
            async with asyncio.timeout(self._state.settings.stalled_s):
                while channel.bufferedAmount > MOST_UNREAD:
                    await asyncio.sleep(0.02)
            channel.send(event.text)
            event.was_sent()

    async def _hear(self, session: RealtimeSession) -> None:
        microphone = self._microphone
        assert microphone is not None
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        with suppress(MediaStreamError):
            while True:
                frame = await microphone.recv()
                assert isinstance(frame, av.AudioFrame)
                for part in resampler.resample(frame):
                    session.hear(Audio.from_pcm16(part.to_ndarray().tobytes(), RATE_HZ))

    async def _drained(self, session: RealtimeSession) -> None:
        """Wait until the server stops, and the response that has begun was made and played."""
        await self._state.drain.wait_begun()
        await session.responses.settled()
        while self._out.track.waiting_s:
            await self._out.woken()

    def _take_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._microphone is None:
            self._microphone = track

    def _take_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != EVENTS or self._channel is not None:
            return
        self._channel = channel
        channel.on("message", self._take_event)
        channel.on("close", self.hang_up)
        self._decided.set()

    def _take_event(self, message: str | bytes) -> None:
        try:
            self._events.put_nowait(message)
        except asyncio.QueueFull:
            log.info("call %s was ended: %d client events waited", self.id, MOST_EVENTS)
            self.hang_up()

    def _look(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self.hang_up()


def _ice_server(url: str) -> RTCIceServer:
    """A STUN or TURN server: `stun:HOST:PORT`, or `turn:USER:PASSWORD@HOST:PORT`."""
    scheme, _, rest = url.partition(":")
    account, at, host = rest.rpartition("@")
    if not at:
        return RTCIceServer(url)
    user, _, password = account.partition(":")
    return RTCIceServer(f"{scheme}:{host}", username=unquote(user), credential=unquote(password))


def with_address(sdp: str, address: str | None) -> str:
    """The SDP with a public address in place of the machine's own ones."""
    if address is None:
        return sdp
    lines: Sequence[str] = sdp.splitlines()
    return "".join(f"{_readdressed(line, address)}\r\n" for line in lines)


def _readdressed(line: str, address: str) -> str:
    if line.startswith("a=candidate:"):
        fields = line.split(" ")
        if len(fields) > 7 and fields[7] == "host":
            fields[4] = address
        return " ".join(fields)
    if line.startswith(("c=IN IP4", "c=IN IP6")) and not line.endswith(" 0.0.0.0"):
        return f"c=IN {'IP6' if ':' in address else 'IP4'} {address}"
    return line
