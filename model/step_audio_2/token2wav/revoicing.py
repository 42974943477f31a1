"""Voice conversion: speech becomes speech tokens, and these become sound in the voice of a timbre prompt."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.step_audio_2.token2wav.prompt_features import DECODER_RATE
from agentaudio.model.step_audio_2.token2wav.speech_tokenizer import SpeechTokenizer
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt
from agentaudio.sound.audio import Audio

Float = NDArray[np.float32]
Tokens = NDArray[np.int32]


class Utterance(Protocol):
    """A stream of `Token2Wav.stream`."""

    def feed(self, tokens: Tokens) -> Float:
        """Take the next tokens. Returns the sound that is now ready: (n,) float32, 24 kHz."""

    def finish(self) -> Float:
        """The rest of the sound."""


class Decoder(Protocol):
    """The part of `Token2Wav` that revoicing needs."""

    def synthesize(self, tokens: Tokens, prompt: TimbrePrompt, *, steps: int | None = None, seed: int = 0) -> Audio:
        """A whole utterance at 24 kHz."""

    def stream(self, prompt: TimbrePrompt, *, steps: int | None = None, seed: int = 0) -> Utterance:
        """An utterance whose tokens are still arriving."""


def revoice(
    token2wav: Decoder,
    tokenizer: SpeechTokenizer,
    audio: Audio,
    prompt: TimbrePrompt,
    *,
    steps: int | None = None,
    seed: int = 0,
) -> Audio:
    """Convert speech to another voice (zero-shot voice conversion).

    audio: speech of any rate and length; other sound becomes some kind of noise
    prompt: the voice
    steps, seed: as in `Token2Wav.synthesize`
    returns: 24 kHz, 40 ms for each begun 40 ms of input; a last piece below 10 ms is left out

    Words, pace and pauses are kept. Voice and recording conditions become those of the prompt.
    Intonation is kept as far as the tokens represent it.
    """
    return token2wav.synthesize(tokenizer.tokenize(audio), prompt, steps=steps, seed=seed)


class Revoicer:
    """Voice conversion of speech that arrives in pieces; the sound does not depend on how it is cut.

    The delay is at most 1.6 s (see `TokenStream`) plus a chunk of the decoder. Use it from one thread
    at a time; it may be abandoned at any time.
    """

    def __init__(
        self,
        token2wav: Decoder,
        tokenizer: SpeechTokenizer,
        prompt: TimbrePrompt,
        *,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        self._tokens = tokenizer.stream()
        self._speech = token2wav.stream(prompt, steps=steps, seed=seed)

    def feed(self, audio: Audio) -> Audio:
        """Take the next piece, of any rate. Returns the converted sound that is ready, 24 kHz, often none.

        Raises AudioError after `finish`.
        """
        return Audio(self._speech.feed(self._tokens.push(audio)), DECODER_RATE)

    def finish(self) -> Audio:
        """The rest of the converted sound. Raises AudioError when called twice."""
        rest = self._speech.feed(self._tokens.finish())
        return Audio(np.concatenate([rest, self._speech.finish()]), DECODER_RATE)
