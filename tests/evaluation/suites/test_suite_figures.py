"""pass@1, pass^k, their intervals, and the difference of two runs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.evaluation.suites.figures import difference, pass_hat, pass_rate, shortfalls, summary
from agentaudio.evaluation.suites.page import changes
from agentaudio.evaluation.suites.record import DialogueRun, SuiteRun, TurnRecord, Verdict
from agentaudio.evaluation.suites.schema import Require


def runs(**passed: str) -> tuple[DialogueRun, ...]:
    """Runs by dialogue, in which "+" passed and "-" did not."""
    return tuple(
        DialogueRun(name, "kind", "en", number, (turn(mark == "+"),))
        for name, marks in passed.items()
        for number, mark in enumerate(marks, 1)
    )


def turn(passed: bool, seconds: float = 1.0) -> TurnRecord:
    return TurnRecord("hello", stages={"total": seconds}, verdicts=(Verdict("says", "" if passed else "nothing"),))


def suite_run(*, digest: str = "d", **passed: str) -> SuiteRun:
    repeats = max(map(len, passed.values()))
    return SuiteRun("mine", digest, "scripted", "0", "2026-01-01T00:00:00+00:00", repeats, runs(**passed))


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_hat_is_the_share_of_subsets_that_pass(case: tuple[int, int, int]) -> None:
    n, passed, k = case
    outcomes = [place < passed for place in range(n)]
    subsets = list(itertools.combinations(outcomes, k))
    assert pass_hat(k, n, passed) == pytest.approx(sum(map(all, subsets)) / len(subsets))


def test_no_rate_is_certain() -> None:
    rate = pass_rate(runs(a="+", b="+", c="+"))
    assert rate.value == rate.high == 1.0
    assert 0.4 < rate.low < 0.5


def test_repeats_narrow_no_interval() -> None:
    once, often = pass_rate(runs(a="+", b="-")), pass_rate(runs(a="++++", b="----"))
    assert (once.value, once.low, once.high) == (often.value, often.low, often.high)


def test_pass_at_1_and_pass_hat_differ_for_shaky_dialogues() -> None:
    run = suite_run(a="++++", b="++--", c="----")
    assert pass_rate(run.runs).value == pytest.approx(0.5)
    assert pass_rate(run.runs, 2).value == pytest.approx((1 + 1 / 6 + 0) / 3)
    assert pass_rate(run.runs, 4).value == pytest.approx(1 / 3)
    figures = summary(run)
    assert figures["pass^4"]["value"] == 0.3333
    assert figures["checks"] == {"says": "6 of 12"}
    assert figures["turns"] == 3


def test_a_difference_names_what_broke_and_what_was_mended() -> None:
    before = suite_run(a="++", b="--", c="++", d="+-", gone="++")
    now = suite_run(digest="e", a="--", b="++", c="+-", d="--", new="++")
    since = difference(before, now)
    assert (since.broken, since.mended, since.shaken) == (["a"], ["b"], ["c"])
    assert (since.new, since.gone, since.other_suite) == (["new"], ["gone"], True)
    assert since.medians == {"total": (1.0, 1.0)} and since.other_model == ""
    other = difference(before, replace(now, model="another"))
    assert other.other_model == before.model and ("model", f"{before.model} before") in changes(other)


def test_without_requirements_each_dialogue_must_pass_each_time() -> None:
    assert shortfalls(suite_run(a="++", b="++"), None) == []
    assert shortfalls(suite_run(a="++", b="+-"), None) == ["dialogue b failed"]


def test_requirements_are_shares_and_percentiles() -> None:
    run = suite_run(a="++", b="+-")
    assert shortfalls(run, Require(pass_at_1=0.75, pass_every=0.5)) == []
    assert shortfalls(run, Require(pass_at_1=0.8)) == ["pass_at_1 is 0.750, below 0.8"]
    assert shortfalls(run, Require(pass_every=0.6)) == ["pass_every is 0.500, below 0.6"]
    late = Require.model_validate({"within": {"total": {"p50": 0.5, "p95": 2}, "heard": {"p50": 1}}})
    assert shortfalls(run, late) == ["p50 of total is 1.00 s, above 0.5 s", "no turn had the stage heard"]
