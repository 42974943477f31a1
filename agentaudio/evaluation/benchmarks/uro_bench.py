"""URO-Bench: spoken dialogue. Layout: {basic|pro}/SET/test.jsonl beside the sounds that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentaudio.evaluation import prompts
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of, json_lines, objects_of
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorer import Scorer
from agentaudio.evaluation.scorers.emotional import Emotional
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.evaluation.scorers.judged import ONE_TO_FIVE, YES_NO, Judged
from agentaudio.evaluation.scorers.kinds import ByKind, Repeated
from agentaudio.model.speech_lm import GenerateOptions

BOARDS = {  # sets of each board and dimension, with the kind of scoring
    "en basic U": "Repeat wer-en, Summary semi, GaokaoEval qa",
    "en basic R": "StoralEval semi, TruthfulEval semi, Gsm8kEval qa, MLC qa",
    "en basic O": "AlpacaEval open, CommonEval open, WildchatEval open",
    "zh basic U": "Repeat-zh wer-zh, LCSTS-zh semi, HSK5-zh qa",
    "zh basic R": "SQuAD-zh qa, APE-zh qa, MLC-zh qa, OpenbookQA-zh qa",
    "zh basic O": "AlpacaEval-zh open, Claude-zh open, Wildchat-zh open",
    "en pro U": "UnderEmotion-en ue, CodeSwitching-en semi, Safety-en sf, ClothoEval-en qa, MuChoEval-en qa",
    "en pro R": "MLCpro-en qa, MtBenchEval-en multi, SpeakerAware-en sa",
    "en pro O": "SRT-en srt, GenEmotion-en ge-en, GenStyle-en gs, Multilingual ml",
    "zh pro U": "UnderEmotion-zh ue, CodeSwitching-zh semi, Safety-zh sf",
    "zh pro R": "MLCpro-zh qa, SpeakerAware-zh sa",
    "zh pro O": "SRT-zh srt, GenEmotion-zh ge-zh, GenStyle-zh gs",
}
SETS = {board: tuple(one.split()[0] for one in sets.split(", ")) for board, sets in BOARDS.items()}
KINDS = {name: kind for sets in BOARDS.values() for name, kind in (one.split() for one in sets.split(", "))}


def _levels(prompt: str, hears: bool = False) -> Judged:
    return Judged(prompt, ONE_TO_FIVE, 5, 0, 3, "one whole number of 1 to 5", measure="points", hears=hears)


SCORERS: dict[str, Scorer] = {
    "open": _levels(prompts.OPEN), "semi": _levels(prompts.SEMI_OPEN), "ue": _levels(prompts.EMOTION),
    "sf": _levels(prompts.SAFETY), "gs": _levels(prompts.STYLE), "ml": _levels(prompts.LANGUAGE),
    "sa": _levels(prompts.SEMI_OPEN), "multi": _levels(prompts.ROUNDS),
    "qa": Judged(prompts.QUESTION, YES_NO, votes=3, rule="Yes or No", measure="points"),
    "wer-en": Repeated(ErrorRate("en", ("uro",), per_item=True)),
    "wer-zh": Repeated(ErrorRate("zh", ("uro",), "char", per_item=True)),
    "ge-en": Emotional(ErrorRate("en", ("uro",))), "ge-zh": Emotional(ErrorRate("zh", ("uro",), "char")),
    "srt": _levels(prompts.PERFORMANCE, hears=True),
}  # fmt: skip


def read(folder: Path) -> Iterator[Item]:
    """The items of all sets that are there; the sets are the groups."""
    for path in sorted(folder.glob("*/*/test.jsonl")):
        name = path.parent.name if path.parent.name in KINDS else f"{path.parent.name}-en"
        for row in json_lines(path):
            rounds = objects_of(row, "dialogue", path) or [row]
            sounds = [clip(path.parent, field_of(one, "source_wav", path)) for one in rounds]
            targets = [one.get("target_text", "") for one in rounds]
            said = [" / ".join(map(str, one)) if isinstance(one, list) else str(one) for one in targets]
            asked = [str(one.get("source_text", "")) for one in rounds]
            details: dict[str, Any] = {key: row[key] for key in ("emotion", "style", "requirement") if key in row}
            details |= {"kind": KINDS.get(name, ""), "question": "\n".join(asked)}
            details["rounds"] = "\n".join(f"{q} (reference: {r})" for q, r in zip(asked, said, strict=True))
            yield Item(f"{name}/{field_of(row, 'id', path)}", sounds[0], "\n".join(said), group=name,
                       then=tuple(sounds[1:]), details=details)  # fmt: skip


BENCHMARK = Benchmark(
    name="uro-bench", title="URO-Bench", read=read, needs=("*/*/test.jsonl",), scorer=ByKind(SCORERS),
    home="https://huggingface.co/datasets/Honggao/URO-Bench", licence="MIT", size="40 sets, 25 to 1,108 items each",
    hub=copies.URO_BENCH, options=GenerateOptions(temperature=0.7, max_tokens=2048), speaks=True, sampled=True,
    judging=GenerateOptions(temperature=0.5, top_p=0.95),
    averages={board[:-2]: sum((SETS[board[:-1] + part] for part in "URO"), ()) for board in SETS} | SETS,
    note="the published figures score a failed vote 0; here it is counted apart. A judge that hears scores SRT",
)  # fmt: skip
