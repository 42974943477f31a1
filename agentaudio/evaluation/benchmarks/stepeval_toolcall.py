"""StepEval-Audio-Toolcall: spoken dialogues that end where a tool is called, or not. Layout: 8 JSONL files and wav/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, json_lists
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item, Line
from agentaudio.evaluation.scorers.calls import Calls, written_calls
from agentaudio.model.speech_lm import GenerateOptions

TARGETS = {"timbre": "timbre_rag", "web_search": "web_search", "get_weather": "get_weather",
           "get_date_time": "get_date_time"}  # fmt: skip
ALIASES = {"search": "web_search", "audio_search": "timbre_rag", "timbre_search": "timbre_rag"}
FILES = tuple(f"{name}_{kind}.jsonl" for name in TARGETS for kind in ("positive", "negative"))
ROLES = {"Human": "user", "Assistant": "assistant", "Input": "tool"}


def _tool(name: str, description: str, **parameters: str) -> ToolSpec:
    properties = {one: {"type": "string", "description": said} for one, said in parameters.items()}
    return ToolSpec(name, description, {"type": "object", "properties": properties, "required": [*parameters]})


TOOLS = (
    _tool("timbre_rag", "Find a voice by its description, and speak in it from now on.", query="the voice, in words"),
    _tool("web_search", "Search the web for what is new or not known.", query="what to search for"),
    _tool("get_weather", "The weather of a place.", location="the place, in English"),
    _tool("get_date_time", "The date and the time of now."),
)


def read(folder: Path) -> Iterator[Item]:
    """The dialogues, up to their last turn of the user; the target tools are the groups."""
    for name in FILES:
        path = folder / name
        target, _, kind = path.stem.rpartition("_")
        for number, turns in enumerate(json_lists(path)):
            last = max((i for i, turn in enumerate(turns) if turn.get("from") == "Human"), default=None)
            if last is None:
                raise EvaluationError(f"dialogue {number + 1} of {path} has no turn of a user; fetch the file again")
            asked = _line(folder, path, turns[last], "")
            after = " ".join(
                str(turn.get("value") or "") for turn in turns[last + 1 :] if turn.get("from") == "Assistant"
            )
            right = [one["arguments"] for one in written_calls(after)[0] if one["name"] == TARGETS[target]]
            before = tuple(_line(folder, path, turn, f"{number}-{i}") for i, turn in enumerate(turns[:last]))
            details = {"tool": TARGETS[target], "positive": kind == "positive", "expected": right[0] if right else {}}
            yield Item(f"{path.stem}/{number}", asked.audio, text="" if asked.audio else asked.text,
                       group=TARGETS[target], before=before, details=details)  # fmt: skip


def _line(folder: Path, path: Path, turn: dict[str, Any], call: str) -> Line:
    value, role = turn.get("value"), ROLES.get(str(turn.get("from")))
    if role is None:
        raise EvaluationError(f"a turn of {path} is from {turn.get('from')!r}; known are {', '.join(ROLES)}")
    audio = clip(folder, str(value.get("value"))) if isinstance(value, dict) and value.get("type") == "wav" else None
    text = value if isinstance(value, str) else str(turn.get("text") or "")
    found = written_calls(text)[0] if role == "assistant" else []
    calls = tuple(ToolCall(f"{call}-{i}", one["name"], one["arguments"]) for i, one in enumerate(found))
    return Line(role, "" if calls else text, audio, calls)  # type: ignore[arg-type]


BENCHMARK = Benchmark(
    name="stepeval-toolcall", title="StepEval-Audio-Toolcall", read=read,
    scorer=Calls(ALIASES, without_parameters=("get_date_time",)), needs=FILES,
    home="https://huggingface.co/datasets/stepfun-ai/StepEval-Audio-Toolcall", licence="Apache-2.0",
    size="about 1,600 dialogues, 1.2 GB", hub=copies.TOOLCALL, tools=TOOLS, sampled=True,
    options=GenerateOptions(temperature=0.7, top_p=0.9, repetition_penalty=1.05, max_tokens=4096),
    note="all four tools are always offered; whether the published figures did so is not known",
)  # fmt: skip
