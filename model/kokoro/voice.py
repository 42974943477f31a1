"""`KokoroVoice`: what Kokoro speaks in, a stock style or a blend moved towards a reference voice."""

from __future__ import annotations

from dataclasses import dataclass

from agentaudio.model.kokoro.styles import Style, stock_styles
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.timbre import OwnTimbre, TimbreTransfer


@dataclass(frozen=True, slots=True)
class KokoroVoice:
    """A state of KokoroSynthesiser; immutable.

    style: of English phrases
    chinese: style of Chinese phrases
    is_british: whether English is pronounced the British way
    timbre: moves the sound towards the reference voice
    """

    style: Style
    chinese: Style
    is_british: bool
    timbre: TimbreTransfer

    @property
    def nbytes(self) -> int:
        return self.style.nbytes + self.chinese.nbytes + self.timbre.nbytes

    def style_for(self, language: str) -> Style:
        return self.chinese if language == "zh" else self.style


CHINESE = {"f": "zf_xiaobei", "m": "zm_yunjian"}
"""The stock style that speaks Chinese for a stock style of another language, by its second letter."""


class KokoroVoices:
    """The states of voices. Thread-safe.

    own: name of the stock style that speaks where no voice is given

    Raises OptionError for an unknown style.
    """

    def __init__(self, own: str) -> None:
        self._own = stock_voice(own)

    def get(self, voice: ReferenceVoice | None) -> KokoroVoice:
        return self._own


def stock_voice(name: str) -> KokoroVoice:
    """A stock style as it is. Raises OptionError for an unknown name."""
    styles = stock_styles()
    style = styles.style(name)
    chinese = style if name[0] == "z" else styles.style(CHINESE[name[1]])
    return KokoroVoice(style, chinese, name[0] == "b", OwnTimbre())
