"""A benchmark as a task of inspect-ai: a sample for each item, a solver that asks it, a scorer and its metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from inspect_ai import Epochs, Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Metric, SampleScore, Score, Target, Value, metric, scorer
from inspect_ai.scorer import Scorer as InspectScorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import TypeAdapter

from agentaudio.evaluation.asking import Asking
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Scored, figures
from agentaudio.evaluation.scorer import Scorer
from agentaudio.evaluation.tally import Counts

_ITEMS: TypeAdapter[Item] = TypeAdapter(Item)

_REASONS = {"broken clip": "broken_clip", "unparsed": "grader_failed", "failed": "grader_failed"}


def benchmark_task(benchmark: Benchmark, items: Sequence[Item], asking: Asking, seeds: int) -> Task:
    """The task of a run. Each item is asked `seeds` times."""
    return Task(
        dataset=MemoryDataset([_sample(item) for item in items], name=benchmark.name),
        solver=answers(asking),
        scorer=scores(benchmark.scorer, asking),
        epochs=Epochs(seeds, reducer=[]),
        name=benchmark.name,
        fail_on_error=False,
    )


def item_of(metadata: dict[str, object]) -> Item:
    """The item of a sample's metadata."""
    return _ITEMS.validate_python(metadata["item"])


def score_of(score: Score) -> ItemScore:
    """The ItemScore that a Score of a log was made from."""
    kept = score.metadata or {}
    value = score.value if isinstance(score.value, float) and not math.isnan(score.value) else None
    return ItemScore(value, kept.get("counts", {}), score.answer or "", score.explanation or "", kept.get("problem"))


@solver
def answers(asking: Asking) -> Solver:
    """Asks the model each item once, and takes answers that were kept before."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        answer = await asking.answer(item_of(state.metadata), state.epoch)
        state.metadata["answer"] = answer.to_dict()
        state.output = ModelOutput.from_content(str(state.model), answer.text)
        state.messages.append(state.output.message)
        return state

    return solve


@metric(scores="unreduced")
def measured(of: Scorer) -> Metric:
    """The figures of a scorer, of each group and of all items."""

    def compute(scores: list[SampleScore]) -> Value:
        scored = []
        for one in scores:
            details = one.sample_metadata or {}
            item = item_of(details)
            scored.append(Scored(score_of(one.score), item.group, item.cluster or item.id))
        return dict(metric_values(scored, of))

    return compute


def metric_values(scored: Counts | Iterable[Scored], of: Scorer) -> dict[str, float]:
    """The figures of a scorer, as the metrics of a log are named."""
    return {f"{one.name} {one.group}".strip(): one.value for one in figures(scored, of.measures, resamples=0)}


def scores(of: Scorer, asking: Asking) -> InspectScorer:
    """The scorer with its metrics."""

    @scorer(metrics=[measured(of)], name="score")
    def scoring() -> InspectScorer:
        async def score(state: TaskState, target: Target) -> Score:
            item, answer = item_of(state.metadata), Answer.from_dict(state.metadata["answer"])
            return _as_score(await asking.score(of, item, answer, state.epoch))

        return score

    return scoring()


def _as_score(score: ItemScore) -> Score:
    kept = {"counts": dict(score.counts), "problem": score.problem}
    if score.value is None:
        reason = _REASONS.get(score.problem or "", "scoring_failed")
        return Score.unscored(reason=reason, answer=score.shown, explanation=score.why, metadata=kept)
    return Score(value=float(score.value), answer=score.shown, explanation=score.why, metadata=kept)


def _sample(item: Item) -> Sample:
    shown = " ".join(part for part in (f"[sound {item.audio.name}]" if item.audio else "", item.text) if part)
    details = _ITEMS.dump_python(item, mode="json", exclude_defaults=True)
    return Sample(id=item.id, input=shown or "[no input]", target=item.reference, metadata={"item": details})
