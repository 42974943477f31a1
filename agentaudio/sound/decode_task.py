"""The task of a worker process that decodes a sound file. Only that process imports this module."""

from __future__ import annotations

from typing import Any

import soundfile  # noqa: F401 (imported before the limits of a request hold)
import soxr  # noqa: F401 (the same)

from agentaudio.sound import reading


def samples(request: dict[str, Any], content: bytes | bytearray) -> tuple[dict[str, Any], memoryview]:
    """The samples of a file, as float32 of this machine's byte order.

    request: `name`, and `budget`, the fields of a Budget
    returns: `sample_rate`

    Raises what `reading.read` raises.
    """
    found = reading.read(content, request["name"], reading.Budget(*request["budget"]))
    return {"sample_rate": found.sample_rate}, found.samples.data.cast("B")
