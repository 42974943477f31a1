"""`agentaudio eval list`: the benchmarks."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from agentaudio.cli.console import mark, out, print_json
from agentaudio.evaluation.benchmark import Benchmark, find_benchmark, installed_benchmarks
from agentaudio.evaluation.hub.copy import PREFIX


def benchmarks(*, json: bool = False) -> None:
    """Show the benchmarks: what each needs, where its data comes from, its licence and its size. Fetches nothing.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    found = [find_benchmark(name) for name in installed_benchmarks()]
    if json:
        print_json([_described(one) for one in found])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("benchmark", no_wrap=True)
    table.add_column("what it is, what it needs and where it comes from", overflow="fold")
    for one in found:
        table.add_row(
            mark(one.name, "bold"), f"{one.title}: {one.size}. {one.licence}. {_needs(one)}. {one.home}{_hub(one)}"
        )
    out.print(table)


def _needs(one: Benchmark) -> str:
    needs = [f"a folder with {', '.join(one.needs)}"] if one.needs else []
    needs += ["--judge"] if one.scorer.needs_judge else []
    needs += ["--recogniser for spoken answers"] if one.speaks else []
    return "Needs " + ", ".join(needs) if needs else "Needs nothing"


def _hub(one: Benchmark) -> str:
    return f", or --data {PREFIX}{one.hub.repository}" if one.hub is not None else ""


def _described(one: Benchmark) -> dict[str, Any]:
    return {
        "name": one.name, "title": one.title, "needs": list(one.needs), "needs_judge": one.scorer.needs_judge,
        "speaks": one.speaks, "home": one.home,
        "hub": one.hub and one.hub.repository, "licence": one.licence, "size": one.size, "scorer": one.scorer.name,
        "figures": [measure.name for measure in one.scorer.measures], "note": one.note,
    }  # fmt: skip
