"""`HeardAhead`: what the audio encoder needs of sounds that are still arriving."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.network.features import (
    PIECE_SAMPLES,
    SAMPLE_RATE,
    Float,
    Piece,
    at_16_khz,
    features,
    log_mel,
)
from agentaudio.model.step_audio_2.network.resample import ResampleStream
from agentaudio.sound.audio import Audio

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

Encode = Callable[[Float], Tensor]
"""From the log-mel of a piece, (128, frames), to the rows that the language model reads, (n_tokens, hidden)."""


@dataclass(frozen=True, slots=True)
class HeardPiece:
    """A piece of at most 25 s of a whole sound.

    mel: its log-mel, (128, frames) float32
    rows: the encoder's output for it, (n_tokens, hidden), if that was computed while the sound arrived
    """

    mel: Float
    rows: Tensor | None


class ArrivingSound:
    """The log-mel of a sound that arrives, and the encoder's output for its pieces of 25 s.

    The encoder lets all frames of a piece attend to each other, so a piece can only be encoded as a whole. The last
    piece of a sound is encoded with the prompt.

    sample_rate: of the sound
    encode: computes the rows of a piece; None leaves that to the prompt

    `push` is for one thread at a time; `pieces_of` may be called from others.
    """

    def __init__(self, sample_rate: int, encode: Encode | None) -> None:
        self.sample_rate = sample_rate
        self._encode = encode
        self._resampler = ResampleStream(sample_rate, SAMPLE_RATE)
        self._lock = threading.Lock()
        self._samples: list[Float] = []
        self._pieces = [Piece()]
        self._whole: list[HeardPiece] = []  # the pieces before the last

    def push(self, samples: Float) -> None:
        """Take the next (n,) samples, and work on them. Raises AudioError for NaN or infinity."""
        new = self._resampler.push(samples)
        while len(new):
            piece = self._pieces[-1]
            part, new = np.split(new, [PIECE_SAMPLES - piece.received])
            with self._lock:
                self._samples.append(part)
                piece.push(part)
            if piece.received == PIECE_SAMPLES:
                self._finish(piece)

    def _finish(self, piece: Piece) -> None:
        with self._lock:
            mel = piece.finish()
        rows = None if self._encode is None else self._encode(mel)
        with self._lock:
            self._whole.append(HeardPiece(mel, rows))
            self._pieces[:] = [Piece()]

    def same_as(self, samples: Float) -> int:
        """Number of samples that begin another sound, (n,) float32 at 16 kHz, and this one alike."""
        same = 0
        with self._lock:
            parts = list(self._samples)
        for part in parts:
            other = samples[same : same + len(part)]
            differ = np.flatnonzero(part[: len(other)] != other)
            if len(differ) or len(other) < len(part):
                return same + int(differ[0] if len(differ) else len(other))
            same += len(part)
        return same

    def pieces_of(self, samples: Float, same: int) -> list[HeardPiece]:
        """All pieces of a sound, (n,) float32 at 16 kHz, of which the first `same` samples are those of this one."""
        with self._lock:
            whole, arriving = list(self._whole), self._pieces[-1]
            known: list[HeardPiece | Float] = []
            for start in range(0, len(samples), PIECE_SAMPLES):
                part, number = samples[start : start + PIECE_SAMPLES], start // PIECE_SAMPLES
                if number < len(whole) and same >= start + PIECE_SAMPLES:
                    known.append(whole[number])
                elif number == len(whole):
                    known.append(HeardPiece(arriving.finish_as(part, same - start), None))
                else:
                    known.append(part)
        return [one if isinstance(one, HeardPiece) else HeardPiece(log_mel(one), None) for one in known]


class HeardAhead:
    """The sounds that are arriving, of all conversations with a model. Its methods may be called from any thread.

    encode: see `ArrivingSound`
    """

    def __init__(self, encode: Encode | None) -> None:
        self._encode = encode
        self._lock = threading.Lock()
        self._arriving: list[ArrivingSound] = []

    def begin(self, sample_rate: int) -> ArrivingSound:
        """A sound that begins now; it is found until it is dropped."""
        sound = ArrivingSound(sample_rate, self._encode)
        with self._lock:
            self._arriving.append(sound)
        return sound

    def drop(self, sound: ArrivingSound) -> None:
        """Free a sound, if it was not freed already."""
        with self._lock:
            self._arriving = [one for one in self._arriving if one is not sound]

    def clear(self) -> None:
        """Free all sounds."""
        with self._lock:
            self._arriving.clear()

    def pieces(self, audio: Audio) -> list[HeardPiece]:
        """The pieces of a whole sound; what was computed while it arrived is not computed again.

        Raises AudioError for a sound without samples, and for NaN or infinity.
        """
        with self._lock:
            arriving = list(self._arriving)
        if not arriving:
            return [HeardPiece(mel, None) for mel in features(audio)]
        samples = at_16_khz(audio)
        same = [sound.same_as(samples) for sound in arriving]
        longest = max(same)
        if not longest:
            return [HeardPiece(mel, None) for mel in features(audio)]
        return arriving[same.index(longest)].pieces_of(samples, longest)


def piece_encoder(
    encode: Callable[[Tensor, Tensor], list[Tensor]], device: torch.device, lock: AbstractContextManager[object]
) -> Encode:
    """An Encode of `encode_audio`, which takes log-mels, (audios, 128, frames), and frames of each.

    device: of the encoder; lock: held while it runs
    """

    def encoded(mel: Float) -> Tensor:
        with torch.inference_mode(), lock:
            return encode(torch.from_numpy(mel)[None].to(device), torch.tensor([mel.shape[1]]))[0]

    return encoded
