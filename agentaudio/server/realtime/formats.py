"""Formats of sound on the wire: 16-bit PCM and G.711, in and out, as streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agentaudio.server.realtime.refusal import Refusal, wrong_type
from agentaudio.sound.audio import Audio
from agentaudio.sound.g711 import SAMPLE_RATE_HZ as G711_HZ
from agentaudio.sound.g711 import decode_g711, encode_g711
from agentaudio.sound.stream import PcmStream

PIECE_S = 0.02
"""Telephone systems take sound in pieces of 20 ms, so every piece but the last is a multiple of it."""
SHORTEST_S, LONGEST_S = 0.1, 0.2
"""Sound in one delta, but for the first and the last one of an item."""
DETECTOR_STEP_S = 0.032
"""Sound for one decision of the voice detector."""
LOWEST_HZ, HIGHEST_HZ = 8_000, 48_000
_TYPES: dict[str, Literal["pcm", "mu", "a"]] = {"audio/pcm": "pcm", "audio/pcmu": "mu", "audio/pcma": "a"}
_BETA = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """coding: "pcm" is little-endian signed 16 bits; "mu" and "a" are G.711 at 8 kHz. One channel."""

    coding: Literal["pcm", "mu", "a"] = "pcm"
    rate_hz: int = 24_000

    @property
    def sample_bytes(self) -> int:
        return 2 if self.coding == "pcm" else 1

    def to_wire(self) -> dict[str, Any]:
        """As session objects hold it."""
        name = next(name for name, coding in _TYPES.items() if coding == self.coding)
        return {"type": name, "rate": self.rate_hz} if self.coding == "pcm" else {"type": name}

    def to_beta(self) -> str:
        return {"pcm": "pcm16", "mu": "g711_ulaw", "a": "g711_alaw"}[self.coding]

    def decode(self, content: bytes) -> Audio:
        """Whole samples as sound."""
        if self.coding == "pcm":
            return Audio.from_pcm16(content, self.rate_hz)
        return Audio(decode_g711(content, self.coding), self.rate_hz)

    def encode(self, audio: Audio) -> bytes:
        """Sound at `rate_hz` as bytes."""
        return audio.to_pcm16() if self.coding == "pcm" else encode_g711(audio.samples, self.coding)


def read_format(value: Any, param: str) -> SoundFormat:
    """The format that a client names, in today's form or that of 2024. Raises Refusal."""
    if isinstance(value, str):
        value = _BETA.get(value, {"type": value})
    if not isinstance(value, dict):
        raise wrong_type(param, 'an object such as {"type": "audio/pcm", "rate": 24000}')
    coding = _TYPES.get(str(value.get("type")))
    if coding is None:
        raise Refusal(
            f"Invalid value for '{param}.type'. Supported values are: {', '.join(_TYPES)}.", param=f"{param}.type"
        )
    rate = value.get("rate")
    if coding != "pcm":
        if rate not in (None, G711_HZ):
            raise Refusal(f"Invalid value for '{param}.rate': G.711 has 8000.", param=f"{param}.rate")
        return SoundFormat(coding, G711_HZ)
    rate = 24_000 if rate is None else rate
    if not isinstance(rate, int) or isinstance(rate, bool) or not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise Refusal(
            f"Invalid value for '{param}.rate': give a whole number from {LOWEST_HZ} to {HIGHEST_HZ}.",
            param=f"{param}.rate",
        )
    return SoundFormat("pcm", rate)


class SoundIn:
    """Bytes of a client, cut anywhere, as sound. Small frames may be gathered until the voice detector can go on."""

    def __init__(self, form: SoundFormat) -> None:
        self.form = form
        self._step = round(DETECTOR_STEP_S * form.rate_hz) * form.sample_bytes
        self._waiting, self._taken = b"", 0

    def push(self, content: bytes, *, at_once: bool = False) -> Audio | None:
        """The sound that is whole now; None until there is enough. at_once: any will do"""
        self._waiting += content
        if not at_once and (self._taken + len(self._waiting)) // self._step == self._taken // self._step:
            return None
        return self.rest()

    def rest(self) -> Audio:
        """All whole samples."""
        cut = len(self._waiting) - len(self._waiting) % self.form.sample_bytes
        content, self._waiting = self._waiting[:cut], self._waiting[cut:]
        self._taken += cut
        return self.form.decode(content)

    def reset(self) -> None:
        """Drop what has not come out."""
        self._waiting, self._taken = b"", 0


class SoundOut:
    """Sound of any rate as pieces of bytes for deltas. The state of the resampler is kept over the stream."""

    def __init__(self, form: SoundFormat) -> None:
        self.form = form
        self._stream = PcmStream(form.rate_hz)
        self._waiting = np.zeros(0, np.float32)
        self._first = True

    def push(self, audio: Audio) -> list[bytes]:
        """The pieces that are ready now."""
        return self._cut(self._stream.push(audio).samples, last=False)

    def finish(self) -> list[bytes]:
        """The rest. A new stream begins afterwards."""
        pieces = self._cut(self._stream.finish().samples, last=True)
        self.reset()
        return pieces

    def reset(self) -> None:
        """Drop what has not come out: nothing of an interrupted answer gets into the next one."""
        self._stream.reset()
        self._waiting = np.zeros(0, np.float32)
        self._first = True

    def _cut(self, samples: np.ndarray[Any, np.dtype[np.float32]], *, last: bool) -> list[bytes]:
        self._waiting = np.concatenate([self._waiting, samples]) if len(self._waiting) else samples
        rate, pieces = self.form.rate_hz, []
        piece = round(PIECE_S * rate)
        while len(self._waiting):
            least = piece if self._first else round(SHORTEST_S * rate)
            if len(self._waiting) < least and not last:
                break
            count = min(len(self._waiting), round(LONGEST_S * rate))
            if count < len(self._waiting) or not last:
                count -= count % piece
            pieces.append(self.form.encode(Audio(self._waiting[:count], rate)))
            self._waiting = self._waiting[count:]
            self._first = False
        return pieces
