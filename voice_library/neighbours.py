"""`Neighbours`: finds voices that sound like a new one, and clips with two speakers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio
from agentaudio.sound.clustering import cosine, cosine_of_two_clusters
from agentaudio.sound.speaker_encoder import SpeakerEncoder, WindowedSpeakerEncoder
from agentaudio.voice_library.library import VoiceLibrary

Embedding = NDArray[np.float32]

SHORTEST_HALF_S = 1.5


class Neighbours:
    """The embeddings of a library, in memory during an ingest: 4 bytes times `dim` per voice.

    Raises VoiceError when the library cannot be read.
    """

    def __init__(self, library: VoiceLibrary) -> None:
        self._library = library
        batches = list(library.embeddings())
        self._rows = [row for rows, _ in batches for row in rows.tolist()]
        self._ids: list[str] = []
        dim = library.encoder.dim if library.encoder is not None else 0
        self._vectors = np.concatenate([np.zeros((0, dim), np.float32), *(vectors for _, vectors in batches)])

    def add(self, id: str, vector: Embedding) -> tuple[str, float] | None:
        """Add a new voice. Returns the nearest earlier voice and its cosine, if it counts as the same speaker.

        vector: (dim,) float32, any length
        """
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


def encode_and_count_speakers(encoder: SpeakerEncoder, audio: Audio) -> tuple[Embedding, bool]:
    """A clip's embedding, (dim,) float32, and whether the clip seems to hold two speakers.

    The windows of a WindowedSpeakerEncoder are clustered. With another encoder the two halves of the
    clip are embedded too and compared, which doubles the work; clips below 3 s are not split.
    """
    if isinstance(encoder, WindowedSpeakerEncoder):
        windows = encoder.encode_windows(audio)
        mean = windows.mean(axis=0)
        return mean / np.linalg.norm(mean), cosine_of_two_clusters(windows) < encoder.one_speaker_above
    whole, middle = encoder.encode(audio), audio.duration / 2
    if middle < SHORTEST_HALF_S:
        return whole, False
    first, second = encoder.encode(audio.slice(0, middle)), encoder.encode(audio.slice(middle))
    return whole, cosine(first, second) < encoder.same_speaker_above
