"""The data of `agentaudio eval run`: a folder, or a copy on the hub that is fetched when it is asked for."""

from __future__ import annotations

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from agentaudio.cli.console import err
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.hub.copy import PREFIX, hub_name


async def located(facts: Benchmark, data: str) -> tuple[Path, str | None]:
    """The folder of the data, and the name of the copy that it came from, with its commit.

    What will be fetched is said on standard error before it is: its size, its licence and where it goes.

    Raises EvaluationError when a copy cannot be had.
    """
    if not data.startswith(PREFIX):
        return Path(data), None
    from agentaudio.evaluation.hub.fetch import fetch_copy

    name = hub_name(data, facts.hub, facts.title)
    assert facts.hub is not None  # hub_name has refused it
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task(name.repository, total=None)
        found = await fetch_copy(
            name, facts.hub, say=err.print, report=lambda done, total: bar.update(task, completed=done, total=total)
        )
    return found.folder, str(found.name)
