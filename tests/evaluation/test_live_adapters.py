"""The harness voicebench against an agent of this process, and against a real server over its WebSocket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.realtime_client import question
from support.server import KEY, running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted

voicebench = pytest.importorskip("voicebench", reason="needs the extra eval")
from voicebench.adapters.base import Adapter, AdapterError  # noqa: E402
from voicebench.clock import RealClock  # noqa: E402
from voicebench.metrics import analyze, summarize  # noqa: E402
from voicebench.runner import run_session  # noqa: E402
from voicebench.scenario import Scenario, load_scenario  # noqa: E402

from agentaudio.evaluation.live_adapters import LiveAdapter, RealtimeAdapter  # noqa: E402

SCENARIO = """
name: question and barge-in
tail_ms: 300
max_duration_ms: 60000
defaults: {response_timeout_ms: 30000, max_stop_ms: 9000}
turns:
- id: question
  audio: {file: question.wav}
  start: {after: session_start, delay_ms: 200}
- id: barge-in
  audio: {file: question.wav}
  start: {after: agent_speech_start, delay_ms: 700}
  expect: stop
"""
LONG = " ".join(["and so on"] * 16)


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    question(rate=16_000).save(tmp_path / "question.wav")
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    return load_scenario(tmp_path / "scenario.yaml")


def talker() -> Agent:
    return Agent(Scripted([LONG, "Yes."], loop=True))


class Talker(LiveAdapter):
    def make_agent(self) -> Agent:
        return talker()


async def figures(scenario: Scenario, adapter: Adapter) -> dict[str, Any]:
    found: dict[str, Any] = summarize([analyze(await run_session(scenario, adapter, RealClock()))])
    return found


async def test_a_barge_in_is_measured_in_process(scenario: Scenario) -> None:
    found = await figures(scenario, Talker(ears=None))
    assert (found["turns_passed"], found["missed_responses"], found["barge_in_success_rate"]) == (2, 0, 1.0)
    assert found["response_latency_ms"]["p50"] > 0


async def test_a_barge_in_is_measured_over_the_websocket_of_the_server(scenario: Scenario) -> None:
    with running_server(talker()) as server:
        adapter = RealtimeAdapter(f"ws://127.0.0.1:{server.port}/v1/realtime", api_key=KEY)
        found = await figures(scenario, adapter)
    assert (found["turns_passed"], found["missed_responses"], found["barge_in_success_rate"]) == (2, 0, 1.0)
    assert KEY not in str(adapter.describe())


async def test_what_cannot_be_connected_is_said(scenario: Scenario) -> None:
    with running_server(talker()) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/realtime"
        with pytest.raises(AdapterError, match="cannot connect to ws://127.0.0.1"):
            await run_session(scenario, RealtimeAdapter(url, api_key="wrong"), RealClock())
    with pytest.raises(AdapterError, match="no model 'none'|'none'"):
        await run_session(scenario, LiveAdapter(model="none"), RealClock())
