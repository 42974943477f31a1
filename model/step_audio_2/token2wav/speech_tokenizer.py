"""The speech tokenizer: from sound to speech tokens, 25 per second, whole or as the sound arrives."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError, BackendError
from agentaudio.model.step_audio_2.network.features import HOP, N_MELS, SAMPLE_RATE
from agentaudio.model.step_audio_2.network.resample import ResampleStream, resample
from agentaudio.model.step_audio_2.token2wav.prompt_features import tokenizer_mel
from agentaudio.onnx import OnnxNetwork
from agentaudio.sound.audio import Audio

Float = NDArray[np.float32]
Tokens = NDArray[np.int32]

CODEBOOK = 6561
"""Speech tokens are 0 to 6560."""
FRAMES_PER_TOKEN = 4
TOKEN_SAMPLES = FRAMES_PER_TOKEN * HOP
"""40 ms at 16 kHz."""

WINDOW_FRAMES = 3000
"""30 s, the longest sound that the network takes at once."""
OVERLAP_FRAMES = 400
"""4 s that neighbouring windows share; the tokens are joined in the middle of them."""

STREAM_TOKENS = 25
"""Tokens that a stream computes at a time: 1 s."""
STREAM_AHEAD = 15
"""Tokens that the network's memory filter, which is 31 tokens wide, looks ahead."""
STREAM_CONTEXT = 100
"""Tokens before the new ones that a stream computes again, as context: 4 s."""


class SpeechTokenizer:
    """The S3 tokenizer v2 of a checkpoint (`token2wav/speech_tokenizer_v2_25hz.onnx`), run by ONNX Runtime.

    path: the ONNX file; it is opened on first use
    gpu: run on CUDA if the installed ONNX Runtime supports it

    Several threads may use one instance.
    Source: Du et al. 2024, "CosyVoice 2"; long sound as in the s3tokenizer package, version 0.3.
    """

    def __init__(self, path: str | os.PathLike[str], *, gpu: bool = True) -> None:
        shapes = ((1, N_MELS, None), (1,))
        self._network = OnnxNetwork(path, "the speech tokenizer", inputs=shapes, extra="local", threads=0, gpu=gpu)

    def tokenize(self, audio: Audio) -> Tokens:
        """The speech tokens of a sound.

        audio: any rate and length. `Audio` has mixed its channels; the reference takes the first.
        returns: (n,) int32, 0 to 6560; n = ceil(T / 4) for T whole frames of 10 ms, so 25 per second

        Sound longer than 30 s is cut into windows of 30 s that overlap by 4 s. Each window gives the
        tokens of its half of the overlap.
        Raises BackendError naming the file when it is missing, cut short or another network, and
        MissingExtra without ONNX Runtime.
        """
        mel = tokenizer_mel(resample(audio.samples, audio.sample_rate, SAMPLE_RATE))
        return merged([self.tokenize_mel(mel[:, start:end]) for start, end in windows(mel.shape[1])])

    def tokenize_mel(self, mel: Float) -> Tokens:
        """As `tokenize`, from a spectrogram of `tokenizer_mel`: (128, T) float32, T <= 3000."""
        frames = mel.shape[1]
        if not frames:
            return np.zeros(0, np.int32)
        tokens = self._network.run(np.ascontiguousarray(mel[None]), np.array([frames], np.int32))[0].reshape(-1)
        if len(tokens) != -(-frames // FRAMES_PER_TOKEN) or tokens.min() < 0 or tokens.max() >= CODEBOOK:
            raise BackendError(
                f"{self._network.path} gave {len(tokens)} tokens up to {tokens.max(initial=0)} for {frames} frames; "
                f"expected {-(-frames // FRAMES_PER_TOKEN)} below {CODEBOOK}, so it is another network"
            )
        return tokens.astype(np.int32)

    def stream(self) -> TokenStream:
        """Begin to tokenise sound that is still arriving."""
        return TokenStream(self)

    def fingerprint(self) -> str:
        """Identifies these weights; see `OnnxNetwork.fingerprint`."""
        return self._network.fingerprint()


def windows(frames: int) -> list[tuple[int, int]]:
    """The windows of a spectrogram of `frames` frames: (start, end) of each.

    The first window that reaches the end is the last one. s3tokenizer 0.3 adds another window of the
    overlap alone, and then loses up to 2 s of the end.
    """
    starts = range(0, max(1, frames - OVERLAP_FRAMES), WINDOW_FRAMES - OVERLAP_FRAMES)
    return [(start, min(start + WINDOW_FRAMES, frames)) for start in starts]


def merged(parts: list[Tokens]) -> Tokens:
    """Join the tokens of all `windows`."""
    half = OVERLAP_FRAMES // FRAMES_PER_TOKEN // 2
    last = len(parts) - 1
    kept = [part[half if i else 0 : None if i == last else -half] for i, part in enumerate(parts)]
    return np.concatenate(kept)


class TokenStream:
    """Tokens of sound that arrives in pieces; they do not depend on how it is cut.

    For each second of sound, the 4 s before it, the second and the 0.6 s after it are tokenised, and the
    tokens of the second are returned. The delay is therefore at most 1.6 s. The tokens may differ from
    those of `tokenize`, except for sound of up to 1.6 s. Use it from one thread at a time.
    """

    def __init__(self, tokenizer: SpeechTokenizer) -> None:
        self._tokenizer = tokenizer
        self._resampler: ResampleStream | None = None
        self._rate = 0
        self._finished = False
        # 16 kHz sound that later windows need, from the token with number _start on.
        self._kept = np.zeros(0, np.float32)
        self._start = 0
        self._given = 0

    def push(self, audio: Audio) -> Tokens:
        """Take the next piece, of any rate. Returns the tokens that are now certain: (n,) int32.

        Raises AudioError after `finish`.
        """
        self._refuse_finished()
        parts = []
        if audio.sample_rate != self._rate:
            parts.append(self._flushed())
            self._resampler, self._rate = ResampleStream(audio.sample_rate, SAMPLE_RATE), audio.sample_rate
        assert self._resampler is not None
        parts.append(self._resampler.push(audio.samples))
        self._kept = np.concatenate([self._kept, *parts])
        return self._certain()

    def finish(self) -> Tokens:
        """The last tokens: (n,) int32. Raises AudioError when called twice."""
        self._refuse_finished()
        self._finished = True
        self._kept = np.concatenate([self._kept, self._flushed()])
        certain = self._certain()
        rest = self._tokenizer.tokenize_mel(tokenizer_mel(self._kept))[self._given - self._start :]
        return np.concatenate([certain, rest])

    def _refuse_finished(self) -> None:
        if self._finished:
            raise AudioError("this stream of sound is finished; begin another with SpeechTokenizer.stream")

    def _flushed(self) -> Float:
        return np.zeros(0, np.float32) if self._resampler is None else self._resampler.finish()

    def _certain(self) -> Tokens:
        tokens = [np.zeros(0, np.int32)]
        while len(self._kept) >= (self._given - self._start + STREAM_TOKENS + STREAM_AHEAD) * TOKEN_SAMPLES:
            begin = self._given - self._start
            window = self._kept[: (begin + STREAM_TOKENS + STREAM_AHEAD) * TOKEN_SAMPLES]
            found = self._tokenizer.tokenize_mel(tokenizer_mel(window))
            tokens.append(found[begin : begin + STREAM_TOKENS])
            self._given += STREAM_TOKENS
            drop = max(0, self._given - STREAM_CONTEXT - self._start)
            self._kept, self._start = self._kept[drop * TOKEN_SAMPLES :], self._start + drop
        return np.concatenate(tokens)
