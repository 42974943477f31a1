"""Sound files from anywhere to samples of every channel.

A file runs in this process when its size proves it harmless: uncompressed sound takes at most four times
the file's size, and other files are decoded here when they have at most SMALL_BYTES, and become at most
SMALL_SAMPLES. All others, and all containers, are decoded in a worker process, within limits.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from agentaudio.errors import AudioError, MissingExtra
from agentaudio.sound.formats import is_container
from agentaudio.sound.reading import Budget, Decoded, OverBudget, is_uncompressed, read
from agentaudio.workers.limits import SOUND as LIMITS
from agentaudio.workers.pool import LIGHT, SOUND, Job

AudioSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
Result = TypeVar("Result")

MAX_DURATION_S = 3600
"""Longest sound that is read unless the caller gives a limit: a file of a few kilobytes may claim ten hours."""

SAMPLES_PER_S = 192_000
"""Samples (frames times channels) that a sound may have for each second of its limit: 96 kHz stereo."""

MAX_SAMPLES = 2**29
"""Most samples of any sound: 2 GiB of float32, an hour of stereo at 74 kHz."""

SMALL_BYTES, SMALL_SAMPLES = 1_000_000, 2**22
"""Compressed files of this size that become no more samples than this (16 MiB) are decoded in this process."""


def decode(source: AudioSource, *, max_duration_s: float = MAX_DURATION_S, setting: str = "") -> Decoded:
    """Read a sound file of any rate and channel count. Blocks until it is read.

    source: path, bytes, or binary file object; WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF; WebM, MP4
        and M4A with the extra `containers`
    max_duration_s: longest sound; it limits the samples too, see SAMPLES_PER_S
    setting: where that limit is set, for error messages

    Raises AudioError when the file is missing, empty, truncated, longer than the limit, takes more
    than the limits of `agentaudio.workers.limits.SOUND`, or is not a sound file, and MissingExtra for a
    container without the extra.
    """
    budget = _budget(max_duration_s, setting)
    content, name = _content(source, budget)
    found = _decode_here(content, name, budget)
    return found if found is not None else SOUND.run(lambda job: _decode_apart(job, content, name, budget))


async def decode_apart(
    source: AudioSource, finish: Callable[[Decoded], Result], *, max_duration_s: float, setting: str
) -> Result:
    """`finish(decode(...))` outside the event loop and the threads of asyncio; cancelling ends a worker process.

    finish: quick work on the samples, in the same thread
    """
    budget = _budget(max_duration_s, setting)

    def here(_: Job[tuple[bytes, str, Result | None]]) -> tuple[bytes, str, Result | None]:
        content, name = _content(source, budget)
        found = _decode_here(content, name, budget)
        return content, name, None if found is None else finish(found)

    content, name, result = await LIGHT.call(here)
    if result is not None:
        return result

    def apart(job: Job[Result]) -> Result:
        return finish(_decode_apart(job, content, name, budget))

    return await SOUND.call(apart)


def _budget(max_duration_s: float, setting: str) -> Budget:
    samples = int(min(MAX_SAMPLES, max_duration_s * SAMPLES_PER_S))
    return Budget(max_duration_s, samples, setting or "agentaudio.sound.decode.MAX_DURATION_S")


def _decode_here(content: bytes, name: str, budget: Budget) -> Decoded | None:
    """None for a file that must be decoded in a worker process."""
    if not content:
        raise AudioError(f"{name} is empty; record it again")
    if is_container(content):
        return None
    plain = is_uncompressed(content)
    if not plain and len(content) > SMALL_BYTES:
        return None
    small = budget if plain else budget._replace(samples=min(budget.samples, SMALL_SAMPLES))
    try:
        return read(content, name, small)
    except OverBudget:
        if plain:
            raise
        return None  # or it is within the whole budget: a worker process finds out


def _decode_apart(job: Job[Any], content: bytes, name: str, budget: Budget) -> Decoded:
    if is_container(content) and importlib.util.find_spec("av") is None:
        raise MissingExtra(f"reading {name} (WebM, MP4 or M4A)", "containers")
    limits = LIMITS.for_sound(budget.duration_s, 4 * budget.samples)
    request = {"name": name, "budget": budget}
    found, samples = job.ask(
        "agentaudio.sound.decode_task:samples", request, content, limits=limits, what=name, error=AudioError
    )
    frames = np.frombuffer(samples, np.float32).reshape(-1, found["channels"])
    return Decoded(frames, found["sample_rate"], name)


def _content(source: AudioSource, budget: Budget) -> tuple[bytes, str]:
    """The bytes of a source, and its name for error messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), f"{len(source)} bytes"
    # 64-bit samples are the largest; a video track may come along.
    most = 8 * budget.samples + 64_000_000
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            with path.open("rb") as file:
                return _at_most(file, most, str(path)), str(path)
        except FileNotFoundError:
            raise AudioError(f"no such file: {path}") from None
        except IsADirectoryError:
            raise AudioError(f"{path} is a folder; give a sound file") from None
        except (OSError, ValueError) as error:
            if isinstance(error, AudioError):
                raise
            raise AudioError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if hasattr(source, "read"):
        name = str(getattr(source, "name", "the file object"))
        return _at_most(source, most, name), name
    raise AudioError(
        f"cannot load sound from {type(source).__name__}; give a path, bytes or a binary file, "
        "or build Audio(samples, sample_rate) from an array"
    )


def _at_most(file: BinaryIO, most: int, name: str) -> bytes:
    content = file.read(most + 1)
    if not isinstance(content, bytes):
        raise AudioError(f"{file!r} was opened as text; open it in binary mode ('rb')")
    if len(content) > most:
        raise AudioError(f"{name} has more than {most:,} bytes (agentaudio.sound.decode.MAX_SAMPLES); cut it first")
    return content
