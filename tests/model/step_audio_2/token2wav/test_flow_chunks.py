"""The flow decoder in chunks: equality with the whole utterance, bounded state, and golden numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share

torch = pytest.importorskip("torch", reason="the flow needs torch")
pytest.importorskip("yaml", reason="the flow's sizes need PyYAML")

from agentaudio.model.step_audio_2.token2wav.config import FlowConfig  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.conformer import RelativeAttention, distances  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.noise import SeededNoise  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_weights import TINY, random_flow, random_hift  # noqa: E402

PROMPT = 6
NOISE = SeededNoise(80, 0)


@pytest.fixture(scope="module")
def flow() -> Flow:
    return random_flow(FlowConfig.from_dict(TINY))


@pytest.fixture(autouse=True)
def inference() -> Any:
    with torch.no_grad():
        yield


def drawn(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))


def ids(count: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 6561, (1, count)))


def started(flow: Flow, steps: int = 2) -> FlowState:
    return flow.prepare(ids(PROMPT), drawn(1, 2 * PROMPT, 80), drawn(1, 192), NOISE.rows(0, 2 * PROMPT).T[None], steps)


def spoken(flow: Flow, chunks: int, *, recent: int | None = None, same_noise: bool = False, steps: int = 2) -> Any:
    """The mel of a stream of 25-token chunks, whose estimator remembers everything or what is `recent`."""
    state, tokens, mels = started(flow, steps), ids(25 * chunks + 3, seed=1), []
    for k in range(chunks):
        start = state.frames if same_noise else 2 * PROMPT + 50 * k
        noise = NOISE.rows(start, 50).T[None]
        mel, state = flow.chunk(tokens[:, 25 * k : 25 * k + 28], state, noise, last=False)
        mels.append(mel)
        state = state if recent is None else state.bounded(recent, None)
    return torch.cat(mels, -1)


@given(st.integers(1, 4), st.integers(0, 5), st.integers(0, 9))
def test_attention_scores_are_those_of_the_formula(queries: int, past: int, seed: int) -> None:
    torch.manual_seed(seed)
    attention = RelativeAttention(8, 2).double()
    attention.pos_bias_u.data.normal_()
    attention.pos_bias_v.data.normal_()
    before, x = torch.randn(1, 2, past, 8).double(), torch.randn(1, queries, 8).double()
    out, keys = attention(x, distances(past, queries, x), before)

    def wave(distance: int) -> Any:
        angles = [distance * 10_000 ** (-2 * m / 8) for m in range(4)]
        return torch.tensor([part for angle in angles for part in (math.sin(angle), math.cos(angle))]).double()

    expected = torch.zeros(queries, 8).double()
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        key, value = keys[0, head].chunk(2, -1)
        for i in range(queries):
            query = attention.linear_q(x)[0, i, part]
            scores = [
                (query + attention.pos_bias_u[head]) @ key[j]
                + (query + attention.pos_bias_v[head]) @ attention.linear_pos(wave(past + i - j))[part]
                for j in range(past + queries)
            ]
            expected[i, part] = (torch.stack(scores) / 2).softmax(0) @ value
    # The table of sines is float32.
    torch.testing.assert_close(out[0], attention.linear_out(expected), atol=1e-5, rtol=1e-5)
    assert torch.equal(keys[:, :, :past], before)


@settings(max_examples=share(30))
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_convolutions_do_not_notice_chunks(sizes: list[int]) -> None:
    encoder = random_flow(FlowConfig.from_dict(TINY)).encoder
    total, ahead = sum(sizes), encoder.ahead
    x, state = drawn(1, total + ahead, 32), encoder.start()
    whole, _ = encoder.pre_lookahead_layer(x, state.lookahead)
    doubled, _ = encoder.up_layer(whole, state.upsampler)
    parts, frames, done = [], [], 0
    lookahead, upsampler = state.lookahead, state.upsampler
    for size in sizes:
        part, lookahead = encoder.pre_lookahead_layer(x[:, done : done + size + ahead], lookahead)
        frame, upsampler = encoder.up_layer(part, upsampler)
        parts.append(part)
        frames.append(frame)
        done += size
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat(frames, -1), doubled, atol=1e-5, rtol=1e-5)


def test_a_chunk_changes_nothing_that_another_stream_could_see(flow: Flow) -> None:
    state = started(flow)
    tensors = [*state.past, *state.memory, *state.encoder.token_keys, *state.encoder.frame_keys]
    copies = [one.clone() for one in tensors]
    noise = NOISE.rows(12, 10).T[None]
    first, _ = flow.chunk(ids(8, 1), state, noise, last=False)
    again, _ = flow.chunk(ids(8, 1), state, noise, last=False)
    assert torch.equal(first, again)
    assert all(torch.equal(one, copy) for one, copy in zip(tensors, copies, strict=True))


def test_the_cut_keeps_what_the_reference_keeps(flow: Flow) -> None:
    state = started(flow)
    for k in range(3):
        _, state = flow.chunk(ids(28, k), state, NOISE.rows(50 * k, 50).T[None], last=False)
    cut = state.bounded(100, None)
    assert state.frames == 162
    assert cut.frames == 2 * PROMPT + 100
    assert torch.equal(cut.past[0][..., : 2 * PROMPT, :], state.past[0][..., : 2 * PROMPT, :])
    assert torch.equal(cut.past[0][..., 2 * PROMPT :, :], state.past[0][..., -100:, :])
    assert cut.encoder is state.encoder


def test_the_encoder_forgets_between_the_prompt_and_the_latest_tokens(flow: Flow) -> None:
    state = started(flow)
    for k in range(3):
        _, state = flow.chunk(ids(28, k), state, NOISE.rows(50 * k, 50).T[None], last=False)
    assert all(torch.equal(a, b) for a, b in zip(
        state.bounded(1000, 75).encoder.frame_keys, state.encoder.frame_keys, strict=True))  # fmt: skip
    short = state.bounded(1000, 10).encoder
    for now, before in zip(short.token_keys, state.encoder.token_keys, strict=True):
        assert torch.equal(now, torch.cat((before[..., :PROMPT, :], before[..., -10:, :]), -2))
    assert {keys.shape[-2] for keys in short.frame_keys} == {2 * (PROMPT + 10)}


def test_noise_that_goes_on_is_nearer_to_the_uncut_stream_than_noise_that_repeats(flow: Flow) -> None:
    uncut, cut, repeated = spoken(flow, 8), spoken(flow, 8, recent=100), spoken(flow, 8, recent=100, same_noise=True)
    on, same = (float((mel - uncut)[..., 200:].square().mean().sqrt()) for mel in (cut, repeated))
    assert on < 0.1 * same


def test_fewer_steps_come_near_to_many(flow: Flow) -> None:
    reference = spoken(flow, 1, steps=40)
    errors = [float((spoken(flow, 1, steps=n) - reference).abs().mean()) for n in (1, 4, 16)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.2 * errors[0]


@given(st.integers(0, 400), st.lists(st.integers(0, 40), max_size=5))
def test_noise_does_not_depend_on_how_it_is_asked_for(start: int, counts: list[int]) -> None:
    noise = SeededNoise(3, 7, 1)
    parts = [noise.rows(start + sum(counts[:k]), count) for k, count in enumerate(counts)]
    assert torch.equal(torch.cat([torch.zeros(0, 3), *parts]), noise.rows(start, sum(counts)))


def test_noise_is_normal_and_another_for_every_seed() -> None:
    first, second = (SeededNoise(80, seed, 0).rows(0, 2000) for seed in (0, 1))
    assert abs(first.mean()) < 0.01
    assert abs(first.std() - 1) < 0.01
    assert abs((first * second).mean()) < 0.01
    assert abs((first[:1000] * first[1000:]).mean()) < 0.01


def fill(module: Any) -> Any:
    """Weights that do not depend on torch's generator."""
    random = np.random.default_rng(7)
    weights = {}
    for name, value in sorted(module.state_dict().items()):
        shift = 1.0 if "norm" in name or name.endswith("alpha") else 0.0
        noise = random.standard_normal(value.shape, np.float32) * np.float32(0.1)
        weights[name] = torch.from_numpy(noise + np.float32(shift))
    module.load_state_dict(weights)
    return module


def test_numbers_stay_what_they_were(flow: Flow) -> None:
    """Written down when the same code passed the reference's vectors (tests/parity), which are too large to keep."""
    flow, vocoder = fill(random_flow(flow.config)), fill(random_hift(32, 24))
    noise = NOISE.rows(0, 2 * PROMPT + 8).T[None]
    whole = flow(ids(4, 1), ids(PROMPT), drawn(1, 2 * PROMPT, 80), drawn(1, 192), noise, 3)
    mel, state = flow.chunk(ids(8, 1), started(flow), noise[..., -10:], last=False)
    rest, _ = flow.chunk(ids(2, 2), state, noise[..., -4:], last=True)
    wave = vocoder(whole, SeededNoise(4320, 0).rows(0, 8).view(-1, 9))
    found = [one.flatten()[:: one.numel() // 5][:4].tolist() for one in (whole, mel, rest, wave)]
    assert found == [pytest.approx(row, abs=1e-4) for row in GOLDEN]


GOLDEN: list[list[float]] = [
    [-0.922632, -0.804678, -0.550438, 1.060121],
    [-1.172184, 1.901887, -0.732701, 0.308287],
    [-0.575553, 1.207311, -0.435109, -0.304039],
    [-0.064876, -0.059540, -0.075941, -0.145040],
]
