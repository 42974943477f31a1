"""`agentaudio stats`: where the time of turns went."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from agentaudio.cli.console import mark, out, print_json
from agentaudio.errors import OptionError
from agentaudio.live.latency import TurnLatency, percentiles, read_ledger

WIDTH = 40
"""Columns of the longest bar."""


def stats(*files: Path, json: bool = False) -> None:
    """Show the median and the 95th percentile of each stage of turns, from ledgers of `agentaudio chat --ledger`.

    Parameters
    ----------
    files
        The ledgers; several are counted together.
    json
        Print the figures as JSON.
    """
    if not files:
        raise OptionError("name a ledger; `agentaudio chat --ledger FILE` writes one")
    turns: list[TurnLatency] = [turn for file in files for turn in read_ledger(file)]
    figures = percentiles(turns)
    if json:
        print_json({name: {"turns": n, "p50_s": p50, "p95_s": p95} for name, (n, p50, p95) in figures.items()})
        return
    longest = max((p95 for _, _, p95 in figures.values()), default=0.0) or 1.0
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "turns", "p50", "p95", f"0 to {longest:.1f} s"):
        table.add_column(title, justify="right" if title in ("turns", "p50", "p95") else "left", no_wrap=True)
    for name, (count, p50, p95) in figures.items():
        half, whole = (round(max(0.0, value) / longest * WIDTH) for value in (p50, p95))
        bar = mark("█" * half, "green") + mark("░" * (whole - half), "green")
        table.add_row(name.replace("_", " "), str(count), f"{p50:.2f} s", f"{p95:.2f} s", bar)
    out.print(table)
