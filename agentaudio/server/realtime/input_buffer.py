"""`InputBuffer`: what a client has said since the last commit, while no turns are detected."""

from __future__ import annotations

from agentaudio.server.realtime.items import as_heard
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.sound.audio import Audio

SHORTEST_S = 0.1


class InputBuffer:
    """longest_s: sound that it takes"""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._parts: list[Audio] = []
        self._seconds = 0.0

    def push(self, audio: Audio) -> None:
        """Raises Refusal when it is full; the sound so far stays."""
        if self._seconds + audio.duration > self._longest_s:
            raise Refusal(
                f"The input buffer holds {self._longest_s:g} s of sound, the most that is taken; commit or clear it.",
                code="input_audio_buffer_full", param="audio",
            )  # fmt: skip
        self._parts.append(audio)
        self._seconds += audio.duration

    def take(self) -> Audio:
        """All of it, and begin anew. Raises Refusal for less than SHORTEST_S."""
        if self._seconds < SHORTEST_S:
            raise empty(self._seconds)
        sound = as_heard(Audio.concat(self._parts))
        self.clear()
        return sound

    def clear(self) -> None:
        self._parts, self._seconds = [], 0.0


def empty(seconds: float) -> Refusal:
    return Refusal(
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has "
        f"{1000 * seconds:.2f}ms of audio.",
        code="input_audio_buffer_commit_empty",
    )
