"""Fit the weights of the embedded router.

Writes model/embedded/assets/router.json, and beside it the vectors of the intent examples.

    PYTHONPATH=. python benchmarks/embedded_routing.py --set dev --heard /tmp/heard.json
    PYTHONPATH=. python scripts/fit_router.py --heard /tmp/heard.json
    PYTHONPATH=. python scripts/fit_router.py --vectors  # after a change of examples

Data: benchmarks/requests/dev.jsonl, as written and as PocketSphinx recognised it; the intent examples in
model/embedded/assets/router_examples.jsonl (an example is never compared with itself); the invented tools
of scripts/router_tools.jsonl. test.jsonl is not used. Each request is used again with words dropped or
replaced by similar ones, as in recognition errors, and with some tools removed, so that the weights do not
depend on one set of tools. The model is a conditional logit with an L2 penalty, fitted by gradient descent
with a fixed seed.
"""

from __future__ import annotations

import argparse
import difflib
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.features import DOCUMENTS, FEATURES, WEB, Candidate, candidates
from agentaudio.model.embedded.routing.intents import CHAT, UNKNOWN, examples
from agentaudio.model.embedded.routing.router import EXAMPLE_VECTORS, WEIGHTS, VectorCache, example_texts
from agentaudio.text.sentence_embedder import SentenceEmbedder
from agentaudio.text.template import read_phrase

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from embedded_routing import benchmark_tools  # noqa: E402

NOISY_COPIES = 1
ALIKE = [
    {"team_score", "web_search"},
    {"set_alarm", "set_timer"},
    {"play_radio", "play_music"},
    {"measure_room", "get_weather"},
    {"library_hours", "opening_hours"},
    {"find_book", "search_documents"},
    {"define_word", "search_documents"},
    {"find_recipe", "search_documents"},
    {"stock_price", "web_search"},
    {"define_word", "translate"},
    {"find_recipe", "web_search"},
    {"set_temperature", "measure_room"},
]
"""Pairs of tools that some requests fit equally well."""
PENALTY = 0.002
STEPS = 3000


def noisy(text: str, words: Sequence[str], chance: random.Random) -> str:
    """Simulate recognition errors in `text`: drop or replace one word, or two in texts of more than five.

    words: vocabulary from which similar words are taken
    """
    said = text.split()
    for _ in range(1 + (len(said) > 5)):
        place = chance.randrange(len(said))
        if chance.random() < 0.3 and len(said) > 3:
            del said[place]
        else:
            near = difflib.get_close_matches(said[place], words, n=4, cutoff=0.5)
            said[place] = chance.choice([word for word in near if word != said[place]] or [said[place]])
    return " ".join(said)


@dataclass(frozen=True, slots=True)
class Sample:
    """A request with the right candidate.

    name: of the right tool or intent
    hide: the intent example with the same text, which is left out of the comparison; None when there is none
    """

    text: str
    name: str
    tools: list[ToolSpec]
    hide: str | None
    weight: float


def samples(tools: Sequence[ToolSpec], heard: Mapping[str, str], seed: int) -> list[Sample]:
    """Requests as written and with recognition errors, each with all tools, some tools, or invented ones.

    heard: recognised texts by request id
    """
    chance = random.Random(seed)
    held: list[tuple[str, str, float, str | None]] = []
    for line in (ROOT / "benchmarks/requests/dev.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        nothing = CHAT if row["kind"] == "chat" else UNKNOWN
        held.append((row["text"], row["tool"] or nothing, 2.0, None))
        if heard.get(row["id"], row["text"]) != row["text"]:
            held.append((heard[row["id"]], row["tool"] or nothing, 1.0, None))
    held += [(text, intent, 1.0, text) for intent, texts in examples().items() for text in texts]
    words = sorted({word for text, *_ in held for word in text.split()})
    found: list[Sample] = []
    for text, name, weight, hide in held:
        found.append(Sample(text, name, list(tools), hide, weight))
        for _ in range(NOISY_COPIES):
            found.append(Sample(noisy(text, words, chance), name, list(tools), hide, weight / 2))
        fewer = [tool for tool in tools if chance.random() < 0.6]
        right = without_tool(name, fewer)
        if right is not None:
            found.append(Sample(text, right, fewer, hide, weight / 2))
    invented = invented_tools()
    for tool, requests in invented:
        for text in requests:
            others = [other for other, _ in chance.sample(invented, 6) if other.name != tool.name]
            others += [other for other in tools if chance.random() < 0.6]
            # Tools that fit the request equally well would make the right answer ambiguous.
            others = [other for other in others if {other.name, tool.name} not in ALIKE]
            found.append(Sample(text, tool.name, [tool, *others], None, 1.5))
            found.append(Sample(noisy(text, words, chance), tool.name, [tool, *others], None, 0.7))
            fewer = [other for other in tools if other.name not in (DOCUMENTS, WEB)]
            fewer = [other for other in fewer if {other.name, tool.name} not in ALIKE]
            found.append(Sample(text, UNKNOWN, fewer, None, 0.7))
    return found


def without_tool(name: str, tools: Sequence[ToolSpec]) -> str | None:
    """The right answer for a request of tool `name` when only `tools` are available; None when it is ambiguous."""
    left = {tool.name for tool in tools}
    if name in (CHAT, UNKNOWN) or name in left:
        return name
    # Without its own tool, a question may still be answered by a search; a command may not.
    if name == DOCUMENTS and WEB in left:
        return WEB
    return None if {DOCUMENTS, WEB} & left else UNKNOWN


def invented_tools() -> list[tuple[ToolSpec, list[str]]]:
    """Invented tools and requests for them, from which the weights of the description features are fitted."""
    found = []
    for line in (Path(__file__).parent / "router_tools.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        spec = ToolSpec(row["name"], row["description"], row["parameters"], tuple(map(read_phrase, row["phrases"])))
        found.append((spec, row["requests"]))
    return found


def fit(rows: Sequence[tuple[list[Candidate], int, float]]) -> np.ndarray:
    """Fit the feature weights, (features,), by maximum likelihood.

    rows: candidates, place of the right one, and weight of each sample
    """
    most = max(len(row[0]) for row in rows)
    values = np.zeros((len(rows), most, len(FEATURES)))
    absent = np.full((len(rows), most), -1e9)
    right = np.array([row[1] for row in rows])
    importance = np.array([row[2] for row in rows])
    for number, (found, _, _) in enumerate(rows):
        values[number, : len(found)] = [candidate.features for candidate in found]
        absent[number, : len(found)] = 0
    weights = np.zeros(len(FEATURES))
    momentum, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        scores = values @ weights + absent
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely = powers / powers.sum(axis=1, keepdims=True)
        likely[np.arange(len(rows)), right] -= 1
        slope = np.einsum("rc,rcf->f", likely * importance[:, None], values) / importance.sum()
        slope += PENALTY * weights / 10
        momentum = 0.9 * momentum + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights -= 0.05 * (momentum / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def save_vectors(embed: VectorCache) -> None:
    """Write the vectors of all examples."""
    np.save(EXAMPLE_VECTORS, embed(example_texts()).astype(np.float16))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--heard", type=Path, help="what embedded_routing.py --set dev --heard PATH wrote")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vectors", action="store_true", help="only compute the vectors of the examples anew")
    options = parser.parse_args()
    embed = VectorCache(SentenceEmbedder())
    if options.vectors:
        save_vectors(embed)
        return
    rows: list[tuple[list[Candidate], int, float]] = []
    names: list[str] = []
    heard = json.loads(options.heard.read_text(encoding="utf-8")) if options.heard else {}
    for sample in samples(benchmark_tools(), heard, options.seed):
        found = candidates(sample.text, sample.tools, embed, sample.hide)
        right_place = [candidate.name for candidate in found].index(sample.name)
        rows.append((found, right_place, sample.weight))
        names.append(f"{sample.name}: {sample.text}")
    weights = fit(rows)
    right = 0
    for (found, wanted, _), name in zip(rows, names, strict=True):
        best = int(np.argmax([np.dot(weights, candidate.features) for candidate in found]))
        right += best == wanted
        if best != wanted:
            print(f"  {name} -> {found[best].name}")
    print(f"{right} of {len(rows)} of the training samples right")
    held = {name: round(float(weight), 4) for name, weight in zip(FEATURES, weights, strict=True)}
    save_vectors(embed)
    options.output.write_text(json.dumps({"weights": held}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
