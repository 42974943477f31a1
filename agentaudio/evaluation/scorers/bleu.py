"""`Bleu`: sacreBLEU of a corpus, with its tokeniser in the name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import MissingExtra
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, Sums
from agentaudio.evaluation.normalisers import profile
from agentaudio.evaluation.scorer import Ask

ORDERS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Bleu:
    """BLEU of the corpus, after a normaliser profile has been applied to both texts.

    language: BCP-47 code of the references
    tokenize: tokeniser of sacreBLEU, such as "zh" for Chinese and "13a" for English
    profiles: names of normalisers; "none" is plain sacreBLEU, and the first gives the headline figure
    """

    language: str = "en"
    tokenize: str = "13a"
    profiles: tuple[str, ...] = ("kits", "none")
    needs_judge: bool = False

    @property
    def name(self) -> str:
        names = ", ".join(self.profiles)
        return f"BLEU of sacreBLEU, tokenize={self.tokenize}, normalised by {names} ({self.language})"

    @property
    def measures(self) -> Sequence[Measure]:
        return [_measure(f"BLEU-{self.tokenize} ({name})", name) for name in self.profiles]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        bleu = _bleu(self.tokenize)
        counts: dict[str, float] = {}
        shown, value = "", 0.0
        for name in reversed(self.profiles):  # the first comes last, and is the one that is shown
            normalise = profile(name, self.language)
            shown = normalise(answer.text)
            found = bleu.corpus_score([shown], [[normalise(item.reference)]])
            counts |= {f"{name} right {order}": found.counts[order - 1] for order in ORDERS}
            counts |= {f"{name} said {order}": found.totals[order - 1] for order in ORDERS}
            counts |= {f"{name} length": found.sys_len, f"{name} reference": found.ref_len}
            value = found.score / 100
        return ItemScore(value, counts, shown, f"BLEU of this sentence {100 * value:.1f}")


def _measure(name: str, profile_name: str) -> Measure:
    def of(sums: Sums) -> NDArray[np.float64]:
        bleu = _bleu("13a")  # the tokeniser does not matter to counts
        columns = {key: np.round(values).astype(int) for key, values in sums.items() if key.startswith(profile_name)}
        return np.array([_score(bleu, profile_name, columns, row) for row in range(len(next(iter(columns.values()))))])

    return Measure(name, of, f"{profile_name} reference")


def _score(bleu: Any, name: str, columns: Any, row: int) -> float:
    right = [int(columns[f"{name} right {order}"][row]) for order in ORDERS]
    said = [int(columns[f"{name} said {order}"][row]) for order in ORDERS]
    lengths = (int(columns[f"{name} length"][row]), int(columns[f"{name} reference"][row]))
    return float(bleu.compute_bleu(right, said, *lengths, smooth_method="exp").score)


@cache
def _bleu(tokenize: str) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise MissingExtra("BLEU", "eval") from None
    return BLEU(tokenize=tokenize)
