"""Sampling: the same distribution as in transformers, and the same tokens for the same seed."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="sampling needs torch")
pytest.importorskip("transformers", reason="the rules are those of transformers")

from transformers import (  # noqa: E402
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from agentaudio.errors import OptionError  # noqa: E402
from agentaudio.model.step_audio_2.decoding.sampling import Sampler, Sampling  # noqa: E402

SIZE = 5000
CPU = torch.device("cpu")


def logits(seed: int, spread: float = 4.0) -> Any:
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(seed)) * spread


@pytest.mark.parametrize("penalty", [1.0, 1.05, 2.0])
@pytest.mark.parametrize("top_p", [0.05, 0.9, 1.0])
@pytest.mark.parametrize("spread", [0.01, 4.0])  # nearly flat: the nucleus is most of the vocabulary
def test_distribution_is_that_of_transformers(penalty: float, top_p: float, spread: float) -> None:
    prompt = [3, 3, 17, 4999]
    sampler = Sampler(Sampling(0.7, top_p, penalty, seed=0), SIZE, CPU, prompt=prompt)
    ids = torch.tensor([prompt])
    for step in range(3):
        scores = logits(step, spread)
        expected = RepetitionPenaltyLogitsProcessor(penalty)(ids, scores[None]) if penalty != 1 else scores[None]
        expected = TopPLogitsWarper(top_p)(ids, TemperatureLogitsWarper(0.7)(ids, expected))[0].softmax(-1)
        allowed, shares = sampler.candidates(scores)
        actual = torch.zeros(SIZE).index_copy(0, allowed, shares / shares.sum())
        torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-4)
        # What was drawn counts as repeated from then on.
        ids = torch.cat([ids, torch.tensor([[sampler.choose(scores)]])], dim=1)


def test_greedy_takes_the_likeliest_after_the_penalty() -> None:
    scores = torch.zeros(SIZE)
    scores[7], scores[8] = 1.0, 0.9
    assert Sampler(Sampling(0.0, 1.0, 1.0), SIZE, CPU).choose(scores) == 7
    sampler = Sampler(Sampling(0.0, 1.0, 1.2), SIZE, CPU)
    assert [sampler.choose(scores) for _ in range(3)] == [7, 8, 7]


def test_same_seed_draws_the_same_and_leaves_global_randomness_alone() -> None:
    def draws(seed: int | None) -> list[int]:
        sampler = Sampler(Sampling(1.0, 1.0, 1.0, seed), SIZE, CPU)
        return [sampler.choose(logits(0, 0.1)) for _ in range(8)]

    before = torch.get_rng_state()
    assert draws(5) == draws(5) != draws(6)
    assert draws(None) != draws(None)
    assert torch.equal(before, torch.get_rng_state())


def test_forbidden_ids_are_never_drawn() -> None:
    scores = torch.zeros(SIZE)
    scores[9] = 50.0
    assert Sampler(Sampling(0.0), SIZE, CPU, never=(9,)).choose(scores) != 9
    allowed, shares = Sampler(Sampling(1.0, 1.0), SIZE, CPU, never=(9,)).candidates(scores)
    assert shares[allowed == 9].sum() == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Sampling(**settings)  # type: ignore[arg-type]
