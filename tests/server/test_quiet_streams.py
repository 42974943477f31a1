"""Streams of events in which nothing happens for a while."""

from __future__ import annotations

import httpx2
import pytest
from support.server import KEY, running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server import begun, sse


def test_a_quiet_stream_is_kept_alive_and_no_proxy_may_hold_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "ALIVE_S", 0.2)  # instead of 15 s
    monkeypatch.setattr(begun, "BEGIN_S", 0.1)
    with running_server(Agent(Scripted(["Hello."], delay_s=1.0))) as server:
        asked = {"messages": [{"role": "user", "content": "Hello?"}], "stream": True}
        headers = {"authorization": f"Bearer {KEY}"}
        answer = httpx2.post(f"{server.url}/v1/chat/completions", json=asked, headers=headers, timeout=60)
    assert answer.headers["x-accel-buffering"] == "no" and answer.headers["cache-control"] == "no-store"
    lines = [line for line in answer.text.split("\n\n") if line]
    assert lines.count(": working") >= 2 and lines[-1] == "data: [DONE]"
    assert all(line.startswith(("data: ", ": ")) for line in lines)
