"""`agentaudio eval list`: the benchmarks."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from agentaudio.cli.console import mark, out, print_json
from agentaudio.evaluation.benchmark import Benchmark, find_benchmark, installed_benchmarks


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
    for title in ("benchmark", "", "licence of the data", "size"):
        table.add_column(title, overflow="fold", no_wrap=title == "benchmark")
    for one in found:
        table.add_row(mark(one.name, "bold"), f"{one.title}; {_needs(one)}", one.licence, one.size)
        table.add_row("", mark(one.home, "dim"))
    out.print(table)


def _needs(one: Benchmark) -> str:
    needs = [f"a folder with {', '.join(one.needs)}"] if one.needs else []
    needs += ["--judge"] if one.scorer.needs_judge else []
    needs += ["--recogniser for spoken answers"] if one.speaks else []
    return "needs " + ", ".join(needs) if needs else "needs nothing"


def _described(one: Benchmark) -> dict[str, Any]:
    return {
        "name": one.name, "title": one.title, "needs": list(one.needs), "needs_judge": one.scorer.needs_judge,
        "speaks": one.speaks, "home": one.home, "licence": one.licence, "size": one.size, "scorer": one.scorer.name,
        "figures": [measure.name for measure in one.scorer.measures], "note": one.note,
    }  # fmt: skip
