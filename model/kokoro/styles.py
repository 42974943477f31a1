"""`Styles`: Kokoro's stock styles, thinned, and blends of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import OptionError, did_you_mean

Floats = NDArray[np.float32]

TABLES = Path(__file__).parent / "assets" / "styles.npz"
SPEAKERS = Path(__file__).parent / "assets" / "speakers.npy"

LANGUAGES = {
    "a": "en-US", "b": "en-GB", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt-BR", "z": "zh",
}  # fmt: skip
"""The language of a stock style, by the first letter of its name; the second is f or m, for a woman or a man."""

SOUND = 128
"""Numbers of a style, the first ones, of which the decoder makes the sound of a voice. The others shape its prosody."""

LARGEST_SCALE = 1.8
"""Of a blend: beyond it, words are lost."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a voice sounds, for phrases of every length.

    lengths: (rows,) symbols of a phrase, rising
    rows: (rows, 256) float32, the style for each of these lengths
    """

    lengths: NDArray[np.int64]
    rows: Floats

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes

    def row(self, symbols: int) -> Floats:
        """(256,) float32: the style of a phrase, interpolated between the two nearest lengths."""
        place = float(np.interp(symbols, self.lengths, np.arange(len(self.lengths))))
        low = int(place)
        high = min(low + 1, len(self.rows) - 1)
        return np.asarray(self.rows[low] + (place - low) * (self.rows[high] - self.rows[low]), np.float32)


@dataclass(frozen=True, slots=True)
class Styles:
    """The stock styles.

    names: such as af_heart, in order
    lengths: (rows,) of the rows kept of each table of 510
    tables: (styles, rows, 256) float32
    """

    names: tuple[str, ...]
    lengths: NDArray[np.int64]
    tables: Floats

    def style(self, name: str) -> Style:
        """Raises OptionError for an unknown name."""
        if name not in self.names:
            raise OptionError(f"Kokoro has no style {name!r}; {did_you_mean(name, self.names)}")
        return Style(self.lengths, self.tables[self.names.index(name)])

    def blend(self, weights: Floats, scale: float) -> Style:
        """The weighted mean of the styles, its sound `scale` times as far from that of the mean style.

        weights: (styles,), not negative, with the sum 1
        scale: 1 is the weighted mean itself; more makes it more distinctive
        """
        blended = np.tensordot(weights, self.tables, 1)
        # Durations and melody stay as they are: they tell less of who speaks than of how clearly.
        blended[:, :SOUND] = self._middle + scale * (blended[:, :SOUND] - self._middle)
        return Style(self.lengths, np.asarray(blended, np.float32))

    def natural_scale(self, weights: Floats) -> float:
        """The scale, 1 to LARGEST_SCALE, at which a blend is as distinctive as stock styles are.

        The mean of many styles is near to the mean of all and sounds like nobody; one style, scaled, is a caricature.

        weights: as in `blend`
        """
        blended = np.tensordot(weights, self.tables, 1)[:, :SOUND]
        usual = np.median(np.linalg.norm(self.tables[:, :, :SOUND] - self._middle, axis=(1, 2)))
        distance = float(np.linalg.norm(blended - self._middle))
        return min(LARGEST_SCALE, max(1.0, float(usual) / max(distance, 1e-6)))

    @property
    def _middle(self) -> Floats:
        """(rows, SOUND) float32: the sound of the mean style."""
        return np.asarray(self.tables[:, :, :SOUND].mean(0), np.float32)

    def of(self, letters: str) -> NDArray[np.bool_]:
        """(styles,) bool: those whose name starts with one of `letters`, which stand for LANGUAGES."""
        return np.array([name[0] in letters for name in self.names])


@functools.cache
def stock_styles() -> Styles:
    """The styles that agentaudio ships; see assets/NOTICE."""
    with np.load(TABLES, allow_pickle=False) as kept:
        names, lengths, tables = kept["names"], kept["lengths"], kept["tables"]
    return Styles(tuple(map(str, names)), np.asarray(lengths, np.int64), np.asarray(tables, np.float32))


@functools.cache
def stock_speakers() -> Floats:
    """(styles, 256) float32 of unit length: the speaker embedding of each stock style's speech.

    Of the encoder that agentaudio ships; scripts/make_kokoro_styles.py makes them.
    """
    speakers = np.asarray(np.load(SPEAKERS, allow_pickle=False), np.float32)
    return np.asarray(speakers / np.linalg.norm(speakers, axis=1, keepdims=True), np.float32)
