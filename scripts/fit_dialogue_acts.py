"""Fit the model that tells what a request does in a conversation, from scripts/dialogue_acts.txt.

    PYTHONPATH=. python scripts/fit_dialogue_acts.py
    PYTHONPATH=. python scripts/fit_dialogue_acts.py --folds 5

Writes model/embedded/assets/dialogue_acts.npz. With --folds it writes nothing, and prints how many of the sentences
are recognised whose pattern was left out of the fit. A multinomial logistic regression, fitted with Adam in NumPy.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.model.embedded.dialogue.acts import WEIGHTS, feature_rows, frame, word_features
from agentaudio.model.embedded.routing.router import VectorCache
from agentaudio.text.sentence_embedder import SentenceEmbedder

SENTENCES = Path(__file__).parent / "dialogue_acts.txt"
VARIANTS = 14
"""Sentences of one line, at most."""
LEADS = ("and", "okay", "please", "so", "um", "well", "oh", "no", "sorry", "now", "hey", "but", "right", "thanks")
TRAILS = ("please", "then", "now", "thanks", "okay", "again", "actually", "for me")
LEAST_LINES = 3
"""Lines that must hold a feature of words for it to be weighed."""
PENALTY, STEPS = 1e-4, 150
_GROUP = re.compile(r"\(([^()]*)\)")


def variants(line: str, chance: random.Random) -> list[str]:
    """Up to VARIANTS of the sentences that a line with groups such as "(a|b|)" stands for."""
    parts = [part.split("|") if odd else [part] for odd, part in zip(itertools.cycle((0, 1)), _GROUP.split(line))]
    total = int(np.prod([len(part) for part in parts]))
    if total <= VARIANTS:
        made = ["".join(choice) for choice in itertools.product(*parts)]
    else:
        made = ["".join(chance.choice(part) for part in parts) for _ in range(VARIANTS)]
    return list(dict.fromkeys(" ".join(text.split()).strip(" ,") for text in made))


def lines() -> Iterator[tuple[str, str]]:
    """Each line of SENTENCES with its act."""
    act = ""
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            act = line.strip("[]")
        elif line.strip() and not line.startswith("#"):
            yield act, line


def samples(seed: int) -> list[tuple[str, str, int]]:
    """(act, frame, number of the line), each sentence as it is and between words that open and close requests."""
    chance = random.Random(seed)
    found: list[tuple[str, str, int]] = []
    for number, (act, line) in enumerate(lines()):
        for text in variants(line, chance):
            found.append((act, frame(text), number))
            dressed = f"{chance.choice(LEADS)} {text}" if chance.random() < 0.7 else text
            if chance.random() < 0.4:
                dressed = f"{dressed} {chance.choice(TRAILS)}"
            found.append((act, frame(dressed), number))
    return list({(act, said): (act, said, number) for act, said, number in found if said}.values())


def lexicon_of(rows: Sequence[tuple[str, str, int]]) -> list[str]:
    """The features of words that at least LEAST_LINES lines have."""
    held: dict[str, set[int]] = defaultdict(set)
    for _, said, number in rows:
        for feature in word_features(said):
            held[feature].add(number)
    return sorted(feature for feature, numbers in held.items() if len(numbers) >= LEAST_LINES)


def fit(values: Any, right: Any, importance: Any, count: int) -> tuple[Any, Any]:
    """Weights (features, count) and bias (count,) by penalised maximum likelihood.

    values: (samples, features); right: (samples,) index of the act; importance: (samples,)
    """
    held = [np.zeros((values.shape[1], count), np.float32), np.zeros(count, np.float32)]
    first, second = [np.zeros_like(one) for one in held], [np.zeros_like(one) for one in held]
    for step in range(1, STEPS + 1):
        scores = values @ held[0] + held[1]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely = powers / powers.sum(axis=1, keepdims=True)
        likely[np.arange(len(right)), right] -= 1
        likely *= importance[:, None] / importance.sum()
        slopes = [values.T @ likely + PENALTY * held[0], likely.sum(axis=0)]
        for one, slope, m, v in zip(held, slopes, first, second, strict=True):
            m += 0.1 * (slope - m)
            v += 0.01 * (slope**2 - v)
            one -= 0.15 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)
    return held[0], held[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--folds", type=int, default=0, help="cross-validate by lines instead of writing")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = samples(options.seed)
    acts = list(dict.fromkeys(act for act, _, _ in rows))
    lexicon = lexicon_of(rows)
    embed = VectorCache(SentenceEmbedder())
    frames = [said for _, said, _ in rows]
    values = feature_rows(frames, embed, {feature: place for place, feature in enumerate(lexicon)})
    right = np.array([acts.index(act) for act, _, _ in rows])
    # A line counts the same however many variants it has, and rare acts count a little more.
    by_line = Counter(number for _, _, number in rows)
    by_act = Counter(act for act, _ in lines())
    importance = np.array([1 / by_line[number] / by_act[act] ** 0.3 for act, _, number in rows], np.float32)
    if options.folds:
        numbers = np.array([number for _, _, number in rows])
        hits: dict[str, list[float]] = defaultdict(list)
        mistaken: Counter[tuple[str, str]] = Counter()
        for fold in range(options.folds):
            out = numbers % options.folds == fold
            weights, bias = fit(values[~out], right[~out], importance[~out], len(acts))
            found = (values[out] @ weights + bias).argmax(axis=1)
            for wanted, got in zip(right[out], found, strict=True):
                hits[acts[wanted]].append(float(wanted == got))
                mistaken[acts[wanted], acts[got]] += wanted != got
        print(f"{len(rows)} sentences, {len(lexicon)} features of words")
        print(*(f"  {act:<10} {100 * np.mean(hit):5.1f} %" for act, hit in hits.items()), sep="\n")
        print(f"  all {100 * np.mean(list(itertools.chain(*hits.values()))):.1f} %", mistaken.most_common(20))
        return
    weights, bias = fit(values, right, importance, len(acts))
    names = json.dumps({"acts": acts, "lexicon": lexicon})
    np.savez_compressed(
        options.output, names=np.array(names), weights=weights.astype(np.float16), bias=bias.astype(np.float32)
    )
    print(f"{len(rows)} sentences, {len(lexicon)} features of words, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
