"""Chunks in fixed sizes say what chunks of any size say, also when their operators are replayed as a CUDA graph is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the decoder needs torch")
pytest.importorskip("yaml", reason="the decoder needs PyYAML")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.examples import share  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from agentaudio.model.step_audio_2.token2wav import fixed  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.chunks import CHUNK  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.config import FlowConfig  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.fixed import (  # noqa: E402
    FixedChunks,
    FixedDecode,
    FixedSolve,
    Past,
    chunk_sizes,
    window_sizes,
)
from agentaudio.model.step_audio_2.token2wav.stream import RECENT_FRAMES  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_weights import TINY, random_flow, random_hift  # noqa: E402

STEPS = 2
TOLERANCE = 5e-4
"""Of samples in [-1, 1]: additions have another order, which the vocoder's random weights make larger."""
PASTS = (128, 160)


class Prompt:
    """A voice of random numbers."""

    def __init__(self, seed: int, tokens: int) -> None:
        random = np.random.default_rng(seed)
        self.tokens = random.integers(0, 6561, tokens).astype(np.int32)
        self.embedding = random.standard_normal(192, np.float32)
        self.mel = random.standard_normal((2 * tokens, 80), np.float32)
        self.content_hash = f"{seed} {tokens}"


class Replayed(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
    """Records the operators of a function, and does them again with the same tensors, as a CUDA graph does."""

    def __init__(self, function: Callable[[], None]) -> None:
        super().__init__()
        self.names: list[str] = []
        self.operators: list[tuple[Any, Any, Any, Any]] = []
        with self:
            function()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        self.names.append(function.name())
        self.operators.append((function, args, kwargs or {}, made))
        return made

    def replay(self) -> None:
        for function, args, kwargs, kept in self.operators:
            if function.is_view:
                continue
            made = function(*args, **kwargs)
            if not function._schema.is_mutable:
                for old, new in zip(tree_leaves(kept), tree_leaves(made), strict=True):
                    old.copy_(new)


def decoder(*, fixed_chunks: bool, replayed: bool = False, pasts: tuple[int, ...] = PASTS, **options: Any) -> Token2Wav:
    made = Token2Wav(random_flow(FlowConfig.from_dict(TINY)), random_hift(16, 8), steps=STEPS)
    if fixed_chunks:
        chunks = FixedChunks(made.flow, made.vocoder, steps=STEPS, pasts=pasts, **options)
        assert chunks.prepare()
        if replayed:
            with torch.inference_mode():
                for one in chunks.sizes:
                    chunks._graphs[one] = Replayed(one.run)
        made._make = chunks
    return made


ALONE = decoder(fixed_chunks=False)
FIXED = decoder(fixed_chunks=True)


def ids(count: int, seed: int = 0) -> list[int]:
    drawn: list[int] = np.random.default_rng(seed).integers(0, 6561, count).tolist()
    return drawn


def streamed(by: Token2Wav, prompt: Prompt, tokens: list[int], *, seed: int = 0, steps: int = STEPS) -> Any:
    stream = by.stream(prompt, seed=seed, steps=steps)
    return np.concatenate([stream.feed(tokens), stream.finish()])


def test_streams_have_these_sizes() -> None:
    assert chunk_sizes() == (8, 10, 15, 20, 25) and chunk_sizes(25) == (25,)
    assert window_sizes(chunk_sizes()) == (16, 24, 28, 38, 48, 58)


@settings(max_examples=share(10))
@given(st.integers(3, 30), st.integers(0, 140), st.integers(0, 9))
def test_the_sound_is_that_of_chunks_of_any_size(prompt: int, count: int, seed: int) -> None:
    voice, tokens = Prompt(seed, prompt), ids(count, seed)
    before = FIXED._make.made  # type: ignore[union-attr]
    np.testing.assert_allclose(
        streamed(FIXED, voice, tokens, seed=seed), streamed(ALONE, voice, tokens, seed=seed), atol=TOLERANCE
    )
    fits = 2 * prompt + RECENT_FRAMES <= PASTS[-1]
    ends = np.cumsum([8, 10, 15, 20, *[CHUNK] * 4])
    expected = sum(end + 3 <= count for end in ends)
    assert FIXED._make.made - before == expected or not fits  # type: ignore[union-attr]


def test_operators_that_are_replayed_say_the_same_for_any_voice_and_length() -> None:
    replayed = decoder(fixed_chunks=True, replayed=True)
    for seed, (prompt, count) in enumerate([(20, 120), (5, 60), (12, 30), (30, 100)]):
        voice, tokens = Prompt(seed, prompt), ids(count, seed)
        np.testing.assert_allclose(
            streamed(replayed, voice, tokens, seed=seed), streamed(ALONE, voice, tokens, seed=seed), atol=TOLERANCE
        )
    assert replayed._make.made == 6 + 4 + 2 + 5  # type: ignore[union-attr]


def test_nothing_is_recorded_that_a_graph_cannot_hold() -> None:
    flow, vocoder = FIXED.flow, FIXED.vocoder
    with torch.inference_mode():
        past = Past.of(flow, 128, STEPS)
        names = [
            name
            for one in (FixedSolve(flow, past, 8, 128), FixedDecode(vocoder, 16))
            for name in Replayed(one.run).names
        ]
    assert len(names) > 100
    # A value that the host reads or makes, a size that depends on values, another device, randomness.
    refused = ("_local_scalar_dense", "lift_fresh", "nonzero", "_to_copy", "masked_select", "unique", "rand", "normal")
    assert [name for name in names if any(f"::{part}" in name for part in refused)] == []


def test_no_value_is_needed_by_the_host() -> None:
    with torch.inference_mode():
        flow, vocoder = random_flow(FlowConfig.from_dict(TINY)).to("meta"), random_hift(16, 8).to("meta")
        for one in (FixedSolve(flow, Past.of(flow, 128, STEPS), 8, 128), FixedDecode(vocoder, 16)):
            one.run()


def test_streams_in_several_threads_do_not_disturb_each_other() -> None:
    jobs = [(Prompt(k, 6 + 2 * k), ids(50, k)) for k in range(6)]
    together = threading.Barrier(6)

    def speak(job: tuple[Prompt, list[int]]) -> Any:
        together.wait()
        return streamed(FIXED, *job)

    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(speak, jobs))
    for (voice, tokens), sound in zip(jobs, made, strict=True):
        np.testing.assert_allclose(sound, streamed(ALONE, voice, tokens), atol=TOLERANCE)


def test_what_is_not_fixed_is_computed_as_usual() -> None:
    before = FIXED._make.made  # type: ignore[union-attr]
    long, tokens = Prompt(0, 90), ids(40)  # 180 frames are more than the largest past
    assert np.array_equal(streamed(FIXED, long, tokens), streamed(ALONE, long, tokens))
    short = Prompt(0, 6)
    assert np.array_equal(streamed(FIXED, short, tokens, steps=1), streamed(ALONE, short, tokens, steps=1))
    assert FIXED._make.made == before  # type: ignore[union-attr]


def test_a_state_is_not_changed_by_later_chunks() -> None:
    voice, tokens = Prompt(1, 6), ids(60)
    first = streamed(FIXED, voice, tokens)
    streamed(FIXED, Prompt(2, 6), ids(60, 5))
    assert np.array_equal(streamed(FIXED, voice, tokens), first)


def test_a_failure_leaves_the_usual_way(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    made = Token2Wav(random_flow(FlowConfig.from_dict(TINY)), random_hift(16, 8), steps=STEPS)
    chunks = FixedChunks(made.flow, made.vocoder, steps=STEPS, pasts=PASTS)

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(fixed, "FixedDecode", full)
    with caplog.at_level(logging.WARNING):
        assert not chunks.prepare()
    assert "without CUDA graphs" in caplog.text
    made._make = chunks
    assert np.array_equal(streamed(made, Prompt(0, 6), ids(40)), streamed(ALONE, Prompt(0, 6), ids(40)))


def test_half_precision_in_fixed_sizes_comes_near() -> None:
    made = Token2Wav(random_flow(FlowConfig.from_dict(TINY)).half(), random_hift(16, 8), steps=STEPS)
    usual = streamed(made, Prompt(0, 6), ids(60))
    chunks = FixedChunks(made.flow, made.vocoder, steps=STEPS, pasts=PASTS)
    assert chunks.prepare()
    made._make = chunks
    assert np.corrcoef(streamed(made, Prompt(0, 6), ids(60)), usual)[0, 1] > 0.999
