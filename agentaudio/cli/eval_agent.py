"""`agentaudio eval agent`: run a suite of dialogues with an agent."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from agentaudio.cli.console import ensure_writable, err, in_home, mark, out, print_json
from agentaudio.cli.eval_run import HOME
from agentaudio.cli.models import ModelOptions, load_or_fetch
from agentaudio.errors import OptionError
from agentaudio.evaluation.suites.figures import Difference, difference, latencies, pass_rate, shortfalls, summary
from agentaudio.evaluation.suites.load import load_suite
from agentaudio.evaluation.suites.page import changes, save_page, shown
from agentaudio.evaluation.suites.record import DialogueRun, SuiteRun
from agentaudio.evaluation.suites.results import (
    RESULT,
    Unfinished,
    faults,
    load_result,
    save_junit,
    save_result,
)
from agentaudio.evaluation.suites.run import run_suite
from agentaudio.evaluation.suites.sounds import UserSounds

Gate = Literal["suite", "no-worse"]
LONGEST_NAME = 120


async def agent(
    suite: str,
    *,
    model: str = "embedded",
    option: ModelOptions = (),
    repeats: Annotated[int | None, Parameter(name=["--repeats", "-k"])] = None,
    only: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    out_folder: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    against: Path | None = None,
    gate: Gate = "suite",
    json: bool = False,
) -> int:
    """Run a suite of dialogues with an agent. The same command again goes on with a run that was stopped.

    Exits with 1 when the agent does not pass.
    The result, JUnit's report and a page with all sounds are written into a folder. What changed since the run
    before is printed.

    Parameters
    ----------
    suite
        File of the suite. `demo` is the suite that ships with agentaudio.
    model
        Speech model, as NAME or NAME:ARGUMENT; `agentaudio models list` shows them.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    repeats
        How often each dialogue is run. The suite says it by default.
    only
        Ids or kinds of dialogues.
    out_folder
        Folder for the result; by default one in `eval-runs` for each suite, model and choice of dialogues.
    against
        Result to compare with, a file or its folder; by default the last one in the folder, which the run replaces. In
        CI, name one that is kept elsewhere.
    gate
        What decides on the exit code: `suite` for what the suite requires, by default that every dialogue passes;
        `no-worse` that no dialogue is broken that passed before.
    json
        Print only the figures, as JSON.
    """
    if repeats is not None and not 1 <= repeats <= 1000:
        raise OptionError(f"--repeats is {repeats}; give a number from 1 to 1000")
    file = load_suite(suite)
    folder = out_folder or HOME / re.sub(r"[^\w.-]+", "-", "-".join((file.suite.name, model, *only)))[:LONGEST_NAME]
    ensure_writable(folder / RESULT)
    before = _before(against, folder, gate, file.suite.name)
    count = repeats or file.suite.repeats
    options = hashlib.sha256("\n".join(option).encode()).hexdigest()  # they may hold keys, which no file should
    with contextlib.closing(
        Unfinished(folder, digest=file.digest, model=model, options=options, repeats=count, only=sorted(only))
    ) as unfinished:
        done = unfinished.done()
        if done and not json:
            out.print(f"going on with a run that was stopped: {len(done)} done")
        loaded = await load_or_fetch(model, option, substitute=False)
        began = time.monotonic()

        def progress(run: DialogueRun, number: int, total: int) -> None:
            unfinished.add(run)
            if not json:
                left_s = (time.monotonic() - began) / max(1, number - len(done)) * (total - number)
                _show(run, f"{number}/{total}, {left_s / 60:.0f} min left")

        sounds = UserSounds(file)
        run = await run_suite(
            file, loaded, label=model, out=folder, sounds=sounds, repeats=count, only=only, done=done, progress=progress
        )
        since = None if before is None else difference(before, run)
        missed = shortfalls(run, file.suite.require)
        if gate == "no-worse":
            missed = [f"dialogue {name} is broken" for name in since.broken] if since is not None else []
        save_result(run, folder)
        save_junit(run, folder, missed)
        report = save_page(run, folder, missed, since)
        unfinished.end()
    if json:
        print_json(summary(run) | {"missed": missed})
    else:
        _summarise(run, missed, since)
        out.print(f"\nOpen {in_home(report)} to see and hear it.")
    return 1 if missed else 0


def _before(against: Path | None, folder: Path, gate: Gate, suite: str) -> SuiteRun | None:
    """The result to compare with. Raises OptionError for one that is missing or of another suite."""
    path = against or folder
    if against is None and not (folder / RESULT).exists():
        if gate == "no-worse":
            raise OptionError(f"there is no earlier result in {folder}; run once without --gate, or give --against")
        return None
    before = load_result(path)
    if before.suite != suite:
        raise OptionError(f"{path} is a result of the suite {before.suite!r}, not {suite!r}")
    return before


def _show(run: DialogueRun, place: str) -> None:
    verdict = mark("passed", "green") if run.passed else mark("FAILED", "red")
    out.print(verdict, run.dialogue, mark(place, "dim"))
    for fault in faults(run):
        out.print(f"       {fault}", style="red")


def _summarise(run: SuiteRun, missed: list[str], since: Difference | None) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_row("pass@1", shown(pass_rate(run.runs)))
    if run.repeats > 1:
        table.add_row(f"pass^{run.repeats}", shown(pass_rate(run.runs, run.repeats)))
    for kind in dict.fromkeys(one.kind for one in run.runs):
        table.add_row(kind, shown(pass_rate(one for one in run.runs if one.kind == kind)))
    for stage, (turns, median, p95) in latencies(run.runs).items():
        table.add_row(stage, f"median {median:.2f} s, 95 % within {p95:.2f} s, of {turns} turns")
    out.print(table)
    for name, value in changes(since) if since is not None else ():
        out.print(mark(name, "bold"), value)
    for line in missed:
        err.print(mark("missed", "red"), line)
