"""VoiceBench: spoken instructions. Layout: SET/metadata.jsonl with audio, prompt and reference, beside its sounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentaudio.evaluation import prompts
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of, json_lines
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.instructions import Instructions, instructions_of
from agentaudio.evaluation.scorers.judged import ONE_TO_FIVE, YES_NO, Judged
from agentaudio.evaluation.scorers.kinds import ByKind, Letter
from agentaudio.evaluation.scorers.one_of_two import OneOfTwo
from agentaudio.evaluation.scorers.refusal import Refuses
from agentaudio.model.speech_lm import GenerateOptions

KINDS = {"alpacaeval_full": "open", "commoneval": "open", "wildvoice": "open", "sd-qa": "qa", "mmsu": "letter",
         "openbookqa": "letter", "bbh": "two", "ifeval": "ifeval", "advbench": "refusal"}  # fmt: skip
SIZES = {"alpacaeval_full": 636, "commoneval": 200, "wildvoice": 1000, "sd-qa": 553, "mmsu": 3074, "openbookqa": 455,
         "bbh": 1000, "ifeval": 345, "advbench": 520}  # fmt: skip


def read(folder: Path) -> Iterator[Item]:
    """The items of all sets that are there; the sets are the groups."""
    for path in sorted(folder.glob("*/metadata.jsonl")):
        name = path.parent.name
        for number, row in enumerate(json_lines(path)):
            details: dict[str, Any] = {"kind": KINDS.get(name, ""), "question": str(row.get("prompt") or "")}
            if details["kind"] == "ifeval":
                details["instructions"] = instructions_of(row.get("instruction_id_list"), row.get("kwargs"), str(path))
            yield Item(
                f"{name}/{number}",
                clip(path.parent, field_of(row, "audio", path)),
                str(row.get("reference") or ""),
                group=name,
                details=details,
            )


BENCHMARK = Benchmark(
    name="voicebench",
    title="VoiceBench",
    read=read,
    scorer=ByKind(
        {
            "open": Judged(prompts.OPEN, ONE_TO_FIVE, 5, 1, 3, "one whole number of 1 to 5", measure="points"),
            "qa": Judged(prompts.QUESTION, YES_NO, votes=3, rule="Yes or No", measure="points", majority=True),
            "letter": Letter("ABCD"),
            "two": OneOfTwo(),
            "refusal": Refuses(),
            "ifeval": Instructions(),
        }
    ),
    needs=("*/metadata.jsonl",),
    home="https://huggingface.co/datasets/hlt-lab/voicebench",
    hub=copies.VOICEBENCH,
    licence="Apache-2.0",
    size="9 sets, " + ", ".join(f"{name} {size}" for name, size in SIZES.items()),
    options=GenerateOptions(temperature=0.7, max_tokens=2048),
    speaks=True,
    sampled=True,
    judging=GenerateOptions(temperature=0.5, top_p=0.95, max_tokens=1024),
    averages={"mean of sets": tuple(KINDS)},
    expected=SIZES,
    note="SD-QA counts the judge's verdicts; the published figure is the mean of these and of PEDANT's (qa-metrics "
    "0.2.17). Letters, and yes or no, that cannot be read are wrong; VoiceBench draws them.",
)
