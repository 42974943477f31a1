"""Fit the scoring of voice search by words to benchmarks/voice_questions/dev.jsonl.

    python benchmarks/voice_calibration.py

Prints the weights for retrieval/voices/score.py: a logistic regression with a small ridge penalty that predicts
whether a voice fits from the features that query and card share. Also prints the share of dev questions answered
right at each threshold. The test questions are not used.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.retrieval.voices.query import read_request
from agentaudio.retrieval.voices.score import features, weigh
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.text.embedding import default_embedder
from agentaudio.voice_library.library import demo_voices

QUESTIONS = Path(__file__).parent / "voice_questions" / "dev.jsonl"
RIDGE = 0.3
OTHERS_WEIGHT = 0.3  # weight of voices that are neither right nor ranked first
DEPTH = 10
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)

Matrix = NDArray[np.float64]


def fit(rows: Matrix, fits: Matrix, weights: Matrix) -> Matrix:
    """Newton's method. The last column is the bias, which has no ridge penalty."""
    found = np.zeros(rows.shape[1])
    ridge = np.eye(len(found)) * RIDGE
    ridge[-1, -1] = 0
    for _ in range(50):
        chance = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (weights * (chance - fits)) + ridge @ found
        curve = (rows * (weights * chance * (1 - chance))[:, None]).T @ rows + ridge
        # A feature that is always 0, such as the meaning without an embedder, keeps the weight 0.
        found = found - np.linalg.pinv(curve) @ slope
    return found


def main() -> None:
    questions = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    for title, embed in (("with meaning", default_embedder()), ("words alone", None)):
        search = VoiceSearch(demo_voices(), embed=embed)
        names: list[str] = []
        rows, fits, weights, of = [], [], [], []
        for number, question in enumerate(questions):
            wish = read_request(question["query"]).alternatives[0]
            found = search.search(question["query"], k=DEPTH, min_score=0.0, diverse=False)
            for rank, match in enumerate(found):
                meaning = None if embed is None else match.signals["meaning"]
                named = features(wish, weigh(match.voice.card, wish), meaning)
                names = [name for name, _ in named]
                rows.append([value for _, value in named])
                fits.append(float(match.voice.id in question["voices"]))
                weights.append(1.0 if fits[-1] or rank == 0 else OTHERS_WEIGHT)
                of.append(number)
        matrix = np.array(rows)
        learned = fit(matrix, np.array(fits), np.array(weights))
        print(title, ", ".join(f"{name}={value:.1f}" for name, value in zip(names, learned, strict=True)))
        chances = 1 / (1 + np.exp(-matrix @ learned))
        for least in THRESHOLDS:
            right = {True: 0, False: 0}
            for number, question in enumerate(questions):
                own = [at for at, n in enumerate(of) if n == number and chances[at] >= least]
                best = sorted(own, key=lambda at: -chances[at])[:3]
                right[bool(question["voices"])] += any(fits[at] for at in best) if question["voices"] else not best
            possible = sum(bool(question["voices"]) for question in questions)
            print(
                f"  threshold {least}: {right[True] / possible:.3f} found, "
                f"{right[False] / (len(questions) - possible):.3f} of the impossible refused"
            )


if __name__ == "__main__":
    main()
