"""`agentaudio eval run`: measure a model by a benchmark."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from agentaudio.cli.console import err, in_home, mark, out, print_json
from agentaudio.cli.eval_data import located
from agentaudio.cli.models import ModelOptions, load_for_command, load_or_fetch
from agentaudio.errors import EvaluationError, OptionError
from agentaudio.evaluation import run as runs
from agentaudio.evaluation.benchmark import Benchmark, find_benchmark
from agentaudio.evaluation.data import differences, load_items
from agentaudio.evaluation.emotions import check_folder
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.measures import Figure, ItemScore, in_words
from agentaudio.evaluation.normalisers import profile as normaliser
from agentaudio.evaluation.report import PAGE
from agentaudio.evaluation.result import Result
from agentaudio.evaluation.scorers.bleu import Bleu
from agentaudio.evaluation.scorers.emotional import Emotional
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.evaluation.scorers.kinds import ByKind
from agentaudio.model.registry import load_recogniser

HOME = Path("eval-runs")
"""Folder of runs that are given no other."""

SHOWN = 5
"""Ids that a line of the result names."""

JudgeOptions = Annotated[tuple[str, ...], Parameter(name="--judge-option")]


async def run(
    benchmark: str,
    *,
    model: str,
    data: str,
    option: ModelOptions = (),
    judge: str | None = None,
    judge_option: JudgeOptions = (),
    recogniser: str | None = None,
    emotions: Path | None = None,
    profile: tuple[str, ...] = (),
    seeds: int = 1,
    limit: int | None = None,
    parallel: int | None = None,
    answers_of: Path | None = None,
    out_folder: Annotated[Path | None, Parameter(name="--out")] = None,
    json: bool = False,
) -> int:
    """Measure a model by a benchmark. The same command again goes on with a run that was stopped.

    Exits with 1 when items failed; the same command asks them again.

    Parameters
    ----------
    benchmark
        Name of a benchmark, which `agentaudio eval list` shows, or a Python file that defines BENCHMARK; the file is
        run.
    model
        Speech model, as NAME or NAME:ARGUMENT; `agentaudio models list` shows them.
    data
        Folder of the data, in the layout in which the benchmark is published; or hf:OWNER/NAME@REVISION, a copy on the
        Hugging Face hub, which is fetched once. `hf:` alone is the copy that the benchmark names, and a revision that
        is not given is looked up and noted in the result.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    judge
        Model that judges answers, as NAME or NAME:ARGUMENT, such as openai:gpt-4o-mini.
    judge_option
        Option of the judge, as NAME=VALUE; repeat it for more.
    recogniser
        Recogniser that writes spoken answers down, as NAME or NAME:ARGUMENT, such as whisper:base. Without it the
        model's own words are scored.
    emotions
        Folder with the weights of emotion2vec_plus_large, which scores the emotion of spoken answers (URO-Bench's
        GenEmotion; extra `emotions`). Without it these have no score.
    profile
        Normaliser of the texts, in place of those of the benchmark, such as whisper; repeat it for more.
    seeds
        How often each item is asked.
    limit
        Ask only so many of the items, from the first.
    parallel
        Items that are asked at the same time; by default as many as the model answers at once, or 4.
    answers_of
        Folder of a finished run of the same model and items: its answers are scored anew, such as by another judge, and
        nothing is asked.
    out_folder
        Folder of the run; by default one in `eval-runs`, named after the benchmark and the model.
    json
        Print the result as JSON.
    """
    for name, value in (("seeds", seeds), ("parallel", parallel), ("limit", limit)):
        if value is not None and value < 1:
            raise OptionError(f"--{name} is {value}; give a number from 1")
    facts = _with_emotions(_with_profiles(find_benchmark(benchmark), profile), emotions)
    if facts.scorer.needs_judge and judge is None:
        raise EvaluationError(f"answers to {facts.title} are scored by a judge; name a model with --judge")
    folder = out_folder or HOME / _file_name(f"{facts.name}-{model}")
    place, copy = await located(facts, data)
    items = load_items(facts, place)
    settings = runs.settings_of(
        facts.name, place, items, model=_written(model, option), seeds=seeds, limit=limit,
        judge=_written(judge or "", judge_option), recogniser=recogniser or "",
        emotions=str(emotions or ""), data=copy,
    )  # fmt: skip
    err.print(f"{facts.title}: {len(items)} items, data sha256 {settings.data_sha256[:12]}, run in {in_home(folder)}")
    for difference in differences(facts, items[:limit]):
        err.print(mark("note", "yellow"), difference)
    if answers_of is not None:
        runs.take_answers(answers_of, folder, settings)
    async with contextlib.AsyncExitStack() as stack:
        speaker = None
        if answers_of is None:
            speaker = await load_or_fetch(model, option, substitute=False)
            stack.push_async_callback(speaker.aclose)
        judging = None
        if judge is not None:
            judging = load_for_command(judge, judge_option)
            stack.push_async_callback(judging.aclose)
        hearing = None
        if recogniser is not None:
            hearing = load_recogniser(recogniser)
            stack.push_async_callback(hearing.aclose)
        started, finished = stack.enter_context(_shown(facts))
        result = await runs.run_benchmark(
            facts, settings, items, folder, model=speaker, judge=judging, recogniser=hearing, parallel=parallel,
            started=started, finished=finished,
        )  # fmt: skip
    show(result, folder, json)
    return 1 if "failed" in result.problems else 0


def show(result: Result, folder: Path, json: bool) -> None:
    """Print the result of a run."""
    if json:
        print_json(asdict(result))
        return
    out.print(figures_table(result.figures))
    if len(result.per_seed) > 1:
        out.print(f"{result.measure} of each seed: {', '.join(f'{value:.2f}' for value in result.per_seed)}")
    out.print(f"{result.scored} of {result.items} answers scored; {result.scorer}")
    for reason, number in result.problems.items():
        ids = result.listed[reason]
        out.print(mark(f"{number} {reason}", "yellow"), f"{', '.join(ids[:SHOWN])}{' …' if len(ids) > SHOWN else ''}")
    if result.failure:
        out.print(f"the first failure: {result.failure}")
    if result.ignored:
        out.print(mark("not taken by the model", "yellow"), ", ".join(result.ignored))
    out.print(in_home(folder / PAGE))


def figures_table(found: Sequence[Figure]) -> Table:
    """Figures with their 95 % intervals."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("figure", "part", "value", "95 % interval", "answers"):
        table.add_column(title, justify="left" if title in ("figure", "part") else "right")
    for one in found:
        table.add_row(one.name, one.group, f"{one.value:.2f}", in_words(one), str(one.items))
    return table


@contextlib.contextmanager
def _shown(facts: Benchmark) -> Iterator[tuple[Callable[[runs.Progress], None], runs.Finished]]:
    """Progress on standard error, on a terminal only: what is done, the time left, and the headline so far."""
    measure = facts.scorer.measures[0]
    sums: dict[str, float] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task(measure.name, total=None)

        def started(progress: runs.Progress) -> None:
            bar.update(task, total=progress.total)
            if progress.kept:
                err.print(f"going on: {progress.kept} of {progress.total} answers are there")

        def finished(item: Item, score: ItemScore) -> None:
            for name, count in score.counts.items():
                sums[name] = sums.get(name, 0.0) + count
            running = f"{measure.name}"
            if measure.per in sums:
                value = measure.of({name: np.array([total]) for name, total in sums.items()})[0]
                running = f"{measure.name} {value:.2f}"
            bar.update(task, advance=1, description=running)

        yield started, finished


def _with_profiles(facts: Benchmark, profiles: tuple[str, ...]) -> Benchmark:
    if not profiles:
        return facts
    if not isinstance(facts.scorer, ErrorRate | Bleu):
        raise EvaluationError(f"answers to {facts.title} are not normalised by a profile; leave --profile out")
    for name in profiles:
        normaliser(name, facts.scorer.language)
    return replace(facts, scorer=replace(facts.scorer, profiles=profiles))


def _with_emotions(facts: Benchmark, folder: Path | None) -> Benchmark:
    if folder is None:
        return facts
    kinds = facts.scorer.scorers if isinstance(facts.scorer, ByKind) else {}
    named = {kind: one for kind, one in kinds.items() if isinstance(one, Emotional)}
    if not named:
        raise EvaluationError(f"answers to {facts.title} are not scored by their emotion; leave --emotions out")
    check_folder(folder)
    changed = {kind: replace(one, folder=str(folder.resolve())) for kind, one in named.items()}
    return replace(facts, scorer=ByKind({**kinds, **changed}))


def _written(spec: str, options: Sequence[str]) -> str:
    """A model with its options. Secrets are left out: they do not change a figure."""
    return " ".join([spec, *sorted(one for one in options if not one.partition("=")[0].endswith("key"))])


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.")[:80] or "run"
