"""Encodes the sounds of a prompt that a runtime has yet to read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.decoding.hearing_ahead import HeardAhead, HeardPiece
from agentaudio.model.step_audio_2.language.segments import AudioSegment, Prompt
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, batch
from agentaudio.sound.audio import Audio

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

ENCODER_BATCH = 8
"""Pieces of sound, at most 25 s each, that go through the encoder together."""


def encoded(
    prompt: Prompt,
    begin: int,
    wanted: Callable[[], bool],
    encode: Callable[[Tensor, Tensor], list[Tensor]],
    *,
    device: torch.device,
    lock: AbstractContextManager[object],
    together: bool,
    ahead: HeardAhead,
) -> list[Tensor]:
    """The encoder's output for each piece of sound that begins at `begin` or later: (n_tokens, hidden) each.

    wanted: asked before each pass; once it is not, pieces are missing
    encode: `encode_audio` of the network; it takes log-mels, (audios, n_mels, frames), and frames of each
    device: of the encoder; lock: held during each pass
    together: all pieces go through the encoder in one pass
    ahead: what was computed while the sounds arrived
    """
    pieces = _pieces(prompt, begin, ahead)
    rows = [None if together else piece.rows for piece in pieces]
    left = [number for number, known in enumerate(rows) if known is None]
    while left and wanted():
        now = left if together else left[:ENCODER_BATCH]
        stacked = batch([pieces[number].mel for number in now])
        with lock:
            made = encode(
                torch.from_numpy(stacked.input_features).to(device), torch.from_numpy(stacked.feature_lengths)
            )
        for number, one in zip(now, made, strict=True):
            rows[number] = one
        left = left[len(now) :]
    return [row for row in rows[: left[0] if left else None] if row is not None]


def _pieces(prompt: Prompt, begin: int, ahead: HeardAhead) -> list[HeardPiece]:
    """The pieces of sound that begin at position `begin` or later."""
    wanted: list[AudioSegment] = []
    position = 0
    for segment in prompt.segments:
        if isinstance(segment, AudioSegment) and position >= begin:
            wanted.append(segment)
        position += len(segment.ids)
    computed: dict[int, tuple[Audio, list[HeardPiece]]] = {}
    for segment in wanted:
        if id(segment.audio) not in computed:
            computed[id(segment.audio)] = segment.audio, ahead.pieces(segment.audio)
    return [computed[id(segment.audio)][1][segment.start // PIECE_SAMPLES] for segment in wanted]
