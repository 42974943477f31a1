"""A page in Chromium talks to the server over WebRTC: its own RTCPeerConnection, a microphone, and a data channel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import CHROMIUM, TAP, launched
from support.realtime_client import question
from support.server import Running, running_server, until

from agentaudio import Agent, Audio
from agentaudio.demo.run import opening_hours
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytest.importorskip("aiortc", reason="needs the extra webrtc")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

PATIENCE = float(os.environ.get("PATIENCE", "1"))
LONGEST_MS = 60_000 * PATIENCE
WORD_S = 0.3
ANSWER = "It is open from nine in the morning until six in the evening."
SCRIPT: list[dict[str, Any]] = [
    {"heard": "When is the national museum open today?", "calls": [
        {"name": "opening_hours", "arguments": {"museum": "national museum"}}
    ]},
    {"say": ANSWER},
]  # fmt: skip

# As the pages of others do it. The events that come are noted.
CALL = """
async () => {
  window.events = [];
  const connection = new RTCPeerConnection();
  window.connection = connection;
  connection.ontrack = ({ track, streams }) => {
    const stream = streams[0] ?? new MediaStream([track]);
    const loudspeaker = new Audio();
    loudspeaker.srcObject = stream;
    loudspeaker.play();
    const context = new AudioContext();
    context.createMediaStreamSource(stream).connect(new AnalyserNode(context)); // which TAP notes as `spoken`
  };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  for (const track of microphone.getTracks()) connection.addTrack(track, microphone);
  const channel = connection.createDataChannel("oai-events");
  window.channel = channel;
  const open = new Promise((resolve) => { channel.onopen = resolve; });
  channel.onmessage = ({ data }) => window.events.push({ at: performance.now(), ...JSON.parse(data) });
  await connection.setLocalDescription(await connection.createOffer());
  const answer = await fetch("/v1/realtime/calls", {
    method: "POST",
    headers: { "Content-Type": "application/sdp" },
    body: connection.localDescription.sdp,
  });
  await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  await open;
  return { status: answer.status, location: answer.headers.get("location") };
}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(Agent(Scripted(SCRIPT), tools=[opening_hours], voices=None), ServerSettings()) as server:
        yield server


def test_a_question_is_heard_and_answered_on_the_track_of_a_browser(server: Running, tmp_path: Any) -> None:
    microphone = tmp_path / "spoken.wav"
    Audio.concat([Audio.silence(2.0, 24_000), question("national-museum")]).resample(48_000).save(microphone)
    with sync_api.sync_playwright() as playwright:
        browser = launched(playwright, microphone=microphone)
        page = browser.new_page()
        page.add_init_script(TAP)
        page.goto(server.url)
        answered = page.evaluate(CALL)
        assert answered["status"] == 201 and answered["location"].startswith("/v1/realtime/calls/")

        def came(kind: str) -> list[dict[str, Any]]:
            return list(page.evaluate("kind => events.filter((event) => event.type === kind)", kind))

        latest = page.evaluate("performance.now()") + LONGEST_MS
        while not came("output_audio_buffer.stopped"):
            assert page.evaluate("performance.now()") < latest, page.evaluate("events.map((event) => event.type)")
            page.wait_for_timeout(200)
        page.wait_for_timeout(500)
        kinds = page.evaluate("events.map((event) => event.type)")
        heard_s = page.evaluate("spoken.filter(([, peak]) => peak > 0.005).reduce((sum, one) => sum + one[2], 0)")
        done = came("response.done")[0]["response"]
        browser.close()
    assert kinds[0] == "session.created" and "error" not in kinds
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("response.created")
    assert kinds.index("output_audio_buffer.started") < kinds.index("output_audio_buffer.stopped")
    assert done["agentaudio"]["heard"] == SCRIPT[0]["heard"]
    assert done["agentaudio"]["tools"][0]["call"]["name"] == "opening_hours"
    assert done["output"][-1]["content"][0]["transcript"].strip() == ANSWER
    assert heard_s == pytest.approx(WORD_S * len(ANSWER.split()), rel=0.3)
    until(lambda: not server.state.calls, 60 * PATIENCE)  # the call ends with its page
