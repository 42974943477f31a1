"""Keeps the GGUF files of checkpoints, each by the fingerprint of what it was made from."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from agentaudio.errors import BackendError
from agentaudio.files import TEMPORARY_SUFFIX, replacing
from agentaudio.model.step_audio_2.llama.convert import check_convertible, write_gguf
from agentaudio.model.step_audio_2.llama.precision import Planned, WeightType, total_bytes
from agentaudio.model.step_audio_2.llama.quantise import converted
from agentaudio.model.step_audio_2.memory import gigabytes
from agentaudio.model.step_audio_2.network.checkpoint import Tensors, header_bytes, weight_files
from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.weights.lock import locked
from agentaudio.weights.store import cache_folder

FORMAT = 1
"""Changes with what the converter writes, so that older files are not taken."""
MARGIN = 6_000_000
"""Bytes of a GGUF file besides its tensors, for the tokenizer above all."""
SAMPLE_WEIGHTS = 2**21
"""Weights that are converted to learn how fast this machine does it."""

log = logging.getLogger(__name__)


def gguf_path(folder: Path, weights: WeightType) -> Path:
    """Where the GGUF file of a checkpoint folder is kept, in AGENTAUDIO_CACHE/gguf or ~/.cache/agentaudio/gguf.

    Raises BackendError for a folder without weights.
    """
    return cache_folder().parent / "gguf" / fingerprint(folder) / f"{weights}.gguf"


def fingerprint(folder: Path) -> str:
    """Identifies the language model of a checkpoint folder, without reading its tensors.

    It depends on the configuration, the tokenizer, and the headers, sizes and times of change of the weights. The
    same files in another folder have the same fingerprint, if their times of change were copied too.

    Raises BackendError for a folder without weights.
    """
    digest = hashlib.sha256(f"gguf {FORMAT}".encode())
    for name in ("config.json", "tokenizer.json"):
        digest.update((folder / name).read_bytes())
    for file in sorted(set(weight_files(folder).values())):
        status = (folder / file).stat()
        digest.update(f"{file} {status.st_size} {status.st_mtime_ns}".encode())
        digest.update(header_bytes(folder / file))
    return digest.hexdigest()[:32]


def converted_file(
    folder: Path, config: StepAudio2Config, tensors: Sequence[Planned], weights: WeightType, threads: int
) -> Path:
    """The GGUF file of a checkpoint folder. It is made unless it is there, which takes minutes for the 8B model.

    tensors: of the file, see `planned`
    threads: how many convert at the same time

    The file appears whole or not at all. If several processes ask, one makes it and the others wait. A line in the
    log says its size and about how long it takes, another one how long it took.

    Raises BackendError for a checkpoint that cannot be converted and for too little space, MissingExtra for a package
    that is missing.
    """
    check_convertible(config)
    path = gguf_path(folder, weights)
    if path.exists():
        return path
    with locked(path.with_name("lock")):
        if not path.exists():
            _convert(path, folder, config, tensors, weights, threads)
    return path


def _convert(
    path: Path,
    folder: Path,
    config: StepAudio2Config,
    tensors: Sequence[Planned],
    weights: WeightType,
    threads: int,
) -> None:
    for left in path.parent.glob(f".*{TEMPORARY_SUFFIX}"):  # of a process that was killed
        left.unlink(missing_ok=True)
    check_space(path, size := file_bytes(tensors))
    log.warning(
        "converting the language model of %s for llama.cpp, once: %s in %s, %s, to %s",
        folder, gigabytes(size), weights, _minutes(_estimate(folder, tensors, threads)), path,
    )  # fmt: skip
    begun = time.monotonic()
    with replacing(path, error=BackendError, durable=True) as temporary:
        write_gguf(temporary, folder, config, tensors, weights, threads=threads)
    log.warning("converted in %.0f s", time.monotonic() - begun)


def file_bytes(tensors: Sequence[Planned]) -> int:
    """About how large the file is."""
    return total_bytes(tensors) + MARGIN


def check_space(path: Path, size: int) -> None:
    """Raises BackendError when the disk has no room for a file of so many bytes."""
    there = next(one for one in path.parents if one.exists())
    free = shutil.disk_usage(there).free
    if free < size:
        raise BackendError(
            f"{path} takes {gigabytes(size)}, and its disk has {gigabytes(free)} left; free some space, or set "
            "AGENTAUDIO_CACHE to another place"
        )


def _estimate(folder: Path, tensors: Sequence[Planned], threads: int) -> float:
    """Seconds that the conversion takes, from a sample of the largest tensor. Reading from the disk comes on top."""
    largest = max(tensors, key=lambda tensor: tensor.nbytes)
    rows = min(largest.shape[0], max(1, SAMPLE_WEIGHTS // largest.shape[-1]))
    with Tensors(folder) as source:
        sample = source.rows(largest.source, 0, rows)
        begun = time.perf_counter()
        converted(lambda begin, end: sample[begin:end], (rows, *largest.shape[1:]), largest.type, threads)
    share = rows * (largest.nbytes / largest.shape[0]) / total_bytes(tensors)
    return (time.perf_counter() - begun) / share


def _minutes(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"about {max(1, seconds):.0f} s"
