"""How well `Routed` recognises requests for a voice or a search, in English and Chinese.

    python benchmarks/routed_calls.py [--json FILE] [--show]

routed_calls/ holds utterances with the calls that they ask for; half of them only look like a request. dev and test
were written before the rules and split by the sha256 of the text (even first byte: dev). late, final and last were
written afterwards, each before it was tried for the first time. requests are those of embedded_routing.py,
collected for another router; only calls for a voice are judged on them, because their searches include plain
questions. The rules were mended on what failed in all of them, so the figures below are not blind; BLIND holds
the first result on each.

A call counts as right when its tool is right; `exact` also needs the words of the voice or topic in the query.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

from embedded_routing import REQUESTS, benchmark_tools
from report import publish

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.model.routed import Routed
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Capabilities

UTTERANCES = Path(__file__).parent / "routed_calls"
SETS = ("dev", "test", "late", "final", "last", "requests")
KINDS = {"audio_search": "voice", "search_documents": "search", "web_search": "search"}
BLIND = {
    "test": {"precision": 96.8, "recall": 98.4},
    "late": {"precision": 91.9, "recall": 69.4},
    "final": {"precision": 100.0, "recall": 89.5},
    "requests": {"precision": 100.0, "recall": 45.2},
    "last": {"precision": 90.9, "recall": 74.1},
}
"""Percentages of the first run of the rules on each set, before anything was mended on it."""


def model_without_calls() -> Routed:
    model = Scripted(["I cannot call tools."])
    model.capabilities = Capabilities(hears=True, voices="any", calls_tools=False)
    return Routed(model)


async def made_calls(model: Routed, text: str, tools: list[ToolSpec]) -> dict[str, str]:
    """The calls that are made for the model: query by tool."""
    conversation = Conversation()
    conversation.add("user", TextPart(text))
    deltas = [delta async for delta in model.generate(conversation, tools=tools)]
    return {delta.call.name: delta.call.arguments["query"] for delta in deltas if isinstance(delta, CallDelta)}


def read_utterances(name: str) -> list[dict[str, Any]]:
    """The utterances of a set: text, language, and calls with the words that must be in the query."""
    if name != "requests":
        return [json.loads(line) for line in (UTTERANCES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    found = []
    for part in ("dev", "test"):
        for line in (REQUESTS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
            request = json.loads(line)
            calls = []
            if request["tool"] == "audio_search":
                calls.append({"tool": "audio_search", "words": request["voice_query_words"]})
            found.append({"text": request["text"], "language": "en", "calls": calls})
    return found


async def judge(name: str, tools: list[ToolSpec], show: bool) -> dict[str, Any]:
    """Precision and recall on a set in percent, for each language and kind, and the look-alikes with a call."""
    counts: Counter[tuple[str, str, str]] = Counter()
    utterances = read_utterances(name)
    if name == "requests":
        tools = [tool for tool in tools if tool.name == "audio_search"]
    disturbed, model = 0, model_without_calls()
    for utterance in utterances:
        made = await made_calls(model, utterance["text"], tools)
        wanted = {call["tool"]: call["words"] for call in utterance["calls"]}
        exact = {
            tool for tool, words in wanted.items() if tool in made and all(word in made[tool].lower() for word in words)
        }
        disturbed += bool(made) and not wanted
        if show and (set(made) != set(wanted) or exact != set(wanted)):
            print(f"  {name} {utterance['text']!r}: {wanted}, not {made}")
        for tool in {*made, *wanted}:
            for language in (utterance["language"], "all"):
                for kind in (KINDS[tool], "all"):
                    counts[language, kind, "made"] += tool in made
                    counts[language, kind, "wanted"] += tool in wanted
                    counts[language, kind, "right"] += tool in made and tool in wanted
                    counts[language, kind, "exact"] += tool in exact
    figures: dict[str, Any] = {
        "utterances": len(utterances),
        "look-alikes": sum(not utterance["calls"] for utterance in utterances),
        "look-alikes with a call": disturbed,
    }
    for language in ("en", "zh", "all"):
        for kind in ("voice", "search", "all"):
            calls, right = counts[language, kind, "wanted"], counts[language, kind, "right"]
            if not calls and not counts[language, kind, "made"]:
                continue
            figures[f"{language}, {kind}"] = {
                "calls": calls,
                "precision": round(100 * right / max(counts[language, kind, "made"], 1), 1),
                "recall": round(100 * right / max(calls, 1), 1),
                "exact": round(100 * counts[language, kind, "exact"] / max(calls, 1), 1),
            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="PATH")
    parser.add_argument("--show", action="store_true", help="print every utterance with a wrong call")
    options = parser.parse_args()
    tools = [tool for tool in benchmark_tools() if tool.name in KINDS]
    figures: dict[str, Any] = {}
    for name in SETS:
        found = asyncio.run(judge(name, tools, options.show))
        publish(f"calls made for a model, {name} (percent)", found, None)
        figures[name] = found
    figures["blind"] = BLIND
    publish("first result on each set (percent)", BLIND, None)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
