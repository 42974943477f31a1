"""Fit the model that tells whether a sentence asks for a tool, from the turns of benchmarks/exchanges.

    PYTHONPATH=. python scripts/fit_asking.py
    PYTHONPATH=. python scripts/fit_asking.py --left-out

Writes model/embedded/assets/asking.npz. The sets in `kept_unread` are not used. With --left-out it writes nothing: for
each set, it fits on the others, and prints how many of the turns that ask for nothing, and of those that ask for a
call, get a probability below each threshold. A logistic regression, fitted with Adam in NumPy. A turn that answers a
question of the agent is left out: a bare value asks for nothing by itself.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.model.embedded.dialogue.acts import frame, word_features
from agentaudio.model.embedded.dialogue.asking import WEIGHTS, asking_rows
from agentaudio.model.embedded.dialogue.parts import request_parts
from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.routing.router import VectorCache
from agentaudio.text.sentence_embedder import SentenceEmbedder

EXCHANGES = Path(__file__).parents[1] / "benchmarks" / "exchanges"
LEAST_TURNS = 3
"""Turns that must hold a feature of words for it to be weighed."""
PENALTY, STEPS = 1.0, 400
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
_ASKED = re.compile(r"\b(?:which|how many|who|where|what)\b")


def turns(path: Path) -> list[tuple[str, bool]]:
    """(text, whether it asks for a call) of the turns of a set, as they are read, and without their punctuation."""
    found: list[tuple[str, bool]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        before: dict[str, Any] = {}
        for turn in json.loads(line)["turns"]:
            tool = turn["tool"]
            awaited = before and before["tool"] is None and _ASKED.search("|".join(before.get("answer", ())))
            if not awaited and not (isinstance(tool, str) and "none" in tool.split("|")):
                texts = [plain(turn["say"]), *(request_parts(plain(turn["say"])) if tool is None else ())]
                for text in dict.fromkeys(texts):
                    found += [(text, tool is not None), (re.sub(r"[.,;:!?]", "", text.lower()), tool is not None)]
            before = turn
    return [one for one in found if frame(one[0])]


def lexicon_of(texts: list[str]) -> list[str]:
    """The features of words that at least LEAST_TURNS texts have."""
    held = Counter(feature for said in {frame(text) for text in texts} for feature in word_features(said))
    return sorted(feature for feature, count in held.items() if count >= LEAST_TURNS)


def fit(values: Any, right: Any) -> Any:
    """Weights, and the bias behind them, by penalised maximum likelihood.

    values: (samples, features); right: (samples,) 1 where a call is asked for
    """
    rows = np.concatenate([values, np.ones((len(values), 1), np.float32)], axis=1)
    weights, first, second = (np.zeros(rows.shape[1], np.float32) for _ in range(3))
    for step in range(1, STEPS + 1):
        likely = 1 / (1 + np.exp(-(rows @ weights)))
        slope = rows.T @ (likely - right) + PENALTY * np.append(weights[:-1], 0)
        first += 0.1 * (slope - first)
        second += 0.01 * (slope**2 - second)
        weights -= 0.03 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--left-out", action="store_true", help="fit without each set in turn instead of writing")
    options = parser.parse_args()
    sets = {path.stem: turns(path) for path in sorted(EXCHANGES.glob("*.jsonl"))}
    embed = VectorCache(SentenceEmbedder(), kept=50_000)
    if options.left_out:
        quiet, calls = Counter[float](), Counter[float]()
        for name, held in sets.items():
            others = [one for other, rows in sets.items() if other != name for one in rows]
            places = {feature: place for place, feature in enumerate(lexicon_of([text for text, _ in others]))}
            weights = fit(
                asking_rows([text for text, _ in others], embed, places),
                np.array([asks for _, asks in others], np.float32),
            )
            likely = 1 / (1 + np.exp(-(asking_rows([t for t, _ in held], embed, places) @ weights[:-1] + weights[-1])))
            for chance, (_, asks) in zip(likely, held, strict=True):
                for threshold in (*THRESHOLDS, 1.0):
                    (calls if asks else quiet)[threshold] += bool(chance < threshold or threshold == 1.0)
        print("below     asking for nothing   asking for a call")
        for threshold in THRESHOLDS:
            print(
                f"{threshold:<9} {100 * quiet[threshold] / quiet[1.0]:>16.1f} %"
                f" {100 * calls[threshold] / calls[1.0]:>17.2f} %"
            )
        return
    rows = [one for held in sets.values() for one in held]
    lexicon = lexicon_of([text for text, _ in rows])
    values = asking_rows([text for text, _ in rows], embed, {feature: place for place, feature in enumerate(lexicon)})
    weights = fit(values, np.array([asks for _, asks in rows], np.float32))
    np.savez_compressed(options.output, lexicon=np.array(json.dumps(lexicon)), weights=weights.astype(np.float16))
    print(f"{len(rows)} sentences, {len(lexicon)} features of words, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
