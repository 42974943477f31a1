"""`KokoroVoices`: the voices that Kokoro speaks in, made once of each clip and kept."""

from __future__ import annotations

import numpy as np

from agentaudio.errors import VoiceError
from agentaudio.model.kokoro.demo_fits import demo_fits
from agentaudio.model.kokoro.fit import fit_weights
from agentaudio.model.kokoro.network import KokoroNetwork
from agentaudio.model.kokoro.spoken import SAMPLE_RATE_HZ
from agentaudio.model.kokoro.styles import stock_speakers, stock_styles
from agentaudio.model.kokoro.voice import (
    FittedStyle,
    FittedStyleFormat,
    KokoroVoice,
    stock_voice,
)
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.timbre import WorldTimbre, WorldTimbreMaker
from agentaudio.model.voice_states import VoiceStates
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

SAMPLE = "ðə bˈOt lˈɛft ðə hˈɑɹbəɹ ˈɜɹli, ænd sˈun wi sˈɔ ðə lˈIts ʌv ɐ smˈɔl tˈWn."
"""A sentence that a blend speaks once, to learn the statistics of its own voice."""


class StyleFitter:
    """Fits blends of stock styles to clips; see StateMaker. Thread-safe.

    network: speaks SAMPLE in each blend
    """

    model = "kokoro"
    version = "3"
    """Increase it whenever the same clip gives another FittedStyle."""

    def __init__(self, network: KokoroNetwork) -> None:
        self._network = network
        self._encoder = EmbeddedSpeakerEncoder()

    def make(self, voice: ReferenceVoice) -> FittedStyle:
        """The shipped fit of a demo voice, and a new one of another clip. Raises what `fit` raises."""
        return demo_fits().get(voice.clip.sha256) or self.fit(voice)

    def fit(self, voice: ReferenceVoice) -> FittedStyle:
        """Fit a blend to the clip, which takes a second or two.

        Raises VoiceError when the clip holds too little speech, or when no blend for it can speak.
        """
        target = self._encoder.encode(voice.clip)
        timbre = WorldTimbre(voice.clip)
        styles, speakers = stock_styles(), stock_speakers()
        is_chinese = styles.of("z")
        weights, chinese = np.zeros((2, len(styles.names)), np.float32)
        # English in a Chinese style is not understood: four in ten words are heard wrong.
        weights[~is_chinese] = fit_weights(speakers[~is_chinese], target)
        chinese[is_chinese] = fit_weights(speakers[is_chinese], target)
        natural = styles.natural_scale(weights)
        for scale in dict.fromkeys((natural, (natural + 1) / 2, 1.0)):
            sample = self._speak(SAMPLE, weights, scale)
            if sample is not None:
                break
        else:
            raise VoiceError(f"no blend of Kokoro's styles speaks like voice {voice.id!r}; choose another clip")
        # The styles were chosen by their formants, too: moved again, by averages, they go astray.
        source = timbre.source_of(sample, warps=False)
        return FittedStyle(voice.clip.sha256, weights, chinese, scale, source)

    def _speak(self, phonemes: str, weights: np.ndarray, scale: float) -> Audio | None:
        """What a blend makes of phonemes; None when that is broken."""
        style = stock_styles().blend(weights, scale)
        spoken = self._network.run(phonemes, style.row(len(phonemes)), 1.0)
        return None if spoken.is_broken() else Audio(spoken.trimmed(), SAMPLE_RATE_HZ)


class KokoroVoices:
    """The states of voices. Thread-safe.

    own: name of the stock style that speaks where no voice is given
    network: see StyleFitter

    Fitted styles are kept in memory and, where a voice permits it, in files; timbres in memory.
    Raises OptionError for an unknown style.
    """

    def __init__(self, own: str, network: KokoroNetwork) -> None:
        self._own = stock_voice(own)
        self._styles: VoiceStates[FittedStyle] = VoiceStates(StyleFitter(network), FittedStyleFormat())
        self._timbres: VoiceStates[WorldTimbre] = VoiceStates(WorldTimbreMaker())

    def get(self, voice: ReferenceVoice | None) -> KokoroVoice:
        """The state of a voice; None is the own style. The first time it takes a few seconds.

        Raises ConsentError when the voice may not be used, VoiceError for less than half a second of voiced speech,
        MissingExtra without the extra `embedded`.
        """
        if voice is None:
            return self._own
        timbre = self._timbres.get(voice)
        return self._styles.get(voice).voice(timbre)
