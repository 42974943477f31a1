"""`get_weather`: a tool from a file, offered through an entry point as plugins are."""

from __future__ import annotations

from pathlib import Path

from agentaudio.tools.declarative.load import load_tools

(get_weather,) = load_tools(Path(__file__).with_name("weather.yaml"))
