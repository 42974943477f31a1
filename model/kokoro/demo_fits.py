"""The fitted styles of the demo voices, shipped so that a change to one of them need not wait for a fit."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from agentaudio.errors import VoiceError
from agentaudio.files import write_atomically
from agentaudio.model.kokoro.voice import FittedStyle, source_from, source_numbers

FITS = Path(__file__).parent / "assets" / "demo_fits.npz"


def write_fits(fits: Sequence[FittedStyle], version: str, path: Path) -> None:
    """Write the fits of several clips to one file.

    version: of the StyleFitter that made them

    Raises VoiceError when the file cannot be written.
    """
    content = io.BytesIO()
    np.savez_compressed(
        content,
        version=version,
        clips=np.array([fit.clip_sha256 for fit in fits]),
        weights=np.stack([fit.weights for fit in fits]),
        chinese_weights=np.stack([fit.chinese_weights for fit in fits]),
        scales=np.array([fit.scale for fit in fits]),
        sources=np.stack([source_numbers(fit.source) for fit in fits]),
    )
    write_atomically(path, content.getvalue(), error=VoiceError)


@functools.cache
def demo_fits() -> Mapping[str, FittedStyle]:
    """The shipped fits, by the sha256 of the clip; scripts/fit_demo_voices.py makes them."""
    return read_fits(FITS)[1]


def read_fits(path: Path) -> tuple[str, dict[str, FittedStyle]]:
    """The version, and the fits by the sha256 of the clip, of a file that `write_fits` made."""
    with np.load(path, allow_pickle=False) as kept:
        columns = [kept[name] for name in ("clips", "weights", "chinese_weights", "scales", "sources")]
        version = str(kept["version"])
    fits = (
        FittedStyle(str(clip), weights, chinese, float(scale), source_from(source))
        for clip, weights, chinese, scale, source in zip(*columns, strict=True)
    )
    return version, {fit.clip_sha256: fit for fit in fits}
