"""`SpeechStream`: turns speech tokens into sound while they arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import BackendError, MissingExtra, OptionError

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.lane import Lane
from agentaudio.model.step_audio_2.token2wav.chunks import (
    CHUNK,
    FIRST_CHUNK,
    OVERLAP_FRAMES,
    next_chunk,
    speech_tokens,
)
from agentaudio.model.step_audio_2.token2wav.config import TOKEN_FRAMES
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState
from agentaudio.model.step_audio_2.token2wav.hift import HiFT
from agentaudio.model.step_audio_2.token2wav.noise import Noise
from agentaudio.model.step_audio_2.token2wav.wave_stream import WaveStream

RECENT_FRAMES = 100
"""Frames that the estimator keeps besides those of the prompt: 2 s, as in the reference."""
RECENT_TOKENS = 500
"""Tokens that the encoder keeps besides those of the prompt: 20 s."""


class Prompt(Protocol):
    """The part of a `TimbrePrompt` that the decoder reads."""

    @property
    def tokens(self) -> NDArray[np.int32]: ...
    @property
    def embedding(self) -> NDArray[np.float32]: ...
    @property
    def mel(self) -> NDArray[np.float32]: ...
    @property
    def content_hash(self) -> str: ...


@dataclass(slots=True)
class Chunk:
    """The tokens of one pass, and what the stream has come to.

    tokens: those of the chunk, and, unless it is the `last`, those to look ahead at
    noise: (1, 80, 2 n) float32
    closed: whether the stream was given up
    """

    tokens: list[int]
    last: bool
    state: FlowState
    noise: Tensor
    wave: WaveStream
    closed: threading.Event


MakeChunk = Callable[[Chunk], tuple[Tensor, FlowState]]
"""Computes a chunk: its samples, (n,) float32 on the CPU, and the state after it."""


class SpeechStream:
    """One utterance whose tokens are still arriving. Made by `Token2Wav.stream`.

    A token becomes 960 samples at 24 kHz; the total after `finish` is 960 times the tokens fed, without
    those `dropped`. The sound depends on tokens, prompt, steps and seed alone, not on how the tokens
    were fed. The stream owns all state that changes, and shares the weights. Use it from one thread at
    a time; it may be abandoned at any time.

    prepare: makes the start state of a voice
    flow_noise: rows of 80, one for each frame
    source_noise: see `WaveStream`
    first_chunk: tokens of the first chunk, 5 to 25; for the later ones see `next_chunk`. A chunk is
        computed once the tokens that the encoder looks ahead at (3) have arrived too.
    reference: imitate the published decoder in long streams. Once its memory is full, it starts each
        chunk from the same noise, so that chunks resemble each other, and it keeps all tokens, so that
        memory grows. Otherwise the noise continues, as in an utterance synthesised as a whole. For the
        seams, see `WaveStream`.

    make: computes chunks in another way, such as together with those of other streams

    dropped: tokens left out so far because they have no sound

    The estimator's memory is cut as in the reference; see `FlowState.bounded`.
    Raises OptionError for a first_chunk out of range.
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
        make: MakeChunk | None = None,
    ) -> None:
        # A first chunk no longer than what the vocoder holds back would give no sound.
        least = OVERLAP_FRAMES // TOKEN_FRAMES + 1
        if isinstance(first_chunk, bool) or not isinstance(first_chunk, int) or not least <= first_chunk <= CHUNK:
            raise OptionError(f"first_chunk {first_chunk!r} is out of range; give {least} to {CHUNK} tokens")
        self._flow = flow
        self._wave = WaveStream(vocoder, source_noise, reference=reference)
        self._prepare = prepare
        self._state = prepare(prompt)
        self._noise = flow_noise
        self._reference = reference
        self._device = vocoder.conv_pre.weight.device
        self._make = make or Alone(flow, self._device)
        self._lane = Lane(self._device)
        self._closed = threading.Event()
        self._first_chunk = self._chunk = first_chunk
        self._waiting: list[int] = []
        self._frames = 0
        self._finished = False
        self.dropped = 0

    def feed(self, tokens: ArrayLike) -> NDArray[np.float32]:
        """Take the next tokens, one or several. Returns the sound that is now ready.

        tokens: integers; those below 0 or above 6560 are dropped and counted
        returns: (n,) float32, 24 kHz, often empty

        Raises BackendError for anything but integers, and after `finish`.
        """
        self._refuse_finished()
        ids, dropped = speech_tokens(tokens, self._flow.config.vocab_size)
        self.dropped += dropped
        self._waiting += ids.tolist()
        ahead = self._flow.encoder.ahead
        ready = []
        while len(self._waiting) >= self._chunk + ahead:
            piece = self._waiting[: self._chunk + ahead]
            del self._waiting[: self._chunk]
            self._chunk = next_chunk(self._chunk)
            ready.append(self._sound_of(piece, last=False))
        return _samples(ready)

    def switch(self, prompt: Prompt) -> NDArray[np.float32]:
        """Use another voice for the tokens that follow; those fed so far keep the present one.

        The vocoder continues across the change, so there is no click. Chunks start at `first_chunk`
        again, to keep the delay short.

        returns: (n,) float32, 24 kHz: the sound that is now ready

        Raises VoiceError for a prompt of another decoder, which leaves the stream as it was, and
        BackendError after `finish`.
        """
        self._refuse_finished()
        # First, so that an unusable prompt leaves the stream as it was.
        state = self._prepare(prompt)
        ready = self._rest()
        self._state = state
        self._chunk = self._first_chunk
        return _samples(ready)

    def finish(self) -> NDArray[np.float32]:
        """The rest of the sound: (n,) float32, 24 kHz; empty if no token was fed.

        Raises BackendError when called twice.
        """
        self._refuse_finished()
        self._finished = True
        return _samples([*self._rest(), self._wave.flush().cpu()])

    def close(self) -> None:
        """Give up what is not made yet. A stream may also be abandoned at any time."""
        self._closed.set()

    @property
    def ahead(self) -> int:
        """Tokens after a chunk that must have arrived before it is computed."""
        return int(self._flow.encoder.ahead)

    @property
    def nbytes(self) -> int:
        """Bytes of this stream's state, including what it shares with other streams of its voice."""
        return self._state.nbytes + self._wave.nbytes

    def _refuse_finished(self) -> None:
        if self._finished:
            raise BackendError("this stream of speech is finished; begin another with Token2Wav.stream")

    def _rest(self) -> list[Tensor]:
        waiting, self._waiting = self._waiting, []
        return [self._sound_of(waiting, last=True)] if waiting else []

    @torch.inference_mode()
    def _sound_of(self, tokens: list[int], last: bool) -> Tensor:
        """The sound of a chunk. tokens: those of the chunk, and, unless it is the last, those to look ahead at"""
        state = self._state
        frames = TOKEN_FRAMES * (len(tokens) if last else len(tokens) - self._flow.encoder.ahead)
        start = state.frames if self._reference else TOKEN_FRAMES * state.prompt_tokens + self._frames
        noise = self._noise.rows(start, frames).T[None]
        wave, state = self._make(Chunk(tokens, last, state, noise, self._wave, self._closed))
        # Only now, as the voice's first state may belong to another lane, where its memory would be used again; and in
        # a lane, which is waited for, as the next chunk is computed in another.
        with self._lane:
            self._state = state.bounded(RECENT_FRAMES, None if self._reference else RECENT_TOKENS)
        self._frames += frames
        return wave


class Alone:
    """Computes the chunks of one stream by themselves, in a lane of their own."""

    def __init__(self, flow: Flow, device: torch.device) -> None:
        self._flow, self._device = flow, device
        self._lane = Lane(device)

    def __call__(self, chunk: Chunk) -> tuple[Tensor, FlowState]:
        ids = torch.tensor([chunk.tokens], device=self._device)
        with self._lane:
            mel, state = self._flow.chunk(ids, chunk.state, chunk.noise, chunk.last)
            wave = chunk.wave.push(mel)
        return wave.cpu(), state


def _samples(parts: list[Tensor]) -> NDArray[np.float32]:
    if not parts:
        return np.empty(0, np.float32)
    samples: NDArray[np.float32] = torch.cat(parts).numpy()
    return samples
