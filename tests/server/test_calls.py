"""Realtime sessions over WebRTC: a real peer on this machine, with sound on tracks and events on a data channel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import av
import httpx2
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from support.realtime_client import question
from support.server import KEY, OTHER_KEY, Running, running_server

from agentaudio.agent import Agent
from agentaudio.errors import OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.server.realtime.webrtc.call import with_address
from agentaudio.server.realtime.webrtc.track import RATE_HZ, PlayedTrack
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"


class Said(PlayedTrack):
    """A microphone in which a sound is heard once, and silence around it."""

    def __init__(self) -> None:
        super().__init__(started=lambda id: None, stopped=lambda id: None, played=lambda: None)

    def say(self, audio: Audio) -> None:
        samples = np.frombuffer(audio.resample(RATE_HZ).to_pcm16(), "<i2")
        self.add("user", samples, None)


class Peer:
    """A client.

    events: all that came; heard: levels of the frames of sound, 20 ms each
    """

    def __init__(self) -> None:
        self.microphone = Said()
        self.events: list[dict[str, Any]] = []
        self.heard: list[float] = []
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTrack(self.microphone)
        self.channel = self.connection.createDataChannel("oai-events")
        self._opened, self._came = asyncio.Event(), asyncio.Event()
        self._at = 0
        self._listening: asyncio.Task[None] | None = None
        self.channel.on("open", self._opened.set)
        self.channel.on("message", self._take)
        self.connection.on("track", self._listen_to)

    async def call(self, server: Running, key: str = KEY, **fields: Any) -> httpx2.Response:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = self.connection.localDescription.sdp
        headers = {"authorization": f"Bearer {key}"}
        if not fields:
            fields, headers = {"content": offer}, headers | {"content-type": "application/sdp"}
        async with httpx2.AsyncClient() as client:
            answer = await client.post(f"{server.url}/v1/realtime/calls", headers=headers, **fields)
        if answer.status_code == 201:
            await self.connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            async with asyncio.timeout(10):
                await self._opened.wait()
        return answer

    def send(self, kind: str, **fields: Any) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str, at_most: float = 20.0) -> dict[str, Any]:
        try:
            async with asyncio.timeout(at_most):
                while True:
                    while self._at < len(self.events):
                        event = self.events[self._at]
                        self._at += 1
                        if event["type"] == kind:
                            return event
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind}: {[event['type'] for event in self.events]}") from None

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        await self.connection.close()

    def _take(self, message: str) -> None:
        self.events.append(json.loads(message))
        self._came.set()

    def _listen_to(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.ensure_future(self._listen(track))

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self.heard.append(float(np.abs(frame.to_ndarray().astype(float)).mean()) / 32768)
        except MediaStreamError:
            return

    @property
    def heard_s(self) -> float:
        return 0.02 * sum(level > 0.002 for level in self.heard)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    agent = Agent(Scripted(["It is nine.", LONG, "And so on."], loop=True), voices="demo")
    with running_server(agent) as running:
        yield running


def hang_up(server: Running, location: str, key: str = KEY) -> int:
    url = f"{server.url}{location}/hangup"
    return httpx2.post(url, headers={"authorization": f"Bearer {key}"}).status_code


async def test_a_spoken_question_is_answered_on_the_track(server: Running) -> None:
    peer = Peer()
    try:
        answer = await peer.call(server)
        assert answer.status_code == 201 and answer.headers["content-type"] == "application/sdp"
        assert answer.headers["location"].startswith("/v1/realtime/calls/rtc_")
        await peer.until("session.created")
        peer.microphone.say(question())
        await peer.until("input_audio_buffer.speech_started")
        await peer.until("input_audio_buffer.committed")
        begun = await peer.until("output_audio_buffer.started")
        ended = await peer.until("output_audio_buffer.stopped")
        assert begun["response_id"] == ended["response_id"]
        assert "response.done" in [event["type"] for event in peer.events]
        assert not [event for event in peer.events if event["type"] == "response.output_audio.delta"]
        assert peer.heard_s > 0.3
    finally:
        await peer.close()


async def test_the_sound_lasts_as_long_as_it_was_made(server: Running) -> None:
    peer = Peer()
    try:
        await peer.call(server)
        for turn in range(2):
            peer.send("conversation.item.create", item=_text(f"turn {turn}"))
            peer.send("response.create")
            await peer.until("output_audio_buffer.stopped")
        await asyncio.sleep(0.2)
        assert peer.heard_s == pytest.approx(0.3 * (3 + len(LONG.split())), rel=0.15)
    finally:
        await peer.close()


async def test_speech_of_the_user_stops_the_track_and_history_keeps_what_was_heard(server: Running) -> None:
    peer = Peer()
    try:
        await peer.call(server)
        peer.send("conversation.item.create", item=_text("first"))
        peer.send("response.create")
        await peer.until("output_audio_buffer.stopped")
        peer.send("conversation.item.create", item=_text("second"))
        peer.send("response.create")
        await peer.until("output_audio_buffer.started")
        before_s = peer.heard_s
        while peer.heard_s < before_s + 0.6:  # two words
            await asyncio.sleep(0.02)
        peer.microphone.say(question())
        await peer.until("input_audio_buffer.speech_started")
        cleared = await peer.until("output_audio_buffer.cleared")
        item = next(
            event["item"]["id"] for event in reversed(peer.events)
            if event["type"] == "response.output_item.added" and event["response_id"] == cleared["response_id"]
        )  # fmt: skip
        peer.send("conversation.item.retrieve", item_id=item)
        kept = (await peer.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
        assert kept and LONG.startswith(kept.rstrip()) and kept != LONG
    finally:
        await peer.close()


async def test_a_form_brings_the_settings_of_the_session(server: Running) -> None:
    peer = Peer()
    await peer.connection.setLocalDescription(await peer.connection.createOffer())
    settings = {"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "albert"}}}
    form = {"sdp": peer.connection.localDescription.sdp, "session": json.dumps(settings)}
    try:
        answer = await peer.call(server, files={name: (None, text) for name, text in form.items()})
        assert answer.status_code == 201
        session = (await peer.until("session.created"))["session"]
        assert session["instructions"] == "Be brief." and session["audio"]["output"]["voice"] == "albert"
    finally:
        await peer.close()


async def test_a_client_secret_opens_a_call(server: Running) -> None:
    made = httpx2.post(
        f"{server.url}/v1/realtime/client_secrets", headers={"authorization": f"Bearer {KEY}"},
        json={"session": {"type": "realtime", "instructions": "From the secret."}},
    ).json()  # fmt: skip
    peer = Peer()
    try:
        assert (await peer.call(server, made["value"])).status_code == 201
        assert (await peer.until("session.created"))["session"]["instructions"] == "From the secret."
    finally:
        await peer.close()


async def test_wrong_events_leave_the_call_usable(server: Running) -> None:
    peer = Peer()
    try:
        await peer.call(server)
        await peer.until("session.created")
        peer.channel.send("no json")
        peer.channel.send(b"\xff\x00")
        peer.send("nonsense", event_id="e1")
        for _ in range(3):
            error = (await peer.until("error"))["error"]
        assert error["event_id"] == "e1"
        peer.send("conversation.item.create", item=_text("go on"))
        peer.send("response.create")
        assert (await peer.until("response.done"))["response"]["status"] == "completed"
    finally:
        await peer.close()


async def test_the_end_of_either_side_frees_the_session(server: Running) -> None:
    first, second = Peer(), Peer()
    location = (await first.call(server)).headers["location"]
    await second.call(server)
    assert server.state.limits.sessions == 2 and len(server.state.calls) == 2
    assert hang_up(server, location, OTHER_KEY) == 404  # not the call of this key
    assert hang_up(server, location) == 200
    await second.close()
    async with asyncio.timeout(5):
        while server.state.calls:
            await asyncio.sleep(0.05)
    assert server.state.limits.sessions == 0
    assert hang_up(server, location) == 404
    await first.close()


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/sdp", 400),
        (b"v=0\r\nrubbish", "application/sdp", 400),
        (b"\xff" * 100, "application/sdp", 400),
        (b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "application/sdp", 400),
        (b"x" * 100_000, "application/sdp", 400),
        (b"{}", "application/json", 415),
    ],
)
def test_what_is_no_offer_is_refused_in_the_shape_of_errors(
    server: Running, content: bytes, kind: str, status: int
) -> None:
    answer = httpx2.post(
        f"{server.url}/v1/realtime/calls", content=content,
        headers={"authorization": f"Bearer {KEY}", "content-type": kind},
    )  # fmt: skip
    assert answer.status_code == status and answer.json()["error"]["message"]
    assert server.state.limits.sessions == 0


def test_a_call_needs_a_key(server: Running) -> None:
    assert httpx2.post(f"{server.url}/v1/realtime/calls", content=b"v=0").status_code == 401


def test_a_client_that_never_connects_holds_nothing_for_long(server: Running) -> None:
    async def offer() -> str:
        peer = Peer()
        await peer.connection.setLocalDescription(await peer.connection.createOffer())
        sdp: str = peer.connection.localDescription.sdp
        await peer.close()
        return sdp

    answer = httpx2.post(
        f"{server.url}/v1/realtime/calls", content=asyncio.run(offer()),
        headers={"authorization": f"Bearer {KEY}", "content-type": "application/sdp"},
    )  # fmt: skip
    assert answer.status_code == 201 and len(server.state.calls) == 1
    (call,) = server.state.calls.values()
    server.loop.call_soon_threadsafe(call.hang_up)
    asyncio.run(_until_none(server))


async def _until_none(server: Running) -> None:
    async with asyncio.timeout(10):
        while server.state.calls:
            await asyncio.sleep(0.05)


def test_the_public_address_takes_the_place_of_the_machines_own() -> None:
    sdp = (
        "v=0\r\nc=IN IP4 10.0.0.5\r\na=candidate:1 1 udp 2130706431 10.0.0.5 51000 typ host\r\n"
        "a=candidate:2 1 udp 1694498815 198.51.100.9 51000 typ srflx raddr 10.0.0.5 rport 51000\r\n"
    )
    changed = with_address(sdp, "203.0.113.7")
    assert "c=IN IP4 203.0.113.7\r\n" in changed and " 203.0.113.7 51000 typ host\r\n" in changed
    assert "198.51.100.9 51000 typ srflx" in changed
    assert with_address(sdp, None) == sdp


@pytest.mark.parametrize("url", ["http://stun.example", "stun:", "turn:a b@host:1", "stun:user@"])
def test_an_ice_server_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match="ICE server"):
        ServerSettings(ice_servers=(url,))


def test_a_public_address_is_an_ip_address() -> None:
    with pytest.raises(OptionError, match="public_address"):
        ServerSettings(public_address="example.org")


def _text(text: str) -> Mapping[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
