"""Any speech in any voice: what was said becomes speech tokens, and those are spoken in a timbre prompt."""

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
    """Speech on its way out, as `Token2Wav.stream` begins it."""

    def feed(self, tokens: Tokens) -> Float:
        """More tokens; gives the sound that is ready: (n,) float32, 24 kHz."""

    def finish(self) -> Float:
        """The rest of the sound."""


class Decoder(Protocol):
    """What revoicing needs of a `Token2Wav`."""

    def synthesize(self, tokens: Tokens, prompt: TimbrePrompt, *, steps: int | None = None, seed: int = 0) -> Audio:
        """A whole utterance at 24 kHz."""

    def stream(self, prompt: TimbrePrompt, *, steps: int | None = None, seed: int = 0) -> Utterance:
        """An utterance whose tokens are still to come."""


def revoice(
    token2wav: Decoder,
    tokenizer: SpeechTokenizer,
    audio: Audio,
    prompt: TimbrePrompt,
    *,
    steps: int | None = None,
    seed: int = 0,
) -> Audio:
    """The same words in another voice (zero-shot voice conversion).

    audio: speech of any rate and length; what is no speech comes out as noise of some kind
    prompt: the voice to say it in
    steps, seed: as in `Token2Wav.synthesize`
    returns: 24 kHz, 40 ms for each 40 ms begun (a last piece below 10 ms is left out); empty for none

    Words, pace and pauses stay; voice and recording become the prompt's. Intonation stays only as far
    as the tokens carry it.
    """
    return token2wav.synthesize(tokenizer.tokenize(audio), prompt, steps=steps, seed=seed)


class Revoicer:
    """Revoicing while the speech is still arriving; however it is cut, the sound is the same.

    Sound comes at the latest 1.6 s (see `TokenStream`) and a chunk of the decoder after it was fed.
    It belongs to one stream: not thread-safe. It may be dropped at any time.
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
        """Take a piece more, of any rate. Gives the revoiced sound that is ready, at 24 kHz; often none."""
        return Audio(self._speech.feed(self._tokens.push(audio)), DECODER_RATE)

    def finish(self) -> Audio:
        """The rest of the revoiced sound. Nothing may be fed afterwards."""
        rest = self._speech.feed(self._tokens.finish())
        return Audio(np.concatenate([rest, self._speech.finish()]), DECODER_RATE)
