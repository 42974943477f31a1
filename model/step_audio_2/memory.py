"""The memory that a checkpoint needs, and what a device has free."""

from __future__ import annotations

import math
from pathlib import Path

from agentaudio.errors import BackendError, MissingExtra

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.network.checkpoint import weight_shapes
from agentaudio.model.step_audio_2.network.config import StepAudio2Config

_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
REMEDY = "close other programs, choose another device, or load 4 bits with a quantization_config"


def weight_bytes(folder: Path, config: StepAudio2Config, dtype: str | torch.dtype) -> int:
    """Memory of the weights in a precision. dtype: "auto" is the checkpoint's own

    Raises BackendError as `weight_shapes` does.
    """
    chosen = config.dtype or config.text_config.dtype or torch.bfloat16 if dtype == "auto" else dtype
    chosen = getattr(torch, chosen) if isinstance(chosen, str) else chosen
    return sum(map(math.prod, weight_shapes(folder).values())) * int(chosen.itemsize)


def token_bytes(config: StepAudio2Config, dtype: str | torch.dtype) -> int:
    """Memory of the keys and values of one token: 57 kB for the published checkpoint."""
    text = config.text_config
    width = text.num_key_value_heads * (text.hidden_size // text.num_attention_heads)
    return 2 * int(text.num_hidden_layers) * int(width) * (4 if dtype == torch.float32 else 2)


def free_bytes(device: str | torch.device) -> int | None:
    """Memory that programs can still get on a device; None where that is not known.

    On Linux the limit of the container counts as well.
    """
    kind = torch.device(device)
    if kind.type == "cuda":
        return int(torch.cuda.mem_get_info(kind)[0])
    if kind.type == "mps" or not _MEMINFO.exists():
        return None
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
    if "MemAvailable" not in lines:
        return None
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        if limit != "max":
            used = int((_CGROUP / "memory.current").read_text())
            cached = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
            free = min(free, int(limit) - used + int(cached.get("inactive_file", 0)))
    except (OSError, ValueError):
        pass  # no control group of version 2
    return max(free, 0)


def check_memory(folder: Path, config: StepAudio2Config, dtype: str | torch.dtype, device: str | torch.device) -> None:
    """Raises BackendError, before anything is loaded, when the weights do not fit into the device's free memory."""
    needed, free = weight_bytes(folder, config, dtype), free_bytes(device)
    if free is not None and free < needed:
        raise BackendError(
            f"the weights in {folder} need {gigabytes(needed)}, and {device} has {gigabytes(free)} free; {REMEDY}"
        )


def gigabytes(count: int) -> str:
    """Such as "16.6 GB"; smaller than 0.1 GB in MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
