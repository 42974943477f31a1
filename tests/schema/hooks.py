"""For Schemathesis: every second made-up sound is replaced by one that can be heard, and every second id by a real one.

Schemathesis loads this in its own environment, by SCHEMATHESIS_HOOKS. Random bytes alone would never come further than
the decoder.
"""

from __future__ import annotations

import base64
import io
import math
import struct
import wave
import zlib
from typing import Any

import schemathesis

RATE_HZ = 16_000
VOICES = ("walter", "angus", "claire")
"""Of the demo library."""


def spoken(seconds: float) -> bytes:
    """A WAV file with a voice-like tone."""
    samples = (
        round(9_000 * math.sin(2 * math.pi * 140 * i / RATE_HZ) * math.sin(2 * math.pi * 3 * i / RATE_HZ))
        for i in range(round(seconds * RATE_HZ))
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(b"".join(struct.pack("<h", one) for one in samples))
    return file.getvalue()


SOUND = spoken(4.0)


def with_sounds(value: Any) -> Any:
    """The body with sounds in the place of what stands for them."""
    if isinstance(value, list):
        return [with_sounds(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: with_sounds(one) for name, one in value.items()}
    for name in ("file", "audio_sample", "recording"):
        if name in found:
            found[name] = SOUND
    if isinstance(found.get("audio"), str | bytes):
        found["audio"] = SOUND
    if "data" in found and "format" in found:
        found |= {"data": base64.b64encode(SOUND).decode(), "format": "wav"}
    return found


def number_of(value: Any) -> int:
    """The same for the same value: a request that fails can be sent again."""
    return zlib.crc32(repr(value).encode("utf-8", "surrogatepass"))


def map_body(context: Any, body: Any) -> Any:
    return with_sounds(body) if number_of(body) % 2 else body


def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    number = number_of(path_parameters)
    if isinstance(path_parameters, dict) and "id" in path_parameters and number % 2:
        return path_parameters | {"id": VOICES[number // 2 % len(VOICES)]}
    return path_parameters


for hook in (map_body, map_path_parameters):
    schemathesis.hook(hook)
