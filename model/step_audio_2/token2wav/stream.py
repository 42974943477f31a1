"""`SpeechStream`: speech tokens in, as they come; sound out, as soon as there is some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import BackendError, MissingExtra, OptionError

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.config import TOKEN_FRAMES
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState
from agentaudio.model.step_audio_2.token2wav.hift import HiFT
from agentaudio.model.step_audio_2.token2wav.noise import Noise
from agentaudio.model.step_audio_2.token2wav.wave_stream import OVERLAP_FRAMES, WaveStream

CHUNK = 25
"""Tokens that are spoken at once when a stream is under way: 1 s."""
FIRST_CHUNK = 10
_GROWTH = 5

RECENT_FRAMES = 100
RECENT_TOKENS = 500
"""What is remembered beside the prompt: 2 s of frames in the estimator, 20 s of tokens in the encoder."""


class Prompt(Protocol):
    """What the decoder reads of a `TimbrePrompt`; see there."""

    @property
    def tokens(self) -> NDArray[np.int32]: ...
    @property
    def embedding(self) -> NDArray[np.float32]: ...
    @property
    def mel(self) -> NDArray[np.float32]: ...
    @property
    def content_hash(self) -> str: ...


def speech_tokens(tokens: ArrayLike, vocabulary: int) -> tuple[NDArray[np.int64], int]:
    """The ids that can be spoken, and how many of the others there were.

    tokens: whole numbers, one or a flat sequence; those below 0 or past the vocabulary are left
        out, as the language model pads its speech with such

    Raises BackendError for anything that is no flat sequence of whole numbers.
    """
    try:
        ids = np.atleast_1d(np.asarray(tokens))
    except (ValueError, TypeError, OverflowError):
        ids = np.empty((1, 1))
    if ids.ndim != 1 or (len(ids) and ids.dtype.kind not in "iu"):
        raise BackendError(f"{str(tokens)[:60]!r} are no speech tokens; give whole numbers from 0 to {vocabulary - 1}")
    kept = ids[(ids >= 0) & (ids < vocabulary)].astype(np.int64)
    return kept, len(ids) - len(kept)


class SpeechStream:
    """One utterance, spoken while its tokens arrive. Made by `Token2Wav.stream`.

    It owns all that changes; the weights are shared. A token is 960 samples at 24 kHz: after
    `finish` there are exactly that many for each token that was fed, less `dropped`. What comes
    out depends on tokens, prompt, steps and seed alone, not on how the tokens were handed over.
    It may be given up at any time; use it from one thread at a time.

    prepare: the start state of a voice
    flow_noise: rows of 80, one for each frame; source_noise: see `WaveStream`
    first_chunk: tokens of the first chunk, 5 to 25; later ones have 5 more each, up to 25. Before
        a chunk is spoken, 3 tokens behind it must be there.
    reference: repeat what the published decoder does in long streams. Once its memory is full it
        starts every chunk from the same noise, so that chunks resemble each other; here noise goes
        on, as in an utterance spoken whole, and with random weights the mel is 20 times nearer or
        more to that of a stream that forgets nothing. It also remembers all tokens, so that memory
        grows; for its seams see `WaveStream`.

    What the estimator remembers is cut as in the reference, see `FlowState.bounded`.
    """

    def __init__(
        self,
        flow: Flow,
        vocoder: HiFT,
        prepare: Callable[[Prompt], FlowState],
        prompt: Prompt,
        *,
        flow_noise: Noise,
        source_noise: Noise,
        first_chunk: int = FIRST_CHUNK,
        reference: bool = False,
    ) -> None:
        # The first chunk has to be longer than what the vocoder holds back, or nothing would be heard of it.
        least = OVERLAP_FRAMES // TOKEN_FRAMES + 1
        if isinstance(first_chunk, bool) or not isinstance(first_chunk, int) or not least <= first_chunk <= CHUNK:
            raise OptionError(f"first_chunk {first_chunk!r} is out of range; give {least} to {CHUNK} tokens")
        self._flow = flow
        self._wave = WaveStream(vocoder, source_noise, reference=reference)
        self._prepare = prepare
        self._state = prepare(prompt)
        self._noise = flow_noise
        self._reference = reference
        self._first_chunk = self._chunk = first_chunk
        self._waiting: list[int] = []
        self._frames = 0
        self._finished = False
        self.dropped = 0
        """Tokens left out so far because no sound belongs to them."""

    def feed(self, tokens: ArrayLike) -> NDArray[np.float32]:
        """Hand over the next tokens, one or several, and take the sound that is ready.

        tokens: whole numbers; those below 0 or above 6560 are dropped and counted
        returns: (n,) float32, 24 kHz, often empty

        Raises BackendError for what is no token, and after `finish`.
        """
        self._refuse_finished()
        ids, dropped = speech_tokens(tokens, self._flow.config.vocab_size)
        self.dropped += dropped
        self._waiting += ids.tolist()
        ahead, ready = self._flow.encoder.ahead, []
        while len(self._waiting) >= self._chunk + ahead:
            piece = self._waiting[: self._chunk + ahead]
            del self._waiting[: self._chunk]
            self._chunk = min(CHUNK, self._chunk + _GROWTH)
            ready.append(self._speak(piece, last=False))
        return _samples(ready)

    def switch(self, prompt: Prompt) -> NDArray[np.float32]:
        """Speak the tokens that come next in another voice; what was fed so far is spoken in this one.

        The vocoder goes on through the change, so that the two voices meet without a click. Chunks
        start small again, as whoever listens has nothing left in store.
        returns: (n,) float32, 24 kHz: the sound that is ready
        """
        self._refuse_finished()
        # First, so that a prompt that cannot be used leaves the stream as it was.
        state = self._prepare(prompt)
        ready = self._speak_the_rest()
        self._state = state
        self._chunk = self._first_chunk
        return _samples(ready)

    def finish(self) -> NDArray[np.float32]:
        """The rest of the sound: (n,) float32, 24 kHz; empty if nothing was fed. The stream is over then."""
        self._refuse_finished()
        self._finished = True
        return _samples([*self._speak_the_rest(), self._wave.flush()])

    @property
    def nbytes(self) -> int:
        """Bytes that this stream remembers, the part that it shares with others of its voice included."""
        return self._state.nbytes + self._wave.nbytes

    def _refuse_finished(self) -> None:
        if self._finished:
            raise BackendError("this stream of speech is finished; begin another with Token2Wav.stream")

    def _speak_the_rest(self) -> list[Tensor]:
        waiting, self._waiting = self._waiting, []
        return [self._speak(waiting, last=True)] if waiting else []

    @torch.inference_mode()
    def _speak(self, tokens: list[int], last: bool) -> Tensor:
        """Speak a chunk: all its tokens if it is the last of its voice, else all but those it looks ahead at."""
        state = self._state
        frames = TOKEN_FRAMES * (len(tokens) if last else len(tokens) - self._flow.encoder.ahead)
        start = state.frames if self._reference else TOKEN_FRAMES * state.prompt_tokens + self._frames
        noise = self._noise.rows(start, frames).T[None]
        ids = torch.tensor([tokens], device=state.speaker.device)
        mel, state = self._flow.chunk(ids, state, noise, last)
        self._state = state.bounded(RECENT_FRAMES, None if self._reference else RECENT_TOKENS)
        self._frames += frames
        return self._wave.push(mel)


def _samples(parts: list[Tensor]) -> NDArray[np.float32]:
    if not parts:
        return np.empty(0, np.float32)
    samples: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    return samples
