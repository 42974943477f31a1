"""`get_weather`, against a local server that answers like Open-Meteo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.local_http import Answer, Asked, LocalServer, local_server

from agentaudio import RunContext, Tool
from agentaudio.conversation import Conversation
from agentaudio.errors import ToolArgumentError, ToolError
from agentaudio.tools.builtin import weather
from agentaudio.tools.declarative.load import load_tools
from agentaudio.tools.discovery import find_tools

FILE = Path(weather.__file__).with_name("weather.yaml")
PLACE = {"name": "Rome", "latitude": 41.89, "longitude": 12.51, "country": "Italy", "timezone": "Europe/Rome"}


def search(asked: Asked) -> Answer:
    (name,) = parse_qs(urlsplit(asked.path).query)["name"]
    return 200, {}, json.dumps({"results": [PLACE]} if name == "Rome" else {"generationtime_ms": 0.4}).encode()


def forecast(asked: Asked) -> Answer:
    days = int(parse_qs(urlsplit(asked.path).query)["forecast_days"][0])
    daily = {
        "time": ["2026-11-22", "2026-11-23"][:days], "weather_code": [61, 1234][:days],
        "temperature_2m_min": [7.6, -0.4][:days], "temperature_2m_max": [13.2, 5.5][:days],
        "precipitation_probability_max": [80, None][:days],
    }  # fmt: skip
    current = {"temperature_2m": 11.7, "weather_code": 3, "wind_speed_10m": 8.2}
    return 200, {}, json.dumps({"current": current, "daily": daily}).encode()


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        running.answers |= {"/v1/search": search, "/v1/forecast": forecast}
        yield running


@pytest.fixture
def get_weather(server: LocalServer, tmp_path: Path) -> Tool:
    text = FILE.read_text(encoding="utf-8") + "allow_private: true\n"
    for host in ("https://geocoding-api.open-meteo.com", "https://api.open-meteo.com"):
        assert host in text
        text = text.replace(host, server.url)
    (tmp_path / "weather.yaml").write_text(text)
    (tool,) = load_tools(tmp_path / "weather.yaml")
    return tool


def call(tool: Tool, **arguments: object) -> str:
    return asyncio.run(tool.call(RunContext(Conversation()), arguments)).text


def test_the_weather_of_a_place_is_reported(get_weather: Tool, server: LocalServer) -> None:
    assert call(get_weather, location="Rome", days="2").splitlines() == [
        "Rome, Italy: now 12 degrees Celsius, overcast, wind 8 kilometres per hour.",
        "2026-11-22: light rain, 8 to 13 degrees, rain 80 percent likely.",
        "2026-11-23: unsettled, 0 to 6 degrees, rain 0 percent likely.",
    ]
    asked = parse_qs(urlsplit(server.asked[1].path).query)
    assert (asked["latitude"], asked["longitude"], asked["timezone"]) == (["41.89"], ["12.51"], ["auto"])
    call(get_weather, location="Rome", days=2)
    assert len(server.asked) == 2


def test_unknown_places_and_impossible_days_are_refused(get_weather: Tool) -> None:
    with pytest.raises(ToolError, match="There is no place called Xyzzy; ask how it is spelled"):
        call(get_weather, location="Xyzzy")
    with pytest.raises(ToolArgumentError, match="days: Input should be less than or equal to 7, not 30"):
        call(get_weather, location="Rome", days=30)


def test_get_weather_is_an_entry_point() -> None:
    assert find_tools(["get_weather"])["get_weather"] is weather.get_weather
