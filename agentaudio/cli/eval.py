"""`agentaudio eval`: measure models by published benchmarks, and agents by suites of dialogues."""

from __future__ import annotations

from cyclopts import App

eval_ = App(name="eval", help="Measure models by published benchmarks, and agents by suites of dialogues.")
# Given as a path, so that `agentaudio eval --help` imports no model.
eval_.command("agentaudio.cli.eval_agent:agent", help="Run a suite of dialogues with an agent.")
