"""The demo's suite with every model that runs without a GPU: the table of docs/evaluation.md, and a regression gate.

    PYTHONPATH=. python benchmarks/agent_suite.py [--model NAME ...] [--json FILE] [--page FILE] [--work DIR]
    PYTHONPATH=. python benchmarks/agent_suite.py --model embedded --only facts cough

A dialogue that passed in the figures of FILE, and fails now three times, is broken: the script exits with 1.
A run that was cut off goes on. Figures of models that are not run again are kept; they name what was wrong in each
dialogue that failed. `--page` writes the table into a page that has it. `--only` runs a part of the suite, and keeps no
figures.

`scripted` says one sentence whatever it is asked. It shows what a suite lets pass that tests nothing.

The times are those of the machine while it did this. Live dialogues are played in real time; on a machine that does
other work, `--pace 0.2` plays them five times slower, so that the agent has the time that it would have alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report import machine
from rich.console import Console
from rich.table import Table

from agentaudio.evaluation.suites.figures import passed_shares, summary
from agentaudio.evaluation.suites.load import load_suite
from agentaudio.evaluation.suites.page import save_page
from agentaudio.evaluation.suites.record import DialogueRun, SuiteRun
from agentaudio.evaluation.suites.results import Unfinished, faults, save_result
from agentaudio.evaluation.suites.run import run_suite
from agentaudio.evaluation.suites.sounds import UserSounds
from agentaudio.model.registry import load_model

MODELS = ("embedded", "embedded-lite", "scripted")


async def measure(model: str, work: Path, pace: float, only: Sequence[str]) -> SuiteRun:
    """Run the suite with a model. Its result, page and sounds are left in a folder of `work`."""
    file, folder = load_suite("demo"), work / ("-".join([model, "part"]) if only else model)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(
        Unfinished(folder, digest=file.digest, model=model, pace=pace, only=list(only))
    ) as unfinished:
        done = unfinished.done()

        def progress(run: DialogueRun, number: int, total: int) -> None:
            unfinished.add(run)
            print(f"{model} {number}/{total} {run.dialogue}: {'passed' if run.passed else 'failed'}", flush=True)
            for fault in faults(run):
                print(f"    {fault}", flush=True)

        run = await run_suite(
            file,
            load_model(model),
            label=model,
            out=folder,
            sounds=UserSounds(file),
            only=only,
            done=done,
            pace=pace,
            progress=progress,
        )
        save_result(run, folder)
        save_page(run, folder, [], None)
        unfinished.end()
    return run


async def still_failing(model: str, dialogues: list[str], work: Path, pace: float) -> list[str]:
    """Those of the dialogues that fail twice more: what was heard in a live dialogue is not the same each time."""
    file = load_suite("demo")
    loaded, sounds, out = load_model(model), UserSounds(file), work / f"{model}-again"
    run = await run_suite(file, loaded, label=model, out=out, sounds=sounds, only=dialogues, repeats=2, pace=pace)
    return [name for name, share in passed_shares(run).items() if share == 0]


def percent(rate: dict[str, Any]) -> str:
    low, high = rate["interval"]
    return f"{100 * rate['value']:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def rows(models: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table of docs/evaluation.md: the name of a figure, and its value for each model."""
    first = next(iter(models.values()))
    found = [("pass@1", *(percent(one["pass@1"]) for one in models.values()))]
    for group, title in (("languages", "in {}"), ("kinds", "{}")):
        for name, one in first[group].items():
            values = (percent(model[group][name]["pass@1"]) for model in models.values())
            found.append((f"{title.format(name)} ({one['dialogues']})", *values))
    return found


def write_table(models: dict[str, Any], page: Path) -> None:
    """Put the table into a page, in place of the one that it has."""
    head = f"| dialogues | {' | '.join(f'`{name}`' for name in models)} |\n{'|---' * (len(models) + 1)}|\n"
    table = head + "".join(f"| {' | '.join(row)} |\n" for row in rows(models))
    text, count = re.subn(r"^\| dialogues \|.*\n(?:\|.*\n)+", lambda found: table, page.read_text("utf-8"), flags=re.M)
    if count != 1:
        sys.exit(f"{page} has {count} tables of dialogues")
    page.write_text(text, "utf-8")


def show(models: dict[str, Any]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", *models):
        table.add_column(title)
    for row in rows(models):
        table.add_row(*row)
    times = [found["latency_s"].get("first_sound", {}) for found in models.values()]
    table.add_row("first sound, p50 / p95", *(f"{one.get('p50')} / {one.get('p95')} s" for one in times))
    Console(width=160).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=MODELS, help="may be repeated; all without it")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--page", metavar="FILE", type=Path, help="such as docs/evaluation.md")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="ids or kinds of dialogues")
    parser.add_argument("--work", metavar="DIR", type=Path, default=Path(tempfile.gettempdir()) / "agentaudio-suite")
    parser.add_argument("--pace", type=float, default=1.0, help="of live dialogues, above 0 and at most 1")
    given = parser.parse_args()
    if given.only and (given.json or given.page):
        parser.error("figures are published of the whole suite only: leave out --only, or --json and --page")
    before: dict[str, Any] = {}
    if given.json is not None and given.json.exists():
        before = json.loads(given.json.read_text("utf-8"))["models"]
    models, broken = dict(before), list[str]()
    for name in given.model or MODELS:
        run = asyncio.run(measure(name, given.work, given.pace, given.only))
        shares = passed_shares(run)
        old = before.get(name, {}).get("passed", {})
        failing = [one for one, share in shares.items() if share == 0 and old.get(one) == 1]
        if failing:
            print(f"passed before, and are run again: {', '.join(failing)}", flush=True)
            failing = asyncio.run(still_failing(name, failing, given.work, given.pace))
        broken += [f"{name}: {one}" for one in failing]
        wrong = {one.dialogue: faults(one) for one in run.runs if not one.passed}
        models[name] = summary(run) | {"machine": machine(), "pace": given.pace, "passed": shares, "wrong": wrong}
        if given.json is not None:
            ordered = {one: models[one] for one in MODELS if one in models}
            given.json.write_text(json.dumps({"models": ordered}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    measured = {one: models[one] for one in MODELS if one in models}
    show(measured)
    if given.page is not None:
        write_table(measured, given.page)
    if broken:
        sys.exit(f"passed before, and fails now three times: {', '.join(broken)}")


if __name__ == "__main__":
    main()
