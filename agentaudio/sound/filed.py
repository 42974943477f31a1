"""`FiledAudio`: sound that stays in its file, and is read each time it is used."""

from __future__ import annotations

from collections.abc import Callable

from agentaudio.sound.audio import Audio, Samples


class FiledAudio(Audio):
    """Sound that takes no memory while it is not used.

    read: reads it; what it raises is raised where the sound is used
    sample_rate, sha256: of the sound
    """

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Audio], sample_rate: int, sha256: str) -> None:
        self._read = read
        self._sample_rate = sample_rate
        self._sha256 = sha256

    @property
    def _samples(self) -> Samples:  # type: ignore[override]
        return self._read().samples
