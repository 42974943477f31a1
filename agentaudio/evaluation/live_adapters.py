"""Adapters of the harness `voicebench` (PyPI), which plays scripted calls and measures the sound of both sides.

    voicebench run CALL.yaml --adapter agentaudio.evaluation.live_adapters:LiveAdapter -o model=embedded
    voicebench run CALL.yaml --adapter agentaudio.evaluation.live_adapters:RealtimeAdapter --url ws://HOST/v1/realtime

The harness is not the benchmark VoiceBench of Chen et al. 2024. It comes with the extra `eval`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from voicebench.adapters.base import Adapter, AdapterError, AgentAudio, AgentClear, Transcript
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from agentaudio.agent import Agent
from agentaudio.demo.run import demo_agent
from agentaudio.errors import AgentAudioError
from agentaudio.events import SpeechHeard, TurnFinished
from agentaudio.live.player import Player
from agentaudio.live.session import LiveSession
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream

Samples = NDArray[np.float32]

REALTIME_HZ = 24_000
CONNECT_S = 10.0
TRUNCATE = "truncate"
"""Id of the events that say how far an answer was played."""


class LiveAdapter(Adapter):
    """An agent of this process, over `Agent.live`. The harness hears what a loudspeaker would play, holds included.

    model: of the demo's agent
    ears: as in LiveSettings; None for none

    To measure another agent, subclass it and override `make_agent`.
    """

    name: ClassVar[str] = "agentaudio-live"

    def __init__(self, model: str = "embedded", ears: str | None = "auto", **options: Any) -> None:
        super().__init__(**options)
        self._model, self._ears = model, ears
        self._agent: Agent | None = None
        self._live: LiveSession | None = None
        self._reading: asyncio.Task[None] | None = None
        self._frames = 0

    def make_agent(self) -> Agent:
        """The agent to measure; it is closed after the call."""
        return demo_agent(self._model)

    async def connect(self) -> None:
        """Load the agent and begin a session. Raises AdapterError when that fails."""
        rate = self.session.sample_rate
        try:
            self._agent = await asyncio.to_thread(self.make_agent)
            await self._agent.warm_up()
            self._live = self._agent.live(ears=self._ears, sample_rate=rate)
            await self._live.__aenter__()
        except AgentAudioError as error:
            await self.close()
            raise AdapterError(f"agentaudio: {error}") from None
        self._player = Player(rate)
        self._reading = asyncio.create_task(self._read(self._live))

    async def _read(self, live: LiveSession) -> None:
        async for event in live:
            self._player.take(event)
            if isinstance(event, SpeechHeard) and event.final:
                self.emit(Transcript("user", event.text, self.session.clock.now()))
            elif isinstance(event, TurnFinished):
                self.emit(Transcript("agent", event.reply.text, self.session.clock.now()))

    async def send_audio(self, pcm: Samples) -> None:
        """Take a frame of the microphone, and play one of the loudspeaker."""
        if self._live is None:
            raise AdapterError("agentaudio: not connected")
        rate = self.session.sample_rate
        self._live.push(Audio(np.clip(pcm, -1, 1), rate).to_pcm16())
        block, played = self._player.fill(len(pcm))
        for turn, seconds in played.items():
            self._live.played(seconds, turn=turn)
        # By the count of frames, as a sound card plays them: the clock of the program is late now and then.
        self.emit(AgentAudio(block, self._frames / rate))
        self._frames += len(pcm)

    async def close(self) -> None:
        """End the session and free the agent."""
        live, agent = self._live, self._agent
        self._live = self._agent = None
        if live is not None:
            await live.aclose()
        if self._reading is not None:
            await self._reading
            self._reading = None
        if agent is not None:
            await agent.aclose()

    def describe(self) -> dict[str, Any]:
        """For the report."""
        return {"type": self.name, "model": self._model, "ears": self._ears}


class RealtimeAdapter(Adapter):
    """The WebSocket of `agentaudio serve`, or another server of the Realtime protocol.

    url: of the endpoint
    api_key: None takes the environment variable OPENAI_API_KEY
    session: settings that are sent in a `session.update`
    """

    name: ClassVar[str] = "agentaudio-realtime"

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8000/v1/realtime",
        api_key: str | None = None,
        session: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.url = url
        self._key = api_key or os.environ.get("OPENAI_API_KEY", "")
        self._settings = session
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._item: str | None = None
        self._from_s = self._until_s = 0.0  # when the sound of the item began, and when it has been played
        self._error: str | None = None

    async def connect(self) -> None:
        """Connect, and wait for the session. Raises AdapterError when there is none."""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            async with asyncio.timeout(CONNECT_S):
                self._socket = await connect(self.url, additional_headers=headers, max_size=None)
                first = json.loads(await self._socket.recv())
        except (OSError, TimeoutError, WebSocketException, ValueError) as error:
            raise AdapterError(f"realtime: cannot connect to {self.url}: {error or 'it does not answer'}") from None
        if first.get("type") != "session.created":
            raise AdapterError(f"realtime: {self.url} begins with {first.get('type')!r}: {self._message(first)}")
        self._microphone, self._loudspeaker = PcmStream(REALTIME_HZ), PcmStream(self.session.sample_rate)
        if self._settings is not None:
            await self._send("session.update", session={"type": "realtime", **self._settings})
        self._reading = asyncio.create_task(self._read(self._socket))

    async def send_audio(self, pcm: Samples) -> None:
        """Send a frame of the microphone. Raises AdapterError when the server has closed the connection."""
        if self._error is not None:
            raise AdapterError(f"realtime: {self._error}")
        sound = self._microphone.push(Audio(np.clip(pcm, -1, 1), self.session.sample_rate))
        await self._send("input_audio_buffer.append", audio=base64.b64encode(sound.to_pcm16()).decode())

    async def _send(self, kind: str, **fields: Any) -> None:
        if self._socket is None:
            raise AdapterError("realtime: not connected")
        try:
            await self._socket.send(json.dumps({"type": kind, **fields}))
        except ConnectionClosed as error:
            raise AdapterError(f"realtime: the server has closed the connection: {error}") from None

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                try:
                    await self._take(json.loads(text))
                except (ValueError, KeyError, TypeError) as error:
                    self._error = f"the server sent what is not of the protocol: {error!r}"

    async def _take(self, event: dict[str, Any]) -> None:
        now_s = self.session.clock.now()
        match event.get("type"):
            case "response.output_audio.delta" | "response.audio.delta":
                self._play(event, now_s)
            case "input_audio_buffer.speech_started":
                await self._interrupted(now_s)
            case "conversation.item.input_audio_transcription.completed":
                self.emit(Transcript("user", event["transcript"], now_s))
            case "response.output_audio_transcript.done" | "response.audio_transcript.done":
                self.emit(Transcript("agent", event["transcript"], now_s))
            # The server may have forgotten the item by then.
            case "error" if event.get("error", {}).get("event_id") != TRUNCATE:
                self._error = self._message(event)

    def _play(self, event: dict[str, Any], now_s: float) -> None:
        if event["item_id"] != self._item:
            self._item = event["item_id"]
            self._loudspeaker.reset()
            self._from_s = self._until_s = max(now_s, self._until_s)
        audio = Audio.from_pcm16(base64.b64decode(event["delta"]), REALTIME_HZ)
        self._until_s = max(now_s, self._until_s) + audio.duration
        self.emit(AgentAudio(self._loudspeaker.push(audio).samples, now_s))

    async def _interrupted(self, now_s: float) -> None:
        """As clients of the protocol do: drop what was not played, and say how far that was."""
        if self._item is None or now_s >= self._until_s:
            return
        self.emit(AgentClear(now_s))
        played_ms = round(1000 * max(0.0, now_s - self._from_s))
        await self._send(
            "conversation.item.truncate",
            event_id=TRUNCATE,
            item_id=self._item,
            content_index=0,
            audio_end_ms=played_ms,
        )
        self._until_s = now_s

    @staticmethod
    def _message(event: dict[str, Any]) -> str:
        error = event.get("error")
        return str(error.get("message", error)) if isinstance(error, dict) else str(error)

    async def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None
        if self._reading is not None:
            await self._reading
            self._reading = None

    def describe(self) -> dict[str, Any]:
        """For the report, without the key."""
        return {"type": self.name, "url": self.url.partition("?")[0]}
