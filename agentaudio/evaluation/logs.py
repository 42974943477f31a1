"""The log of a run: inspect-ai writes it in parts, whose size bounds the memory that it needs, and they are joined."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from agentaudio.errors import AgentAudioError, EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.logging_state import kept_logging
from agentaudio.evaluation.zips import join_members
from agentaudio.files import replacing
from agentaudio.free_memory import give_back

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog
    from inspect_ai.model import ModelUsage

    from agentaudio.evaluation.asking import Asking

LOGS, PARTS = "logs", "log-parts"
PART = 250
"""Answers of a part, of which inspect-ai takes about 20 kB of memory each."""
ROUNDS = 8
"""A part has at least so many answers for each that is asked at the same time: those wait for the last of a part."""

_SAMPLES, _SUMMARIES = "samples/", "summaries.json"


async def evaluate(
    benchmark: Benchmark, items: Sequence[Item], asking: Asking, settings: Mapping[str, Any], seeds: int, folder: Path,
    parallel: int,
) -> None:  # fmt: skip
    """Ask and score all items, and leave one log in the folder of a run, which holds all of them.

    settings: to note in the log
    seeds: how often each item is asked

    Raises EvaluationError when inspect-ai stops, or when the log cannot be written; what was finished is kept.
    """
    parts = folder / PARTS
    shutil.rmtree(parts, ignore_errors=True)  # of a run that was killed
    header: EvalLog | None = None
    paths = []
    for part in _parts(items, max(PART, ROUNDS * parallel) // seeds):
        if header is not None:
            gc.collect()  # what inspect-ai left of the part before refers to itself, and would lie about
            await asyncio.to_thread(give_back)
        log = await _part(benchmark, part, asking, settings, seeds, parts, parallel)
        paths.append(Path(log.location))
        header = log if header is None else _together(header, log)
        del log
    if header is None:
        return
    older = list((folder / LOGS).glob("*.eval"))
    with kept_logging():
        await _join(_with_figures(header, benchmark, asking, items), paths, folder / LOGS / paths[0].name)
    for path in older:  # the new log holds all that they held
        path.unlink(missing_ok=True)
    shutil.rmtree(parts, ignore_errors=True)


def _parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    size = max(1, size)
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def _part(
    benchmark: Benchmark, items: Sequence[Item], asking: Asking, settings: Mapping[str, Any], seeds: int, folder: Path,
    parallel: int,
) -> EvalLog:  # fmt: skip
    from inspect_ai import eval_async

    from agentaudio.evaluation.task import benchmark_task

    try:
        with kept_logging():
            logs = await eval_async(
                benchmark_task(benchmark, items, asking, seeds),
                model=asking.model,
                model_roles={"judge": asking.judge} if asking.judge is not None else None,
                log_dir=str(folder),
                log_level="error",
                metadata=dict(settings),
                max_samples=parallel,
                log_realtime=False,
                log_images=False,
                log_model_api=False,
                log_header_only=True,
                log_buffer=len(items) * seeds,  # the ledgers keep what is finished; each flush copies the whole log
                score_display=False,
                ctl_server=False,
            )
    except OSError as error:  # such as the folder of its traces below the home directory
        raise EvaluationError(
            f"inspect-ai cannot work with its own files: {error}; free some space, or set XDG_DATA_HOME to a folder "
            "that can be written; finished items are kept: run the same command again"
        ) from None
    if asking.fatal is not None:
        raise asking.fatal
    if not logs:  # inspect-ai ends so when it is cancelled, and keeps the exception to itself
        raise asyncio.CancelledError
    (log,) = logs
    if log.status != "success":
        message = log.error.message if log.error else "it was stopped"
        help = "free some space and " if os.strerror(errno.ENOSPC) in message else ""
        raise EvaluationError(
            f"the run ended as {log.status!r}: {message}; finished items are kept: {help}run the same command again"
        )
    return log


def _together(one: EvalLog, other: EvalLog) -> EvalLog:
    """The header of two parts: the first one's, with the counts and usage of both."""
    assert one.results is not None and other.results is not None
    scores = [
        first.model_copy(
            update={
                "scored_samples": (first.scored_samples or 0) + (second.scored_samples or 0),
                "unscored_samples": (first.unscored_samples or 0) + (second.unscored_samples or 0),
                "metrics": {**second.metrics, **first.metrics},
            }
        )
        for first, second in zip(one.results.scores, other.results.scores, strict=True)
    ]
    results = one.results.model_copy(
        update={
            "total_samples": one.results.total_samples + other.results.total_samples,
            "completed_samples": one.results.completed_samples + other.results.completed_samples,
            "scores": scores,
        }
    )
    stats = one.stats.model_copy(
        update={
            "completed_at": other.stats.completed_at,
            "model_usage": _usage(one.stats.model_usage, other.stats.model_usage),
            "role_usage": _usage(one.stats.role_usage, other.stats.role_usage),
        }
    )
    return one.model_copy(update={"results": results, "stats": stats})


def _usage(*parts: Mapping[str, ModelUsage]) -> dict[str, ModelUsage]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: reduce(lambda one, other: one + other, [part[name] for part in parts if name in part]) for name in names
    }


def _with_figures(header: EvalLog, benchmark: Benchmark, asking: Asking, items: Sequence[Item]) -> EvalLog:
    """The header with the ids and the figures of all items."""
    from agentaudio.evaluation.task import metric_values

    assert header.results is not None
    values = metric_values(asking.scores.counts(), benchmark.scorer)
    scores = []
    for score in header.results.scores:
        metrics = {}
        if score.metrics:
            pattern = next(iter(score.metrics.values()))
            metrics = {
                name: pattern.model_copy(update={"name": name, "value": value}) for name, value in values.items()
            }
        scores.append(score.model_copy(update={"metrics": metrics}))
    headline = header.results.headline
    if headline is not None:
        headline = headline.model_copy(update={"metric": next(iter(values), None)})
    dataset = header.eval.dataset.model_copy(
        update={"samples": len(items), "sample_ids": [item.id for item in items]},
    )
    return header.model_copy(
        update={
            "results": header.results.model_copy(update={"scores": scores, "headline": headline}),
            "eval": header.eval.model_copy(update={"dataset": dataset}),
        }
    )


async def _join(header: EvalLog, parts: Sequence[Path], path: Path) -> None:
    """Write one log with the samples of all parts."""
    from inspect_ai.log import write_eval_log_async

    frame = parts[0].with_name("frame.eval")  # all of a log but its samples, as inspect-ai writes it
    try:
        await write_eval_log_async(header.model_copy(update={"samples": []}), str(frame))
        await asyncio.to_thread(_write, frame, parts, path)
    except (OSError, BadZipFile) as error:
        if isinstance(error, AgentAudioError):
            raise
        raise EvaluationError(f"cannot write the log {path}: {error}; finished items are kept: run the same command "
                              "again") from None  # fmt: skip


def _write(frame: Path, parts: Sequence[Path], path: Path) -> None:
    summaries = frame.with_name("summaries.eval")
    with ZipFile(summaries, "w", ZIP_DEFLATED) as file, file.open(_SUMMARIES, "w") as joined:
        joined.write(b"[")
        between = b""
        for part in parts:
            with ZipFile(part) as one:
                if found := one.read(_SUMMARIES).strip()[1:-1].strip():
                    joined.write(between + found)
                    between = b","
        joined.write(b"]")
    sources: list[tuple[Path, Callable[[str], bool]]] = [(frame, lambda name: name != _SUMMARIES)]
    sources += [(part, lambda name: name.startswith(_SAMPLES)) for part in parts]
    with replacing(path, error=EvaluationError) as temporary:
        join_members([*sources, (summaries, lambda name: True)], temporary)
