"""`SoundsAside`: sound that is rarely needed again, in a file without a name instead of in memory."""

from __future__ import annotations

import logging
import tempfile
import threading
import weakref
from typing import IO

import numpy as np

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio, Samples

log = logging.getLogger(__name__)

SHORTEST_BYTES = 4_096
"""Less is not worth the way to the file."""


class SoundsAside:
    """Puts sounds into a temporary file, which no other process can open, and which ends with the last of them.

    Where no such file can be made or written, such as on a full disk, sounds stay in memory, and the log says so once.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0
        self._works = True
        self._lock = threading.Lock()

    def put(self, audio: Audio) -> Audio:
        """An equal sound, which is read from the file each time its samples are used. Blocks for a short write."""
        if isinstance(audio, AsideAudio) or not self._works or 4 * len(audio) < SHORTEST_BYTES:
            return audio
        content = audio.samples.astype("<f4", copy=False).tobytes()
        with self._lock:
            try:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(prefix="agentaudio-", buffering=0)
                    weakref.finalize(self, self._file.close)
                self._file.seek(self._end)
                if self._file.write(content) != len(content):
                    raise OSError("the disk is full")
            except OSError as error:
                self._works = False
                log.warning("sound of earlier turns stays in memory: %s", error.strerror or error)
                return audio
            start, self._end = self._end, self._end + len(content)
        return AsideAudio(self, start, audio)

    def read(self, start: int, count: int) -> Samples:
        """Samples that were put: (count,) float32. start: in bytes. Raises AudioError when the disk fails."""
        assert self._file is not None
        try:
            with self._lock:
                self._file.seek(start)
                content = self._file.read(4 * count)
        except OSError as error:
            raise AudioError(f"sound of an earlier turn cannot be read: {error.strerror}; check the disk") from None
        if len(content) != 4 * count:
            raise AudioError(f"sound of an earlier turn is cut off at {len(content)} bytes; check the disk")
        return np.frombuffer(content, "<f4").astype(np.float32, copy=False)


class AsideAudio(Audio):
    """A sound in the file."""

    __slots__ = ("_aside", "_count", "_start")

    def __init__(self, aside: SoundsAside, start: int, audio: Audio) -> None:
        self._aside, self._start, self._count = aside, start, len(audio)
        self._sample_rate, self._sha256 = audio.sample_rate, audio._sha256

    @property
    def _samples(self) -> Samples:  # type: ignore[override]
        return self._aside.read(self._start, self._count)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self._count / self._sample_rate

    def __len__(self) -> int:
        """Number of samples."""
        return self._count
