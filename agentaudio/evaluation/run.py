"""`run_benchmark`: ask a model all items of a benchmark, or go on with a run that was stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentaudio import __version__
from agentaudio.errors import EvaluationError, MissingExtra
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import differences, digest
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.ledger import Ledger
from agentaudio.evaluation.logs import evaluate
from agentaudio.evaluation.measures import ItemScore, figures, mean_of_groups
from agentaudio.evaluation.report import save_page
from agentaudio.evaluation.result import Result
from agentaudio.evaluation.scores import Scores
from agentaudio.files import replacing, write_atomically
from agentaudio.model.parts import Recogniser
from agentaudio.model.speech_lm import SpeechLM

if TYPE_CHECKING:
    from inspect_ai.model import Model

    from agentaudio.evaluation.asking import Asking

RUN, ANSWERS, VOTES, SOUNDS = "run.json", "answers.jsonl", "votes.jsonl", "sounds"
PARALLEL = 4
LIBRARIES = ("inspect-ai", "jiwer", "sacrebleu", "whisper-normalizer", "wetext", "zhconv")

Finished = Callable[[Item, ItemScore], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run was asked to do. Runs with other settings need a folder of their own.

    model, judge, recogniser: as they were given by name, with their options
    emotions: folder of the emotion2vec model that scores emotions; "" for none
    data: name of the folder, or of the copy on the hub with its commit
    data_sha256: of the items that are asked, see `digest`
    seeds: how often each item is asked
    limit: how many of the items are asked, from the first; None for all
    """

    benchmark: str
    model: str
    data: str
    data_sha256: str
    seeds: int = 1
    limit: int | None = None
    judge: str = ""
    recogniser: str = ""
    emotions: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run reports. total: items times seeds; kept: answers from before"""

    total: int
    kept: int


async def run_benchmark(
    benchmark: Benchmark,
    settings: Settings,
    items: Sequence[Item],
    folder: Path,
    *,
    model: SpeechLM | None,
    judge: SpeechLM | None = None,
    recogniser: Recogniser | None = None,
    parallel: int | None = None,
    started: Callable[[Progress], None] = lambda progress: None,
    finished: Finished = lambda item, score: None,
) -> Result:
    """Ask the items that have no answer in `folder` yet, score all answers, and write a log, a result and a page.

    items: see `load_items`; the settings' limit is applied here
    model: None scores the answers that are there
    parallel: items that are asked at the same time; None for as many as the model answers at once, or PARALLEL where it
        does not say
    started, finished: told how much there is to do, and each item that was scored

    Raises EvaluationError when the scorer needs a judge, or cloned speech a recogniser, and there is none, when the
    folder holds a run with other settings or cannot be written, when the model keeps failing, and when nothing could be
    scored; MissingExtra without the extra `eval`. All answers that were finished before it raises are kept.
    """
    if benchmark.scorer.needs_judge and judge is None:
        raise EvaluationError(f"answers to {benchmark.title} are scored by a judge; name a model with --judge")
    if benchmark.clones and recogniser is None:
        raise EvaluationError(f"what {benchmark.title} has spoken must be heard; name a recogniser with --recogniser")
    asked = items[: settings.limit]
    parallel = parallel or (model.capabilities.at_once if model is not None else None) or PARALLEL
    _claim(folder, settings)
    with _ledgers(folder) as (answers, votes):
        asking = _asking(benchmark, asked, folder, answers, votes, model, judge, recogniser, parallel, finished)
        started(Progress(len(asked) * settings.seeds, len(answers)))
        await evaluate(benchmark, asked, asking, asdict(settings), settings.seeds, folder, parallel)
        result = _result(benchmark, settings, asking, asked)
        result.save(folder)
        save_page(result, asking, folder)
    return result


def settings_of(
    benchmark: str, folder: Path, items: Sequence[Item], *, model: str, seeds: int, limit: int | None, judge: str = "",
    recogniser: str = "", emotions: str = "", data: str | None = None,
) -> Settings:  # fmt: skip
    """The settings of a run over the items of a folder. data: name of the data; None is that of the folder"""
    return Settings(
        benchmark, model, data or folder.name, digest(items[:limit], folder), seeds, limit, judge, recogniser, emotions
    )


def take_answers(source: Path, folder: Path, settings: Settings) -> None:
    """Copy the answers of another run of the same items by the same model, so that they can be scored anew.

    A folder that has answers already keeps them.

    Raises EvaluationError when that run asked something else, or when the files cannot be copied.
    """
    try:
        kept = _noted(source)
        if other := _differing(kept, {**asdict(settings), "judge": kept.get("judge")}):
            raise EvaluationError(f"{source} holds answers of a run with {'; '.join(other)}; they cannot be taken over")
        if (folder / ANSWERS).exists():
            return
        if (source / SOUNDS).is_dir():
            shutil.copytree(source / SOUNDS, folder / SOUNDS, dirs_exist_ok=True)
        with replacing(folder / ANSWERS, error=EvaluationError) as temporary:  # last, as its presence ends the copying
            shutil.copyfile(source / ANSWERS, temporary)
    except (OSError, ValueError) as error:
        if isinstance(error, EvaluationError):
            raise
        raise EvaluationError(f"cannot take the answers of {source}: {error}") from None


def _noted(folder: Path) -> dict[str, Any]:
    """The settings of the run in a folder. Raises OSError, and ValueError for a file that holds none."""
    kept = json.loads((folder / RUN).read_bytes())
    if not isinstance(kept, dict):
        raise ValueError(f"{folder / RUN} does not hold the settings of a run")
    return kept


def _differing(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    # A setting that an older version did not note is as good as empty.
    return [
        f"{name} {kept.get(name)!r} and not {value!r}"
        for name, value in wanted.items()
        if (kept.get(name) or None) != (value or None)
    ]


def _claim(folder: Path, settings: Settings) -> None:
    """Note the settings in a new folder; refuse a folder that holds another run."""
    path = folder / RUN
    wanted = asdict(settings)
    try:
        kept = _noted(folder)
    except FileNotFoundError:
        write_atomically(path, json.dumps(wanted, ensure_ascii=False, indent=1).encode(), error=EvaluationError)
        return
    except (OSError, ValueError):
        raise EvaluationError(f"{path} cannot be read; choose another folder with --out") from None
    if other := _differing(kept, wanted):
        raise EvaluationError(f"{folder} holds a run with {'; '.join(other)}; choose another folder with --out")


@contextlib.contextmanager
def _ledgers(folder: Path) -> Iterator[tuple[Ledger, Ledger]]:
    answers = Ledger(folder / ANSWERS)
    try:
        votes = Ledger(folder / VOTES)
        try:
            yield answers, votes
        finally:
            votes.close()
    finally:
        answers.close()


def _asking(
    benchmark: Benchmark, items: Sequence[Item], folder: Path, answers: Ledger, votes: Ledger, model: SpeechLM | None,
    judge: SpeechLM | None, recogniser: Recogniser | None, parallel: int, finished: Finished,
) -> Asking:  # fmt: skip
    os.environ.setdefault("INSPECT_DISPLAY", "none")
    try:
        from inspect_ai.model import GenerateConfig, Model
        from inspect_ai.util import display_type
    except ImportError:
        raise MissingExtra("`agentaudio eval`", "eval") from None
    from agentaudio.evaluation.asking import Asking
    from agentaudio.evaluation.provider import SpokenModel

    display_type()  # takes the variable over, for which a coroutine has no argument

    def served(one: SpeechLM, **options: Any) -> Model:
        return Model(SpokenModel(one.name, speech_model=one, parallel=parallel, **options), GenerateConfig())

    sounds = str((folder / SOUNDS).resolve()) if benchmark.speaks or benchmark.clones else None
    mode: dict[str, Any] = {"transcribes": benchmark.transcribes, "clones": benchmark.clones}
    return Asking(
        benchmark,
        None if model is None else served(model, sounds=sounds, **mode),
        answers,
        votes,
        folder.resolve(),
        judge=None if judge is None else served(judge),
        judge_hears=judge is not None and judge.capabilities.hears,
        recogniser=recogniser,
        finished=finished,
        scores=Scores(items),
    )


def _result(benchmark: Benchmark, settings: Settings, asking: Asking, items: Sequence[Item]) -> Result:
    scores = asking.scores
    listed = dict(scores.unscored())
    if asking.failures:
        listed["failed"] = sorted((key.rpartition("#")[0] for key in asking.failures), key=scores.place)
    failure = next(iter(asking.failures.values()), "")
    if not scores.scored:
        reasons = ", ".join(f"{len(ids)} {reason}" for reason, ids in listed.items()) or "there were no items"
        failure = failure or next((record.score.why for record in scores.worst() if record.score.why), "")
        example = f"; one of them: {failure}" if failure else ""
        raise EvaluationError(f"nothing could be scored: {reasons}{example}")
    measures, counts = benchmark.scorer.measures, scores.counts()
    averages = [mean_of_groups(counts, measures[0], *average) for average in benchmark.averages.items()]
    found = [*(one for one in averages if one is not None), *figures(counts, measures)]
    by_seed = [figures(scores.counts(seed), measures[:1], resamples=0) for seed in scores.seeds]
    headline = tuple(of_seed[-1].value for of_seed in by_seed if of_seed)  # of each seed with a score
    return Result(
        asdict(settings), benchmark.title, benchmark.scorer.name, len(items) * settings.seeds, scores.scored,
        {reason: len(ids) for reason, ids in listed.items()}, listed, measures[0].name, tuple(found),
        headline, tuple(sorted(asking.ignored)), tuple(differences(benchmark, items)), benchmark.note, _versions(),
        failure,
    )  # fmt: skip


def _versions() -> Mapping[str, str]:
    found = {"agentaudio": __version__}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
