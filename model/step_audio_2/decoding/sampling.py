"""Chooses the next token of each row on the model's device: greedily, or by temperature, top-p and repetition penalty.

There is no generator with a state: the noise of a draw is a function of seed, position and token id. A draw is
therefore the same in a batch or alone, compiled or not, and it can be part of a CUDA graph.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.settings import Sampling

SHORTLIST = 1024
"""Number of the likeliest ids that can be drawn."""


class Samplers:
    """How each row of a batch chooses its tokens, and which tokens it has seen; all of it on the device.

    numbers: (rows, 3) float32: temperature (0 for greedy), top_p, repetition penalty
    seeds: (rows, 2) int64, 32 bits each
    seen: (rows, size) bool: the ids that the repetition penalty applies to
    never: ids that are never chosen
    """

    def __init__(self, rows: int, size: int, device: torch.device, never: Iterable[int] = ()) -> None:
        self.numbers = torch.zeros(rows, 3, device=device)
        # An idle row takes part in the arithmetic, which must not divide by 0.
        self.numbers[:, 1:] = 1.0
        self.seeds = torch.zeros(rows, 2, dtype=torch.int64, device=device)
        self.seen = torch.zeros(rows, size, dtype=torch.bool, device=device)
        self.never = torch.tensor(sorted(never), dtype=torch.int64, device=device)

    def set(self, row: int, sampling: Sampling, prompt: Iterable[int] = ()) -> None:
        """Begin an answer. prompt: ids that it follows; the repetition penalty applies to them"""
        temperature = 0.0 if sampling.greedy else sampling.temperature
        device = self.seen.device
        self.numbers[row] = torch.tensor([temperature, sampling.top_p, sampling.repetition_penalty]).to(device)
        seed = secrets.randbits(64) if sampling.seed is None else sampling.seed
        self.seeds[row] = torch.tensor([seed & 0xFFFF_FFFF, seed >> 32 & 0xFFFF_FFFF]).to(device)
        self.seen[row] = False
        self.seen[row, torch.tensor(sorted(set(prompt)), dtype=torch.int64).to(device)] = True

    def move(self, source: int, target: int, other: Samplers | None = None) -> None:
        """Copy one row over another. other: whose row the source is; None for this object's"""
        other = self if other is None else other
        for mine, its in ((self.numbers, other.numbers), (self.seeds, other.seeds), (self.seen, other.seen)):
            mine[target] = its[source]

    def choose(self, logits: Tensor, positions: Tensor) -> Tensor:
        """Choose a token in each of the first rows; the repetition penalty applies to it from now on.

        logits: (rows, size) of any float type
        positions: (rows,) int64: of the tokens that the logits follow
        returns: (rows,) int64
        """
        scores, shares = self.scores(logits)
        nucleus, ids = candidates(shares, self.numbers[: len(logits), 1:2])
        noisy = nucleus + gumbel(self.seeds[: len(logits)], positions[:, None], ids)
        drawn = ids.gather(-1, noisy.argmax(-1, keepdim=True))[:, 0]
        chosen = torch.where(self.numbers[: len(logits), 0] > 0, drawn, scores.argmax(-1))
        self.seen[: len(logits)].scatter_(1, chosen[:, None], True)
        return chosen

    def scores(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits after the penalty, and their log-probabilities at the rows' temperatures: (rows, size) float32 each.

        Source: the order and rules of transformers' RepetitionPenalty and Temperature processors.
        """
        temperature, _, penalty = self.numbers[: len(logits)].split(1, -1)
        scores = logits.float()
        penalised = torch.where(scores < 0, scores * penalty, scores / penalty)
        scores = torch.where(self.seen[: len(logits)], penalised, scores).index_fill(-1, self.never, -math.inf)
        # A greedy row is divided by 1, and what is drawn for it is not used.
        return scores, (scores / torch.where(temperature > 0, temperature, 1.0)).log_softmax(-1)


def candidates(shares: Tensor, top_p: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens that may be drawn: the fewest likeliest ones whose probabilities add up to `top_p`.

    shares: (rows, size) float32, log-probabilities
    top_p: (rows, 1)
    returns: log-probabilities, -infinity for ids that may not be drawn, and ids: (rows, n) each, likeliest first
    """
    likeliest, ids = shares.topk(min(SHORTLIST, shares.shape[-1]))
    chances = likeliest.exp()
    before = chances.cumsum(-1) - chances
    return likeliest.masked_fill(before >= top_p, -math.inf), ids


def gumbel(seeds: Tensor, positions: Tensor, ids: Tensor) -> Tensor:
    """Standard Gumbel noise for each candidate: the largest of log-probability plus noise is a fair draw.

    seeds: (rows, 2) int64 of 32 bits; positions: (rows, 1) int64; ids: (rows, n) int64
    returns: (rows, n) float32

    Source: the Gumbel-max trick (Gumbel 1954).
    """
    mixed = _mixed(_mixed(seeds[:, :1]) ^ seeds[:, 1:])
    bits = _mixed(_mixed(mixed ^ positions) ^ ids)
    # 23 bits and a half: float32 holds them exactly, so the result is never 0 or 1.
    uniform = ((bits >> 9).float() + 0.5) * 2.0**-23
    return -(-uniform.log()).log()


def _mixed(bits: Tensor) -> Tensor:
    """A hash of 32 bits. Source: Wellons, hash-prospector; factors below 2^31, so that int64 does not overflow."""
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        bits = (bits ^ bits >> shift) * factor & 0xFFFF_FFFF
    return bits ^ bits >> 15
