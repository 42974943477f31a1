"""The fits of the demo voices are shipped, so that the demo need not wait for one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.weights import weights_folder

from agentaudio.demo.run import questions_folder
from agentaudio.model.kokoro.demo_fits import FITS, demo_fits, read_fits, write_fits
from agentaudio.model.kokoro.network import FILE, KokoroNetwork
from agentaudio.model.kokoro.styles import stock_styles
from agentaudio.model.kokoro.voices import StyleFitter
from agentaudio.voice_library.library import demo_voices

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

AGAIN = "run scripts/fit_demo_voices.py"


def asked_for() -> list[str]:
    """The voices that the recorded questions of the demo ask for."""
    questions = json.loads((questions_folder() / "questions.json").read_text(encoding="utf-8"))
    return [question["expects"]["voice"] for question in questions if "voice" in question["expects"]]


def test_the_voices_of_the_demo_are_shipped_fitted() -> None:
    assert read_fits(FITS)[0] == StyleFitter.version, AGAIN
    for name in asked_for():
        fit = demo_fits()[demo_voices().get(name).clip.sha256]
        assert fit.weights.shape == fit.chinese_weights.shape == (len(stock_styles().names),), AGAIN
        assert fit.weights.sum() == pytest.approx(1, abs=1e-4)


def test_a_shipped_voice_is_prepared_without_weights(tmp_path: Path) -> None:
    fitter = StyleFitter(KokoroNetwork(tmp_path))
    voice = demo_voices().get(asked_for()[0])
    assert fitter.make(voice) is demo_fits()[voice.clip.sha256]


def test_fits_are_read_as_they_were_written(tmp_path: Path) -> None:
    wanted = list(demo_fits().values())[:3]
    write_fits(wanted, "7", tmp_path / "fits.npz")
    version, found = read_fits(tmp_path / "fits.npz")
    assert version == "7"
    for fit in wanted:
        again = found[fit.clip_sha256]
        assert np.array_equal(again.weights, fit.weights) and np.array_equal(again.chinese_weights, fit.chinese_weights)
        assert again.scale == fit.scale
        assert np.array_equal(again.source.mean, fit.source.mean)
        assert (again.source.warp, again.source.log_f0_mean) == (fit.source.warp, fit.source.log_f0_mean)


@pytest.mark.neural
def test_a_shipped_fit_is_what_the_fitter_makes() -> None:
    pytest.importorskip("pyworld", reason="the extra embedded is not installed")
    folder = weights_folder("kokoro")
    assert (folder / FILE).is_file()
    voice = demo_voices().get(asked_for()[0])
    shipped, made = demo_fits()[voice.clip.sha256], StyleFitter(KokoroNetwork(folder)).fit(voice)
    np.testing.assert_allclose(made.weights, shipped.weights, atol=1e-3)
    assert made.scale == pytest.approx(shipped.scale, abs=1e-3)
    np.testing.assert_allclose(made.source.mean, shipped.source.mean, atol=0.3)
