"""Sound that is worked on while it arrives: the answer is the same, and what was computed is not computed again."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.step_audio_2_answers import answer, asked, noise  # noqa: E402
from support.step_audio_2_tiny import count_encodings  # noqa: E402

from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.model.speech_lm import HearsAhead, that_hears_ahead  # noqa: E402
from agentaudio.model.step_audio_2.decoding import hearing_ahead  # noqa: E402
from agentaudio.model.step_audio_2.decoding.hearing_ahead import ArrivingSound, HeardAhead  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402
from agentaudio.model.step_audio_2.network import features as front_end  # noqa: E402
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, features  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402
from agentaudio.sound.mel import mel_decades  # noqa: E402


def said(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def arrived(ahead: HeardAhead, wave: np.ndarray, cuts: list[int], rate: int = 16_000) -> ArrivingSound:
    sound = ahead.begin(rate)
    for part in np.split(wave, sorted(cut % (len(wave) + 1) for cut in cuts)):
        sound.push(part)
    return sound


@given(
    st.integers(1, 3000),
    st.integers(-2500, 2500),
    st.lists(st.integers(0, 10_000), max_size=6),
    st.sampled_from([16_000, 8_000, 44_100]),
    st.sampled_from(["same", "other end", "other sound"]),
)
def test_features_do_not_depend_on_what_arrived(
    samples: int, later: int, cuts: list[int], rate: int, kind: str
) -> None:
    """later: samples that arrived after the end of the sound, or, below 0, that had not arrived yet"""
    wave = said(6000, seed=samples)
    ahead = HeardAhead(None)
    arrived(ahead, wave[: max(0, samples + later)], cuts, rate)
    sound = wave[:samples].copy()
    if kind != "same":
        sound[len(sound) // 2 if kind == "other end" else 0 :] += 0.01
    pieces = ahead.pieces(Audio(sound, rate))
    for piece, expected in zip(pieces, features(Audio(sound, rate)), strict=True):
        np.testing.assert_allclose(piece.mel, expected, atol=1e-6)


@settings(max_examples=20)
@given(
    st.lists(st.integers(0, 5000), max_size=6),
    st.sampled_from([-1, 0, 1, 200, 3000]),
    st.sampled_from([-400, -1, 0, 1, 400]),
)
def test_sound_of_several_pieces_is_cut_as_the_whole(cuts: list[int], longer: int, later: int) -> None:
    with pytest.MonkeyPatch.context() as patch:  # pieces of 25 s would take long
        for module in (front_end, hearing_ahead):
            patch.setattr(module, "PIECE_SAMPLES", 2000)
        encoded: list[int] = []
        ahead = HeardAhead(lambda mel: encoded.append(mel.shape[1]) or torch.zeros(1, 1))  # type: ignore[func-returns-value]
        wave = said(9000)
        arrived(ahead, wave[: 4000 + longer + later], cuts)
        whole = Audio(wave[: 4000 + longer], 16_000)
        pieces = ahead.pieces(whole)
        for piece, expected in zip(pieces, features(whole), strict=True):
            np.testing.assert_allclose(piece.mel, expected, atol=1e-6)
        assert len(encoded) == (4000 + longer + later) // 2000
        same = min(4000 + longer, 4000 + longer + later)
        assert [piece.rows is not None for piece in pieces] == [
            same >= 2000 * (number + 1) for number in range(len(pieces))
        ]


def test_only_the_end_is_transformed_when_the_sound_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = said(48_000)
    ahead = HeardAhead(None)
    arrived(ahead, wave, list(range(0, 48_000, 320)))
    frames: list[int] = []
    original = mel_decades
    monkeypatch.setattr(front_end, "mel_decades", lambda part, *rest: frames.append(len(part)) or original(part, *rest))  # type: ignore[func-returns-value]
    ahead.pieces(Audio(wave[:47_000], 16_000))
    assert sum(frames) <= 5


async def parts(audio: Audio, step: int = 3200, then: asyncio.Event | None = None) -> AsyncIterator[Audio]:
    for start in range(0, len(audio), step):
        yield Audio(audio.samples[start : start + step], audio.sample_rate)
    if then is not None:
        await then.wait()


async def heard_ahead(model: StepAudio2, audio: Audio) -> tuple[asyncio.Task[None], asyncio.Event]:
    """A task that has heard all of the sound and waits for the event."""
    over = asyncio.Event()
    task = asyncio.create_task(model.hear_ahead(parts(audio, then=over)))
    sounds = model._open().ahead
    while not (sounds._arriving and sounds._arriving[0].same_as(audio.samples) == len(audio)):
        assert not task.done()
        await asyncio.sleep(0.01)
    return task, over


@pytest.mark.parametrize("seconds", [2.0, 26.0])
async def test_an_answer_is_the_same_and_whole_pieces_are_not_encoded_again(model: StepAudio2, seconds: float) -> None:
    assert isinstance(model, HearsAhead) and that_hears_ahead(model) is model
    question = noise(3, seconds)
    expected = await answer(model, asked(question))
    model._kept.clear()
    task, over = await heard_ahead(model, question)
    while len(model._open().ahead._arriving[0]._whole) < seconds // 25:
        await asyncio.sleep(0.01)
    batches = count_encodings(model._weights.model)  # type: ignore[union-attr]
    assert await answer(model, asked(question)) == expected
    assert sum(batches) == 1  # the last piece
    over.set()
    await task
    assert not model._open().ahead._arriving


async def test_nothing_is_kept_of_a_sound_that_is_given_up(model: StepAudio2) -> None:
    task, _ = await heard_ahead(model, noise(3, 1.0))
    freed = weakref.ref(model._open().ahead._arriving[0])
    task.cancel()
    await asyncio.wait([task])
    del task
    await asyncio.sleep(0.05)  # the thread that took the last part forgets it
    gc.collect()
    assert freed() is None and not model._open().ahead._arriving


async def test_a_closed_model_hears_nothing(model: StepAudio2) -> None:
    await model.aclose()
    with pytest.raises(BackendError, match="was closed"):
        await model.hear_ahead(parts(noise()))


def test_a_piece_has_the_size_that_the_encoder_takes() -> None:
    ahead = HeardAhead(lambda mel: torch.full((1, 1), float(mel.shape[1])))
    arrived(ahead, said(PIECE_SAMPLES), [])
    (piece,) = ahead.pieces(Audio(said(PIECE_SAMPLES), 16_000))
    assert piece.rows is not None and piece.rows.item() == 2502 == piece.mel.shape[1]
