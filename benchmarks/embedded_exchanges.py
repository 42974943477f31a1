"""Exchanges with the embedded engine's router: requests that depend on the turns before.

    PYTHONPATH=. python benchmarks/embedded_exchanges.py --json docs/figures/embedded_exchanges.json

Each exchange of benchmarks/exchanges/ is a conversation of two to four written turns with a whole
agent: the demo documents and voices, five built-in tools and the seven of benchmarks/requests/tools.py.
The engine was improved on the set `dev`. In each kind, every third exchange as they were written
belongs to `test`. `late` and `final` were written later, without reading the rules of that time; those
rules were then improved on them. So were those on `talk`, `further` and, last, `held`, a third that was drawn from
the exchanges of `talk` beforehand. `blind` was written by somebody who knew only this page, the tools and the kinds;
it was measured four times unread, at last at 70.3 %, before its failures were read. `fresh` was written afterwards by
another such person, and measured once before anybody read it. `unread` was written by a third, who was asked for many
kinds of speakers, and measured after all that; its failures were mended next. `put_away` was written by those who
mended them, before they read the rules, and was measured once, when they had finished. `callers`, `guests` and `people`
were written by three more strangers, and measured when all that was done; their failures were mended later. `hard`
was written by the one who mended them, half-way, of kinds that had failed. `trades` and `lobby` are by two more
strangers, and were measured after that. `neighbours` and `testers` are by two more, each measured once before it was
read. `phrasings` was written by the one who mended them, in three parts: other phrasings of the kinds that had failed
in `trades` and `lobby`, and twice what strangers might say; each part was measured before it was mended. `workplaces`,
`travellers`, `museum_hall`, `everyday`, `townspeople` and `passers_by` are by three more strangers; the rules were
improved on each before the next was measured. `Asking` is fitted on all these sets (scripts/fit_asking.py). Those in
`kept_unread` are by the last two strangers; they were measured once, when all that was done. Nothing is fitted or tuned
on them: whoever works on the rules reads neither them nor what fails in them. FIRST holds
the figures of each set before anything was improved on it; those of `blind` are of the rules before `Understanding`,
and those of `fresh` of the rules that had been improved on `blind`.

A turn says what must hold:

- tool: the one tool that is called, or null for none; "a|none" accepts either a call or none; a
  list of names asks for all of them, in any order
- arguments: compared as in embedded_routing.py; a time zone may also be named by its city,
  and an hour may end in "o'clock"; a list, one for each tool, where `tool` is a list; not compared if left out
- query_words: the query of a search must contain them, or words that begin so; "a|b" accepts either
- query_without: the query must not contain any of these whole words
- answer: the answer must contain them, whatever the case; "a|b" accepts either
- without: the answer must not contain any of them

A turn is right when all of it holds, and an exchange when all its turns are right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Before numpy: the vectors of one sentence are too small for several threads to help.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from embedded_routing import same_value, user_tools
from report import publish

from agentaudio import Agent, Reply
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.text.words import split_words
from agentaudio.tools.discovery import ToolLike

EXCHANGES = Path(__file__).parent / "exchanges"
SETS = (
    "dev", "test", "late", "final", "talk", "further", "held", "blind", "fresh", "unread", "put_away", "callers",
    "guests", "people", "hard", "trades", "lobby", "neighbours", "testers", "phrasings", "workplaces", "travellers",
    "museum_hall", "everyday", "townspeople", "passers_by", "residents", "customers", "regulars", "visitors",
)  # fmt: skip
FIRST = {
    "dev": {"right exchanges, percent": 63.0},
    "test": {"right exchanges, percent": 72.7, "right turns, percent": 83.8},
    "late": {"right exchanges, percent": 61.4, "right turns, percent": 80.6},
    "final": {"right exchanges, percent": 65.0, "right turns, percent": 81.3},
    "talk": {"right exchanges, percent": 62.9, "right turns, percent": 81.5},
    "further": {"right exchanges, percent": 76.6, "right turns, percent": 88.5},
    "held": {"right exchanges, percent": 63.1, "right turns, percent": 79.6},
    "blind": {"right exchanges, percent": 46.9, "right turns, percent": 74.1},
    "fresh": {"right exchanges, percent": 80.0, "right turns, percent": 89.7},
    "unread": {"right exchanges, percent": 60.0, "right turns, percent": 80.8},
    "put_away": {"right exchanges, percent": 87.7, "right turns, percent": 94.1},
    "callers": {"right exchanges, percent": 85.0, "right turns, percent": 92.9},
    "guests": {"right exchanges, percent": 95.0, "right turns, percent": 97.3},
    "people": {"right exchanges, percent": 85.0, "right turns, percent": 92.5},
    "hard": {"right exchanges, percent": 83.3, "right turns, percent": 93.5},
    "trades": {"right exchanges, percent": 71.7, "right turns, percent": 89.8},
    "lobby": {"right exchanges, percent": 66.7, "right turns, percent": 85.3},
    "neighbours": {"right exchanges, percent": 92.5, "right turns, percent": 96.5},
    "testers": {"right exchanges, percent": 87.5, "right turns, percent": 95.9},
    "phrasings": {"right exchanges, percent": 67.0, "right turns, percent": 81.0},
    "workplaces": {"right exchanges, percent": 67.5, "right turns, percent": 87.1},
    "travellers": {"right exchanges, percent": 80.0, "right turns, percent": 91.4},
    "museum_hall": {"right exchanges, percent": 82.5, "right turns, percent": 93.3},
    "everyday": {"right exchanges, percent": 77.5, "right turns, percent": 92.5},
    "townspeople": {"right exchanges, percent": 76.7, "right turns, percent": 91.4},
    "passers_by": {"right exchanges, percent": 85.0, "right turns, percent": 94.1},
    "residents": {"right exchanges, percent": 91.7, "right turns, percent": 97.2},
    "customers": {"right exchanges, percent": 95.0, "right turns, percent": 98.4},
    "regulars": {"right exchanges, percent": 88.3, "right turns, percent": 95.6},
    "visitors": {"right exchanges, percent": 90.0, "right turns, percent": 96.7},
}
"""Figures of the first run of the rules on each set, before anything was mended on it."""
BUILT_IN = ("search_documents", "web_search", "audio_search", "get_date_time", "calculate")


def faults(wanted: Mapping[str, Any], reply: Reply) -> list[str]:
    """What of the turn `wanted` does not hold; empty for a right turn. The module docstring has the rules."""
    calls = [run.call for run in reply.tool_calls]
    several = isinstance(wanted["tool"], list)
    names = sorted(wanted["tool"]) if several else (wanted["tool"] or "none").split("|")
    made = sorted(call.name for call in calls)
    if made != names if several else (made[0] if len(made) == 1 else "none" if not made else None) not in names:
        return [f"called {[(call.name, dict(call.arguments)) for call in calls]}, said {reply.text!r}"]
    found = []
    seen: list[str] = []
    for call in calls:
        given = {name: value for name, value in call.arguments.items() if value is not None}
        if "query_words" in wanted:
            said = split_words(str(given.get("query", "")))
            found += [f"query {given}" for words in wanted["query_words"] if not _any_word(words, said)]
            found += [f"query {given}, with {word!r}" for word in wanted.get("query_without", ()) if word in said]
        else:
            right = wanted.get("arguments", given)
            if several and "arguments" in wanted:
                # Two calls of one tool are compared in order.
                places = [place for place, name in enumerate(wanted["tool"]) if name == call.name]
                right = right[places[seen.count(call.name)]]
                seen.append(call.name)
            if set(given) != set(right) or not all(_same(call.name, right[name], given[name]) for name in given):
                found.append(f"arguments {given}")
    text = reply.text.lower()
    found += [f"said {reply.text!r}, not {words!r}" for words in wanted.get("answer", ()) if not _any(words, text)]
    found += [f"said {reply.text!r}, with {words!r}" for words in wanted.get("without", ()) if words.lower() in text]
    return found


def _any_word(alternatives: str, words: list[str]) -> bool:
    said = f" {' '.join(words)}"
    return any(f" {one}" in said for one in alternatives.split("|"))


def _any(alternatives: str, text: str) -> bool:
    return any(one.lower() in text for one in alternatives.split("|"))


def _same(tool: str, wanted: Any, given: Any) -> bool:
    if tool == "get_date_time":
        return str(given).casefold() in (wanted.casefold(), wanted.rpartition("/")[2].replace("_", " ").casefold())
    if tool == "book_table" and isinstance(given, str):
        given = given.removesuffix(" o'clock")
    return same_value(tool, wanted, given)


async def judge(exchanges: list[Mapping[str, Any]], show: bool) -> dict[str, Any]:
    """Percentages of right exchanges and turns, and right and all exchanges by kind."""
    tools: list[ToolLike] = [*BUILT_IN, *user_tools()]
    silent = GenerateOptions(speak=False)
    agent = Agent("embedded-lite", tools=tools, documents="demo", voices="demo", options=silent)
    by_kind: dict[str, list[bool]] = {}
    turns: list[bool] = []
    async with agent:
        await agent.warm_up()
        await agent.run("tell me about the moon")  # embeds the documents before the first exchange
        for exchange in exchanges:
            session = agent.session(plays=False)
            wrong = []
            for turn in exchange["turns"]:
                found = faults(turn, await session.run(turn["say"]))
                turns.append(not found)
                wrong += [f"    {turn['say']!r} {fault}" for fault in found]
            by_kind.setdefault(exchange["kind"], []).append(not wrong)
            if wrong and show:
                print(exchange["id"], *wrong, sep="\n")
    right = sum(map(sum, by_kind.values()))
    return {
        "exchanges": len(exchanges),
        "right exchanges, percent": round(100 * right / len(exchanges), 1),
        "turns": len(turns),
        "right turns, percent": round(100 * sum(turns) / len(turns), 1),
        "by kind": {kind: f"{sum(hits)} of {len(hits)}" for kind, hits in by_kind.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, help="one set only; without it all are measured")
    parser.add_argument("--json", metavar="PATH")
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for name in (options.set,) if options.set else SETS:
        lines = next(EXCHANGES.rglob(f"{name}.jsonl")).read_text(encoding="utf-8").splitlines()
        figures[name] = asyncio.run(judge([json.loads(line) for line in lines], options.show))
        kinds = figures[name].pop("by kind")
        width = max(map(len, kinds))
        print(name, *(f"  {kind:<{width}}  {share}" for kind, share in kinds.items()), sep="\n")
        figures[name] |= {"first": FIRST[name]} if name in FIRST else {}
        figures[name]["by kind"] = kinds
    publish("embedded: exchanges of several turns", figures, options.json)


if __name__ == "__main__":
    main()
