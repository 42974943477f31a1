"""Sound files from anywhere to mono samples.

A file runs in this process when its size proves it harmless: uncompressed sound takes at most four times
the file's size, and other files are decoded here when they have at most SMALL_BYTES, and become at most
SMALL_SAMPLES. All others, and all containers, are decoded in a worker process, within limits. Either
way a file is decoded block by block, and only one channel at the rate that is asked for is held.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from agentaudio.errors import AudioError, MissingExtra
from agentaudio.sound.formats import is_container
from agentaudio.sound.reading import Budget, Decoded, OverBudget, is_uncompressed, read
from agentaudio.sound.resample import check_rate
from agentaudio.workers.limits import SOUND as LIMITS
from agentaudio.workers.pool import LIGHT, SOUND, Job

AudioSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

MAX_DURATION_S = 3600
"""Longest sound that is read unless the caller gives a limit: a file of a few kilobytes may claim ten hours."""

SAMPLES_PER_S = 192_000
"""Samples (frames times channels) that a sound may have for each second of its limit: 96 kHz stereo."""

MAX_SAMPLES = 2**29
"""Most samples of any sound: 2 GiB of float32, an hour of stereo at 74 kHz."""

SMALL_BYTES, SMALL_SAMPLES = 1_000_000, 2**22
"""Compressed files of this size that become no more samples than this (16 MiB) are decoded in this process."""


def decode(
    source: AudioSource,
    *,
    max_duration_s: float = MAX_DURATION_S,
    setting: str = "",
    highest_rate: int | None = None,
    channel: int | None = None,
) -> Decoded:
    """Read a sound file of any rate and channel count. Blocks until it is read.

    source: path, bytes, or binary file object; WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF; WebM, MP4,
        M4A, AAC, AMR and WMA with the extra `containers`. The content decides, not the name. Sounds that
        were joined end to end are read one after the other.
    max_duration_s: longest sound; it limits the samples too, see SAMPLES_PER_S
    setting: where that limit is set, for error messages
    highest_rate: in Hz; a sound of a higher rate is resampled to it; None keeps any rate
    channel: the only one to read, from 0; None mixes all

    Raises AudioError when the file is missing, empty, truncated, longer than the limit, becomes less than it
    promises, takes more than the limits of `agentaudio.workers.limits.SOUND`, or is not a sound file, and
    MissingExtra for a container without the extra.
    """
    budget = _budget(max_duration_s, setting, highest_rate)._replace(channel=channel)
    content, name = _content(source, budget)
    found = _decode_here(content, name, budget)
    return found if found is not None else SOUND.run(lambda job: _decode_apart(job, content, name, budget))


async def decode_apart(
    source: AudioSource, *, max_duration_s: float, setting: str, highest_rate: int | None
) -> Decoded:
    """`decode` outside the event loop and the threads of asyncio; cancelling ends a worker process."""
    budget = _budget(max_duration_s, setting, highest_rate)

    def here(_: Job[tuple[bytes, str, Decoded | None]]) -> tuple[bytes, str, Decoded | None]:
        content, name = _content(source, budget)
        return content, name, _decode_here(content, name, budget)

    content, name, found = await LIGHT.call(here)
    if found is not None:
        return found
    return await SOUND.call(lambda job: _decode_apart(job, content, name, budget))


def _budget(max_duration_s: float, setting: str, highest_rate: int | None) -> Budget:
    if highest_rate is not None:
        check_rate(highest_rate)
    samples = int(min(MAX_SAMPLES, max_duration_s * SAMPLES_PER_S))
    return Budget(max_duration_s, samples, setting or "agentaudio.sound.decode.MAX_DURATION_S", highest_rate)


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
        raise MissingExtra(f"reading {name} (WebM, MP4, M4A, AAC, AMR or WMA)", "containers")
    most = budget.samples
    if budget.highest_rate is not None:
        most = min(most, int(budget.duration_s * budget.highest_rate) + 1)
    limits = LIMITS.for_sound(budget.duration_s, 4 * most)
    request = {"name": name, "budget": budget}
    found, samples = job.ask(
        "agentaudio.sound.decode_task:samples", request, content, limits=limits, what=name, error=AudioError
    )
    return Decoded(np.frombuffer(samples, np.float32), found["sample_rate"])


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
