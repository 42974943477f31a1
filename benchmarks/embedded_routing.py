"""Routing of the embedded engine: tool choice, call arguments, and answers from documents.

    PYTHONPATH=. python benchmarks/embedded_routing.py --json docs/figures/embedded_routing.json

Each request of benchmarks/requests/test.jsonl is routed among five built-in tools and the seven of
benchmarks/requests/tools.py, as written, and as Whisper base and PocketSphinx recognise its recording. A
third of the requests need no tool. `--set dev` uses the requests that the router was fitted on.

Tool choice: the right tool, or correctly none. Exact call: the arguments match too. Numbers are
compared by value, sums by result, and words without case and articles. The query of a voice search
must contain the words of the voice (or be "default"). The query of any other search must contain at
least two thirds of the expected topic words, and at most three others; words match by stem or by
their first five letters, and "how long" counts as "length" (see ASKED). An answer is right when it
contains one of the facts listed with the request.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from report import publish

from agentaudio.conversation import Conversation, ToolOutput, ToolSpec
from agentaudio.model.embedded.answering.answer import answer
from agentaudio.model.embedded.routing.expectations import expected_sentences
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.router import Router
from agentaudio.model.registry import load_recogniser
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.sound.audio import Audio
from agentaudio.text.sentence_embedder import SentenceEmbedder
from agentaudio.text.spoken_form import spoken_form
from agentaudio.text.stems import stem
from agentaudio.text.words import content_words, split_words
from agentaudio.tools.builtin.audio_search import audio_search
from agentaudio.tools.builtin.calculate import calculate
from agentaudio.tools.builtin.clock import get_date_time
from agentaudio.tools.builtin.search_documents import search_documents
from agentaudio.tools.builtin.web_search import web_search
from agentaudio.tools.context import RunContext
from agentaudio.tools.tool import Tool
from agentaudio.voice_library.library import demo_voices

ROOT = Path(__file__).parents[1]
REQUESTS = ROOT / "benchmarks" / "requests"
DOCUMENTS = ROOT / "agentaudio" / "demo" / "documents"
RECOGNISERS = ("whisper:base", "sphinx")
"""The ears of the two embedded engines."""
SEARCHES = ("search_documents", "web_search")
MOST_EXTRA_WORDS = 3
LEAST_WORDS_KEPT = 2 / 3
ASKED = {
    "length": {"long"}, "height": {"tall", "high"}, "distance": {"far"}, "age": {"old"}, "weight": {"heavy"},
    "number": {"many"}, "size": {"big", "large"}, "speed": {"fast"}, "depth": {"deep"}, "reason": {"why"},
    "place": {"where"}, "date": {"when"}, "temperature": {"hot", "cold"}, "width": {"wide"},
}  # fmt: skip


def benchmark_tools() -> list[ToolSpec]:
    """Specifications of all twelve tools, with phrases made from the demo documents and voices."""
    from agentaudio.retrieval.voices.search import VoiceSearch

    context = RunContext(
        Conversation(), documents=DocumentIndex.from_folder(DOCUMENTS, embed=None), voices=VoiceSearch(demo_voices())
    )
    built_in = [search_documents, web_search, audio_search, get_date_time, calculate]
    return [tool.spec(context) for tool in [*built_in, *user_tools()]]


def user_tools() -> list[Tool]:
    """The seven tools of benchmarks/requests/tools.py."""
    # Loaded by path: the folder has the name of a well-known package, requests.
    found = importlib.util.spec_from_file_location("request_tools", REQUESTS / "tools.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    tools: list[Tool] = module.USER_TOOLS
    return tools


def same_call(wanted: Mapping[str, Any], route: Route) -> bool:
    """Whether `route` is an exact call for the request `wanted`; the module docstring has the rules."""
    if route.tool != wanted["tool"]:
        return False
    if route.tool is None:
        return True
    arguments = {name: value for name, value in route.arguments.items() if value is not None}
    if set(arguments) != set(wanted["arguments"]):
        return False
    if route.tool == "audio_search":
        said = split_words(str(arguments.get("query", "")))
        return all(word in said for word in wanted["voice_query_words"])
    return all(same_value(route.tool, value, arguments[name]) for name, value in wanted["arguments"].items())


def same_value(tool: str, value: Any, given: Any) -> bool:
    """Whether an argument `given` to a tool is the `value` wanted; the module docstring has the rules."""
    if tool in SEARCHES:
        return _same_query(str(value), str(given))
    if tool == "calculate":
        return _result(str(value)) == _result(str(given))
    if isinstance(value, int | float) and isinstance(given, int | float):
        return abs(value - given) < 1e-6
    return _plain(str(value)) == _plain(str(given))


def _same_query(wanted: str, given: str) -> bool:
    topics, said = content_words(wanted), split_words(given)
    kept = [word for word in topics if any(_alike(word, other) for other in said)]
    extra = [word for word in content_words(given) if not any(_alike(topic, word) for topic in topics)]
    return len(kept) >= LEAST_WORDS_KEPT * len(topics) and len(extra) <= MOST_EXTRA_WORDS


def _alike(wanted: str, word: str) -> bool:
    near = stem(wanted) == stem(word) or (len(wanted) > 5 and wanted[:5] == word[:5])
    return near or word in ASKED.get(wanted, ())


def _result(expression: str) -> str:
    try:
        return str(calculate(expression)).split("=")[-1].strip()
    except Exception:
        return expression


def _plain(text: str) -> str:
    return " ".join(word for word in split_words(text) if word not in ("the", "a", "an"))


async def hear(requests: Sequence[Mapping[str, Any]], name: str, sentences: Sequence[str]) -> dict[str, str]:
    """Recognise the recordings, with the hint that the engine gives; returns texts by request id.

    name: of a recogniser
    """
    recogniser = load_recogniser(name)
    await recogniser.warm_up(sentences)
    heard = {}
    for request in requests:
        sound = Audio.load(REQUESTS / "audio" / f"{request['id']}.opus")
        heard[request["id"]] = (await recogniser.recognise(sound, hint=sentences)).text
    await recogniser.aclose()
    return heard


def judge(
    requests: Sequence[Mapping[str, Any]],
    texts: Mapping[str, str],
    tools: Sequence[ToolSpec],
    find_answer: Callable[[str, str], str],
    show: bool,
) -> dict[str, Any]:
    """Percentages of right tool choices, exact calls and right answers, and the confusions.

    texts: the text to route for each request id
    """
    router = Router(SentenceEmbedder())
    router.route("warm up the caches please", tools)
    chosen, exact, answered, facts = 0, 0, 0, 0
    by_kind: dict[str, list[int]] = {}
    confusions: Counter[tuple[str, str]] = Counter()
    seconds = 0.0
    for request in requests:
        start = time.perf_counter()
        routes = router.route(texts[request["id"]], tools)
        seconds += time.perf_counter() - start
        route = routes[0]
        right = len(routes) == 1 and route.tool == request["tool"]
        same = right and same_call(request, route)
        chosen += right
        exact += same
        by_kind.setdefault(request["kind"], []).append(right)
        confusions[request["tool"] or "none", route.tool or "none"] += 1
        if request.get("facts") and request.get("document"):
            facts += 1
            said = find_answer(texts[request["id"]], str(route.arguments.get("query", ""))) if right else ""
            held = any(_holds(said, fact) for fact in request["facts"])
            answered += held
            if show and not held:
                print(f"  {request['id']} {texts[request['id']]!r}: {said!r} lacks {request['facts']}")
        if show and not same:
            print(f"  {request['id']} {texts[request['id']]!r}: {request['tool']} {request['arguments']}, not {routes}")
    count = len(requests)
    return {
        "tool choice": round(100 * chosen / count, 1),
        "exact call": round(100 * exact / count, 1),
        "answer holds the fact": round(100 * answered / facts, 1) if facts else None,
        "tool choice by kind": {kind: round(100 * sum(hits) / len(hits), 1) for kind, hits in by_kind.items()},
        "routing, ms a request": round(1000 * seconds / count, 1),
        "confusions": {f"{wanted} -> {got}": n for (wanted, got), n in sorted(confusions.items()) if wanted != got},
        "_table": confusions,
    }


def _holds(said: str, fact: str) -> bool:
    return fact.lower() in said.lower() or spoken_form(fact).lower() in spoken_form(said).lower()


def print_confusions(confusions: Mapping[tuple[str, str], int], title: str) -> None:
    """Print a table with a row for each expected tool and a column for each chosen one."""
    from rich.console import Console
    from rich.table import Table

    names = sorted({name for pair in confusions for name in pair}, key=lambda name: (name == "none", name))
    table = Table("wanted", *(name.replace("_", "\n", 1) for name in names), title=title)
    for wanted in names:
        table.add_row(wanted, *(str(confusions.get((wanted, got), 0) or ".") for got in names))
    Console(width=150).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("dev", "test"), default="test")
    parser.add_argument("--json", metavar="PATH")
    parser.add_argument("--clean", action="store_true", help="route only the written requests, not the recordings")
    parser.add_argument("--show", action="store_true", help="print every call that is not exact")
    options = parser.parse_args()
    lines = (REQUESTS / f"{options.set}.jsonl").read_text(encoding="utf-8").splitlines()
    requests = [json.loads(line) for line in lines]
    tools = benchmark_tools()
    embed = SentenceEmbedder()
    documents = DocumentIndex.from_folder(DOCUMENTS, embed=embed)

    def find_answer(question: str, query: str) -> str:
        passages = tuple(documents.search(query)) if query else ()
        return answer(question, [ToolOutput("1", "search_documents", "", passages)], embed).text

    figures: dict[str, Any] = {"set": options.set, "requests": len(requests), "tools": len(tools)}
    figures["for no tool"] = sum(request["tool"] is None for request in requests)
    clean = judge(requests, {r["id"]: r["text"] for r in requests}, tools, find_answer, options.show)
    print_confusions(clean.pop("_table"), f"{options.set}, as written")
    figures["written"] = clean
    if not options.clean and (REQUESTS / "audio").is_dir():
        for name in RECOGNISERS:
            heard = asyncio.run(hear(requests, name, expected_sentences(tools)))
            spoken = judge(requests, heard, tools, find_answer, options.show)
            print_confusions(spoken.pop("_table"), f"{options.set}, as heard by {name}")
            figures[f"heard by {name}"] = spoken | {"word error rate": _word_error_rate(requests, heard)}
    publish("embedded: tools, calls and answers (percent)", figures, options.json)


def _word_error_rate(requests: Sequence[Mapping[str, Any]], heard: Mapping[str, str]) -> float:
    import jiwer

    wanted = [" ".join(split_words(request["text"])) for request in requests]
    found = [" ".join(split_words(heard[request["id"]])) for request in requests]
    return round(100 * float(jiwer.wer(wanted, found)), 1)


if __name__ == "__main__":
    main()
