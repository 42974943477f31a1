"""`KokoroVoice`: what Kokoro speaks in, a stock style or a blend moved towards a reference voice."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError
from agentaudio.files import write_atomically
from agentaudio.model.kokoro.styles import Style, stock_styles
from agentaudio.model.timbre import SourceVoice, WorldTimbre
from agentaudio.sound.audio import Audio

Floats = NDArray[np.float32]

CHINESE = {"f": "zf_xiaobei", "m": "zm_yunjian"}
"""The stock style that speaks Chinese for a stock style of another language, by its second letter."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """The speaker of one language in a voice: its style, and how its sound is moved to the reference.

    source: statistics of the style's own voice; None takes them from each phrase
    """

    style: Style
    source: SourceVoice | None = None


@dataclass(frozen=True, slots=True)
class KokoroVoice:
    """A state of KokoroSynthesiser; immutable.

    english, chinese: who speaks which language
    is_british: whether English is pronounced the British way
    timbre: of the reference voice; None for a stock style
    """

    english: Speaker
    chinese: Speaker
    is_british: bool
    timbre: WorldTimbre | None = None

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""
        return self.english.style.nbytes + self.chinese.style.nbytes + (self.timbre.nbytes if self.timbre else 0)

    def speaker(self, language: str) -> Speaker:
        return self.chinese if language == "zh" else self.english

    def moved(self, speech: Audio, language: str) -> Audio:
        """Speech of this voice's style, moved towards the reference; unchanged in a stock style."""
        if self.timbre is None:
            return speech
        return self.timbre.apply(speech, self.speaker(language).source)


@dataclass(frozen=True, slots=True)
class FittedStyle:
    """The blend of stock styles that was fitted to a clip, for each language.

    clip_sha256: of the clip
    weights, chinese_weights: (styles,) float32
    scale: see Styles.blend
    source: statistics of the English blend's own voice
    """

    clip_sha256: str
    weights: Floats
    chinese_weights: Floats
    scale: float
    source: SourceVoice

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""
        return self.weights.nbytes + self.chinese_weights.nbytes + 2 * self.source.mean.nbytes

    def voice(self, timbre: WorldTimbre) -> KokoroVoice:
        styles = stock_styles()
        return KokoroVoice(
            Speaker(styles.blend(self.weights, self.scale), self.source),
            Speaker(styles.blend(self.chinese_weights, 1.0)),
            bool(self.weights[styles.of("b")].sum() > 0.5),
            timbre,
        )


def stock_voice(name: str) -> KokoroVoice:
    """A stock style as it is. Raises OptionError for an unknown name."""
    styles = stock_styles()
    style = styles.style(name)
    chinese = style if name[0] == "z" else styles.style(CHINESE[name[1]])
    return KokoroVoice(Speaker(style), Speaker(chinese), name[0] == "b")


class FittedStyleFormat:
    """Files of FittedStyle, about 2 kB: NumPy's npz without pickled objects. See StateFormat."""

    suffix = ".npz"

    def write(self, state: FittedStyle, path: Path) -> None:
        """Raises VoiceError when the file cannot be written."""
        content = io.BytesIO()
        np.savez(
            content,
            clip_sha256=state.clip_sha256,
            weights=state.weights,
            chinese_weights=state.chinese_weights,
            scale=state.scale,
            source=source_numbers(state.source),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue(), error=VoiceError)

    def read(self, path: Path, *, clip_sha256: str, version: str) -> FittedStyle:
        """Raises VoiceError when the file is damaged, of another clip, or of other styles."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
                state = FittedStyle(
                    str(kept["clip_sha256"]),
                    np.asarray(kept["weights"], np.float32),
                    np.asarray(kept["chinese_weights"], np.float32),
                    float(kept["scale"]),
                    source_from(kept["source"]),
                )
        except Exception as error:  # a damaged file raises errors of zipfile, zlib, NumPy and the like
            raise VoiceError(f"the fitted style {path} is damaged ({error!r})") from None
        numbers = (state.weights, state.chinese_weights, source_numbers(state.source))
        if state.clip_sha256 != clip_sha256:
            raise VoiceError(f"the fitted style {path} belongs to another clip")
        if state.weights.shape != state.chinese_weights.shape or len(state.weights) != len(stock_styles().names):
            raise VoiceError(f"the fitted style {path} has {len(state.weights)} weights; it was made of other styles")
        if not all(np.isfinite(one).all() for one in numbers) or not np.isfinite(state.scale):
            raise VoiceError(f"the fitted style {path} holds numbers that are not finite")
        return state


def source_numbers(source: SourceVoice) -> NDArray[np.float64]:
    """(3 + 2 CEPSTRUM,) float64, for a file."""
    return np.concatenate([[source.warp, source.log_f0_mean, source.log_f0_deviation], source.mean, source.deviation])


def source_from(numbers: NDArray[np.float64]) -> SourceVoice:
    """The statistics of which `source_numbers` made these."""
    values = np.asarray(numbers, np.float64)
    mean, deviation = values[3:].reshape(2, -1)
    return SourceVoice(float(values[0]), mean, deviation, float(values[1]), float(values[2]))
