"""`Neighbours`: does a new voice sound like one that is there, and is it one voice at all?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.speaker_encoder import SpeakerEncoder, WindowedSpeakerEncoder

Embedding = NDArray[np.float32]

SHORTEST_HALF_S = 1.5
ROUNDS = 5


class Neighbours:
    """The embeddings of a library, in memory while many voices come in: 4 bytes times `dim` per voice."""

    def __init__(self, library: VoiceLibrary) -> None:
        self._library = library
        batches = list(library.embeddings())
        self._rows = [row for rows, _ in batches for row in rows.tolist()]
        self._ids: list[str] = []
        dim = library.encoder.dim if library.encoder is not None else 0
        self._vectors = np.concatenate([np.zeros((0, dim), np.float32), *(vectors for _, vectors in batches)])

    def meet(self, id: str, vector: Embedding) -> tuple[str, float] | None:
        """Remember a new voice. Returns the voice that counts as the same speaker, and the cosine, if there is one."""
        encoder = self._library.encoder
        assert encoder is not None
        vector = vector / np.linalg.norm(vector)
        count = len(self._rows) + len(self._ids)
        near: tuple[str, float] | None = None
        if count:
            cosines = self._vectors[:count] @ vector
            best = int(cosines.argmax())
            if cosines[best] >= encoder.same_speaker_above:
                near = self._name(best), float(cosines[best])
        if count == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros((max(64, count), len(vector)), np.float32)])
        self._vectors[count] = vector
        self._ids.append(id)
        return near

    def _name(self, position: int) -> str:
        if position >= len(self._rows):
            return self._ids[position - len(self._rows)]
        found = self._library.at([self._rows[position]])
        return found[0].id if found else "a voice that was removed meanwhile"


def encode_and_tell_apart(encoder: SpeakerEncoder, audio: Audio) -> tuple[Embedding, bool]:
    """A clip's embedding, and whether it sounds like two speakers.

    An encoder with windows tells by them; of another one the halves of the clip are encoded too,
    which doubles the work.
    """
    if isinstance(encoder, WindowedSpeakerEncoder):
        windows = encoder.encode_windows(audio)
        mean = windows.mean(axis=0)
        return mean / np.linalg.norm(mean), closeness_of_two(windows) < encoder.one_speaker_above
    whole, middle = encoder.encode(audio), audio.duration / 2
    if middle < SHORTEST_HALF_S:
        return whole, False
    first, second = encoder.encode(audio.slice(0, middle)), encoder.encode(audio.slice(middle))
    return whole, _cosine(first, second) < encoder.same_speaker_above


def closeness_of_two(windows: Embedding) -> float:
    """Cosine of the two groups that windows fall into most naturally (2-means from the farthest pair); 1 for one group.

    windows: (n, dim) float32 of unit length; a group needs two, since one may be a cough
    """
    if len(windows) < 4:
        return 1.0
    similar = windows @ windows.T
    centres = windows[list(np.unravel_index(similar.argmin(), similar.shape))]
    for _ in range(ROUNDS):
        nearer = (windows @ centres.T).argmax(axis=1)
        if min(np.bincount(nearer, minlength=2)) < 2:
            return 1.0
        centres = np.stack([windows[nearer == group].mean(axis=0) for group in (0, 1)])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return _cosine(*centres)


def _cosine(one: Embedding, other: Embedding) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
