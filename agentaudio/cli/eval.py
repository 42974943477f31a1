"""`agentaudio eval`: measure models by published benchmarks, and agents by suites of dialogues."""

from __future__ import annotations

from cyclopts import App

eval_ = App(name="eval", help="Measure models by published benchmarks, and agents by suites of dialogues.")
# Given as paths, so that `agentaudio eval --help` imports no model.
for _home, _name, _help in (
    ("eval_list:benchmarks", "list", "Show the benchmarks: what each needs, where its data comes from, its licence."),
    ("eval_run:run", "run", "Measure a model by a benchmark, or go on with a run that was stopped."),
    ("eval_compare:compare_runs", "compare", "Put runs side by side, and beside the published figures."),
    ("eval_agent:agent", "agent", "Run a suite of dialogues with an agent."),
):
    eval_.command(f"agentaudio.cli.{_home}", name=_name, help=_help)
