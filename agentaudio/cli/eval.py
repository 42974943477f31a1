"""`agentaudio eval`: measure models by published benchmarks, and agents by suites of dialogues."""

from __future__ import annotations

from cyclopts import App

eval_ = App(name="eval", help="Measure models by published benchmarks, and agents by suites of dialogues.")
