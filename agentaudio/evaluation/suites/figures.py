"""What a run of a suite adds up to: pass@1 and pass^k with intervals, latencies, and what changed since another run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.evaluation.measures import wilson
from agentaudio.evaluation.suites.record import DialogueRun, SuiteRun
from agentaudio.evaluation.suites.schema import Percentiles, Require
from agentaudio.live.latency import TurnLatency, percentiles


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of dialogues with its 95 % interval."""

    value: float
    low: float
    high: float
    dialogues: int


def pass_hat(k: int, runs: int, passed: int) -> float:
    """The probability that k runs of a dialogue all pass, estimated from `runs` runs of which `passed` passed.

    Source: Yao et al. 2024, tau-bench, arXiv 2406.12045, section 3: the mean of C(c, k) / C(n, k).
    """
    return math.comb(passed, k) / math.comb(runs, k)


def pass_rate(runs: Iterable[DialogueRun], k: int = 1) -> Rate:
    """pass^k over dialogues; pass@1 where k is 1.

    Repeats of one dialogue are not independent, so the interval counts dialogues, which makes it rather too wide.
    """
    by_dialogue: dict[str, list[bool]] = {}
    for run in runs:
        by_dialogue.setdefault(run.dialogue, []).append(run.passed)
    shares = [pass_hat(k, len(passed), sum(passed)) for passed in by_dialogue.values()]
    mean = sum(shares) / len(shares) if shares else 0.0
    low, high = wilson(mean * len(shares), len(shares))
    return Rate(mean, max(0.0, low or 0.0) / 100, min(100.0, 100.0 if high is None else high) / 100, len(shares))


def latencies(runs: Iterable[DialogueRun]) -> Mapping[str, tuple[int, float, float]]:
    """Count, median and 95th percentile of each stage over all turns, in seconds."""
    return percentiles(
        TurnLatency(number, stages=dict(turn.stages)) for run in runs for number, turn in enumerate(run.turns, 1)
    )


def summary(run: SuiteRun) -> dict[str, Any]:
    """The figures of a run as plain data: of all dialogues, by language, by kind, by check, and latencies."""
    languages = dict.fromkeys(one.language for one in run.runs)
    kinds = dict.fromkeys(one.kind for one in run.runs)
    return {
        "model": run.model,
        "dialogues": len({one.dialogue for one in run.runs}),
        "turns": sum(len(one.turns) for one in run.runs if one.repeat == 1),
        "repeats": run.repeats,
        "pass@1": _plain(pass_rate(run.runs)),
        f"pass^{run.repeats}": _plain(pass_rate(run.runs, run.repeats)),
        "turns_passed": _turns_passed(run),
        "languages": _groups(run, languages, lambda one: one.language),
        "kinds": _groups(run, kinds, lambda one: one.kind),
        "checks": _checks(run),
        "latency_s": {
            stage: {"turns": count, "p50": round(median, 2), "p95": round(p95, 2)}
            for stage, (count, median, p95) in latencies(run.runs).items()
        },
    }


def _plain(rate: Rate) -> dict[str, Any]:
    return {"value": round(rate.value, 4), "interval": [round(rate.low, 4), round(rate.high, 4)]}


def _turns_passed(run: SuiteRun) -> str:
    turns = [turn for one in run.runs for turn in one.turns]
    return f"{sum(turn.passed for turn in turns)} of {len(turns)}"


def _groups(run: SuiteRun, names: Iterable[str], name_of: Callable[[DialogueRun], str]) -> dict[str, Any]:
    found = {}
    for name in names:
        mine = [one for one in run.runs if name_of(one) == name]
        found[name] = {"dialogues": len({one.dialogue for one in mine}), "pass@1": _plain(pass_rate(mine))}
    return found


def _checks(run: SuiteRun) -> dict[str, str]:
    """ "passed of all" by check."""
    found: dict[str, list[bool]] = {}
    for one in run.runs:
        for turn in one.turns:
            for verdict in turn.verdicts:
                found.setdefault(verdict.check, []).append(verdict.passed)
    return {check: f"{sum(passed)} of {len(passed)}" for check, passed in sorted(found.items())}


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two runs, by ids of dialogues.

    broken: passed in each run before, and in none now
    mended: the reverse
    shaken: passed in each run before, and in some now
    new, gone: were run only now, or only before
    medians: seconds of the stages that both have, before and now
    other_suite: whether the suite's file has changed
    other_model: the model of the run before; "" for the same
    """

    broken: Sequence[str]
    mended: Sequence[str]
    shaken: Sequence[str]
    new: Sequence[str]
    gone: Sequence[str]
    medians: Mapping[str, tuple[float, float]]
    other_suite: bool
    other_model: str = ""


def difference(before: SuiteRun, now: SuiteRun) -> Difference:
    """Compare two runs of a suite."""
    old, new = passed_shares(before), passed_shares(now)
    both = [name for name in new if name in old]
    medians, medians_before = latencies(now.runs), latencies(before.runs)
    return Difference(
        broken=[name for name in both if old[name] == 1 and new[name] == 0],
        mended=[name for name in both if old[name] == 0 and new[name] == 1],
        shaken=[name for name in both if old[name] == 1 and 0 < new[name] < 1],
        new=[name for name in new if name not in old],
        gone=[name for name in old if name not in new],
        medians={stage: (medians_before[stage][1], medians[stage][1]) for stage in medians if stage in medians_before},
        other_suite=before.digest != now.digest,
        other_model=before.model if before.model != now.model else "",
    )


def passed_shares(run: SuiteRun) -> dict[str, float]:
    """The share of its runs in which each dialogue passed."""
    by_dialogue: dict[str, list[bool]] = {}
    for one in run.runs:
        by_dialogue.setdefault(one.dialogue, []).append(one.passed)
    return {name: sum(passed) / len(passed) for name, passed in by_dialogue.items()}


def shortfalls(run: SuiteRun, require: Require | None) -> list[str]:
    """What of a suite's requirements a run does not reach. Without requirements each dialogue must pass in each run."""
    if require is None:
        failed = dict.fromkeys(one.dialogue for one in run.runs if not one.passed)
        return [f"dialogue {name} failed" for name in failed]
    found = []
    for name, least, k in (("pass_at_1", require.pass_at_1, 1), ("pass_every", require.pass_every, run.repeats)):
        if least is not None and (reached := pass_rate(run.runs, k).value) < least:
            found.append(f"{name} is {reached:.3f}, below {least:g}")
    measured = latencies(run.runs)
    for stage, most in require.within.items():
        found += _late(stage, most, measured.get(stage))
    return found


def _late(stage: str, most: Percentiles, measured: tuple[int, float, float] | None) -> list[str]:
    if measured is None:
        return [f"no turn had the stage {stage}"]
    pairs = (("p50", most.p50, measured[1]), ("p95", most.p95, measured[2]))
    return [
        f"{name} of {stage} is {seconds:.2f} s, above {limit:g} s"
        for name, limit, seconds in pairs
        if limit is not None and seconds > limit
    ]
