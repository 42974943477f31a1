"""Sampling: the same distribution as in transformers, and the same tokens for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
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
from agentaudio.model.step_audio_2.decoding.sampling import (  # noqa: E402
    SHORTLIST,
    Samplers,
    candidates,
    gumbel,
)
from agentaudio.model.step_audio_2.settings import Sampling  # noqa: E402

SIZE = 5000
CPU = torch.device("cpu")


def logits(seed: int, spread: float = 4.0) -> Any:
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(seed)) * spread


def sampler(sampling: Sampling, prompt: Sequence[int] = (), never: Sequence[int] = ()) -> Samplers:
    """Of one row."""
    made = Samplers(1, SIZE, CPU, never)
    made.set(0, sampling, prompt)
    return made


def draw(samplers: Samplers, scores: Any, position: int = 0) -> int:
    return int(samplers.choose(scores[None], torch.tensor([position])))


def chances(samplers: Samplers, scores: Any) -> Any:
    """Probability of each id in the first row: (SIZE,)."""
    shares, ids = candidates(samplers.scores(scores[None])[1], samplers.numbers[:1, 1:2])
    return torch.zeros(SIZE).index_copy(0, ids[0], shares[0].softmax(-1))


@pytest.mark.parametrize("penalty", [1.0, 1.05, 2.0])
@pytest.mark.parametrize("top_p", [0.05, 0.9])
@pytest.mark.parametrize("spread", [2.0, 4.0])
def test_distribution_is_that_of_transformers(penalty: float, top_p: float, spread: float) -> None:
    prompt = [3, 3, 17, 4999]
    samplers = sampler(Sampling(0.7, top_p, penalty, seed=0), prompt)
    ids = torch.tensor([prompt])
    for step in range(3):
        scores = logits(step, spread)
        expected = RepetitionPenaltyLogitsProcessor(penalty)(ids, scores[None]) if penalty != 1 else scores[None]
        expected = TopPLogitsWarper(top_p)(ids, TemperatureLogitsWarper(0.7)(ids, expected))[0].softmax(-1)
        torch.testing.assert_close(chances(samplers, scores), expected, atol=1e-6, rtol=1e-4)
        # What was drawn counts as repeated from then on.
        ids = torch.cat([ids, torch.tensor([[draw(samplers, scores, step)]])], dim=1)


@pytest.mark.parametrize("top_p", [0.9, 1.0])
def test_of_a_flat_distribution_the_likeliest_are_kept(top_p: float) -> None:
    scores = logits(0, 0.01)
    kept = chances(sampler(Sampling(1.0, top_p, 1.0)), scores) > 0
    assert set(kept.nonzero()[:, 0].tolist()) == set(scores.topk(SHORTLIST).indices.tolist())


def test_draws_are_distributed_as_the_probabilities() -> None:
    scores = torch.full((SIZE,), -torch.inf)
    scores[[5, 70, 4000]] = torch.tensor([0.5, 0.3, 0.2]).log()
    rows = 4000
    samplers = Samplers(rows, SIZE, CPU)
    for row in range(rows):
        samplers.set(row, Sampling(1.0, 1.0, 1.0, seed=row))
    drawn = samplers.choose(scores.expand(rows, -1), torch.zeros(rows, dtype=torch.int64))
    shares = drawn.bincount(minlength=SIZE)[[5, 70, 4000]] / rows
    # Four standard deviations.
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.032, rtol=0)


def test_noise_is_gumbel_and_differs_by_seed_position_and_id() -> None:
    ids, positions = torch.arange(5000)[None].expand(8, -1), torch.arange(8)[:, None]
    noise = gumbel(torch.tensor([[1, 2]]).expand(8, -1), positions, ids).double()
    assert noise.isfinite().all()
    assert abs(noise.mean() - 0.5772) < 0.03 and abs(noise.std() - 1.2825) < 0.03
    for other in (gumbel(torch.tensor([[1, 3]]), positions, ids), gumbel(torch.tensor([[2, 2]]), positions, ids)):
        assert abs(torch.corrcoef(torch.stack([noise.flatten(), other.double().flatten()]))[0, 1]) < 0.03
    between = torch.corrcoef(noise) - torch.eye(8)
    assert between.abs().max() < 0.07, "positions are independent of each other"


def test_greedy_takes_the_likeliest_after_the_penalty() -> None:
    scores = torch.zeros(SIZE)
    scores[7], scores[8] = 1.0, 0.9
    assert draw(sampler(Sampling(0.0, 1.0, 1.0)), scores) == 7
    samplers = sampler(Sampling(0.0, 1.0, 1.2))
    assert [draw(samplers, scores, position) for position in range(3)] == [7, 8, 7]


def test_same_seed_draws_the_same_and_leaves_global_randomness_alone() -> None:
    def draws(seed: int | None) -> list[int]:
        samplers = sampler(Sampling(1.0, 1.0, 1.0, seed))
        return [draw(samplers, logits(0, 0.1), position) for position in range(8)]

    before = torch.get_rng_state()
    assert draws(5) == draws(5) != draws(6)
    assert draws(-1) == draws(2**64 - 1), "the same 64 bits"
    assert draws(1) != draws(1 + 2**32)
    assert draws(None) != draws(None)
    assert torch.equal(before, torch.get_rng_state())


def test_a_row_draws_the_same_in_any_row_and_company() -> None:
    alone = sampler(Sampling(0.9, 0.95, 1.1, seed=3), [1, 2])
    batch = Samplers(4, SIZE, CPU)
    batch.set(0, Sampling(0.0), [9])
    batch.set(1, Sampling(0.5, 0.5, 1.0, seed=8))
    batch.move(0, 2, alone)
    rows = torch.stack([logits(k) for k in range(3)])
    for position in range(4):
        drawn = batch.choose(rows, torch.tensor([position, position + 1, position]))
        assert int(drawn[2]) == draw(alone, rows[2], position)


def test_forbidden_ids_are_never_drawn() -> None:
    scores = torch.zeros(SIZE)
    scores[9] = 50.0
    assert draw(sampler(Sampling(0.0), never=(9,)), scores) != 9
    assert chances(sampler(Sampling(1.0, 1.0), never=(9,)), scores)[9] == 0


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
