"""Blends of stock styles: fitted to a speaker, kept in a file, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.examples import share

from agentaudio.errors import OptionError, VoiceError
from agentaudio.model.kokoro.fit import fit_weights
from agentaudio.model.kokoro.styles import LARGEST_SCALE, SOUND, stock_speakers, stock_styles
from agentaudio.model.kokoro.voice import FittedStyle, FittedStyleFormat, stock_voice
from agentaudio.model.timbre import CEPSTRUM, SourceVoice

Floats = NDArray[np.float32]


def unit(vector: Floats) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@settings(max_examples=share(20), deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_fit_is_at_least_as_near_as_the_nearest_speaker(seed: int) -> None:
    random = np.random.default_rng(seed)
    speakers = np.stack([unit(random.random(32).astype(np.float32)) for _ in range(10)])
    target = unit(random.random(32).astype(np.float32))
    weights = fit_weights(speakers, target)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1, abs=1e-4)
    assert unit(weights @ speakers) @ target >= (speakers @ target).max() - 1e-3


def test_a_mixture_of_two_speakers_is_found_again() -> None:
    speakers = stock_speakers()
    weights = fit_weights(speakers, unit(0.5 * speakers[3] + 0.5 * speakers[12]))
    assert weights[[3, 12]].sum() > 0.6
    assert unit(weights @ speakers) @ unit(speakers[3] + speakers[12]) > 0.99


def test_a_blend_of_one_style_is_that_style_and_a_larger_scale_moves_its_sound_from_the_mean_but_not_its_prosody() -> (
    None
):
    styles = stock_styles()
    alone = np.eye(len(styles.names), dtype=np.float32)[5]
    np.testing.assert_allclose(styles.blend(alone, 1.0).rows, styles.style(styles.names[5]).rows, atol=1e-5)
    middle = styles.tables.mean(0)
    near, far = (styles.blend(alone, scale).rows - middle for scale in (1.0, 1.8))
    np.testing.assert_allclose(far[:, :SOUND], 1.8 * near[:, :SOUND], atol=1e-5)
    np.testing.assert_allclose(far[:, SOUND:], near[:, SOUND:], atol=1e-5)


def test_a_blend_of_many_is_made_as_distinctive_as_a_style_and_a_style_is_not_made_a_caricature() -> None:
    styles = stock_styles()
    count = len(styles.names)
    each = [styles.natural_scale(one) for one in np.eye(count, dtype=np.float32)]
    assert min(each) == 1.0 and np.median(each) < 1.05 and max(each) < LARGEST_SCALE
    assert styles.natural_scale(np.full(count, 1 / count, np.float32)) == LARGEST_SCALE
    middle = styles.tables.mean(0)[:, :SOUND]
    usual = np.median([np.linalg.norm(table[:, :SOUND] - middle) for table in styles.tables])
    two = np.zeros(count, np.float32)
    two[[0, 1]] = 0.5
    assert 1.0 < (scale := styles.natural_scale(two)) < LARGEST_SCALE
    assert np.linalg.norm(styles.blend(two, scale).rows[:, :SOUND] - middle) == pytest.approx(usual, rel=1e-3)


def test_rows_are_interpolated_between_the_kept_lengths() -> None:
    style = stock_styles().style("af_heart")
    low, high = style.lengths[3], style.lengths[4]
    np.testing.assert_allclose(style.row(int(low)), style.rows[3])
    middle = style.row(int((low + high) // 2))
    assert (np.minimum(style.rows[3], style.rows[4]) - 1e-6 <= middle).all()
    np.testing.assert_allclose(style.row(1), style.rows[0])
    np.testing.assert_allclose(style.row(2000), style.rows[-1])


def test_all_stock_styles_are_shipped() -> None:
    styles = stock_styles()
    assert len(styles.names) == len(stock_speakers()) == 54 and styles.tables.shape == (54, 16, 256)
    assert stock_voice("bf_emma").is_british and not stock_voice("af_heart").is_british
    with pytest.raises(OptionError, match="no style 'heart'"):
        stock_voice("heart")


def fitted() -> FittedStyle:
    count = len(stock_styles().names)
    random = np.random.default_rng(1)
    source = SourceVoice(1.05, random.random(CEPSTRUM), random.random(CEPSTRUM) + 0.1, 4.8, 0.2)
    weights = random.dirichlet(np.ones(count)).astype(np.float32)
    return FittedStyle("ab" * 32, weights, weights[::-1].copy(), 1.8, source)


def test_a_fitted_style_is_the_same_after_it_was_kept(tmp_path: Path) -> None:
    files, style = FittedStyleFormat(), fitted()
    path = tmp_path / "prompts" / "style.npz"
    files.write(style, path)
    again = files.read(path, clip_sha256="ab" * 32, version="1")
    assert (again.clip_sha256, again.scale) == (style.clip_sha256, style.scale)
    np.testing.assert_array_equal(again.weights, style.weights)
    np.testing.assert_array_equal(again.chinese_weights, style.chinese_weights)
    np.testing.assert_array_equal(again.source.mean, style.source.mean)
    assert (again.source.warp, again.source.log_f0_mean) == (1.05, 4.8)
    assert path.stat().st_size < 5_000


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    files, path = FittedStyleFormat(), tmp_path / "style.npz"
    files.write(fitted(), path)
    with pytest.raises(VoiceError, match="another clip"):
        files.read(path, clip_sha256="cd" * 32, version="1")
    content = path.read_bytes()
    for cut in range(0, len(content), 97):
        path.write_bytes(content[:cut])
        with pytest.raises(VoiceError, match="damaged"):
            files.read(path, clip_sha256="ab" * 32, version="1")
