"""Watermarks for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentaudio.sound.audio import Audio

SHIFT = 0.05


@dataclass
class Shift:
    """Shifts all samples by one value: a mark that is easily found in any piece of a sound that is not compressed.

    payloads: what was embedded, in order
    """

    name: str = "shift"
    payload_bytes: int = 3
    payloads: list[bytes] = field(default_factory=list)

    def embed(self, sound: Audio, payload: bytes) -> Audio:
        self.payloads.append(payload)
        return Audio(sound.samples + SHIFT, sound.sample_rate)

    def detect(self, sound: Audio) -> bytes | None:
        marked = len(sound) and abs(float(sound.samples.mean()) - SHIFT) < SHIFT / 4
        return b"\1\2\3" if marked else None


class Failing(Shift):
    """Fails at each sound."""

    def embed(self, sound: Audio, payload: bytes) -> Audio:
        raise ValueError("no model")

    def detect(self, sound: Audio) -> bytes | None:
        raise ValueError("no model")


class Shortening(Shift):
    """Returns a shorter sound."""

    def embed(self, sound: Audio, payload: bytes) -> Audio:
        return sound.slice(0, sound.duration / 2)
