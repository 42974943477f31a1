"""Encodes the sounds of a prompt that a runtime has yet to read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.language.segments import AudioSegment, Prompt
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, Float, batch, features
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
) -> list[Tensor]:
    """The encoder's output for each piece of sound that begins at `begin` or later: (n_tokens, hidden) each.

    wanted: asked before each pass; once it is not, pieces are missing
    encode: `encode_audio` of the network; it takes log-mels, (audios, n_mels, frames), and frames of each
    device: of the encoder; lock: held during each pass
    together: all pieces go through the encoder in one pass
    """
    pieces = _log_mels(prompt, begin)
    at_once = len(pieces) if together else ENCODER_BATCH
    rows: list[Tensor] = []
    while len(rows) < len(pieces) and wanted():
        stacked = batch(pieces[len(rows) : len(rows) + at_once])
        with lock:
            rows += encode(
                torch.from_numpy(stacked.input_features).to(device), torch.from_numpy(stacked.feature_lengths)
            )
    return rows


def _log_mels(prompt: Prompt, begin: int) -> list[Float]:
    """Log-mels of the pieces of sound that begin at position `begin` or later: (128, frames) each."""
    wanted: list[AudioSegment] = []
    position = 0
    for segment in prompt.segments:
        if isinstance(segment, AudioSegment) and position >= begin:
            wanted.append(segment)
        position += len(segment.ids)
    computed: dict[int, tuple[Audio, list[Float]]] = {}
    for segment in wanted:
        if id(segment.audio) not in computed:
            computed[id(segment.audio)] = segment.audio, features(segment.audio)
    return [computed[id(segment.audio)][1][segment.start // PIECE_SAMPLES] for segment in wanted]
