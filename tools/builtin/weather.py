"""`get_weather`: a declarative tool, offered through the door that plugins use."""

from __future__ import annotations

from pathlib import Path

from agentaudio.tools.declarative.load import load_tools

(get_weather,) = load_tools(Path(__file__).with_name("weather.yaml"))
