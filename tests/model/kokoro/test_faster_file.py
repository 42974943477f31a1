"""The faster graph of Kokoro is made once, kept, made again when damaged, and left out where it cannot be made."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.weights import weights_folder

from agentaudio.errors import BackendError
from agentaudio.model.kokoro.faster_file import has_dot_product
from agentaudio.model.kokoro.network import FILE, KokoroNetwork
from agentaudio.model.kokoro.rewriting_worker import difference_db
from agentaudio.model.kokoro.spoken import Spoken
from agentaudio.model.kokoro.styles import Style, stock_styles

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

SHORT = "wˈʌn mˈOmənt, plˈiz."


def weights_in(folder: Path) -> Path:
    """A new folder with the weights and nothing else."""
    folder.mkdir()
    (folder / FILE).symlink_to(weights_folder("kokoro") / FILE)
    return folder


@pytest.fixture
def kokoro(tmp_path: Path) -> Path:
    return weights_in(tmp_path / "kokoro")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Spoken]:
    """A folder with the weights and the faster graph, made once because it takes 10 s, and what was spoken then."""
    pytest.importorskip("onnx", reason="the extra embedded is not installed")
    folder = weights_in(tmp_path_factory.mktemp("made") / "kokoro")
    return folder, spoken(folder)


def spoken(folder: Path, phonemes: str = SHORT, style: Style | None = None) -> Spoken:
    style = style or stock_styles().style("af_heart")
    return KokoroNetwork(folder).run(phonemes, style.row(len(phonemes)), 1.0)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.fast-*.onnx"))


@pytest.fixture
def without_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "onnx.py").write_text("raise ImportError('not installed')")
    monkeypatch.syspath_prepend(tmp_path / "missing")


@pytest.mark.parametrize(
    ("machine", "flags", "exact"),
    [
        ("x86_64", "sse4_2 avx2 avx512f", False),
        ("x86_64", "sse4_2 avx2 avx512f avx512_vnni", True),
        ("AMD64", "avx2 avx_vnni", True),
        ("x86_64", "", False),
        ("aarch64", "", True),
    ],
)
def test_weights_are_signed_only_where_the_processor_multiplies_them_exactly(
    machine: str, flags: str, exact: bool
) -> None:
    assert has_dot_product(machine, f"processor : 0\nflags\t\t: fpu {flags}\n") is exact


def test_sounds_are_compared_by_their_spectra() -> None:
    chance = np.random.default_rng(0)
    sound = chance.standard_normal(24_000).astype(np.float32)
    assert difference_db(sound, sound) == 0
    assert difference_db(sound, sound * np.float32(0.5)) == pytest.approx(6.02, abs=0.1)
    assert difference_db(sound, sound[:-600]) == float("inf")
    assert difference_db(sound, np.full_like(sound, np.nan)) == float("inf")


def test_missing_weights_are_named_as_before(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"kokoro-v1\.0\.int8\.onnx is missing"):
        spoken(tmp_path)


@pytest.mark.neural
def test_the_faster_graph_speaks_as_the_source_does(
    made: tuple[Path, Spoken], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = made
    styles = stock_styles()
    weights = np.zeros(len(styles.names), np.float32)
    weights[[3, 17, 30]] = 0.5, 0.3, 0.2
    cases = [
        ("ðə bˈOt lˈɛft ðə hˈɑɹbəɹ ˈɜɹli, ænd sˈun wi sˈɔ ðə lˈIts.", styles.style("am_michael")),
        ("ʃi sˈɛlz fɹˈɛʃ fˈɪʃ bI ðə sˈi ʃˈɔɹ.", styles.style("bf_emma")),
        ("ˈIts twˈɛnti wˈʌn mˈɪnəts pˈæst nˈIn.", styles.blend(weights, 1.8)),
        ("nˈO.", styles.style("zf_xiaobei")),
    ]
    faster = [spoken(folder, phonemes, style) for phonemes, style in cases]
    assert len(kept(folder)) == 1
    other = weights_in(tmp_path / "source")
    without = tmp_path / "missing"
    without.mkdir()
    (without / "onnx.py").write_text("raise ImportError('not installed')")
    monkeypatch.syspath_prepend(without)
    for (phonemes, style), found in zip(cases, faster, strict=True):
        wanted = spoken(other, phonemes, style)
        assert np.array_equal(wanted.frames, found.frames)
        assert difference_db(wanted.samples, found.samples) < 2
        assert _level(found.samples) == pytest.approx(_level(wanted.samples), abs=0.5)
    assert kept(other) == []


def _level(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(samples))))


@pytest.mark.neural
def test_the_faster_graph_is_made_once_and_again_when_damaged(
    made: tuple[Path, Spoken], kokoro: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, first = made
    file = kokoro / kept(folder)[0].name
    shutil.copy2(kept(folder)[0], file)
    changed = file.stat().st_mtime_ns
    assert np.array_equal(spoken(kokoro).samples, first.samples)
    assert file.stat().st_mtime_ns == changed
    os.truncate(file, 1_000_000)
    assert np.array_equal(spoken(kokoro).samples, first.samples)
    assert kept(kokoro) == [file]
    assert file.stat().st_size > 50_000_000
    assert sorted(path.name for path in kokoro.iterdir()) == sorted([FILE, file.name])
    assert not caplog.records


@pytest.mark.neural
def test_a_folder_that_cannot_be_written_gets_a_temporary_graph(
    made: tuple[Path, Spoken], kokoro: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, first = made
    file = kokoro / kept(folder)[0].name
    file.mkdir()  # a folder in the place of the file: the rename fails, also for the superuser
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(spoken(kokoro).samples, first.samples)
    assert "made at every start" in caplog.text
    assert sorted(path.name for path in kokoro.iterdir()) == sorted([FILE, file.name])


@pytest.mark.neural
@pytest.mark.usefixtures("without_onnx")
def test_without_the_package_onnx_the_source_speaks(kokoro: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not spoken(kokoro).is_broken()
    assert "pip install 'agentaudio[embedded]'" in caplog.text
    assert kept(kokoro) == []
